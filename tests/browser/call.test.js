// A call beside the film: pictures and sound go from browser to browser, signals through two replicas.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

/** A picture of somebody else moves here: frames were decoded, and more come. */
async function watches(person, name, purpose = 'cam') {
  const look = () => person.page.evaluate(({ name, purpose }) => {
    const tile = [...document.querySelectorAll(`.tile.${purpose}`)].find((one) => one.innerText.includes(name));
    const video = tile?.querySelector('video');
    return video ? { wide: video.videoWidth, at: video.currentTime, dark: tile.classList.contains('dark'), sound: video.srcObject.getAudioTracks().length } : null;
  }, { name, purpose });
  const first = await eventually(`${person.name} is shown ${name}`, async () => {
    const seen = await look();
    return seen?.wide > 0 && !seen.dark && seen;
  }, look);
  await eventually(`${name} moves at ${person.name}'s`, async () => (await look()).at > first.at + 0.2, look);
  return look();
}

test('three see and hear each other, show a screen, and hang up', async () => {
  const [ada, grace, bo] = await Promise.all(['Ada', 'Grace', 'Bo'].map((name) => Person.arrive(chromium, name)));
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  await bo.join(home.doors[0], path);
  await bo.inside();

  await ada.page.click('#call-cam');
  await ada.sees('#call-text', 'You are in the call alone');
  await grace.sees('#call-text', 'Ada is in a call');
  await grace.page.click('#call-mic');
  const seen = await watches(grace, 'Ada');
  assert.equal(seen.sound, 1, 'one place for sound, though it is silent');
  await ada.sees('.tile', 'Grace');
  await ada.sees('#call-text', 'In the call with Grace');
  await grace.page.click('#call-cam');
  await watches(ada, 'Grace');

  await bo.page.click('#call-cam');
  for (const [one, other] of [[bo, 'Ada'], [bo, 'Grace'], [ada, 'Bo'], [grace, 'Bo']]) await watches(one, other);

  await grace.page.click('#call-cam');
  await eventually('Ada sees that Grace is dark', () => ada.page.isVisible('.tile.dark:has-text("Grace") .avatar'));

  await grace.page.click('#call-screen');
  await watches(ada, 'Grace’s screen', 'screen');
  await watches(bo, 'Grace’s screen', 'screen');
  await ada.shot('call');
  await grace.page.click('#call-screen');
  await eventually('no screen any more', async () => (await ada.page.locator('.tile.screen').count()) === 0);

  await bo.page.click('#call-end');
  await eventually('Bo is gone from the call', async () => (await ada.page.locator('.tile:has-text("Bo")').count()) === 0);
  assert.equal(await bo.page.locator('.tile').count(), 0);
  // Who leaves the session leaves the call.
  await grace.page.click('#leave');
  await ada.sees('#call-text', 'You are in the call alone');
  for (const one of [ada, grace, bo]) one.content();
  for (const one of [ada, grace, bo]) await one.go();
});

test('a call outlives a connection that comes back', async () => {
  const [ada, grace] = await Promise.all(['Ada', 'Grace'].map((name) => Person.arrive(chromium, name)));
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  await ada.page.click('#call-cam');
  await grace.page.click('#call-cam');
  await watches(ada, 'Grace');
  await ada.page.click('#hud-toggle');
  await ada.page.click('.drop');
  await ada.sees('#banners', 'Connection lost');
  await watches(ada, 'Grace');
  await watches(grace, 'Ada');
  await ada.sees('#banners', 'Connected again');
  await watches(grace, 'Ada');
  for (const one of [ada, grace]) one.content();
  for (const one of [ada, grace]) await one.go();
});
