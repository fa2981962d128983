// Where the page begins: the address says which view it is. `/` starts a session, `/s/{id}` joins one, or goes back to the seat that
// this tab holds there.

import { join, start } from './doors.js';
import { view } from './elements.js';
import { over } from './over.js';
import { open } from './room.js';
import { find, forget, keep } from './seats.js';
import { theme } from './theme.js';

/** @param {import('./seats.js').Seat} seat */
function enter(seat) {
  const path = `/s/${seat.id}`;
  if (location.pathname !== path) history.pushState(null, '', path);
  view('room');
  open(seat, ({ code, reason }) => {
    // A seat that another tab took is still ours to take back; any other is gone.
    if (code !== 4409) forget(seat.id);
    over(code, reason, { join: () => admit(seat.id), here: () => location.reload() });
  });
}

/** @param {string} id */
function admit(id) {
  join(id, (admission) => enter(keep(admission)));
}

function route() {
  const id = /^\/s\/([0-9a-f-]{36})$/.exec(location.pathname)?.[1];
  // A link that lost a letter names no session, and the form that links lead to says so.
  if (!id && location.pathname.startsWith('/s/')) return admit('not-whole');
  if (!id) return start((admission) => enter(keep(admission)));
  const seat = find(id);
  return seat ? enter(seat) : admit(id);
}

theme();
// Back and forward lead from one session to another: each begins anew, as a connection belongs to one.
addEventListener('popstate', () => location.reload());
route();
