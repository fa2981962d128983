// The seat this tab holds: an admission, kept in the tab's own storage so that a reload comes back as the same participant. A new tab
// asks for the password again, as a seat in two tabs is taken from the first.
//
// Storage may be forbidden; then a reload has to join anew, and nothing else is lost.

const KEY = 'watchparty seat ';
const NAME = 'watchparty name';

function quietly(run) {
  try {
    return run();
  } catch {
    return null;
  }
}

/** @typedef {{ id: string, token: string, participant_id: string, share_url: string }} Seat */

/** @param {any} admission @returns {Seat} */
export function keep({ id, token, participant_id, share_url }) {
  const seat = { id, token, participant_id, share_url };
  quietly(() => sessionStorage.setItem(KEY + id, JSON.stringify(seat)));
  return seat;
}

/** @param {string} id @returns {Seat | null} */
export function find(id) {
  return quietly(() => JSON.parse(sessionStorage.getItem(KEY + id) ?? 'null'));
}

/** @param {string} id */
export function forget(id) {
  quietly(() => sessionStorage.removeItem(KEY + id));
}

/** The name that was used last, on this computer. */
export const lastName = () => quietly(() => localStorage.getItem(NAME)) ?? '';

/** @param {string} name */
export const keepName = (name) => quietly(() => localStorage.setItem(NAME, name));
