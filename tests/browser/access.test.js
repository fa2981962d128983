// Whether everybody can use it: axe's rules for WCAG 2.2 A and AA over each view, dark and light, and on a phone.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { PASSWORD, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Through the debugger, so that the page's policy stays what it is. */
async function holds(person, where) {
  await person.page.evaluate(axe);
  const found = await person.page.evaluate(async (tags) => {
    const { violations } = await window.axe.run(document, { runOnly: tags });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`);
  }, RULES);
  assert.deepEqual(found, [], where);
}

for (const [words, options] of [
  ['dark', { colorScheme: 'dark' }],
  ['light', { colorScheme: 'light' }],
  ['light, on a phone', { colorScheme: 'light', viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
]) {
  test(`every view, ${words}`, async () => {
    // Half-way through an animation every colour is wrong.
    const ada = await Person.arrive(chromium, 'Ada', { reducedMotion: 'reduce', ...options });
    await ada.open(home.doors[0].base);
    await holds(ada, 'start');
    const path = await ada.create(home.doors[0]);
    await holds(ada, 'an empty room');
    const grace = await Person.arrive(chromium, 'Grace', { reducedMotion: 'reduce', ...options });
    await grace.open(home.doors[1].base, path);
    await grace.sees('#join-title', 'Movie night');
    await holds(grace, 'join');
    await grace.fill('#join-form', { display_name: 'Grace', password: PASSWORD });
    await grace.page.click('#join-form button.primary');
    await grace.inside();
    await grace.says('Hello!');
    await ada.sees('.message', 'Hello!');
    await ada.page.click('#empty-sample');
    await ada.plays();
    await holds(ada, 'a room');
    await ada.page.click('#hud-toggle');
    await holds(ada, 'the numbers');
    await ada.page.click('#hud-toggle');
    for (const name of ['invite', 'settings', 'choose']) {
      await ada.page.click(`#${name}`);
      await ada.shows(`#${name}-box`);
      await holds(ada, name);
      await ada.page.keyboard.press('Escape');
      await eventually(`${name} is closed`, () => ada.page.isHidden(`#${name}-box`));
    }
    await ada.page.click('#settings');
    await ada.page.click('#end');
    await ada.shows('#end-box');
    await holds(ada, 'the question before the end');
    await ada.shot(`end-${words.replaceAll(/\W+/g, '-')}`);
    for (const name of ['end', 'settings']) {
      await ada.page.keyboard.press('Escape');
      await eventually(`${name} is closed`, () => ada.page.isHidden(`#${name}-box`));
    }
    await ada.page.click('.person:has-text("Grace") .menu > button');
    await holds(ada, 'what to do about somebody');
    await ada.page.click('.person:has-text("Grace") .menu li:has-text("keep out")');
    await ada.shows('#remove-box');
    await holds(ada, 'the question before a removal');
    await ada.shot(`remove-${words.replaceAll(/\W+/g, '-')}`);
    await ada.page.keyboard.press('Escape');
    await eventually('it is closed', () => ada.page.isHidden('#remove-box'));
    await ada.page.click('#leave');
    await ada.shows('#over');
    await holds(ada, 'over');
    for (const one of [ada, grace]) one.content();
    for (const one of [ada, grace]) await one.go();
  });
}
