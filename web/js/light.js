// The sync light: how far this player is from the room's film, in a word and a colour; a click puts it right at once.

import { $, write } from './elements.js';
import { signed, status } from './words.js';

/** @import { Room } from './room.js' */

const DRAW_MS = 250;
/** Nobody sees a difference below the first; above the second somebody would hear it. */
const GOOD_MS = 80;
const FAIR_MS = 300;

/** @param {Room} room */
export function light({ party, sync }) {
  const button = $('light');
  const draw = () => {
    const { drift } = sync;
    const plays = sync.status === 'playing' && drift !== null;
    const off = Math.abs(drift ?? 0);
    const live = party.state === 'live';
    button.dataset.light = plays ? (off < GOOD_MS ? 'good' : off < FAIR_MS ? 'fair' : 'bad') : ['error', 'lagging'].includes(sync.status) ? 'bad' : 'idle';
    const word = plays ? (off < GOOD_MS ? 'in step' : off < FAIR_MS ? 'nearly' : 'out of step') : status(sync.status);
    button.dataset.ms = plays ? 'yes' : 'no';
    write($('light-text'), live ? word : `offline · ${word}`);
    write($('light-ms'), plays ? signed(drift ?? 0) : '');
  };
  button.onclick = () => sync.syncNow();
  const timer = setInterval(draw, DRAW_MS);
  draw();
  return () => clearInterval(timer);
}
