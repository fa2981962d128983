// The drift histogram: how often this player was how far off, over the last five minutes of decisions (`sync.stats().drifts`).

import { draw, write } from './elements.js';

/** Milliseconds a bar, and bars; the last has all that is farther off. */
const STEP_MS = 5;
const BARS = 32;
const [WIDTH, HEIGHT, BASE] = [340, 110, 92];
/** The targets of docs: half below the first, 99 of 100 below the second. */
const FAIR_MS = 50;
const BAD_MS = 100;

export class Histogram {
  #bars = Array.from({ length: BARS }, (_, at) => {
    const kind = at * STEP_MS >= BAD_MS ? 'bad' : at * STEP_MS >= FAIR_MS ? 'fair' : '';
    return draw('rect', { x: 10 + at * 10, y: BASE, width: 8, height: 0, rx: 2, class: kind });
  });
  #count = draw('text', { x: WIDTH - 10, y: 14, 'text-anchor': 'end' });

  constructor() {
    const labels = [0, 50, 100, 150].map((at) => draw('text', { x: 10 + (at / STEP_MS) * 10, y: HEIGHT - 5 }, at === 0 ? '0 ms' : String(at)));
    const target = draw('line', { x1: 10 + (FAIR_MS / STEP_MS) * 10 - 1, x2: 10 + (FAIR_MS / STEP_MS) * 10 - 1, y1: 6, y2: BASE });
    this.element = draw('svg', { class: 'histogram', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': 'Histogram of drift' }, ...this.#bars, target, ...labels, this.#count);
  }

  /** @param {number[]} drifts absolute, in milliseconds */
  draw(drifts) {
    const counts = Array(BARS).fill(0);
    for (const drift of drifts) counts[Math.min(BARS - 1, Math.floor(drift / STEP_MS))] += 1;
    const most = Math.max(1, ...counts);
    counts.forEach((count, at) => {
      const height = count === 0 ? 0 : Math.max(2, (count / most) * (BASE - 22));
      this.#bars[at].setAttribute('height', String(height));
      this.#bars[at].setAttribute('y', String(BASE - height));
    });
    write(this.#count, `${drifts.length} samples`);
  }
}
