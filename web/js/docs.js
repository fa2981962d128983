// The API's page: draws /openapi.json of the gateway that serves it. Not a client: nothing can be called from here, so that the page needs no
// token and holds none. Only what this gateway's document uses is drawn (one media type an answer, schemas by reference or in place).

import { $, make } from './elements.js';

const METHODS = ['get', 'post', 'patch', 'delete', 'put'];

/** `/api/sessions/{id}` and `get` as a name for a link. @param {string} path @param {string} method */
const anchor = (path, method) => `${method}${path.replace(/[^a-z0-9]+/gi, '-')}`;

/** Words, with `code` in them as such. @param {string} text @returns {(Node | string)[]} */
const prose = (text) => text.split('`').map((piece, index) => (index % 2 ? make('code', {}, piece) : piece));

/** Who may call, in words. @param {Record<string, any>} call */
function who(call) {
  const ways = (call.security ?? []).map((one) => Object.keys(one)[0]);
  if (ways.length === 0) return 'anyone';
  const words = { token: 'a participant’s token', server: 'a server’s key', undefined: 'anyone' };
  return ways.map((way) => words[way] ?? way).join(', or ');
}

/** A schema in a line; a reference as a link. @param {any} schema @returns {(Node | string)[]} */
function line(schema) {
  if (schema === undefined || schema === true) return ['anything'];
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return [make('a', { href: `#schema-${name}` }, name)];
  }
  if (schema.oneOf ?? schema.anyOf) {
    return (schema.oneOf ?? schema.anyOf).flatMap((one, index) => [...(index ? [' or '] : []), ...line(one)]);
  }
  if (schema.enum) return [schema.enum.map((word) => JSON.stringify(word)).join(', ')];
  if (schema.const !== undefined) return [JSON.stringify(schema.const)];
  const type = [schema.type ?? 'anything'].flat();
  if (type.includes('array')) return [...type.map((word) => (word === 'array' ? 'list of ' : `${word} or `)), ...line(schema.items)];
  if (schema.properties) return ['object: ', ...Object.entries(schema.properties).flatMap(([name, one], index) => [index ? '; ' : '', make('code', {}, name), ' ', ...line(one)])];
  const bounds = [
    schema.format, schema.minLength !== undefined && `${schema.minLength} to ${schema.maxLength} characters`,
    schema.minimum !== undefined && `from ${schema.minimum}`, schema.maximum !== undefined && `to ${schema.maximum}`,
  ].filter(Boolean);
  return [type.join(' or ') + (bounds.length ? ` (${bounds.join(', ')})` : '')];
}

/** Rows under heads. @param {string[]} heads @param {(Node | string | (Node | string)[])[][]} rows */
function table(heads, rows) {
  const cells = (row) => row.map((cell) => make('td', {}, ...[cell].flat()));
  return make('div', { class: 'wide' }, make('table', {},
    make('thead', {}, make('tr', {}, ...heads.map((head) => make('th', { scope: 'col' }, head)))),
    make('tbody', {}, ...rows.map((row) => make('tr', {}, ...cells(row))))));
}

/** An object's members; of several, each. @param {any} schema @returns {Node} */
function members(schema) {
  if (schema.oneOf) return make('div', {}, ...schema.oneOf.map(members));
  const required = new Set(schema.required ?? []);
  const rows = Object.entries(schema.properties ?? {}).map(([name, one]) =>
    [make('code', {}, name), line(one), required.has(name) ? 'always' : '', prose(one.description ?? '')]);
  return rows.length ? table(['member', 'form', 'there', 'meaning'], rows) : make('p', {}, ...line(schema));
}

/** What an answer or a body carries. @param {any} content */
function carried(content) {
  const [media, one] = Object.entries(content ?? {})[0] ?? [];
  return media ? [make('code', {}, media), ' ', ...line(one.schema)] : ['nothing'];
}

/** One call as a card. @param {string} path @param {string} method @param {any} call */
function card(path, method, call) {
  const parts = [];
  if (call.parameters) {
    const rows = call.parameters.map((one) =>
      [make('code', {}, one.name), one.in, line(one.schema), one.required ? 'must' : 'may', prose(one.description ?? '')]);
    parts.push(make('h3', {}, 'Parameters'), table(['name', 'in', 'form', 'be there', 'meaning'], rows));
  }
  const body = call.requestBody?.content['application/json']?.schema;
  if (body) parts.push(make('h3', {}, 'Body (JSON)'), members(body));
  const answers = Object.entries(call.responses).map(([status, one]) => [status, prose(one.description), carried(one.content)]);
  parts.push(make('h3', {}, 'Answers'), table(['status', 'means', 'carries'], answers));
  return make('article', { class: 'call', id: anchor(path, method) },
    make('h2', {}, make('span', { class: 'verb' }, method), make('span', { class: 'path' }, path)),
    make('p', {}, call.summary), make('p', { class: 'quiet' }, `For ${who(call)}.`), ...parts);
}

/** @param {any} api */
function draw(api) {
  $('title').textContent = `${api.info.title} ${api.info.version}: the HTTP API`;
  $('about').append(...prose(api.info.description));
  const calls = Object.entries(api.paths).flatMap(([path, methods]) =>
    METHODS.filter((method) => methods[method]).map((method) => [path, method, methods[method]]));
  $('index').append(make('ul', {}, ...calls.map(([path, method, call]) => make('li', {},
    make('a', { href: `#${anchor(path, method)}` }, make('span', { class: 'verb' }, method), ' ', make('span', { class: 'path' }, path)),
    ' ', make('span', { class: 'quiet' }, call.summary)))));
  $('calls').append(...calls.map(([path, method, call]) => card(path, method, call)));
  $('schemas').append(...Object.entries(api.components.schemas).map(([name, schema]) =>
    make('article', { class: 'call', id: `schema-${name}` }, make('h2', {}, name), make('p', {}, ...prose(schema.description ?? '')), members(schema))));
  // What the address names was not there when the browser looked for it.
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

try {
  const answer = await fetch('/openapi.json');
  if (!answer.ok) throw new Error(`/openapi.json answers ${answer.status}`);
  draw(await answer.json());
} catch (error) {
  $('trouble').textContent = `The description could not be drawn: ${error.message}`;
  $('trouble').hidden = false;
}
