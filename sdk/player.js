// A film in a page: what `follow` needs of a player, for an HTMLMediaElement. It translates units and names and decides nothing. Whoever
// has another player (an embed, an app) writes an object of the same shape.

/**
 * - `loaded`: a film is there, and its position can be set; `gesture`: a person touched something, so what the player does next may be theirs.
 * @typedef {'play' | 'pause' | 'playing' | 'waiting' | 'seeked' | 'ratechange' | 'loaded' | 'error' | 'gesture'} PlayerEvent
 */

/**
 * @typedef {object} Player
 * @property {() => number} positionMs
 * @property {() => void | Promise<void>} play rejects when the browser wants a gesture first
 * @property {() => void} pause
 * @property {(position_ms: number) => void} seek `seeked` follows
 * @property {(rate: number) => void} setRate
 * @property {() => number} bufferedMs how much it can play from here without loading; Infinity when it will not have to stop
 * @property {() => boolean} paused
 * @property {'continuous' | number[]} rates the speeds it knows
 * @property {(event: PlayerEvent, run: (value?: number) => void) => () => void} on returns how to stop; `ratechange` brings the rate
 * @property {() => boolean} [muted]
 * @property {((run: (position_ms: number, moment: number) => void) => () => void) | undefined} [frames] each frame that is shown, and
 *   when, in milliseconds of `performance.now()`; returns how to stop
 */

/** Near enough to the end of the film, in seconds, to need nothing more. */
const END_S = 0.1;

/** @implements {Player} */
export class VideoPlayer {
  /** @type {'continuous'} */
  rates = 'continuous';
  #video;

  /** @param {HTMLMediaElement} video */
  constructor(video) {
    this.#video = video;
    if (!('requestVideoFrameCallback' in video)) this.frames = undefined;
  }

  positionMs() {
    return this.#video.currentTime * 1000;
  }

  /** Not from the end: an element would begin anew. */
  play() {
    return this.#video.ended ? undefined : this.#video.play();
  }

  pause() {
    this.#video.pause();
  }

  /** Before there is a film an element remembers it for later. @param {number} position_ms */
  seek(position_ms) {
    this.#video.currentTime = position_ms / 1000;
  }

  /** @param {number} rate */
  setRate(rate) {
    this.#video.playbackRate = rate;
  }

  bufferedMs() {
    const { buffered, currentTime, duration, readyState, HAVE_ENOUGH_DATA } = this.#video;
    if (readyState === HAVE_ENOUGH_DATA) return Infinity;
    for (let at = 0; at < buffered.length; at++) {
      const end = buffered.end(at);
      if (buffered.start(at) > currentTime || end < currentTime) continue;
      return end >= duration - END_S ? Infinity : (end - currentTime) * 1000;
    }
    return 0;
  }

  paused() {
    return this.#video.paused;
  }

  muted() {
    return this.#video.muted;
  }

  /**
   * @param {PlayerEvent} event
   * @param {(value?: number) => void} run
   */
  on(event, run) {
    if (event === 'gesture') {
      const offs = ['pointerdown', 'keydown'].map((name) => listen(this.#video.ownerDocument, name, () => run()));
      return () => offs.forEach((off) => off());
    }
    const name = event === 'loaded' ? 'loadedmetadata' : event;
    return listen(this.#video, name, () => run(this.#video.playbackRate));
  }

  /** @type {Player['frames']} */
  frames = (run) => {
    const video = /** @type {HTMLVideoElement} */ (this.#video);
    let handle = video.requestVideoFrameCallback(function next(_, { mediaTime, expectedDisplayTime }) {
      run(mediaTime * 1000, expectedDisplayTime);
      handle = video.requestVideoFrameCallback(next);
    });
    return () => video.cancelVideoFrameCallback(handle);
  };
}

/** @param {EventTarget} target @param {string} event @param {() => void} run */
function listen(target, event, run) {
  // Not the bare `true` for capturing: Node's own targets would never let go.
  target.addEventListener(event, run, { capture: true });
  return () => target.removeEventListener(event, run, { capture: true });
}
