// The cluster's time on this computer's monotonic clock, by pings (four time stamps each, the quickest of the last minute decide).
//
// `Date.now()` is used for one thing only: to notice that the computer slept, in which time `performance.now()` may stand still.

import { Emitter } from './emitter.js';
import {
  BURST, BURST_GAP_MS, EVERY_MS, EXTRA, EXTRA_EVERY_MS, OFF_MS, SETTLED, SLEPT_MS, SLEW, SLEW_MAX_MS, WINDOW, WINDOW_MS,
} from './times.js';

/** @import { World } from './world.js' */

/** @typedef {{ at: number, rtt: number, offset: number }} Sample */

/** @param {number[]} values @param {number} part 0 to 1 @returns {number} 0 of nothing */
export function percentile(values, part) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0;
}

/**
 * `step`: the time jumped by so many milliseconds.
 * @extends {Emitter<{ step: [number] }>}
 */
export class Clock extends Emitter {
  #world;
  #send;
  /** @type {Sample[]} */
  #samples = [];
  #offset = 0;
  #target = 0;
  #slewed = 0;
  #strange = 0;
  #left = 0;
  #extra = 0;
  #seen;
  /** @type {any} */
  #timer;
  #live = false;

  /**
   * @param {World} world
   * @param {(frame: object) => boolean} send
   */
  constructor(world, send) {
    super();
    this.#world = world;
    this.#send = send;
    this.#seen = this.#gap();
  }

  /** The cluster's time now, in milliseconds since the Unix epoch. */
  now() {
    return this.at(this.#world.now());
  }

  /**
   * The cluster's time at a moment of `performance.now()`.
   * @param {number} moment
   */
  at(moment) {
    const now = this.#world.now();
    const most = Math.max(0, now - this.#slewed) * SLEW;
    this.#offset += Math.min(most, Math.max(-most, this.#target - this.#offset));
    this.#slewed = now;
    return moment + this.#offset;
  }

  /** Whether there are samples enough to correct a player's speed by. */
  get settled() {
    return this.#samples.length >= SETTLED;
  }

  /** How far off it may be, in milliseconds: half the quickest round trip; Infinity before the first. */
  get bound() {
    return Math.min(...this.#samples.map(({ rtt }) => rtt)) / 2;
  }

  /** The 95th percentile of the last minute's round trips, in milliseconds; undefined before the first. */
  get rtt() {
    return this.#samples.length > 0 ? percentile(this.#samples.map(({ rtt }) => rtt), 0.95) : undefined;
  }

  /**
   * A connection lives.
   * @param {number} now_ms the cluster's time when it was greeted
   */
  welcome(now_ms) {
    if (!this.settled) this.#step(now_ms + (this.#samples.length > 0 ? this.bound : 0) - this.#world.now());
    this.#live = true;
    this.burst();
  }

  offline() {
    this.#live = false;
    this.#world.clearTimeout(this.#timer);
  }

  /** Ten pings, quickly: when the network is back, and when somebody looks again. */
  burst() {
    this.#left = BURST;
    this.#extra = this.#world.now();
    this.#world.clearTimeout(this.#timer);
    if (this.#live) this.#ping();
  }

  /** @param {{ t0: number, t1: number, t2: number }} pong */
  pong({ t0, t1, t2 }) {
    const t3 = this.#world.now();
    const rtt = t3 - t0 - (t2 - t1);
    if (!(rtt >= 0 && rtt < WINDOW_MS)) return;
    const offset = (t1 - t0 + (t2 - t3)) / 2;
    const off = Math.abs(offset - this.#target) - rtt / 2 > OFF_MS;
    this.#strange = this.settled && off ? this.#strange + 1 : 0;
    if (this.#strange > 1) this.#restart();
    this.#samples = [...this.#samples, { at: t3, rtt, offset }].filter(({ at }) => t3 - at <= WINDOW_MS).slice(-WINDOW);
    this.#estimate();
  }

  /**
   * The cluster's time moved, as an entry says: until pings know of it no film may jump.
   * @param {number} by
   * @param {number} ts when that was, by the clock it went over to
   */
  moved(by, ts) {
    const off = this.now() - ts;
    // Pings may have been quicker.
    if (Math.abs(off + by) >= Math.abs(off)) return;
    this.#step(this.#offset + by);
    this.#restart();
  }

  #estimate() {
    const least = 2 * this.bound;
    const quick = this.#samples.filter(({ rtt }) => rtt <= least + Math.max(2, 0.1 * least));
    const median = percentile(quick.map(({ offset }) => offset), 0.5);
    this.now();
    if (!this.settled || Math.abs(median - this.#offset) >= SLEW_MAX_MS) this.#step(median);
    this.#target = median;
  }

  /** @param {number} offset */
  #step(offset) {
    const by = offset - this.#offset;
    this.#offset = this.#target = offset;
    if (Math.abs(by) >= SLEW_MAX_MS) this.emit('step', by);
  }

  #restart() {
    this.#samples = [];
    this.#strange = 0;
    this.burst();
  }

  /** What the wall clock is ahead of the monotonic one. */
  #gap() {
    return this.#world.wall() - this.#world.now();
  }

  #ping() {
    const now = this.#world.now();
    if (Math.abs(this.#gap() - this.#seen) > SLEPT_MS) {
      this.#samples = [];
      this.#left = BURST;
    }
    this.#seen = this.#gap();
    this.#send({ type: 'ping', data: { t0: now } });
    if (this.#left > 0) this.#left -= 1;
    else if (now - this.#extra >= EXTRA_EVERY_MS) {
      this.#left = EXTRA - 1;
      this.#extra = now;
    }
    this.#timer = this.#world.setTimeout(() => this.#ping(), this.#left > 0 ? BURST_GAP_MS : EVERY_MS);
  }
}
