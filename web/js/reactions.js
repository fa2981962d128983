// Reactions: they rise over the film and are gone. Ours are merged for a moment, so that a storm of clicks is one message; nothing of
// them is kept.

import { $, make, write } from './elements.js';

/** @import { Room } from './room.js' */

const EMOJI = { '🎉': 'Party', '😂': 'Laughing', '😮': 'Surprised', '😢': 'Sad', '❤️': 'Heart', '👏': 'Applause', '🍿': 'Popcorn' };
const MERGE_MS = 250;
/** What one message may throw up, and what is in the air at most: an animation each. */
const MOST = 8;
const IN_THE_AIR = 40;

/** @param {Room} room */
export function reactions({ party, names }) {
  /** @type {Map<string, number>} */
  const due = new Map();
  /** @type {any} */
  let timer = null;
  const send = () => {
    timer = null;
    for (const [emoji, count] of due) party.notify('reaction', { emoji, count });
    due.clear();
  };
  const throwUp = (emoji) => {
    due.set(emoji, (due.get(emoji) ?? 0) + 1);
    timer ??= setTimeout(send, MERGE_MS);
  };
  $('reactions').replaceChildren(...Object.entries(EMOJI).map(([emoji, word]) => make('button', { type: 'button', 'aria-label': word, onclick: () => throwUp(emoji) }, emoji)));
  $('air').replaceChildren();
  const off = party.on('notify', ({ from, data }) => {
    const { topic, body } = data;
    // Whatever else somebody sends under this topic is not ours to show.
    if (topic !== 'reaction' || !Object.hasOwn(EMOJI, body?.emoji)) return;
    const count = Math.min(MOST, Math.max(1, Math.floor(Number(body.count) || 1)));
    for (let at = 0; at < count; at++) rise(body.emoji, at === 0 ? names.subject(from) : '');
    if (from !== party.id) write($('whisper'), `${names.name(from)}: ${EMOJI[/** @type {keyof typeof EMOJI} */ (body.emoji)]}`);
  });
  return () => {
    clearTimeout(timer);
    off();
  };
}

function rise(emoji, name) {
  const air = $('air');
  if (air.childElementCount >= IN_THE_AIR) return;
  const bubble = make('span', { class: 'bubble' }, emoji, name ? make('small', {}, name) : null);
  bubble.style.setProperty('--from', `${8 + Math.random() * 80}%`);
  bubble.style.setProperty('--drift', `${(Math.random() - 0.5) * 90}px`);
  bubble.addEventListener('animationend', () => bubble.remove());
  air.append(bubble);
}
