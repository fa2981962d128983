// The drift controller: from how far a player is off, what to do about it. Decisions only; `follow` carries them out.
//
// Two thresholds, as one never converges, and small rates, as stutter is worse than a little drift. Film milliseconds throughout.

/** Medians of so many samples: one odd frame moves nothing. */
const SAMPLES = 5;
/** Left alone below the first, corrected down to the second; less with frame callbacks, which are exact. */
const START_MS = 40;
const END_MS = 12;
const START_FRAMES_MS = 25;
const END_FRAMES_MS = 8;
/** Drift over this is the part of the speed that is taken off: 100 ms off is 5 %. */
const GAIN_MS = 2_000;
/** The most that is taken off or put on: inaudible, and up to `FAR_MS` only. */
const SLIGHT = 0.05;
const STRONG = 0.1;
const FAR_MS = 300;
/** From here a seek is better: sooner where seek times are steady, where nobody sees it, and where there is no other way. */
const SEEK_MS = 1_000;
const SEEK_STEADY_MS = 600;
const SEEK_UNSEEN_MS = 300;
const SEEK_DISCRETE_MS = 350;
const SEEK_UNSETTLED_MS = 500;
const STEADY_MS = 100;
/** Who is so far off when its state has just come into force missed its start. It is started anew: so often, as some never land well. */
const MISSED_MS = 150;
const FRESH = 2;
/** Until the player's own seeks were measured. */
const SEEK_TIME_MS = 400;
const SEEKS_KEPT = 10;
/** Between two seeks; doubled by each that failed. Players of fixed speeds seek more, so seldom. */
const REST_MS = 3_000;
const REST_MAX_MS = 30_000;
const REST_DISCRETE_MS = 10_000;
/** So many failed seeks in so long: this player cannot keep up, and is left where it is. */
const FAILURES = 3;
const FAILURES_MS = 60_000;

export class Drift {
  /** The player is left behind: too many seeks failed. */
  lagging = false;
  #discrete;
  #frames;
  /** @type {number[]} */
  #samples = [];
  /** @type {number[]} */
  #seeks = [];
  /** @type {number[]} */
  #failures = [];
  #correcting = false;
  /** How often a start that may have missed is still mended. */
  #fresh = 0;
  #over = 0;
  #judge = false;
  #rest = 0;
  #restUntil = -Infinity;

  /**
   * @param {boolean} discrete whether the player knows only some speeds
   * @param {boolean} frames whether it tells of each frame
   */
  constructor(discrete, frames) {
    this.#discrete = discrete;
    this.#frames = frames;
    this.#rest = this.#least;
  }

  get #least() {
    return this.#discrete ? REST_DISCRETE_MS : REST_MS;
  }

  /** The median of the newest samples; null before there are enough. */
  get median() {
    return this.#samples.length < SAMPLES ? null : [...this.#samples].sort((one, other) => one - other)[SAMPLES >> 1];
  }

  /** How long a seek takes on average, and how much that varies, in milliseconds. */
  get seek() {
    const count = this.#seeks.length;
    const mean = count ? this.#seeks.reduce((sum, took) => sum + took, 0) / count : SEEK_TIME_MS;
    const sigma = Math.sqrt(this.#seeks.reduce((sum, took) => sum + (took - mean) ** 2, 0) / count);
    return { mean, sigma: count < 3 ? STEADY_MS : sigma };
  }

  /** @param {number} drift the player's film position minus the room's */
  add(drift) {
    this.#samples = [...this.#samples.slice(1 - SAMPLES), drift];
  }

  /** What was measured means nothing any more: the film or the clock moved. */
  reset() {
    this.#samples = [];
    this.#over = 0;
    this.#correcting = false;
  }

  /** Another state of the film, or somebody asked: a new chance. @param {boolean} [starts] the player stood until now */
  forgive(starts) {
    this.reset();
    this.lagging = false;
    this.#judge = false;
    this.#failures = [];
    this.#fresh = starts ? FRESH : 0;
    this.#rest = this.#least;
    this.#restUntil = -Infinity;
  }

  /**
   * A seek is done.
   * @param {number} now
   * @param {number} took
   */
  sought(now, took) {
    this.#seeks = [...this.#seeks, took].slice(-SEEKS_KEPT);
    this.#restUntil = now + this.#rest;
    this.reset();
  }

  /**
   * What to do now, asked four times a second.
   * @param {number} now monotonic
   * @param {number} rate the film's own
   * @param {boolean} settled whether the clock is
   * @param {boolean} unseen nobody sees or hears the player
   * @returns {number | 'seek' | 'start'} the speed to play at, or to seek, or to start anew
   */
  decide(now, rate, settled, unseen) {
    const drift = this.median;
    if (drift === null) return rate;
    const off = Math.abs(drift);
    const limit = this.seek.sigma < STEADY_MS ? SEEK_STEADY_MS : SEEK_MS;
    const seek = this.#discrete ? SEEK_DISCRETE_MS : unseen ? SEEK_UNSEEN_MS : settled ? limit : SEEK_UNSETTLED_MS;
    this.#verdict(now, off > seek);
    if (settled && off <= MISSED_MS) this.#fresh = 0;
    const fresh = settled && this.#fresh > 0;
    this.#over = fresh || off > seek ? this.#over + 1 : 0;
    if (this.lagging) return rate;
    if (this.#over > 1 && fresh) {
      this.#fresh -= 1;
      return 'start';
    }
    if (this.#over > 1 && now >= this.#restUntil) {
      this.#judge = true;
      return 'seek';
    }
    if (this.#discrete || !settled) return rate;
    const [start, end] = this.#frames ? [START_FRAMES_MS, END_FRAMES_MS] : [START_MS, END_MS];
    this.#correcting = this.#correcting ? off > end : off > start && off <= limit;
    if (!this.#correcting) return rate;
    const most = off < FAR_MS ? SLIGHT : STRONG;
    const by = Math.min(most, Math.max(-most, drift / GAIN_MS));
    return Math.round(rate * (1 - by) * 1000) / 1000;
  }

  /** Whether the last seek led anywhere. @param {number} now @param {boolean} failed */
  #verdict(now, failed) {
    if (!this.#judge) return;
    this.#judge = false;
    if (!failed) {
      this.#rest = this.#least;
      return;
    }
    this.#rest = Math.min(REST_MAX_MS, this.#rest * 2);
    this.#restUntil = now + this.#rest;
    this.#failures = [...this.#failures, now].filter((at) => now - at <= FAILURES_MS);
    this.lagging = this.#failures.length >= FAILURES;
  }
}
