// What a page says while the store behind it is away: what is written waits, what is done to the film does not, and whoever did it learns of
// it at once, in one line that is true.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from './support/patience.js';
import { house } from './support/servers.js';
import { watching } from './support/stage.js';

test('the store goes away while a film plays: a pause comes to nothing and says so, a word waits', async () => {
  const home = await house();
  const { ada, grace } = await watching(home);
  await ada.page.evaluate(() => {
    const place = /** @type {HTMLElement} */ (document.querySelector('#banners'));
    const said = (/** @type {any} */ (globalThis).said_ = []);
    new MutationObserver(() => said.push(...[...place.children].map((one) => /** @type {any} */ (one).innerText))).observe(place, { childList: true, subtree: true, characterData: true });
  });

  await home.store.stop();
  // Nobody knows yet: it is told when the two seconds are over, and then the film goes on.
  await ada.page.click('#toggle');
  await ada.sees('#banners', 'did not confirm that within two seconds, so it was given up');
  await ada.plays();
  await ada.sees('#banners', 'What you write waits here and goes out when it can; what you do to the film does not.');
  // Now everybody knows: it is told when it is pressed.
  await ada.page.click('#toggle');
  await ada.sees('#banners', 'Not sent yet: if the server does not take it within two seconds, it is given up.');
  await ada.shot('outage');
  await ada.sees('#banners', 'did not confirm that within two seconds, so it was given up');
  await ada.plays();
  await ada.says('Is it me?');
  await ada.sees('.pending', 'Is it me?');

  // When that has left the screen, nothing may bring it up again.
  await eventually('it was said', async () => !(await ada.text('#banners')).join().includes('given up'));
  await home.store.again();
  await grace.sees('.message', 'Is it me?');
  await ada.sees('.message', 'Is it me?');
  await eventually('all is well', async () => (await ada.page.locator('.banner, .pending').count()) === 0, () => ada.text('#banners'));
  await Promise.all([ada.plays(), grace.plays()]);
  assert.doesNotMatch((await grace.text('#timeline')).join(), /paused/, 'what was given up did not come later');
  const said = await ada.page.evaluate(() => /** @type {any} */ (globalThis).said_);
  assert.doesNotMatch(said.join('\n'), /no connection|Connection lost|came too late|“pause”/);
  const told = said.filter((text, at) => text.includes('given up') && text.includes('confirm') && !said[at - 1]?.includes('confirm'));
  assert.ok(told.length >= 2, said.join('\n'));
  await ada.page.click('#toggle');
  await Promise.all([ada.pauses(), grace.pauses()]);
  await grace.sees('#timeline', /Ada paused at/);
  for (const one of [ada, grace]) one.content();
  for (const one of [ada, grace]) await one.go();
  await home.close();
});
