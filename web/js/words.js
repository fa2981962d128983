// Numbers and codes as people read them. Pure.

/** A film position: 0:05, 12:34, 1:02:03. @param {number} ms */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor((Number.isFinite(ms) ? ms : 0) / 1000));
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** A moment, as the reader's own clock has it. @param {number} ms */
export function time(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}

/** @param {string[]} names @param {number} [most] */
export function list(names, most = 3) {
  if (names.length <= 1) return names[0] ?? '';
  const shown = names.slice(0, most);
  const more = names.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${more} more`;
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** With its sign, as drift is told. @param {number} ms */
export function signed(ms) {
  const whole = Math.round(ms);
  return `${whole > 0 ? '+' : whole < 0 ? '−' : '±'}${Math.abs(whole)} ms`;
}

const CODES = {
  unauthorized: 'That password is not right, or the session is no longer there.',
  forbidden: 'You may not do that here.',
  session_not_found: 'There is no such session (any more).',
  session_full: 'Every seat is taken.',
  session_locked: 'The host has locked this session: nobody new may join.',
  rate_limited: 'Too often in a short time. Wait a moment.',
  unavailable: 'The server cannot do that right now. Try again in a moment.',
  conflict: 'Somebody else was faster, or there is no film yet.',
  late: 'The server did not confirm that within two seconds, so it was given up.',
  offline: 'There is no connection right now.',
  unknown: 'Nobody can tell whether that arrived.',
  queue_full: 'Too much is waiting to be sent.',
  closed: 'The session is over for you.',
  network: 'The server cannot be reached. Are you online?',
};

/** What an error of the protocol, or of the SDK, means. @param {{ code?: string, message?: string }} error */
export function why({ code, message }) {
  return CODES[/** @type {keyof typeof CODES} */ (code)] ?? message ?? 'That did not work.';
}

const STATUS = {
  idle: 'no film', loading: 'loading', ready: 'ready', playing: 'playing', buffering: 'buffering', lagging: 'falls behind',
  hidden: 'tab in the background', error: 'cannot play it',
};

/** How a player fares. @param {string | undefined} status */
export const status = (status) => STATUS[/** @type {keyof typeof STATUS} */ (status)] ?? '';
