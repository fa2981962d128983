// Waiting: for something to be so, under a deadline, never for time to pass. Generous, as a busy machine is no defect.

const PATIENCE_MS = 90_000;
/** Between two looks: only spares the processor. */
const LOOK_MS = 40;

/** @template T @param {Promise<T>} promise @param {string} what @returns {Promise<T>} */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in vain: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * Looks until it is so, and says what it saw last when it never was.
 * @param {string} what
 * @param {() => any} look truthy when it is
 * @param {() => any} [seen]
 */
export async function eventually(what, look, seen) {
  for (const end = performance.now() + PATIENCE_MS; ; ) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`in vain: ${what}${seen ? `; saw ${JSON.stringify(await seen())}` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
