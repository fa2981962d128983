// A QR code of some text (ISO/IEC 18004): bytes, error correction level M, versions 1 to 9, which is up to 180 bytes. More than a share
// link needs and no more; a text that does not fit has no code.

/** By version, from 1: all codewords, those of correction in a block, blocks. The rest follows from them. */
const TOTAL = [26, 44, 70, 100, 134, 172, 196, 242, 292];
const CHECK = [10, 16, 26, 18, 24, 16, 18, 22, 22];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5];
/** Centres of the small squares. */
const ALIGN = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46]];

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * @param {string} text
 * @returns {boolean[][] | null} rows of modules, true is dark; null when it is too long
 */
export function encode(text) {
  const bytes = new TextEncoder().encode(text);
  const at = TOTAL.findIndex((total, index) => bytes.length + 2 <= total - CHECK[index] * BLOCKS[index]);
  if (at < 0) return null;
  const words = interleave(pack(bytes, TOTAL[at] - CHECK[at] * BLOCKS[at]), at);
  const drawn = MASKS.map((_, mask) => paint(at + 1, words, mask));
  return drawn.reduce((best, one) => (penalty(one) < penalty(best) ? one : best));
}

/** Mode, length, bytes, end, and filling up to so many codewords. @param {Uint8Array} bytes @param {number} room */
function pack(bytes, room) {
  const bits = [0, 1, 0, 0];
  for (const byte of [bytes.length, ...bytes]) for (let bit = 7; bit >= 0; bit--) bits.push((byte >> bit) & 1);
  bits.push(0, 0, 0, 0);
  const words = [];
  for (let from = 0; from < bits.length; from += 8) words.push(parseInt(bits.slice(from, from + 8).join(''), 2));
  for (let fill = 0xec; words.length < room; fill ^= 0xec ^ 0x11) words.push(fill);
  return words;
}

/** Blocks of nearly one length, each with its correction, dealt out in turn. @param {number[]} words @param {number} at */
function interleave(words, at) {
  const [blocks, check] = [BLOCKS[at], CHECK[at]];
  const short = Math.floor(TOTAL[at] / blocks) - check;
  const long = TOTAL[at] % blocks;
  const generator = divisor(check);
  const data = [];
  for (let block = 0, from = 0; block < blocks; block++) {
    const length = short + (block < blocks - long ? 0 : 1);
    data.push(words.slice(from, (from += length)));
  }
  const checks = data.map((one) => remainder(one, generator));
  const deal = (/** @type {number[][]} */ rows, /** @type {number} */ most) =>
    Array.from({ length: most }, (_, column) => rows.filter((row) => column < row.length).map((row) => row[column])).flat();
  return [...deal(data, short + 1), ...deal(checks, check)];
}

/** In the field of 256 elements that the standard names (0x11d). @param {number} one @param {number} other */
function times(one, other) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((other >> bit) & 1) * one;
  }
  return product;
}

/** Reed and Solomon's generator, without its leading 1. @param {number} degree */
function divisor(degree) {
  const result = Array(degree).fill(0);
  result[degree - 1] = 1;
  for (let turn = 0, root = 1; turn < degree; turn++, root = times(root, 2)) {
    for (let at = 0; at < degree; at++) result[at] = times(result[at], root) ^ (result[at + 1] ?? 0);
  }
  return result;
}

/** @param {number[]} data @param {number[]} generator */
function remainder(data, generator) {
  const result = generator.map(() => 0);
  for (const word of data) {
    const factor = word ^ /** @type {number} */ (result.shift());
    result.push(0);
    generator.forEach((part, at) => (result[at] ^= times(part, factor)));
  }
  return result;
}

/** @param {number} version @param {number[]} words @param {number} mask */
function paint(version, words, mask) {
  const size = version * 4 + 17;
  /** Undefined: free for data. @type {boolean[][]} */
  const grid = Array.from({ length: size }, () => Array(size).fill(undefined));
  const set = (/** @type {number} */ x, /** @type {number} */ y, /** @type {any} */ dark) => {
    if (x >= 0 && y >= 0 && x < size && y < size) grid[y][x] = Boolean(dark);
  };
  figures(version, size, set);
  formats(version, size, mask, set);
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5; // the timing column
    const up = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step++) {
      const y = up ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (grid[y][x] !== undefined) continue;
        const dark = bit < words.length * 8 && ((words[bit >> 3] >> (7 - (bit & 7))) & 1) === 1;
        grid[y][x] = dark !== MASKS[mask](x, y);
        bit += 1;
      }
    }
  }
  return grid;
}

/** What every code has: timing, the three large squares, the small ones. */
function figures(version, size, set) {
  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [left, top] of [[3, 3], [size - 4, 3], [3, size - 4]]) {
    for (let y = -4; y <= 4; y++) for (let x = -4; x <= 4; x++) {
      const ring = Math.max(Math.abs(x), Math.abs(y));
      set(left + x, top + y, ring !== 2 && ring !== 4);
    }
  }
  const places = ALIGN[version - 1];
  const last = places.length - 1;
  places.forEach((left, i) => places.forEach((top, j) => {
    const corner = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0);
    if (corner) return;
    for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) set(left + x, top + y, Math.max(Math.abs(x), Math.abs(y)) !== 1);
  }));
}

/** Level and mask, twice; from version 7 on the version, twice. */
function formats(version, size, mask, set) {
  // Level M is 00, so the mask is all there is to say.
  const format = ((mask << 10) | check(mask, 10, 0x537)) ^ 0x5412;
  const bit = (/** @type {number} */ value, /** @type {number} */ at) => (value >> at) & 1;
  for (let at = 0; at < 15; at++) {
    const dark = bit(format, at);
    if (at < 6) set(8, at, dark);
    else if (at < 8) set(8, at + 1, dark);
    else if (at === 8) set(7, 8, dark);
    else set(14 - at, 8, dark);
    if (at < 8) set(size - 1 - at, 8, dark);
    else set(8, size - 15 + at, dark);
  }
  set(8, size - 8, true);
  if (version < 7) return;
  const info = (version << 12) | check(version, 12, 0x1f25);
  for (let at = 0; at < 18; at++) {
    const [near, far] = [Math.floor(at / 3), size - 11 + (at % 3)];
    set(far, near, bit(info, at));
    set(near, far, bit(info, at));
  }
}

/** What is left of a value after division by a polynomial. @param {number} value @param {number} degree @param {number} by */
function check(value, degree, by) {
  let rest = value;
  for (let turn = 0; turn < degree; turn++) rest = (rest << 1) ^ ((rest >> (degree - 1)) * by);
  return rest;
}

/** How hard a code is to read: runs, blocks, what looks like a large square, and more dark than light. @param {boolean[][]} grid */
function penalty(grid) {
  const size = grid.length;
  const columns = grid.map((_, x) => grid.map((row) => row[x]));
  let sum = 0;
  let dark = 0;
  for (const line of [...grid, ...columns]) {
    const text = line.map((one) => (one ? '1' : '0')).join('');
    for (const run of text.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
    for (const pattern of ['10111010000', '00001011101']) {
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) sum += 40;
    }
  }
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
    if (grid[y][x]) dark += 1;
    const one = grid[y][x];
    if (x > 0 && y > 0 && grid[y][x - 1] === one && grid[y - 1][x] === one && grid[y - 1][x - 1] === one) sum += 3;
  }
  return sum + Math.floor(Math.abs((dark * 20) / (size * size) - 10)) * 10;
}
