// The API's page: everything that /openapi.json says is on it, drawn without a word to another origin, and everybody can use it.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Person } from './support/people.js';
import { chromium, home } from './support/stage.js';

const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');

test('every call and every schema is on the page, and nothing was asked of anybody else', async () => {
  const ada = await Person.arrive(chromium, 'Ada', { reducedMotion: 'reduce' });
  const { base } = home.doors[0];
  const asked = [];
  ada.page.on('request', (request) => asked.push(new URL(request.url()).origin));
  await ada.open(base, '/docs');
  await ada.shows('#schemas article');
  const api = await (await fetch(`${base}/openapi.json`)).json();
  const calls = Object.values(api.paths).flatMap((path) => Object.values(path));
  assert.equal(await ada.page.locator('#calls article').count(), calls.length);
  assert.equal(await ada.page.locator('#schemas article').count(), Object.keys(api.components.schemas).length);
  for (const { summary } of calls) assert.ok((await ada.page.locator('#calls article', { hasText: summary }).count()) > 0, summary);
  assert.deepEqual(new Set(asked), new Set([base]));

  const dead = await ada.page.evaluate(() =>
    [...document.querySelectorAll('a[href^="#"]')].map((a) => a.getAttribute('href')).filter((to) => !document.getElementById(to.slice(1))));
  assert.deepEqual(dead, []);
  await ada.page.evaluate(axe);
  const found = await ada.page.evaluate(async () =>
    (await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] })).violations.map(({ id, nodes }) => `${id}: ${nodes[0].html.slice(0, 160)}`));
  assert.deepEqual(found, []);
  await ada.shot('docs');
  ada.content();
  await ada.go();
});
