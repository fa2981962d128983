// The film as a line through one point: where it is at any moment of the cluster's time, by the state in force then. Nothing ticks.

/** @import { Playback } from './frames.js' */

/**
 * Where a state has the film, in its own milliseconds.
 * @param {Playback} state
 * @param {number} moment cluster time
 */
export function positionOf({ phase, position_ms, rate, anchor_ms, media }, moment) {
  const run = phase === 'playing' ? rate * Math.max(0, moment - anchor_ms) : 0;
  return Math.min(position_ms + run, media.duration_ms ?? Infinity);
}

export class Line {
  /** The newest state, which may be yet to come into force; null while no film was loaded. @type {Playback | null} */
  state = null;
  /** @type {Playback | null} */
  #before = null;

  /**
   * @param {Playback} state
   * @param {number} now cluster time
   * @returns {boolean} whether it is newer than what was known
   */
  take(state, now) {
    if (this.state && state.version <= this.state.version) return false;
    this.#before = this.at(now);
    this.state = state;
    return true;
  }

  /**
   * What a snapshot says, whatever was known.
   * @param {Playback | undefined} state
   */
  reset(state) {
    this.#before = null;
    this.state = state ?? null;
  }

  /**
   * The state in force at a moment. Only a film that plays is dated ahead: any other state was in force when it was told, whatever a
   * clock here says.
   * @param {number} moment cluster time
   */
  at(moment) {
    const { state } = this;
    return this.#before && state?.phase === 'playing' && moment < state.effective_at_ms ? this.#before : state;
  }

  /**
   * The clock was set: what had come into force stays.
   * @param {number} moment cluster time, by the clock as it was
   */
  settle(moment) {
    if (this.at(moment) === this.state) this.#before = null;
  }

  /**
   * Where the film is, in its own milliseconds; null without one.
   * @param {number} moment cluster time
   */
  position(moment) {
    const state = this.at(moment);
    return state && positionOf(state, moment);
  }
}
