// A world that a test turns by hand: its clock moves only in `run`, and what was due in between happens in order, each with all its promises.

/** Lets every promise that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

export class Time {
  now = 0;
  #timers = [];
  #ids = 0;

  after(ms, run) {
    const timer = { at: this.now + Math.max(0, ms), id: ++this.#ids, run };
    this.#timers.push(timer);
    return timer;
  }

  cancel(timer) {
    const at = this.#timers.indexOf(timer);
    if (at >= 0) this.#timers.splice(at, 1);
  }

  get waiting() {
    return this.#timers.length;
  }

  async run(ms) {
    const end = this.now + ms;
    await settle();
    for (;;) {
      let next;
      for (const timer of this.#timers) {
        if (timer.at <= end && (!next || timer.at < next.at || (timer.at === next.at && timer.id < next.id))) next = timer;
      }
      if (!next) break;
      this.cancel(next);
      this.now = Math.max(this.now, next.at);
      next.run();
      await settle();
    }
    this.now = end;
  }

  async until(what, done, most = 120_000) {
    const end = this.now + most;
    await settle();
    while (!done()) {
      if (this.now > end) throw new Error(`in vain: ${what}`);
      await this.run(5);
    }
  }
}

/** A generator of numbers in [0, 1) that a seed repeats (mulberry32). */
export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Around 0 with a spread of 1 (Box and Muller). */
export function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * What the SDK sees of a computer whose monotonic clock started elsewhere and runs `ppm` fast.
 * @param {Time} time
 */
export function computer(time, { origin = 5_000, ppm = 0, wall = 1_767_225_600_000, random = () => 0.5, ...more } = {}) {
  const listeners = { online: new Set(), visibilitychange: new Set() };
  const speed = 1 + ppm / 1e6;
  const world = {
    slept: 0,
    unseen: false,
    now: () => origin + time.now * speed,
    wall: () => wall + time.now + world.slept,
    random,
    setTimeout: (run, ms) => time.after(ms / speed, run),
    clearTimeout: (timer) => time.cancel(timer),
    storage: undefined,
    hidden: () => world.unseen,
    listen: (event, run) => {
      listeners[event].add(run);
      return () => listeners[event].delete(run);
    },
    fire: (event) => [...listeners[event]].forEach((run) => run()),
    listening: () => listeners.online.size + listeners.visibilitychange.size,
    ...more,
  };
  return world;
}
