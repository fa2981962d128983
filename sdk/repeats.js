// The reader's side of exactly once: what was heard already. An author's numbers only rise, except when the log lost its tail: then they
// send again what it lost, perhaps under smaller numbers (what came too late is left out), and whoever had heard it must not hear it
// twice. The same words under a number that does not rise are such a repeat; other words are new, as are the same under a higher number.

/** @import { Entry } from './frames.js' */

/** Entries that are remembered: what 16 authors may send again. */
const REMEMBERED = 4096;

/** FNV-1a. @param {string} text */
function hash(text) {
  let sum = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) sum = Math.imul(sum ^ text.charCodeAt(at), 0x01000193);
  return sum;
}

export class Repeats {
  /** Numbers by author and words, the longest unheard first. @type {Map<string, number[]>} */
  #heard = new Map();

  /**
   * Notes an entry.
   * @param {Entry} entry
   * @returns {boolean} whether it was heard before
   */
  note({ type, from, n, data }) {
    if (!from || !n) return false;
    const words = `${from} ${hash(type + JSON.stringify(data))}`;
    const numbers = this.#heard.get(words) ?? [];
    const at = numbers.findIndex((heard) => heard >= n);
    numbers.splice(at < 0 ? numbers.length : at, at < 0 ? 0 : 1, n);
    this.#heard.delete(words);
    this.#heard.set(words, numbers.slice(-REMEMBERED));
    if (this.#heard.size > REMEMBERED) this.#heard.delete(this.#heard.keys().next().value ?? '');
    return at >= 0;
  }
}
