// What was said and done, in the order of the log: live entries as they come, pages of the past above them. Entries are known by their
// number, so one that comes twice (a page and a resume may overlap) is shown once.

import { icon, make } from './elements.js';
import { jumped, story } from './story.js';
import { time } from './words.js';

/** @import { Names } from './names.js' */

/** Messages of one author so close together are under one name, and jumps of one person are one line, which tells of the last. */
const TOGETHER_MS = 5 * 60_000;
/** Whoever reads so near the end, in pixels, reads on by themselves. */
const NEAR = 90;

/** @typedef {{ entry: any, element: any, jump: boolean }} Line `element` is null where nothing is told */

export class Timeline {
  /** In order. @type {Line[]} */
  #lines = [];
  /** Own messages that are on their way. @type {any[]} */
  #pending = [];
  #place;
  #scroll;
  #names;
  #answer;

  /** @param {{ place: HTMLElement, scroll: HTMLElement, names: Names, answer: (entry: any) => void }} parts */
  constructor({ place, scroll, names, answer }) {
    this.#place = place;
    this.#scroll = scroll;
    this.#names = names;
    this.#answer = answer;
    this.clear();
  }

  /** The number of the oldest that is known; undefined without any. */
  get first() {
    return this.#lines[0]?.entry.seq;
  }

  clear() {
    this.#lines = [];
    this.#place.replaceChildren(...this.#pending);
  }

  /** A page of the past, or a live entry. @param {any[]} entries in order */
  add(entries) {
    const scroll = this.#scroll;
    const near = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
    const height = scroll.scrollHeight;
    const older = entries.length > 0 && this.#lines.length > 0 && entries[0].seq < this.#lines[0].entry.seq;
    // Names first: an older page may say who the authors of newer messages are.
    for (const { type, data } of entries) if (type === 'participant.joined' && this.#names.name(data.id) === 'Somebody') this.#names.note(data);
    for (const entry of entries) this.#insert(entry);
    if (older) scroll.scrollTop += scroll.scrollHeight - height;
    else if (near || entries.at(-1)?.from === this.#names.self) this.end();
  }

  end() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** Shows an own message before the log has it; the returned function says what became of it. @param {string} text */
  pend(text) {
    const element = make('li', { class: 'message mine pending' }, make('p', { class: 'text' }, text));
    element.said = text;
    this.#pending.push(element);
    this.#place.append(element);
    this.end();
    return (/** @type {string | null} */ failed) => {
      if (failed === null) return; // its entry takes its place
      element.classList.replace('pending', 'failed');
      element.append(make('p', { class: 'quote' }, `Not sent: ${failed}`));
    };
  }

  /** What an answer refers to, if it is known. @param {number} seq */
  find(seq) {
    return this.#lines.find(({ entry }) => entry.seq === seq)?.entry;
  }

  #insert(entry) {
    let at = this.#lines.length;
    while (at > 0 && this.#lines[at - 1].entry.seq > entry.seq) at -= 1;
    if (this.#lines[at - 1]?.entry.seq === entry.seq) return;
    const before = entry.type === 'playback' ? this.#lines.slice(0, at).findLast((line) => line.entry.type === 'playback')?.entry : undefined;
    const element = entry.type === 'chat' ? this.#message(entry) : this.#deed(entry, before);
    if (entry.type === 'chat' && entry.from === this.#names.self) this.#arrived(entry.data.text);
    const after = this.#lines.slice(at).find((line) => line.element)?.element ?? this.#pending[0] ?? null;
    this.#lines.splice(at, 0, { entry, element, jump: jumped(entry, before) });
    if (!element) return;
    this.#place.insertBefore(element, after);
    this.#together(at);
    const next = this.#lines.findIndex((line, index) => index > at && line.element);
    if (next > 0) this.#together(next);
  }

  #arrived(text) {
    const at = this.#pending.findIndex((element) => element.said === text);
    if (at >= 0) this.#pending.splice(at, 1)[0].remove();
  }

  /** Whether a message goes on under the name of the one above, and a jump takes the place of the one above. @param {number} at */
  #together(at) {
    const { entry, element, jump } = this.#lines[at];
    const above = this.#lines.slice(0, at).findLast((line) => line.element);
    if (!above) return;
    const same = above.entry.from === entry.from && entry.ts - above.entry.ts < TOGETHER_MS;
    if (entry.type === 'chat') element.classList.toggle('more', same && above.entry.type === 'chat' && !entry.data.reply_to);
    if (above.jump) above.element.hidden = jump && same;
  }

  #deed(entry, before) {
    const text = story(entry, before, this.#names);
    return text && make('li', { class: 'deeds', 'data-seq': entry.seq }, text, make('time', {}, time(entry.ts)));
  }

  #message(entry) {
    const { from, ts, data, seq } = entry;
    const names = this.#names;
    const own = from === names.self;
    const avatar = make('span', { class: 'avatar small', 'aria-hidden': 'true' }, names.letters(from));
    const author = make('b', {}, from === null ? 'The server' : names.name(from));
    for (const one of [avatar, author]) one.style.setProperty('--hue', String(names.hue(from)));
    const asked = data.reply_to ? this.find(data.reply_to) : undefined;
    const quote = data.reply_to ? make('p', { class: 'quote' }, asked?.data.text ? `${names.name(asked.from)}: ${asked.data.text}` : 'an earlier message') : null;
    const answer = make('button', { class: 'answer round', type: 'button', 'aria-label': `Reply to ${names.name(from)}`, onclick: () => this.#answer(entry) }, icon('reply'));
    return make('li', { class: own ? 'message mine' : 'message', 'data-seq': seq }, avatar,
      make('p', { class: 'head' }, author, make('time', {}, time(ts))), quote, make('p', { class: 'text' }, data.text), answer);
  }
}
