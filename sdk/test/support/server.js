// A gateway of a few lines, in this process and in fake time: sockets with delays, one log with numbers per author, one film. It is as
// strict as the real one where the SDK leans on it (contiguous numbers, one entry per number, answers in order) and can be told to misbehave.

import { positionOf } from '../../line.js';

const EPOCH = '6c8349cc-7260-4e62-a3b1-1396831a8398';
const DURABLE = ['chat', 'event', 'profile', 'load', 'play', 'pause', 'seek', 'rate'];
const START = 1_767_225_600_000;

export class Server {
  epoch = EPOCH;
  log = [];
  sockets = [];
  seats = new Map();
  last = new Map();
  film = null;
  /** Frames of clients, in order: [participant, frame]. */
  read = [];
  /** Answers instead of the log: (participant, frame) => error data, 'silence' or undefined. */
  refuse = () => undefined;
  /** What a new socket meets: undefined, 'dead' (never opens) or [code, reason] (closed on hello). */
  meet = () => undefined;
  delay = () => 10;
  lead = 200;
  /** By how much the cluster's time jumped. */
  stepped = 0;
  #ready = new Map();

  constructor(time) {
    this.time = time;
  }

  /** The cluster's time. */
  get now() {
    return START + this.time.now + this.stepped;
  }

  /** A WebSocket class whose sockets end here. `delay(up)` is what one frame takes. */
  socket(delay = (up) => this.delay(up)) {
    const server = this;
    return class {
      constructor(url, protocol) {
        Object.assign(this, { url, protocol, readyState: 0, wire: { up: 0, down: 0 } });
        server.sockets.push(this);
        this.met = server.meet(this);
        if (this.met === 'dead') return;
        server.time.after(delay(true) + delay(false), () => {
          if (this.readyState !== 0) return;
          this.readyState = 1;
          this.onopen?.();
        });
      }

      // Frames of one direction never overtake each other.
      pass(way, run) {
        const at = Math.max(this.wire[way], server.time.now + delay(way === 'up'));
        this.wire[way] = at;
        server.time.after(at - server.time.now, () => this.readyState < 2 && run());
      }

      send(text) {
        if (this.readyState !== 1) throw new Error('not open');
        this.pass('up', () => server.take(this, JSON.parse(text)));
      }

      tell(frame) {
        const text = JSON.stringify(frame);
        this.pass('down', () => this.onmessage?.({ data: text }));
      }

      end(code, reason = '') {
        this.pass('down', () => {
          this.readyState = 3;
          this.onclose?.({ code, reason });
        });
      }

      /** The cable is cut: whatever was on its way is gone, and only this end hears of it. */
      cut() {
        this.readyState = 3;
        this.onclose?.({ code: 1006, reason: '' });
      }

      close() {
        this.readyState = 3;
      }
    };
  }

  get live() {
    return this.sockets.filter((socket) => socket.readyState === 1 && socket.who);
  }

  take(socket, frame) {
    if (frame.type === 'hello') return this.greet(socket, frame);
    this.read.push([socket.who, frame]);
    const { type, id, n, data } = frame;
    if (type === 'ping') return socket.tell({ type: 'pong', id, data: { t0: data.t0, t1: this.now, t2: this.now } });
    if (type === 'leave') return socket.end(1000, 'left');
    if (type === 'ready') return this.ready(socket.who, data.version);
    const refused = this.refuse(socket.who, frame);
    if (refused === 'silence') return undefined;
    if (refused) return socket.tell({ type: 'error', id, n, data: { message: 'no', ...refused } });
    if (type === 'history') return socket.tell({ type: 'reply', id, data: { epoch: this.epoch, head: this.log.length, entries: this.log } });
    if (type === 'notify') return this.live.forEach((other) => other.tell({ type, from: socket.who, ts: this.now, data }));
    if (DURABLE.includes(type)) return socket.tell(this.publish(socket.who, frame));
    return undefined;
  }

  greet(socket, { token, resume }) {
    if (socket.met) return socket.end(...socket.met);
    const who = (socket.who = token);
    this.sockets.filter((other) => other !== socket && other.who === who && other.readyState === 1).forEach((old) => old.end(4409, 'replaced'));
    const recovered = resume !== undefined && resume.epoch === this.epoch && resume.seq <= this.log.length;
    const reason = recovered ? null : resume ? 'diverged' : 'fresh';
    if (!this.seats.has(who)) {
      const person = { id: who, name: who, color: null, role: 'member', joined_at: this.now };
      this.seats.set(who, person);
      this.append('participant.joined', who, undefined, person);
    }
    socket.tell({ type: 'welcome', data: { participant_id: who, role: 'member', recovered, last_n: this.last.get(who) ?? 0, durability: 'memory', ...this.snapshot(reason) } });
    if (recovered) this.log.slice(resume.seq).forEach((entry) => socket.tell(entry));
    socket.heard = true;
    return undefined;
  }

  snapshot(reason) {
    const session = { id: 's', name: 'Movie night', host_id: 'ada', max_participants: 10, locked: false, control: 'everyone', created_at: 0, expires_at: 0 };
    return {
      reason, session, epoch: this.epoch, head: this.log.length, participants: [...this.seats.values()], participants_total: this.seats.size,
      host_id: 'ada', slots: this.film ? { playback: this.film } : {}, now_ms: this.now,
      ping_interval_ms: 25000, limits: { message_bytes: 65536, messages_per_second: 20 },
    };
  }

  append(type, from, n, data) {
    const entry = { type, seq: this.log.length + 1, ts: this.now, from, ...(n && { n }), data };
    this.log.push(entry);
    for (const socket of this.live) if (socket.heard) socket.tell(entry);
    return entry;
  }

  publish(who, { type, id, n, data }) {
    const last = this.last.get(who) ?? 0;
    if (n > last + 1) return { type: 'error', id, n, data: { code: 'gap', message: 'A number was skipped', last_n: last } };
    if (n <= last) {
      const seq = this.log.find((entry) => entry.from === who && entry.n === n)?.seq ?? 1;
      return { type: 'ack', id, n, data: { epoch: this.epoch, seq, duplicate: true } };
    }
    this.last.set(who, n);
    const film = ['load', 'play', 'pause', 'seek', 'rate'].includes(type);
    const entry = film ? this.move(who, n, type, data) : this.append(type, who, n, data);
    return { type: 'ack', id, n, data: { epoch: this.epoch, seq: entry.seq } };
  }

  /** The table of PLAYBACK, section 1, as far as the SDK's tests need it. */
  move(who, n, type, data) {
    const { now, film } = this;
    const phase = film?.phase;
    const state = { ...film, version: (film?.version ?? 0) + 1, actor: who, reason: type, anchor_ms: now, effective_at_ms: now };
    delete state.waiting;
    const dated = () => Object.assign(state, { phase: 'playing', anchor_ms: now + this.lead, effective_at_ms: now + this.lead });
    const wait = () => Object.assign(state, { phase: 'waiting', waiting: { version: state.version, since_ms: now, deadline_ms: now + 3000 } });
    if (type === 'load') Object.assign(state, { phase: 'paused', media: data.media, position_ms: data.position_ms, rate: 1 });
    else if (type === 'pause') {
      const when = Math.min(now, Math.max(now - 500, data.at_ms ?? now));
      const there = positionOf(film, when);
      const frame = data.position_ms !== undefined && Math.abs(data.position_ms - there) <= 1000 ? data.position_ms : there;
      Object.assign(state, { phase: 'paused', anchor_ms: when, position_ms: Math.round(frame) });
    } else if (type === 'seek') {
      const hop = phase === 'playing' && Math.abs(data.position_ms - positionOf(film, now)) <= 2000;
      state.position_ms = data.position_ms;
      if (hop) dated();
      else if (phase !== 'paused') wait();
    } else if (type === 'rate') {
      state.rate = data.rate;
      if (phase === 'playing') Object.assign(dated(), { position_ms: Math.round(positionOf(film, state.anchor_ms)) });
    } else if (type === 'play') {
      if (data.position_ms !== undefined) state.position_ms = data.position_ms;
      if (['load', 'seek'].includes(film.reason)) wait();
      else dated();
    }
    return this.show(state, who, n);
  }

  show(state, who, n) {
    this.film = state;
    this.#ready.clear();
    if (state.waiting) {
      const { version } = state.waiting;
      this.time.after(state.waiting.deadline_ms - this.now, () => this.start(version, 'deadline'));
    }
    return this.append('playback', who, n, state);
  }

  ready(who, version) {
    if (this.film?.waiting?.version !== version) return;
    this.#ready.set(who, version);
    const required = this.live.filter((socket) => this.seats.get(socket.who).joined_at <= this.film.waiting.since_ms);
    if (required.every((socket) => this.#ready.has(socket.who))) this.start(version, 'ready');
  }

  start(version, reason) {
    if (this.film.waiting?.version !== version) return;
    const { waiting: _, ...state } = this.film;
    const at = this.now + this.lead;
    this.show({ ...state, version: state.version + 1, phase: 'playing', anchor_ms: at, effective_at_ms: at, reason }, null);
  }

  /** The log loses its newest entries, as in a power cut, and goes on under another epoch. */
  lose(count) {
    const kept = this.log.length - count;
    for (const entry of this.log.splice(kept)) if (entry.n) this.last.set(entry.from, Math.min(this.last.get(entry.from), entry.n - 1));
    this.epoch = `${this.epoch.slice(0, -4)}${String(this.log.length).padStart(4, '0')}`;
    this.live.forEach((socket) => socket.tell({ type: 'reset', data: this.snapshot('diverged') }));
  }
}
