// Exactly once, from the author's side: numbers for durable messages, the window of unanswered ones, and what was acked of late, for a log
// that lost its tail. It knows answers and `last_n`; it knows no sockets and no films, only which messages go stale.
//
// One rule makes it simple: after any answer but an ack nothing more is sent until everything on its way was answered, because what
// follows a refused number is refused too. Then `#log`, the last number the log is known to hold, says what goes again, and under which number.

/** @import { World } from './world.js' */
/** @import { Ack, Frame } from './frames.js' */

/** The server stops reading at as many unanswered messages. */
const WINDOW = 32;
/** Acked messages that are kept, and for how long at least: longer than a Redis needs to come back with its tail cut off. */
const KEPT = 256;
const KEPT_MS = 60_000;
/** Messages that may wait to be sent. */
const WAITING = 256;
/** A command to the film that is older is dropped: a late pause is worse than none. */
const STALE_MS = 2_000;
/** The wait after a refusal that names none. */
const RETRY_MS = 1_000;
/**
 * The least wait after `rate_limited`: what it names lasts until one message may go. A server closes at 100 refusals within 10 s, and one
 * message at a time, no sooner than this, meets 40 of them beside the first window's.
 */
const LIMITED_MS = 250;
/** A question about the log's last number: a number so far ahead is never written, only answered by `gap`. */
const AHEAD = 1_000;

/** A message that came to nothing, or a request that was not answered. `code` is the protocol's, or one that the README lists. */
export class PartyError extends Error {
  /**
   * @param {string} code
   * @param {{ message?: string, retry_after_ms?: number }} [data]
   */
  constructor(code, data) {
    super(data?.message ?? code);
    this.name = 'PartyError';
    this.code = code;
    this.retry_after_ms = data?.retry_after_ms;
  }
}

/**
 * @typedef {object} Item
 * @property {string} type
 * @property {any} data
 * @property {boolean} film whether it goes stale
 * @property {number} at when it was asked for, or acked
 * @property {(ack: Ack) => void} resolve
 * @property {(error: PartyError) => void} reject
 * @property {number} n 0 before it has one
 * @property {string} [id] of the transmission that is on its way
 * @property {boolean} [unknown] it may be in the log or not
 * @property {boolean} [acked] it was in the log, and was lost with its tail
 * @property {boolean} [told] its author knows that it came too late: it is not sent any more
 */

/**
 * @typedef {object} Outlet
 * @property {(frame: object) => boolean} send
 * @property {() => string} id a new one
 * @property {(reason: string) => void} restart resume on another socket, where nothing of this one can land any more
 * @property {() => boolean} degraded whether the backend cannot take anything
 * @property {(item: { type: string, data: any, reason: 'late' | 'unknown' | 'gone', acked: boolean }) => void} lost
 */

export class Ring {
  #world;
  /** @type {Outlet} */
  #outlet;
  /** In order of their numbers. @type {Item[]} */
  #kept = [];
  /** Unacked, in order; those without a number were never sent. @type {Item[]} */
  #queue = [];
  /** By id. @type {Map<string, Item | null>} */
  #owed = new Map();
  #log = 0;
  #next = 1;
  #top = 0;
  #live = false;
  #stalled = false;
  #ask = false;
  #wait = 0;
  /** How many may be on their way: one, from a refusal by rate until nothing waits. */
  #window = WINDOW;
  /** @type {any} */
  #timer;

  /**
   * @param {World} world
   * @param {Outlet} outlet
   */
  constructor(world, outlet) {
    this.#world = world;
    this.#outlet = outlet;
  }

  /** How many messages wait for an ack, and how many acked ones are kept. */
  get size() {
    return { unacked: this.#queue.length, kept: this.#kept.length };
  }

  /**
   * @param {string} type
   * @param {any} data
   * @param {boolean} film
   * @returns {Promise<Ack>}
   */
  publish(type, data, film) {
    if (this.#queue.length >= WAITING) return Promise.reject(new PartyError('queue_full'));
    return new Promise((resolve, reject) => {
      /** @type {Item} */
      const item = { type, data, film, n: 0, at: this.#world.now(), resolve, reject };
      this.#queue.push(item);
      // Its author hears of it then, not when somebody answers. If it was sent, it may be in the log, and its number stays until that is known.
      if (film) this.#world.setTimeout(() => this.#queue.includes(item) && !item.acked && this.#drop(item, 'late'), STALE_MS);
      this.#pump();
    });
  }

  /**
   * A new connection: `last_n` is the truth, as nothing of the old one can land any more.
   * @param {number} last_n
   */
  welcome(last_n) {
    this.offline();
    this.#live = true;
    this.#log = last_n;
    this.#settle(true);
  }

  /** The connection is gone, and answers with it. */
  offline() {
    this.#live = false;
    this.#world.clearTimeout(this.#timer);
    this.#owed.clear();
    this.#wait = 0;
    for (const item of this.#queue) item.id = undefined;
  }

  /** The log may have lost its tail: asks for its last number, if there is anything that could go again. */
  recheck() {
    this.#ask = false;
    if (!this.#live || this.#kept.length === 0) return;
    const id = this.#outlet.id();
    this.#owed.set(id, null);
    this.#outlet.send({ type: 'event', id, n: this.#top + AHEAD, data: { topic: 'last_n', body: null } });
  }

  /**
   * It is over: nothing is sent again.
   * @param {PartyError} error
   */
  close(error) {
    this.offline();
    for (const item of this.#queue.splice(0)) item.reject(error);
  }

  /**
   * @param {Frame} frame an ack or an error
   * @returns {boolean} whether it answers a message of this ring
   */
  answer({ type, id = '', data }) {
    const item = this.#owed.get(id);
    if (item === undefined) return false;
    this.#owed.delete(id);
    if (item) item.id = undefined;
    if (type === 'ack') this.#acked(/** @type {Item} */ (item), data);
    else this.#refused(item, data);
    if (!this.#stalled) this.#pump();
    else if (this.#owed.size === 0) this.#later(this.#wait);
    return true;
  }

  /**
   * @param {Item} item
   * @param {any} data
   */
  #acked(item, data) {
    this.#queue = this.#queue.filter((other) => other !== item);
    this.#log = Math.max(this.#log, item.n);
    this.#keep(item);
    if (this.#queue.length === 0) this.#window = WINDOW;
    item.resolve({ duplicate: false, ...data });
  }

  /** @param {Item} item */
  #keep(item) {
    const now = this.#world.now();
    item.at = now;
    item.unknown = false;
    item.acked = true;
    this.#kept = [...this.#kept, item].sort((one, other) => one.n - other.n);
    while (this.#kept.length > KEPT || now - this.#kept[0].at > KEPT_MS) this.#kept.shift();
  }

  /**
   * @param {Item | null} item null: a question
   * @param {any} data
   */
  #refused(item, data) {
    const { code, retry_after_ms, last_n } = data;
    this.#stalled = true;
    if (code === 'gap') {
      this.#log = last_n;
      return;
    }
    const limited = code === 'rate_limited';
    const again = !item || limited || ['unavailable', 'stale'].includes(code);
    if (again || (code === 'conflict' && item.film && retry_after_ms)) {
      // `stale`: the server ends this connection next, and says why.
      if (limited) this.#window = 1;
      this.#wait = Math.max(this.#wait, retry_after_ms ?? RETRY_MS, limited ? LIMITED_MS : 0);
      if (!item) this.#ask = true;
      else item.unknown ||= code === 'unavailable';
      return;
    }
    this.#queue = this.#queue.filter((other) => other !== item);
    item.reject(new PartyError(code, data));
  }

  /** @param {number} ms @returns {void} */
  #later(ms) {
    this.#wait = 0;
    if (ms === 0) return this.#settle(false);
    this.#timer = this.#world.setTimeout(() => this.#settle(false), ms);
  }

  /**
   * Nothing is on its way: what the log lost goes again before what it never had, without what came too late.
   * @param {boolean} fenced nothing that was sent before can still land
   * @returns {void}
   */
  #settle(fenced) {
    const log = this.#log;
    const lost = this.#kept.filter((item) => item.n > log);
    const all = [...lost, ...this.#queue];
    const missing = all.filter((item) => !item.n || item.n > log);
    const late = missing.filter(({ told, film, at }) => told || (film && this.#world.now() - at > STALE_MS));
    const sent = missing.filter((item) => item.n && !late.includes(item));
    const moved = sent.filter((item, at) => item.n !== log + 1 + at);
    if (!fenced && [...late, ...moved].some((item) => item.unknown)) {
      // Under another number it could be there twice: only a new seat, which fences the old one off, tells.
      if (this.#outlet.degraded()) return this.#later(RETRY_MS);
      return this.#outlet.restart('unknown');
    }
    if (lost[0] && lost[0].n !== log + 1) this.#outlet.lost({ type: '', data: null, reason: 'gone', acked: true });
    this.#kept = this.#kept.filter((item) => !lost.includes(item));
    this.#queue = all.filter((item) => !late.includes(item));
    sent.forEach((item, at) => (item.n = log + 1 + at));
    if (fenced) for (const item of all) item.unknown = false;
    for (const item of late) this.#drop(item, 'late');
    // Numbers we never gave: another connection spoke for this participant, and ours may or may not be among them.
    if (log > this.#top) this.#queue = this.#queue.filter((item) => !item.n || this.#drop(item, 'unknown'));
    this.#top = Math.max(this.#top, log);
    this.#next = log + 1 + sent.length;
    this.#stalled = false;
    if (this.#ask) this.recheck();
    this.#pump();
  }

  #pump() {
    if (!this.#live || this.#stalled) return;
    // Given up before it had a number: nothing is known by it.
    this.#queue = this.#queue.filter((item) => item.n || !item.told);
    for (const item of this.#queue) {
      if (this.#owed.size >= this.#window) return;
      if (item.id) continue;
      item.n ||= this.#next++;
      this.#top = Math.max(this.#top, item.n);
      item.id = this.#outlet.id();
      this.#owed.set(item.id, item);
      this.#outlet.send({ type: item.type, id: item.id, n: item.n, data: item.data });
    }
  }

  /**
   * Tells its author once, and never takes it off the queue: who calls does, where it is known not to be in the log.
   * @param {Item} item
   * @param {'late' | 'unknown'} reason
   */
  #drop(item, reason) {
    const { type, data, acked = false } = item;
    if (item.told) return;
    item.told = true;
    item.reject(new PartyError(reason));
    this.#outlet.lost({ type, data, reason, acked });
  }
}
