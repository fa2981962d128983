// What is shown when a connection ended for good: why, and what can be done about it (docs/PROTOCOL.md, "Close codes").

import { $, view, write } from './elements.js';

const AGAIN = { join: 'Join again', here: 'Go on here' };

/** @type {Record<string, [string, string, keyof typeof AGAIN | null]>} */
const ENDS = {
  left: ['You left.', 'The others watch on. You can come back as long as the session lasts.', 'join'],
  kicked: ['You were removed.', 'The host took your seat away.', null],
  no_session: ['This session is over.', 'It ended, or its time ran out.', null],
  replaced: ['Opened elsewhere.', 'You are in this session in another tab or window; one seat is in one place.', 'here'],
  session_ended: ['That was it.', 'The host ended the session. Good night!', null],
  full: ['Every seat is taken.', 'Somebody has to leave before you can enter, or the host adds seats.', 'join'],
  locked: ['The session is locked.', 'The host lets nobody new in.', 'join'],
  no_token: ['Your ticket ran out.', 'Join once more with the password.', 'join'],
};

const BY_CODE = { 4403: 'kicked', 4404: 'no_session', 4409: 'replaced', 4410: 'session_ended', 4401: 'no_token' };

/**
 * @param {number} code
 * @param {string} reason
 * @param {{ join: () => void, here: () => void }} go
 */
export function over(code, reason, go) {
  const word = reason.split(' ')[0];
  const known = ENDS[word] ?? ENDS[BY_CODE[/** @type {keyof typeof BY_CODE} */ (code)]];
  const [title, text, again] = known ?? ['The connection ended.', `The server said ${code} ${reason}. Load the page again.`, 'here'];
  view('over');
  write($('over-title'), title);
  write($('over-text'), text);
  const button = $('over-again');
  button.hidden = again === null;
  if (again) {
    write(button, AGAIN[again]);
    button.onclick = go[again];
  }
  document.title = `${title} · WatchParty`;
  $('over-title').focus();
}
