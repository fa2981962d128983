// Finding and making elements. What people write comes in here as children or attributes only: text nodes and values, never markup, so that
// no name, message or title can become part of the page.

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} id @returns {any} */
export const $ = (id) => document.getElementById(id);

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on…` listens; true is an attribute without a value; false and null are left out
 * @param {...(Node | string | null | undefined)} children strings become text
 * @returns {any}
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for drawings. @param {string} tag @param {Record<string, any>} [attributes] @param {...(Node | string)} children @returns {any} */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** One of the page's own icons, for eyes only. @param {string} name */
export function icon(name) {
  return draw('svg', { class: 'icon', 'aria-hidden': 'true' }, draw('use', { href: `#i-${name}` }));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text that is written only when it changed: a live region says each writing. @param {HTMLElement} element @param {string} text */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows one of the page's views and hides the others. @param {'start' | 'join' | 'room' | 'over'} name */
export function view(name) {
  for (const one of ['start', 'join', 'room', 'over']) $(one).hidden = one !== name;
}
