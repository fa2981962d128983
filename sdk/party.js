// A participant's place in a session, as an application sees it: what it can say, what it is told, and what is known now. The parts
// (socket, ring, repeats, clock, line) know nothing of one another; here they meet, and frames become events.

import { Clock } from './clock.js';
import { Connection } from './connection.js';
import { Emitter } from './emitter.js';
import { Line } from './line.js';
import { Repeats } from './repeats.js';
import { PartyError, Ring } from './ring.js';
import { quietly, world } from './world.js';

/** @import { Socket, World } from './world.js' */
/** @import { State, Why } from './connection.js' */
/** @import { Entry, Frame, Media, Participant, Playback, PlayerStatus, Position, Session, Snapshot, Welcome } from './frames.js' */

/** In the tab's storage, before the address. */
const STORED = 'watchparty ';

/** What is sent to one participant says so in its id: an error has no `to`. */
const TO = 'to ';

/** Messages about the film, which go stale. */
const FILM = ['load', 'play', 'pause', 'seek', 'rate'];

/**
 * What `party.on` tells of. An `entry` is null where a snapshot (`welcome`, `reset`) or the server itself speaks.
 * @typedef {object} Events
 * @property {[State, Why]} state the connection
 * @property {[Entry]} chat
 * @property {[Entry]} event
 * @property {[Entry]} entry every entry, after its own event
 * @property {[Playback | null, Entry | null]} playback the film's newest state
 * @property {[Participant[], Entry | null]} participants
 * @property {[string, Entry | null]} host the host's id
 * @property {[Session, Entry | null]} session
 * @property {[Frame]} notify
 * @property {[Frame]} signal
 * @property {[{ backend: 'up' | 'degraded' }]} status
 * @property {[{ reconnect_after_ms: number, reason: string }]} goaway
 * @property {[Snapshot]} reset continuity broke: what is not in the snapshot has to be read again (`history`)
 * @property {[{ type: string, data: any, reason: 'late' | 'unknown' | 'gone', acked: boolean }]} lost something of ours that nobody will hear
 * @property {[PartyError, string | null]} refused what has no promise (`notify`, `signal`, `ready`), and to whom it was to go
 */

/**
 * @typedef {object} Options
 * @property {string} url `ws_url` of the admission
 * @property {(renew: boolean) => string | null | Promise<string | null>} getToken `renew`: the last one was refused or runs out
 * @property {Position | null} [resume] where to go on; what the tab's storage has when absent; null: begin anew
 * @property {new (url: string, protocol: string) => Socket} [WebSocket] for Node before 22
 * @property {Partial<World>} [world] clocks and timers, for tests
 */

/** @extends {Emitter<Events>} */
export class Party extends Emitter {
  /** The participant's own id, once welcome came. */
  id = '';
  /** Whether the backend takes messages. @type {'up' | 'degraded'} */
  backend = 'up';
  /** @type {Session | null} */
  session = null;
  /** Of the last welcome: limits, durability, and what else it had. @type {Welcome | null} */
  welcome = null;
  /** How many hold a seat; the list may have fewer. */
  total = 0;
  line = new Line();
  /** @type {Map<string, Participant>} */
  #participants = new Map();
  /** @type {Position | null} */
  #position;
  /** The roster's own position: what is not newer is in it already. */
  #head = 0;
  #ids = 0;
  #repeats = new Repeats();
  /** By id. @type {Map<string, { resolve: (data: any) => void, reject: (error: PartyError) => void }>} */
  #asked = new Map();
  #world;
  #key;
  #connection;
  #ring;

  /** @param {Options} options */
  constructor({ url, getToken, resume, WebSocket, world: given }) {
    super();
    this.#world = world({ ...given, ...(WebSocket && { WebSocket }) });
    this.#key = STORED + url;
    this.#position = resume === undefined ? quietly(() => JSON.parse(String(this.#world.storage?.getItem(this.#key)))) : resume;
    this.#connection = new Connection(
      this.#world,
      { url, getToken },
      {
        resume: () => this.#position,
        frame: (frame) => this.#frame(frame),
        state: (state, why) => this.#state(state, why),
        wake: () => this.clock.burst(),
      },
    );
    const send = (/** @type {object} */ frame) => this.#connection.send(frame);
    this.#ring = new Ring(this.#world, {
      send,
      id: () => this.#id(),
      restart: (reason) => this.#connection.restart(reason),
      degraded: () => this.backend === 'degraded',
      lost: (what) => this.emit('lost', what),
    });
    /** The cluster's time. */
    this.clock = new Clock(this.#world, send);
    this.clock.on('step', (by) => this.line.settle(this.clock.now() - by));
    queueMicrotask(() => void this.#connection.open()); // not before somebody could listen
  }

  /** @returns {State} */
  get state() {
    return this.#connection.state;
  }

  /** Where to resume from, as of the last entry that was heard. */
  get position() {
    return this.#position && { ...this.#position };
  }

  /** Who holds a seat, in order of joining. */
  get participants() {
    return [...this.#participants.values()];
  }

  /** How many of our messages wait for an ack, and how many acked ones are kept. */
  get ring() {
    return this.#ring.size;
  }

  /** The clocks and timers in use. */
  get world() {
    return this.#world;
  }

  /** Where the film is now, in its own milliseconds; null without one. */
  get film_ms() {
    return this.line.position(this.clock.now());
  }

  /**
   * Puts a durable message into the log, exactly once, whatever becomes of connections meanwhile.
   * @param {string} type `chat`, `event`, `profile`, `session.update`, `host.transfer`, `kick`, `session.end`, or one about the film
   * @param {any} [data]
   * @returns {Promise<import('./frames.js').Ack>} rejects with a {@link PartyError}
   */
  publish(type, data) {
    if (this.state === 'closed') return Promise.reject(new PartyError('closed'));
    return this.#ring.publish(type, data, FILM.includes(type));
  }

  /** @param {Media} media @param {number} [position_ms] */
  load(media, position_ms = 0) {
    return this.publish('load', { media, position_ms: whole(position_ms) });
  }

  /** From where the film stands, or from a position. @param {number} [position_ms] */
  play(position_ms) {
    return this.publish('play', { position_ms: whole(position_ms) });
  }

  /**
   * @param {{ position_ms?: number, at_ms?: number }} [shown] the frame its author sees, and when they stopped (cluster time)
   */
  pause({ position_ms, at_ms } = {}) {
    return this.publish('pause', { position_ms: whole(position_ms), at_ms: whole(at_ms) });
  }

  /** @param {number} position_ms */
  seek(position_ms) {
    return this.publish('seek', { position_ms: whole(position_ms) });
  }

  /** @param {number} rate 0.25 to 4, in thousandths */
  rate(rate) {
    return this.publish('rate', { rate: Math.round(rate * 1000) / 1000 });
  }

  /**
   * Tells everybody, or one, now or never.
   * @param {string} topic
   * @param {any} body
   * @param {string} [to]
   * @returns {boolean} whether it was sent
   */
  notify(topic, body, to) {
    return this.#connection.send({ type: 'notify', id: to && TO + to, to, data: { topic, body } });
  }

  /**
   * @param {string} to
   * @param {{ kind: 'offer' | 'answer' | 'candidate' | 'restart' | 'bye', link: string, payload?: any }} data
   * @returns {boolean} whether it was sent; `refused` tells of `peer_unreachable`
   */
  signal(to, data) {
    return this.#connection.send({ type: 'signal', id: TO + to, to, data });
  }

  /** @param {{ drift_ms?: number, rtt_ms?: number, status?: PlayerStatus }} data */
  report(data) {
    return this.#connection.send({ type: 'report', data });
  }

  /** @param {number} version `waiting.version` of the film's state */
  ready(version) {
    return this.#connection.send({ type: 'ready', data: { version } });
  }

  /**
   * A page of the past.
   * @param {{ before?: number, after?: number, limit?: number }} [page]
   * @returns {Promise<{ epoch: string, head: number, entries: Entry[] }>}
   */
  history(page = {}) {
    return this.#ask('history', page);
  }

  /**
   * A page of who holds a seat.
   * @param {{ after?: string, limit?: number }} [page]
   * @returns {Promise<{ participants: Participant[] }>}
   */
  roster(page = {}) {
    return this.#ask('participants', page);
  }

  /** Gives the seat up. */
  leave() {
    this.#connection.leave();
  }

  /** Ends the connection and keeps the seat for the lease. */
  close() {
    this.#connection.close();
  }

  #id() {
    return `s${++this.#ids}`;
  }

  /** @param {string} type @param {any} data @returns {Promise<any>} */
  #ask(type, data) {
    return new Promise((resolve, reject) => {
      const id = this.#id();
      if (!this.#connection.send({ type, id, data })) return reject(new PartyError('offline'));
      this.#asked.set(id, { resolve, reject });
    });
  }

  /** @param {State} state @param {Why} why */
  #state(state, why) {
    if (state !== 'live') {
      for (const { reject } of this.#asked.values()) reject(new PartyError('offline'));
      this.#asked.clear();
      this.#ring.offline();
      this.clock.offline();
    }
    if (state === 'closed') this.#ring.close(new PartyError('closed', { message: why.reason }));
    this.emit('state', state, why);
  }

  /** @param {Frame} frame */
  #frame(frame) {
    const { type, id = '', data } = frame;
    if (frame.seq) return this.#entry(/** @type {Entry} */ (frame));
    if (type === 'pong') return this.clock.pong(data);
    if ((type === 'ack' || type === 'error') && this.#ring.answer(frame)) return;
    const asked = this.#asked.get(id);
    if (asked) {
      this.#asked.delete(id);
      if (type === 'error') asked.reject(new PartyError(data.code, data));
      else asked.resolve(data);
    } else if (type === 'error') {
      this.emit('refused', new PartyError(data.code, data), id.startsWith(TO) ? id.slice(TO.length) : null);
    }
    if (type === 'welcome') this.#welcome(data);
    else if (type === 'reset') this.#reset(data);
    else if (type === 'status') this.#status(data);
    else if (type === 'notify' && frame.from === null && data.topic === 'peers') this.#peers(data.body);
    else if (type === 'notify' || type === 'signal') this.emit(type, frame);
    else if (type === 'goaway') this.emit(type, data);
  }

  /** @param {Welcome} welcome */
  #welcome(welcome) {
    const position = this.#position;
    this.id = welcome.participant_id;
    this.welcome = welcome;
    this.backend = 'up';
    this.clock.welcome(welcome.now_ms);
    this.#at(welcome.epoch, welcome.recovered && position ? position.seq : welcome.head);
    this.#snapshot(welcome);
    if (!welcome.recovered && welcome.reason !== 'fresh') this.emit('reset', welcome);
    this.#ring.welcome(welcome.last_n);
  }

  /** @param {Snapshot} snapshot */
  #reset(snapshot) {
    this.#at(snapshot.epoch, snapshot.head);
    this.#snapshot(snapshot);
    this.emit('reset', snapshot);
    this.#ring.recheck();
  }

  /** @param {Snapshot} snapshot */
  #snapshot({ session, participants, participants_total, host_id, slots, head }) {
    this.#head = head;
    this.session = { ...session, host_id };
    this.total = participants_total;
    const known = this.#participants;
    this.#participants = new Map(participants.map((one) => [one.id, { ...known.get(one.id), ...one }]));
    this.line.reset(slots.playback);
    this.emit('session', this.session, null);
    this.emit('participants', this.participants, null);
    this.emit('host', host_id, null);
    this.emit('playback', this.line.state, null);
  }

  /** @param {{ backend: 'up' | 'degraded', epoch?: string }} status */
  #status(status) {
    this.backend = status.backend;
    if (status.epoch && this.#position) {
      this.#at(status.epoch, this.#position.seq);
      this.#ring.recheck();
    }
    this.emit('status', status);
  }

  /** @param {Record<string, Partial<Participant>>} peers */
  #peers(peers) {
    for (const [id, fares] of Object.entries(peers)) this.#amend(id, fares);
    this.emit('participants', this.participants, null);
  }

  /** @param {string} id @param {Partial<Participant>} more */
  #amend(id, more) {
    const known = this.#participants.get(id);
    if (known) this.#participants.set(id, { ...known, ...more });
  }

  /** @param {Entry} entry */
  #entry(entry) {
    const position = this.#position;
    if (!position || entry.seq <= position.seq) return;
    // The server never leaves one out: what is missing here was lost here, and a resume brings it.
    if (entry.seq > position.seq + 1) return this.#connection.restart('hole');
    this.#at(position.epoch, entry.seq);
    const repeat = this.#repeats.note(entry);
    const { type } = entry;
    if (type === 'playback') this.#film(entry);
    if (entry.seq > this.#head) this.#change(entry);
    if (repeat) return;
    if (type === 'chat' || type === 'event') this.emit(type, entry);
    this.emit('entry', entry);
  }

  /** @param {Entry} entry */
  #film(entry) {
    const { data, ts } = entry;
    const before = this.line.state;
    if (!this.line.take(data, this.clock.now())) return;
    if (before && data.reason === 'clock') this.clock.moved(data.anchor_ms - before.anchor_ms, ts);
    this.emit('playback', data, entry);
  }

  /** What an entry changes in who is here, and how the session is. @param {Entry} entry */
  #change(entry) {
    const { type, data } = entry;
    const { session } = this;
    const left = type === 'participant.left';
    if (type === 'participant.joined') {
      this.#participants.set(data.id, data);
      this.total += 1;
    }
    if (left) {
      this.#participants.delete(data.participant_id);
      this.total -= 1;
    }
    if (type === 'participant.updated') this.#amend(data.id, data);
    if (type.startsWith('participant.')) this.emit('participants', this.participants, entry);
    if (type === 'session.updated') this.session = data;
    if (type.startsWith('session.') && this.session) this.emit('session', this.session, entry);
    if ((left || type === 'host.changed') && session && data.host_id !== session.host_id) {
      this.session = { ...session, host_id: data.host_id };
      this.emit('host', data.host_id, entry);
    }
  }

  /** @param {string} epoch @param {number} seq */
  #at(epoch, seq) {
    this.#position = { epoch, seq };
    quietly(() => this.#world.storage?.setItem(this.#key, JSON.stringify(this.#position)));
  }
}

/** The protocol knows no parts of a millisecond, and what is missing stays so. @param {number | undefined} ms */
function whole(ms) {
  return ms === undefined ? ms : Math.max(0, Math.round(ms));
}
