// One participant's socket, and the next one when it is lost: hello, liveness, backoff, tokens. It knows close codes and knows nothing
// of what frames mean beyond the three that concern the socket itself (welcome, goaway, token.expiring).

import { afterClose, backoff } from './close.js';
import { LEAVE_MS, SILENCE_MS, STEADY_MS, STUCK_MS } from './times.js';

/** @import { World } from './world.js' */
/** @import { Frame, Position } from './frames.js' */

export const VERSION = '0.1.0';

/**
 * - `connecting`: the first try is under way; `live`: welcome came; `retrying`: lost, and coming back; `closed`: for good.
 * @typedef {'connecting' | 'live' | 'retrying' | 'closed'} State
 */

/**
 * Why it is so: the close code and reason, and when the next try is. `code` is 0 where no socket was closed.
 * @typedef {{ code: number, reason: string, in_ms?: number }} Why
 */

/**
 * @typedef {object} Wiring
 * @property {() => Position | null} resume where to go on from
 * @property {(frame: Frame) => void} frame
 * @property {(state: State, why: Why) => void} state
 * @property {() => void} wake the network is back, or somebody looks again
 */

export class Connection {
  /** @type {State} */
  state = 'connecting';
  #world;
  #url;
  #getToken;
  #wiring;
  /** @type {any} */
  #socket = null;
  /** @type {any} */
  #timer;
  /** @type {any} */
  #watch;
  /** @type {string | null | undefined} */
  #token;
  /** Anything asynchronous of a try that is not this one any more is ignored. */
  #attempt = 0;
  #tries = 0;
  #refusals = 0;
  #heard = 0;
  #since = 0;
  /** The server named the time of the next try: nothing brings it forward. */
  #ordered = false;
  #leaving = false;
  /** @type {number | undefined} */
  #goaway;
  /** @type {(() => void)[]} */
  #offs;

  /**
   * @param {World} world
   * @param {{ url: string, getToken: (renew: boolean) => string | null | Promise<string | null> }} options
   * @param {Wiring} wiring
   */
  constructor(world, { url, getToken }, wiring) {
    this.#world = world;
    this.#url = url;
    this.#getToken = getToken;
    this.#wiring = wiring;
    this.#offs = [
      world.listen('online', () => this.#wake()),
      world.listen('visibilitychange', () => world.hidden() || this.#wake()),
    ];
  }

  /** Tries now. */
  async open() {
    if (this.state === 'closed') return;
    const attempt = this.#abandon();
    this.#ordered = false;
    try {
      this.#token ??= await this.#getToken(this.#refusals > 0);
    } catch (error) {
      // Whoever gives out tokens may be out of reach just as the server is.
      if (attempt === this.#attempt) this.#lost(1006, `token: ${error}`);
      return;
    }
    if (attempt !== this.#attempt) return;
    if (!this.#token) return this.#end(0, 'no_token');
    try {
      this.#socket = new this.#world.WebSocket(this.#url, 'watchparty.v1');
    } catch (error) {
      return this.#end(0, `${error}`); // no address of a socket
    }
    const socket = this.#socket;
    this.#heard = this.#world.now();
    this.#guard();
    const mine = (/** @type {(event: any) => void} */ run) => (/** @type {any} */ event) =>
      attempt === this.#attempt && run(event);
    socket.onopen = mine(() => this.#hello());
    socket.onmessage = mine((event) => this.#hear(event.data));
    socket.onerror = () => {}; // a close follows and says more
    socket.onclose = mine((event) => this.#lost(event.code, event.reason));
  }

  /**
   * @param {object} frame
   * @returns {boolean} whether there is a live connection that took it
   */
  send(frame) {
    // Past OPEN (1) a socket takes nothing: what it was given would be lost, and the console would say so.
    if (this.state !== 'live' || this.#socket.readyState > 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /**
   * Gives this socket up for a new one.
   * @param {string} reason
   */
  restart(reason) {
    if (this.state === 'live') this.#lost(1006, reason);
  }

  /** Gives the seat up: the server says goodbye, or is not waited for. */
  leave() {
    this.#leaving = true;
    if (!this.send({ type: 'leave' })) return this.close('left');
    this.#timer = this.#world.setTimeout(() => this.close('left'), LEAVE_MS);
  }

  /**
   * Ends it on this side; the seat stays for the lease.
   * @param {string} [reason]
   */
  close(reason = 'closed') {
    if (this.state !== 'closed') this.#end(1000, reason);
  }

  #hello() {
    const resume = this.#wiring.resume() ?? undefined;
    this.#socket.send(JSON.stringify({ type: 'hello', token: this.#token, resume, client: { name: 'sdk', version: VERSION } }));
  }

  /** @param {string} text */
  #hear(text) {
    this.#heard = this.#world.now();
    const frame = JSON.parse(text);
    if (frame.type === 'welcome') {
      this.#refusals = 0;
      this.#since = this.#heard;
      this.state = 'live'; // so that what the welcome sets off can be sent
    }
    if (frame.type === 'goaway') this.#goaway = frame.data.reconnect_after_ms;
    if (frame.type === 'token.expiring') void this.#refresh();
    this.#wiring.frame(frame);
    if (frame.type === 'welcome') this.#to('live', { code: 0, reason: frame.data.reason ?? 'recovered' });
  }

  async #refresh() {
    const attempt = this.#attempt;
    try {
      const token = await this.#getToken(true);
      if (!token) return;
      this.#token = token;
      if (attempt === this.#attempt) this.send({ type: 'refresh', data: { token } });
    } catch {
      this.#token = undefined; // the old one runs out: 4401 asks again
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    if (this.state === 'live' && this.#world.now() - this.#since >= STEADY_MS) this.#tries = 0;
    const { random } = this.#world;
    const verdict = afterClose(code, reason, this.#goaway, random);
    this.#goaway = undefined;
    const renew = verdict.then === 'token';
    if (renew) this.#token = undefined;
    if (this.#leaving || verdict.then === 'stop' || (renew && ++this.#refusals > 1)) return this.#end(code, reason);
    this.#abandon();
    this.#ordered = verdict.after_ms !== undefined;
    const in_ms = renew ? 0 : (verdict.after_ms ?? backoff(this.#tries++, random));
    this.#timer = this.#world.setTimeout(() => void this.open(), in_ms);
    this.#to('retrying', { code, reason, in_ms });
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    this.#abandon();
    for (const off of this.#offs) off();
    this.#to('closed', { code, reason });
  }

  /** Forgets socket and timers: what they still say is nobody's business. */
  #abandon() {
    this.#world.clearTimeout(this.#timer);
    this.#world.clearTimeout(this.#watch);
    this.#socket?.close();
    this.#socket = null;
    return ++this.#attempt;
  }

  #guard() {
    if (!this.#world.hidden() && this.#world.now() - this.#heard > SILENCE_MS) return this.#lost(1006, 'silent');
    this.#watch = this.#world.setTimeout(() => this.#guard(), SILENCE_MS / 5);
  }

  #wake() {
    this.#wiring.wake();
    const stuck = !this.#socket || this.#world.now() - this.#heard > STUCK_MS;
    if (this.state === 'retrying' && !this.#ordered && stuck) void this.open();
  }

  /**
   * @param {State} state
   * @param {Why} why
   */
  #to(state, why) {
    this.state = state;
    this.#wiring.state(state, why);
  }
}
