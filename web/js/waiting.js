// What lies over the film: for whom it waits and how long at most, the click that a browser wants before it plays, and a word on who
// just did what.

import { $, write } from './elements.js';
import { story } from './story.js';
import { list } from './words.js';

/** @import { Room } from './room.js' */

const DRAW_MS = 200;
/** `play` during a wait forces it after one second (docs/PROTOCOL.md). */
const FORCE_MS = 1_000;

/** @param {Room} room */
export function waiting(room) {
  const { party, sync, names, banners } = room;
  const draw = () => {
    const wait = party.line.state?.waiting;
    $('waiting').hidden = !wait;
    if (!wait) return;
    const missing = party.participants
      .filter(({ joined_at, connection, ready }) => joined_at <= wait.since_ms && connection !== 'reconnecting' && ready !== wait.version)
      .map(({ id }) => (id === party.id ? 'you' : names.name(id)));
    write($('waiting-text'), missing.length > 0 ? `Waiting for ${list(missing)}` : 'All are ready');
    const now = party.clock.now();
    write($('waiting-count'), `${Math.max(0, Math.ceil((wait.deadline_ms - now) / 1000))} s`);
    $('waiting-force').hidden = !room.mine() || now - wait.since_ms < FORCE_MS;
  };
  $('waiting-force').onclick = () => banners.sent(party, party.play());
  const timer = setInterval(draw, DRAW_MS);

  const unblock = $('unblock');
  unblock.hidden = true;
  unblock.onclick = () => {
    unblock.hidden = true;
    sync.syncNow();
  };
  const offs = [
    sync.on('blocked', (error) => {
      // Anything else is the film's own trouble, which is told elsewhere.
      if (/** @type {any} */ (error)?.name === 'NotAllowedError') unblock.hidden = false;
    }),
    sync.on('status', (status) => status === 'playing' && (unblock.hidden = true)),
    party.on('playback', draw),
    deeds(room),
  ];
  return () => {
    clearInterval(timer);
    offs.forEach((off) => off());
  };
}

/** "Ada paused at 12:34", for three seconds, for eyes only: the log in the chat says it to everybody. @param {Room} room */
function deeds({ party, names }) {
  /** @type {any} */
  let before = null;
  const deed = $('deed');
  return party.on('entry', (entry) => {
    if (entry.type !== 'playback') return;
    const text = story(entry, before, names);
    before = entry;
    if (!text || entry.from === null || entry.from === party.id) return;
    write(deed, text);
    // An animation begins anew only on an element that comes anew.
    deed.hidden = true;
    void deed.offsetWidth;
    deed.hidden = false;
  });
}
