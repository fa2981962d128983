// The keyboard: space, arrows, m, f and ? from anywhere but where they mean something else. A slider or a list that was clicked keeps the
// focus, which nobody who then presses space knows: there all of them mean the film, but for what a slider does with arrows, and for a list
// that was reached by the keyboard.

import { full, mute, toggle } from './controls.js';
import { $ } from './elements.js';

/** @import { Room } from './room.js' */

const HOP_MS = 10_000;
const SMALL_HOP_MS = 2_000;
/** On the film's own slider. */
const STEP_MS = 5_000;
const PAGE_MS = 60_000;

/** @param {Room} room */
export function keys(room) {
  const { aim } = room;
  const once = (/** @type {() => void} */ run) => (/** @type {KeyboardEvent} */ event) => event.repeat || run();
  const everywhere = {
    ' ': once(() => toggle(room)),
    k: once(() => toggle(room)),
    ArrowLeft: ({ shiftKey }) => aim.by(shiftKey ? -SMALL_HOP_MS : -HOP_MS),
    ArrowRight: ({ shiftKey }) => aim.by(shiftKey ? SMALL_HOP_MS : HOP_MS),
    m: once(() => mute(room)),
    f: once(full),
    '?': once(() => $('hud-toggle').click()),
  };
  const [back, on] = [() => aim.by(-STEP_MS), () => aim.by(STEP_MS)];
  const slider = {
    ArrowLeft: back, ArrowDown: back, ArrowRight: on, ArrowUp: on, PageDown: () => aim.by(-PAGE_MS), PageUp: () => aim.by(PAGE_MS),
    Home: () => aim.to(0), End: () => aim.to(Number($('seek').max)),
  };

  /** What was clicked last, unless the keyboard went elsewhere since. @type {EventTarget | null} */
  let clicked = null;
  const click = (/** @type {Event} */ event) => (clicked = event.target);
  const press = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Tab') clicked = null;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    const where = /** @type {HTMLElement} */ (event.target);
    const own = where.id === 'seek' ? slider[event.key] : undefined;
    if (!own && means(where, event.key, where === clicked)) return;
    const run = own ?? everywhere[event.key];
    if (!run) return;
    event.preventDefault();
    run(event);
  };
  const release = () => aim.go();
  addEventListener('pointerdown', click);
  addEventListener('keydown', press);
  addEventListener('keyup', release);
  addEventListener('blur', release);
  return () => {
    removeEventListener('pointerdown', click);
    removeEventListener('keydown', press);
    removeEventListener('keyup', release);
    removeEventListener('blur', release);
    aim.drop();
  };
}

/** Whether a key means something of its own there. @param {HTMLElement} where @param {string} key @param {boolean} clicked */
function means(where, key, clicked) {
  if (where.matches('input[type=range]')) return key.startsWith('Arrow');
  // `:focus-visible` would tell, but Chromium says it of a list that was clicked, too.
  if (where.matches('select')) return (key === ' ' || key.startsWith('Arrow')) && !clicked;
  if (where.matches('button, a, summary')) return key === ' ';
  return where.matches('input, textarea, [contenteditable]');
}
