// What happens to a party when something dies: a replica under a playing film, and one's own network.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { browser, inStep, NETWORK, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { house } from './support/servers.js';

let chromium, home;
before(async () => {
  [chromium, home] = await Promise.all([browser(), house()]);
});
after(async () => {
  await chromium?.close();
  await home?.close();
});

async function watching(home) {
  const [ada, grace] = [await Person.arrive(chromium, 'Ada'), await Person.arrive(chromium, 'Grace')];
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  await ada.page.click('#empty-sample');
  await eventually('the film is there', () => ada.page.isHidden('#empty'));
  await ada.page.click('#toggle');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  return { ada, grace };
}

test('a dropped network comes back by itself, with all it missed', async () => {
  const { ada, grace } = await watching(home);
  await ada.page.click('#hud-toggle');
  await ada.page.click('.drop');
  await ada.sees('#banners', 'Connection lost');
  await ada.shot('offline');
  await grace.says('Ada?');
  await ada.says('written without a network');
  await ada.plays();
  await ada.sees('.outcome', /Live \d+ ms after the network was back; [1-9]\d* missed entr\w+ caught up, none lost/);
  await ada.sees('.message', 'Ada?');
  await grace.sees('.message', 'written without a network');
  await ada.sees('#banners', 'Connected again');
  await inStep(ada, grace);
  await ada.shot('hud');
  for (const one of [ada, grace]) {
    assert.equal((await one.text('.message')).length, 2, 'each message once');
    one.content();
    await one.go();
  }
});

test('a replica that stops hands its people over', async () => {
  const house_ = await house();
  const { ada, grace } = await watching(house_);
  const second = house_.nodes[1].port;
  await house_.stop(0);
  await ada.sees('#banners', 'Connected again');
  assert.equal(house_.doors[0].went.at(-1), second);
  await ada.says('Moved.');
  await grace.sees('.message', 'Moved.');
  await ada.plays();
  await inStep(ada, grace);
  for (const one of [ada, grace]) {
    assert.equal((await one.text('.person')).length, 2);
    one.content(NETWORK);
    await one.go();
  }
  await house_.close();
});

test('a replica is killed while the film plays, and the party goes on through the other', async () => {
  const { ada, grace } = await watching(home);
  const [first, second] = home.nodes.map(({ port }) => port);
  assert.equal(home.doors[0].went.at(-1), first);
  await home.kill(0);
  await ada.sees('#banners', /Connection lost|Connected again/);
  await ada.says('Did anybody notice?');
  await ada.plays();
  await grace.sees('.message', 'Did anybody notice?');
  assert.equal(home.doors[0].went.at(-1), second);
  await grace.says('Notice what?');
  await ada.sees('.message', 'Notice what?');
  await inStep(ada, grace);
  await grace.page.click('#toggle');
  await Promise.all([ada.pauses(), grace.pauses()]);
  await ada.sees('#timeline', /Grace paused at/);
  await ada.shot('after-the-kill');
  for (const one of [ada, grace]) {
    assert.equal((await one.text('.message')).length, 2, 'each message once');
    assert.equal((await one.text('.person')).length, 2, 'nobody lost a seat');
    assert.equal((await one.text('.deeds')).filter((text) => /lost the connection|left/.test(text)).length, 0);
  }
  ada.content(NETWORK);
  grace.content();
  await ada.go();
  await grace.go();
});
