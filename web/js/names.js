// Who an id is: names and colours of everybody who was ever seen here, also of those who left, as the past still shows them.

/** Spreads ids over the circle of colours. @param {string} id */
function hueOf(id) {
  let sum = 0;
  for (const letter of id) sum = (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0;
  return (sum * 137.5) % 360;
}

/** Where red, yellow, green, cyan, blue, magenta and red again stand on the circle that the style sheets use. */
const OKLCH = [29, 110, 142, 195, 264, 328, 389];

/** The hue of `#rrggbb`; lightness and strength stay the page's, so that a name can be read. @param {string} color */
function hueOfColor(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  const [least, most] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  if (least === most) return null;
  const part = most - least;
  const turn = most === red ? (green - blue) / part : most === green ? 2 + (blue - red) / part : 4 + (red - green) / part;
  const place = (turn + 6) % 6;
  const [from, to] = [OKLCH[Math.floor(place)], OKLCH[Math.floor(place) + 1]];
  return (from + (to - from) * (place % 1)) % 360;
}

export class Names {
  /** @type {Map<string, { name: string, color: string | null }>} */
  #known = new Map();
  self = '';

  /** @param {{ id: string, name?: string, color?: string | null }} person or what changed about them */
  note({ id, name, color }) {
    const known = this.#known.get(id);
    this.#known.set(id, { name: name ?? known?.name ?? '', color: color !== undefined ? color : (known?.color ?? null) });
  }

  /** @param {string | null | undefined} id */
  name(id) {
    return (id && this.#known.get(id)?.name) || 'Somebody';
  }

  /** As the subject of a sentence. @param {string | null | undefined} id */
  subject(id) {
    return id === this.self ? 'You' : this.name(id);
  }

  /** @param {string} id */
  color(id) {
    return this.#known.get(id)?.color ?? null;
  }

  /** Degrees. @param {string | null | undefined} id */
  hue(id) {
    const color = id ? this.color(id) : null;
    return (color && hueOfColor(color)) ?? hueOf(id ?? '');
  }

  /** One or two letters for a round picture. @param {string | null | undefined} id */
  letters(id) {
    const words = this.name(id).trim().split(/\s+/);
    return words.slice(0, 2).map((word) => [...word][0] ?? '').join('').toUpperCase();
  }
}
