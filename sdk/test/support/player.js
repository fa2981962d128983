// A player as bad as real ones: its own idea of speed, a start that takes a while, seeks that take longer, stalls. It does to its listeners what
// an HTMLMediaElement does (`waiting` while it seeks and plays, `playing` when it moves again), and knows where it really is.

import { normal } from './time.js';

export class SimPlayer {
  rates = 'continuous';
  stuck = false;
  forbidden = false;
  loaded = true;
  log = [];
  #time;
  #random;
  #speed;
  #listeners = new Map();
  #base = 0;
  #since = 0;
  #rate = 1;
  #paused = true;
  #moving = false;
  #move = null;
  #frames = null;

  constructor(time, { random, ppm = 0, frames = true, seekMs = 250, seekSpread = 0.3, startMs = 40, startSpread = 15, rates = 'continuous' }) {
    this.#time = time;
    this.#random = random;
    this.#speed = 1 + ppm / 1e6;
    this.rates = rates;
    this.seekTime = () => seekMs * Math.exp(seekSpread * normal(random));
    this.startTime = () => Math.max(5, startMs + startSpread * normal(random));
    if (frames) this.frames = (run) => this.#show(run);
  }

  positionMs() {
    return this.#base + (this.#moving ? this.#rate * this.#speed * (this.#time.now - this.#since) : 0);
  }

  get moving() {
    return this.#moving;
  }

  get rate() {
    return this.#rate;
  }

  paused() {
    return this.#paused;
  }

  bufferedMs() {
    return this.loaded ? Infinity : 0;
  }

  muted() {
    return false;
  }

  on(event, run) {
    const all = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, all.add(run));
    return () => all.delete(run);
  }

  listening() {
    return [...this.#listeners.values()].reduce((sum, all) => sum + all.size, 0);
  }

  tell(event, value) {
    this.#time.after(0, () => this.#listeners.get(event)?.forEach((run) => run(value)));
  }

  play() {
    this.log.push('play');
    if (this.forbidden) return Promise.reject(new DOMException('a gesture first', 'NotAllowedError'));
    if (!this.#paused) return Promise.resolve();
    this.#paused = false;
    this.tell('play');
    this.#go(this.startTime());
    return Promise.resolve();
  }

  pause() {
    if (this.#paused) return;
    this.log.push('pause');
    this.#paused = true;
    this.#halt();
    this.tell('pause');
  }

  seek(position_ms) {
    this.log.push('seek');
    this.#halt();
    if (!this.stuck) this.#base = position_ms;
    const took = this.seekTime();
    if (!this.#paused) this.tell('waiting');
    this.#move = this.#time.after(took, () => {
      this.#move = null;
      this.tell('seeked');
      if (!this.#paused) this.#go(0);
    });
  }

  setRate(rate) {
    this.log.push(`rate ${rate}`);
    const at = this.positionMs();
    this.#base = at;
    this.#since = this.#time.now;
    this.#rate = rate;
    this.tell('ratechange', rate);
  }

  /** The network of the film hiccups. */
  stall(ms) {
    if (!this.#moving) return;
    this.#halt();
    this.tell('waiting');
    this.#go(ms);
  }

  /** Away from where it should be, as a bad decoder would have it. */
  shove(by) {
    this.#base += by;
  }

  #go(ms) {
    this.#time.cancel(this.#move);
    this.#move = this.#time.after(ms, () => {
      this.#move = null;
      this.#moving = true;
      this.#since = this.#time.now;
      this.tell('playing');
    });
  }

  #halt() {
    this.#base = this.positionMs();
    this.#moving = false;
    this.#time.cancel(this.#move);
    this.#move = null;
  }

  #show(run) {
    const next = () => {
      if (this.#moving) run(this.positionMs(), this.clock());
      this.#frames = this.#time.after(1000 / 24, next);
    };
    next();
    return () => this.#time.cancel(this.#frames);
  }

  /** `performance.now()` of the computer it is on. */
  clock = () => this.#time.now;
}
