// The keyboard: space, arrows, m, f and ? from anywhere but where they mean something else.

import { full, hop, mute, toggle } from './controls.js';
import { $ } from './elements.js';

/** @import { Room } from './room.js' */

const HOP_MS = 10_000;
const SMALL_HOP_MS = 2_000;

/** @param {Room} room */
export function keys(room) {
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const on = /** @type {HTMLElement} */ (event.target);
    if (on.matches('input, select, textarea, [contenteditable]')) return;
    const run = {
      ' ': () => !on.matches('button, a, summary') && toggle(room),
      k: () => toggle(room),
      ArrowLeft: () => hop(room, event.shiftKey ? -SMALL_HOP_MS : -HOP_MS),
      ArrowRight: () => hop(room, event.shiftKey ? SMALL_HOP_MS : HOP_MS),
      m: () => mute(room),
      f: () => full(),
      '?': () => $('hud-toggle').click(),
    }[event.key];
    if (!run || run() === false) return;
    event.preventDefault();
  };
  addEventListener('keydown', press);
  return () => removeEventListener('keydown', press);
}
