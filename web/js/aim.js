// Where somebody is taking the film while they are still at it: a key that is held, or a slider that is dragged, is one jump when it is let
// go, not one for each step. Until then only their own slider shows it. Nobody is told of a jump that leads to where the film is.

/** @import { Room } from './room.js' */

/** A key whose release was seen by nobody (another window took it) counts as let go so long after it was pressed or repeated last. */
const LOST_MS = 1_000;

export class Aim {
  #room;
  /** @type {number | null} */
  #goal = null;
  /** Of the jump that is on its way: the next step starts there. @type {number | null} */
  #sent = null;
  /** @type {any} */
  #timer;

  /** @param {Pick<Room, 'party' | 'banners' | 'mine'>} room */
  constructor(room) {
    this.#room = room;
  }

  /** In the film's own milliseconds; null while nobody here is at it. */
  get goal() {
    return this.#goal ?? this.#sent;
  }

  /** @param {number} by_ms from where the film is, or where it is being taken */
  by(by_ms) {
    this.to((this.goal ?? this.#room.party.film_ms ?? 0) + by_ms);
  }

  /** @param {number} ms */
  to(ms) {
    const { party, mine } = this.#room;
    const { state } = party.line;
    if (!state || !mine()) return;
    this.#goal = Math.min(state.media.duration_ms ?? Infinity, Math.max(0, ms));
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.go(), LOST_MS);
  }

  /** It is let go: for everybody, now. */
  go() {
    const goal = this.#goal;
    const { party, banners, mine } = this.#room;
    this.drop();
    const from = this.#sent ?? party.film_ms;
    if (goal === null || from === null || !mine() || Math.round(goal) === Math.round(from)) return;
    this.#sent = goal;
    const sent = party.seek(goal);
    banners.sent(party, sent);
    const over = () => {
      if (this.#sent === goal) this.#sent = null;
    };
    sent.then(({ seq }) => this.#known(seq, over), over);
  }

  /** Once the film is where it was told to go: the answer may come before the entry. @param {number} seq @param {() => void} then */
  #known(seq, then) {
    const { party } = this.#room;
    if ((party.position?.seq ?? 0) >= seq) return then();
    const off = party.on('playback', () => {
      off();
      then();
    });
    return undefined;
  }

  /** It is given up. */
  drop() {
    clearTimeout(this.#timer);
    this.#goal = null;
  }
}
