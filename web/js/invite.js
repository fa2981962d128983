// The link that leads here, to copy and as a QR code for a phone's camera.

import { $, draw, write } from './elements.js';
import { encode } from './qr.js';

/** @import { Room } from './room.js' */

/** Modules of white around a code: the standard asks for four. */
const QUIET = 4;

/** @param {Room} room */
export function invite({ seat }) {
  const link = seat.share_url;
  $('link').value = link;
  const modules = encode(link);
  // A link too long for a code is still a link.
  $('qr').hidden = modules === null;
  if (modules) $('qr').replaceChildren(picture(modules));
  $('invite').onclick = () => {
    write($('copied'), '');
    $('invite-box').showModal();
  };
  $('copy').onclick = async () => {
    $('link').select();
    try {
      await navigator.clipboard.writeText(link);
      write($('copied'), 'Copied.');
    } catch {
      // Not over plain HTTP, and not everywhere else: the link is selected, so the keyboard can.
      write($('copied'), 'Press Ctrl+C to copy it.');
    }
  };
  return () => $('invite-box').close();
}

/** @param {boolean[][]} modules */
function picture(modules) {
  const size = modules.length + 2 * QUIET;
  const path = modules.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : ''))).join('');
  return draw('svg', { viewBox: `0 0 ${size} ${size}`, 'shape-rendering': 'crispEdges' }, draw('path', { d: path, fill: '#000' }));
}
