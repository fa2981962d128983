// Close codes (docs/PROTOCOL.md, "Close codes"): what a closed socket means for whoever wants to be back, and how long they wait. Pure;
// the connection carries it out.

/** The longest wait before another try, and what the first may take. */
const BACKOFF_MAX_MS = 20_000;
const BACKOFF_MS = 500;
/** A server that is over its limits is left alone for at least as long. */
const OVERLOADED_MS = 1_000;

/** Nobody said goodbye, or the server stumbled. 1005 is a middlebox: the server never closes without a code. */
const RESUME = [1001, 1005, 1006, 1011, 4408];

/**
 * - `resume` after `after_ms`, or after a backoff when the server named no delay;
 * - `token`: another token, then resume;
 * - `stop`: for good.
 * @typedef {{ then: 'resume' | 'token' | 'stop', after_ms?: number }} Verdict
 */

/**
 * @param {number} code
 * @param {string} reason a token, and perhaps ` retry_after_ms=…`
 * @param {number | undefined} goaway what `goaway` said before, in milliseconds
 * @param {() => number} random
 * @returns {Verdict}
 */
export function afterClose(code, reason, goaway, random) {
  const told = /retry_after_ms=(\d+)/.exec(reason)?.[1];
  const delay = goaway ?? (told === undefined ? undefined : Number(told));
  if (code === 1012) return { then: 'resume', after_ms: delay };
  if (code === 1013 || code === 4429) {
    const least = Math.max(OVERLOADED_MS, delay ?? 0);
    return { then: 'resume', after_ms: least * (1 + random() / 2) };
  }
  if (code === 4401) return { then: 'token' };
  return { then: RESUME.includes(code) ? 'resume' : 'stop' };
}

/**
 * The wait before try number `tries` (from 0): anything up to a bound that doubles, so that a crowd spreads out.
 * @param {number} tries
 * @param {() => number} random
 */
export function backoff(tries, random) {
  return random() * Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** tries);
}
