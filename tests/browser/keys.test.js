// The keyboard after the mouse: a slider or a list that was clicked keeps the focus, and the keys still mean the film. And a key that is held
// is one jump for everybody, in what is sent as in what is told.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

/** Somebody with the sample film, which stands at 0:30, and what their page sends. */
async function viewer() {
  const ada = await Person.arrive(chromium, 'Ada');
  const sent = [];
  ada.page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(JSON.parse(String(payload)))));
  await ada.create(home.doors[0]);
  await ada.page.click('#empty-choose');
  await ada.page.click('#choose-sample');
  await ada.sees('#length', '2:00');
  await ada.page.fill('#seek', '30000');
  await stands(ada, 30);
  return { ada, seeks: () => sent.filter(({ type }) => type === 'seek').map(({ data }) => data.position_ms) };
}

const stands = (person, at) => eventually(`${person.name} stands at ${at} s`, async () => Math.abs((await person.player()).at - at) < 0.05, () => person.player());
const focus = (person) => person.page.evaluate(() => document.activeElement?.id);
const press = async (person, ...keys) => {
  for (const key of keys) await person.page.keyboard.press(key);
};

/** Space and the letters, wherever the focus is. @param {Person} person @param {string} at */
async function obeys(person, at) {
  await press(person, ' ');
  await person.plays();
  await press(person, ' ');
  await person.pauses();
  const muted = () => person.page.getAttribute('#mute', 'aria-pressed');
  const before = await muted();
  await press(person, 'm');
  await eventually('m mutes', async () => (await muted()) !== before);
  await press(person, 'm');
  await press(person, '?');
  await person.shows('#hud');
  await press(person, '?');
  await eventually('? hides the numbers', () => person.page.isHidden('#hud'));
  assert.equal(await focus(person), at, 'it was there all the time');
  await press(person, 'f');
  await eventually('f fills the screen', () => person.page.evaluate(() => document.fullscreenElement?.id === 'screen'));
  await press(person, 'f');
  await eventually('and no longer', () => person.page.evaluate(() => document.fullscreenElement === null));
}

for (const place of ['seek', 'volume', 'rate']) {
  test(`the keys work after a click on #${place}`, async () => {
    const { ada } = await viewer();
    await ada.page.click(`#${place}`);
    // A list opens where it was clicked; chosen from, or not, it keeps the focus.
    if (place === 'rate') await press(ada, 'Escape');
    assert.equal(await focus(ada), place);
    await obeys(ada, place);
    assert.equal(await ada.page.inputValue('#rate'), '1');
    ada.content();
    await ada.go();
  });
}

test('the film\'s slider goes by seconds, pages and to both ends', async () => {
  const { ada, seeks } = await viewer();
  await ada.page.focus('#seek');
  for (const [key, at] of [['ArrowRight', 35], ['ArrowUp', 40], ['ArrowLeft', 35], ['ArrowDown', 30], ['PageUp', 90], ['PageDown', 30], ['Home', 0]]) {
    await press(ada, key);
    await stands(ada, at);
    assert.equal(seeks().at(-1), at * 1000, key);
  }
  const told = seeks().length;
  await press(ada, 'ArrowLeft', 'Home', 'PageDown', 'Shift+ArrowLeft');
  await press(ada, 'End');
  await stands(ada, await ada.page.evaluate(() => /** @type {any} */ (document.querySelector('#film')).duration));
  assert.equal(seeks().length, told + 1, 'before the beginning there is nothing to jump to, and nobody hears of it');
  // The volume's arrows are the volume's.
  await ada.page.focus('#volume');
  await press(ada, 'ArrowLeft');
  assert.equal(await ada.page.inputValue('#volume'), '0.95');
  assert.equal(seeks().length, told + 1);
  ada.content();
  await ada.go();
});

test('a key that is held is one jump, and jumps in a row are one line', async () => {
  const { ada, seeks } = await viewer();
  const grace = await Person.arrive(chromium, 'Grace');
  await grace.join(home.doors[1], new URL(ada.page.url()).pathname);
  await grace.inside();
  const before = seeks().length;
  await ada.page.evaluate(() => /** @type {any} */ (document.activeElement)?.blur());
  // A key that is pressed without being let go repeats, as on a keyboard.
  await ada.page.keyboard.down('Shift');
  for (let at = 0; at < 19; at += 1) await ada.page.keyboard.down('ArrowRight');
  await ada.sees('#now', '1:08');
  assert.equal(seeks().length, before, 'while it is held, only her own slider shows it');
  await ada.page.keyboard.up('ArrowRight');
  await ada.page.keyboard.up('Shift');
  await Promise.all([stands(ada, 68), stands(grace, 68)]);
  assert.deepEqual(seeks().slice(before), [68_000]);

  await press(ada, 'ArrowLeft', 'ArrowLeft', 'ArrowLeft');
  await Promise.all([stands(ada, 38), stands(grace, 38)]);
  assert.equal(seeks().length, before + 4);
  const jumps = (person) => person.page.evaluate(() => [...document.querySelectorAll('.deeds:not([hidden])')].flatMap((one) => /** @type {any} */ (one).innerText.match(/jumped to (\d:\d\d)/)?.[1] ?? []));
  await grace.sees('#timeline', 'Ada jumped to 0:38');
  // The first was before Grace joined, which is told between them.
  for (const one of [ada, grace]) assert.deepEqual(await jumps(one), ['0:30', '0:38'], one.name);
  // Somebody else's word between two jumps keeps both.
  await grace.says('There!');
  await ada.sees('.message', 'There!');
  await press(ada, 'ArrowRight');
  await grace.sees('#timeline', 'Ada jumped to 0:48');
  assert.deepEqual(await jumps(grace), ['0:30', '0:38', '0:48']);
  for (const one of [ada, grace]) one.content();
  for (const one of [ada, grace]) await one.go();
});
