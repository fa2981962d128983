// Keeps one player on the film's line: starts it on time, holds it where the film stands, says when it is ready, steers it while it plays,
// and turns what its owner does by hand into commands. What to do about drift is `drift.js`'s business, when the film is where `line.js`'s.

import { percentile } from './clock.js';
import { Drift } from './drift.js';
import { Emitter } from './emitter.js';
import { positionOf } from './line.js';
import { PartyError } from './ring.js';
import {
  BUFFER_MS, COMMAND_MS, DECIDE_MS, EARLY_MS, ECHO_MS, EXACT_MS, EXACT_TRIES, FAR_MS, FRAMES_MS, GESTURE_MS, HELD_MS, KEPT, LATE_MS,
  OWN_MS, PLANS, POLL_MS, READY_EVERY_MS, REPORT_FAR_MS, REPORT_MS, SEEK_LOST_MS, START_GAIN, START_MAX_MS, START_MS, STILL_MS, TICK_MS,
  WHOLE_MS,
} from './times.js';

/** @import { Party } from './party.js' */
/** @import { Player, PlayerEvent } from './player.js' */
/** @import { Playback, PlayerStatus } from './frames.js' */

/**
 * - `status`: how the player fares; `blocked`: the browser wants a gesture before it plays (`syncNow` from a click);
 * - `refused`: a command made by hand was not taken.
 * @typedef {{ status: [PlayerStatus], blocked: [unknown], refused: [PartyError] }} SyncEvents
 */

/** @extends {Emitter<SyncEvents>} */
export class Sync extends Emitter {
  /** The player's film position minus the room's, in milliseconds; null when not measured. @type {number | null} */
  drift = null;
  /** @type {PlayerStatus} */
  status = 'idle';
  #party;
  #player;
  #world;
  #control;
  /** @type {((() => void) | undefined)[]} */
  #offs;
  /** @type {any} */
  #ticking;
  /** @type {any} */
  #starting = null;
  /** The state that was acted on last. @type {Playback | null} */
  #state = null;
  #rate = NaN;
  #startMs = START_MS;
  #learn = false;
  /** Since when: `performance.now()`, which is 0 for nobody. @type {number | null} */
  #seeking = null;
  #seeks = 0;
  #tries = 0;
  #ticked = NaN;
  #held = -Infinity;
  #still = -Infinity;
  #buffering = false;
  #broken = false;
  #blocked = false;
  #own = -Infinity;
  #gesture = -Infinity;
  #polled = -Infinity;
  #framed = -Infinity;
  #decided = -Infinity;
  #changed = -Infinity;
  #reported = -Infinity;
  #told = -Infinity;
  /** Media events that are still to come from what was done here. @type {Map<PlayerEvent, number[]>} */
  #echoes = new Map();
  /** @type {number[]} */
  #drifts = [];

  /**
   * @param {Party} party
   * @param {Player} player
   */
  constructor(party, player) {
    super();
    this.#party = party;
    this.#player = player;
    this.#world = party.world;
    this.#control = new Drift(player.rates !== 'continuous', player.frames !== undefined);
    this.#offs = [
      party.on('playback', () => this.#changedState()),
      party.clock.on('step', () => this.#control.reset()),
      player.on('play', () => this.#byHand('play') && this.#handPlay()),
      player.on('pause', () => this.#byHand('pause') && this.#handPause()),
      player.on('ratechange', (rate) => this.#byHand('ratechange') && this.#handRate(Number(rate))),
      player.on('seeked', () => this.#sought()),
      player.on('playing', () => this.#moving()),
      player.on('waiting', () => {
        this.#buffering = true;
        this.#learn = false;
      }),
      player.on('loaded', () => this.#loaded()),
      player.on('error', () => (this.#broken = true)),
      player.on('gesture', () => (this.#gesture = this.#world.now())),
      player.frames?.((position_ms, moment) => this.#frame(position_ms, moment)),
    ];
    this.#tick();
  }

  /** Pauses here at once, and everywhere on the frame that is shown here. */
  pause() {
    if (!this.#player.paused()) this.#pausePlayer();
    return this.#handPause();
  }

  /** Tries again after `lagging` or `blocked`; call it from a click. */
  syncNow() {
    this.#blocked = false;
    this.#control.forgive();
    const state = this.#party.line.at(this.#party.clock.now());
    if (state?.phase === 'playing' && !this.#player.paused()) this.#jump(state);
    this.#act();
  }

  /** Numbers for people who want to see them; drifts are absolute, in milliseconds. */
  stats() {
    const { mean, sigma } = this.#control.seek;
    return {
      drift_ms: this.drift,
      p50: percentile(this.#drifts, 0.5),
      p95: percentile(this.#drifts, 0.95),
      p99: percentile(this.#drifts, 0.99),
      drifts: [...this.#drifts],
      rate: this.#rate,
      seeks: this.#seeks,
      seek_ms: mean,
      seek_sigma_ms: sigma,
      start_ms: this.#startMs,
    };
  }

  /** Lets go of the player, and leaves it as it is. */
  stop() {
    this.#world.clearTimeout(this.#ticking);
    this.#world.clearTimeout(this.#starting);
    for (const off of this.#offs.splice(0)) off?.();
  }

  #tick() {
    const now = this.#world.now();
    if (now - this.#ticked > TICK_MS + LATE_MS) this.#held = now;
    this.#ticked = now;
    this.#ticking = this.#world.setTimeout(() => this.#tick(), TICK_MS);
    this.#act();
    this.#report();
  }

  #changedState() {
    this.#cancelStart();
    this.#own = -Infinity;
    this.#act();
  }

  #cancelStart() {
    this.#world.clearTimeout(this.#starting);
    this.#starting = null;
  }

  /** A state of the film came into force. @param {Playback} state */
  #enter(state) {
    this.#changed = this.#world.now();
    this.#tries = 0;
    this.#told = -Infinity;
    this.#control.forgive(this.#player.paused() || this.#state?.phase !== 'playing');
    this.#setRate(state.rate);
    const off = this.#player.positionMs() - positionOf(state, this.#party.clock.now());
    const hop = state.phase === 'playing' && state.reason === 'seek' && Math.abs(off) > LATE_MS;
    if (hop && !this.#player.paused() && !this.#seeking) this.#jump(state);
  }

  #act() {
    const now = this.#world.now();
    const { line, clock } = this.#party;
    const state = line.at(clock.now());
    if (!state || !line.state) return;
    // A resume tells again what was known.
    if (state !== this.#state && JSON.stringify(state) !== JSON.stringify(this.#state)) this.#enter(state);
    this.#state = state;
    if (this.#seeking && now - this.#seeking > SEEK_LOST_MS) this.#sought();
    if (this.#seeking || now < this.#own) return;
    const plays = !this.#player.paused();
    if (line.state.phase === 'playing') {
      // One that was started a little ahead of time is let be.
      if (!plays) this.#start(line.state);
      else if (state.phase === 'playing') this.#steer(state);
      return;
    }
    if (plays) this.#pausePlayer();
    this.#hold(state);
  }

  /** A player that stands is started so that it moves when the film is where it stands, or is put ahead of the film first. @param {Playback} state */
  #start(state) {
    if (this.#starting || this.#blocked) return;
    const now = this.#party.clock.now();
    const { anchor_ms, position_ms, rate, media } = state;
    if (positionOf(state, now) >= (media.duration_ms ?? Infinity)) return;
    const due = anchor_ms + (this.#player.positionMs() - position_ms) / rate;
    const wait = due - this.#startMs - now;
    const fits = wait >= -LATE_MS && due >= anchor_ms - EXACT_MS / rate && due - Math.max(now, anchor_ms) <= EARLY_MS;
    if (fits || this.#tries >= EXACT_TRIES) {
      const then = this.#world.now() + wait;
      this.#starting = this.#world.setTimeout(() => this.#play(then), Math.max(0, Math.min(wait, EARLY_MS)));
      return;
    }
    this.#tries += 1;
    const { mean, sigma } = this.#control.seek;
    this.#seek(positionOf(state, now + mean + sigma + this.#startMs));
  }

  /** @param {number} then when it was to be: only on time a start tells of the player alone, and a page that was held up plans anew */
  async #play(then) {
    const now = this.#world.now();
    const late = Math.abs(now - then);
    this.#starting = null;
    if (late > LATE_MS && this.#tries < PLANS) return this.#act();
    this.#learn = late < EXACT_MS;
    this.#still = now + STILL_MS;
    this.#control.reset();
    this.#echo('play');
    try {
      await this.#player.play();
    } catch (error) {
      // A pause that came in between is no refusal.
      if (/** @type {any} */ (error)?.name === 'AbortError') return;
      this.#blocked = true;
      this.emit('blocked', error);
    }
  }

  /** @param {Playback} state */
  #hold(state) {
    const off = Math.abs(this.#player.positionMs() - positionOf(state, 0));
    this.drift = null;
    if (off > (this.#tries ? EXACT_MS : WHOLE_MS) && this.#tries < EXACT_TRIES) {
      this.#tries += 1;
      this.#seek(positionOf(state, 0));
      return;
    }
    const now = this.#world.now();
    if (!state.waiting || now - this.#told < READY_EVERY_MS || this.#player.bufferedMs() < BUFFER_MS) return;
    if (this.#party.ready(state.waiting.version)) this.#told = now;
  }

  /** @param {Playback} state */
  #steer(state) {
    const now = this.#world.now();
    if (this.#buffering || now < this.#still) return;
    if (now - this.#framed > FRAMES_MS && now - this.#polled >= POLL_MS) {
      this.#polled = now;
      this.#measure(this.#player.positionMs(), now);
    }
    if (now - this.#decided < DECIDE_MS) return;
    this.#decided = now;
    this.#note(now, state.rate);
    const unseen = this.#world.hidden() || (this.#player.muted?.() ?? false);
    const what = this.#control.decide(now, state.rate, this.#party.clock.settled, unseen);
    if (what === 'seek') this.#jump(state);
    else if (what !== 'start') this.#setRate(what);
    else if (now - this.#held > HELD_MS) this.#pausePlayer();
    else this.#jump(state);
  }

  /** @param {number} now @param {number} rate */
  #note(now, rate) {
    const median = this.#control.median;
    if (median === null) return;
    this.drift = median;
    if (now - this.#changed > COMMAND_MS) this.#drifts = [...this.#drifts.slice(1 - KEPT), Math.abs(median)];
    if (!this.#learn || !this.#party.clock.settled) return;
    this.#learn = false;
    if (Math.abs(median) > START_MAX_MS) return;
    this.#startMs = Math.min(START_MAX_MS, Math.max(0, this.#startMs - (START_GAIN * median) / rate));
  }

  /** @param {number} position_ms @param {number} moment */
  #frame(position_ms, moment) {
    const now = this.#world.now();
    this.#framed = now;
    if (!this.#seeking && !this.#buffering && now >= this.#still) this.#measure(position_ms, moment);
  }

  /** @param {number} position_ms @param {number} moment */
  #measure(position_ms, moment) {
    const { clock, line } = this.#party;
    const film = line.position(clock.at(moment));
    if (film !== null) this.#control.add(position_ms - film);
  }

  /** To where the film will be when the player is there. @param {Playback} state */
  #jump(state) {
    this.#setRate(state.rate);
    this.#seek(positionOf(state, this.#party.clock.now() + this.#control.seek.mean));
  }

  /** @param {number} position_ms */
  #seek(position_ms) {
    this.#seeks += 1;
    this.#learn = false;
    this.#seeking = this.#world.now();
    this.#player.seek(Math.max(0, position_ms));
  }

  #sought() {
    const now = this.#world.now();
    const seeking = this.#seeking;
    if (seeking) {
      this.#seeking = null;
      this.#control.sought(now, now - seeking);
      this.#still = now + STILL_MS;
      this.#act();
    } else if (this.#byHand('seeked')) this.#command(this.#party.seek(this.#player.positionMs()));
  }

  #moving() {
    this.#buffering = this.#broken = false;
    this.#tries = 0;
    if (!this.#seeking) this.#still = -Infinity;
  }

  #loaded() {
    this.#broken = this.#buffering = false;
    this.#seeking = null;
    this.#rate = NaN;
    this.#echo('seeked'); // what was asked for before there was a film is done now
    this.#cancelStart();
    if (this.#state) this.#enter(this.#state);
    this.#act();
  }

  /** @param {number} rate */
  #setRate(rate) {
    const { rates } = this.#player;
    const near = (/** @type {number} */ best, /** @type {number} */ one) =>
      Math.abs(one - rate) < Math.abs(best - rate) ? one : best;
    const known = rates === 'continuous' ? rate : rates.reduce(near);
    if (known === this.#rate) return;
    this.#rate = known;
    this.#echo('ratechange');
    this.#player.setRate(known);
  }

  #pausePlayer() {
    this.#echo('pause');
    this.#player.pause();
  }

  /** @param {PlayerEvent} event */
  #echo(event) {
    const until = this.#world.now() + ECHO_MS;
    this.#echoes.set(event, [...(this.#echoes.get(event) ?? []), until]);
  }

  /** Whether an event is no effect of ours, and a person's: then it is a command. @param {PlayerEvent} event */
  #byHand(event) {
    const now = this.#world.now();
    const [mine, ...rest] = (this.#echoes.get(event) ?? []).filter((until) => until >= now);
    this.#echoes.set(event, rest);
    return mine === undefined && now - this.#gesture <= GESTURE_MS;
  }

  #handPlay() {
    // Everybody starts together, so here too.
    this.#pausePlayer();
    this.#command(this.#party.play());
  }

  #handPause() {
    const position_ms = this.#player.positionMs();
    const at_ms = this.#party.clock.now();
    return this.#command(this.#party.pause({ position_ms, at_ms }));
  }

  /** @param {number} rate */
  #handRate(rate) {
    this.#rate = NaN;
    this.#command(this.#party.rate(rate));
  }

  /** @param {Promise<any>} sent */
  #command(sent) {
    this.#cancelStart();
    this.#own = this.#world.now() + OWN_MS;
    sent.catch((error) => {
      this.#own = -Infinity;
      this.emit('refused', error);
    });
    return sent;
  }

  #report() {
    const now = this.#world.now();
    const status = this.#fares();
    if (status !== this.status) this.emit('status', (this.status = status));
    if (now - this.#reported < (Math.abs(this.drift ?? 0) > FAR_MS ? REPORT_FAR_MS : REPORT_MS)) return;
    const rtt_ms = this.#party.clock.rtt;
    if (this.#party.report({ drift_ms: this.drift ?? undefined, rtt_ms, status })) this.#reported = now;
  }

  /** @returns {PlayerStatus} */
  #fares() {
    if (this.#broken) return 'error';
    if (!this.#state) return 'idle';
    if (this.#world.hidden()) return 'hidden';
    if (this.#control.lagging) return 'lagging';
    if (this.#state.phase === 'playing') return this.#buffering || this.#player.paused() ? 'buffering' : 'playing';
    return this.#seeking || this.#player.bufferedMs() < BUFFER_MS ? 'loading' : 'ready';
  }
}
