// What the SDK needs of the browser or of Node, in one place: clocks, timers, chance, sockets, storage and the page's own events. Nothing
// else here touches a global, so a test can hand in a world of its own and turn its clock by hand.

/**
 * What the SDK uses of a WebSocket: whoever hands in a class of their own owes this much.
 * @typedef {object} Socket
 * @property {number} readyState 0 to 3, as the standard's
 * @property {(text: string) => void} send
 * @property {() => void} close
 * @property {((event: any) => void) | null} onopen
 * @property {((event: any) => void) | null} onmessage
 * @property {((event: any) => void) | null} onerror
 * @property {((event: any) => void) | null} onclose
 */

/**
 * @typedef {object} World
 * @property {() => number} now milliseconds that only ever rise
 * @property {() => number} wall milliseconds since the Unix epoch, as this computer believes
 * @property {() => number} random 0 to 1
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {new (url: string, protocol: string) => Socket} WebSocket
 * @property {Pick<Storage, 'getItem' | 'setItem'> | null | undefined} storage where a position survives a reload
 * @property {() => boolean} hidden whether nobody sees the page
 * @property {(event: 'online' | 'visibilitychange', run: () => void) => () => void} listen returns how to stop
 */

/**
 * What a browser may forbid, or have no room for: storage. Without it a reload begins anew.
 * @template T
 * @param {() => T} run
 * @returns {T | null} null when it failed
 */
export function quietly(run) {
  try {
    return run();
  } catch {
    return null;
  }
}

/**
 * The real one, except for what is given.
 * @param {Partial<World>} [given]
 * @returns {World}
 */
export function world(given = {}) {
  const real = {
    now: () => performance.now(),
    wall: Date.now,
    random: Math.random,
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => setTimeout(run, ms),
    clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
    WebSocket: globalThis.WebSocket,
    storage: quietly(() => globalThis.sessionStorage),
    hidden: () => globalThis.document?.hidden ?? false,
    listen(/** @type {string} */ event, /** @type {() => void} */ run) {
      const target = event === 'online' ? globalThis.window : globalThis.document;
      target?.addEventListener(event, run);
      return () => target?.removeEventListener(event, run);
    },
  };
  return { ...real, ...given };
}
