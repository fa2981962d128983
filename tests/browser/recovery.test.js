// What happens to a party when something dies: a replica under a playing film, and one's own network.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { inStep, NETWORK, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { house } from './support/servers.js';
import { home, watching } from './support/stage.js';

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

/** What a page says of its connection, and when, by this computer's clock: `[when, what]`, as it changes. @param {Person} person */
function notes({ page }) {
  return page.evaluate(() => {
    const place = /** @type {HTMLElement} */ (document.querySelector('#banners'));
    const said = (/** @type {any} */ (globalThis).said_ = []);
    new MutationObserver(() => said.push([performance.timeOrigin + performance.now(), place.innerText])).observe(place, { childList: true, subtree: true, characterData: true });
  });
}

/** What somebody's chat has, in order. @param {Person} person */
const chat = (person) => person.text('.message .text');

/** A line of the numbers. @param {Person} person @param {string} name */
const number = ({ page }, name) => page.evaluate((name) => [...document.querySelectorAll('#hud dt')].find((one) => one.textContent === name)?.nextElementSibling?.textContent, name);

test('a replica is killed while the film plays: the party goes on through the other, and nobody misses a word or a move', async (t) => {
  const { ada, grace } = await watching(home);
  const [first, second] = home.nodes.map(({ port }) => port);
  assert.equal(home.doors[0].went.at(-1), first);
  await notes(ada);
  /** @param {Person} one */
  const talk = async (one, from, to) => {
    for (let at = from; at <= to; at += 1) await one.says(`${one.name} ${at}`);
  };
  await Promise.all([talk(ada, 1, 4), talk(grace, 1, 4)]);
  const killed = performance.timeOrigin + performance.now();
  // What Ada says now is on a wire that leads nowhere, and what Grace says and does cannot reach her.
  await Promise.all([home.kill(0), talk(ada, 5, 12), talk(grace, 5, 12).then(() => grace.page.fill('#seek', '61000'))]);
  await ada.sees('#timeline', 'Grace jumped to 1:01');
  await Promise.all([talk(ada, 13, 16), talk(grace, 13, 16)]);
  for (const one of [ada, grace]) await eventually(`${one.name} has it all`, async () => (await chat(one)).length === 32, () => chat(one));
  const heard = await chat(ada);
  assert.deepEqual(await chat(grace), heard, 'the same for both, in one order');
  for (const name of ['Ada', 'Grace']) {
    const theirs = heard.filter((text) => text.startsWith(name));
    assert.deepEqual(theirs, Array.from({ length: 16 }, (_, at) => `${name} ${at + 1}`), 'each once, as it was said');
  }
  assert.equal(home.doors[0].went.at(-1), second);
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  await grace.page.click('#toggle');
  await Promise.all([ada.pauses(), grace.pauses()]);
  for (const one of [ada, grace]) {
    await one.sees('#timeline', /(Grace|You) paused at 1:\d\d/);
    await one.page.click('#hud-toggle');
    await one.sees('#hud dd', /paused \(pause\)/);
    const deeds = (await one.text('#timeline')).join();
    assert.equal(deeds.match(/(Grace|You) jumped to/g)?.length, 1, 'one move, told once');
    assert.equal((await one.text('.person')).length, 2, 'nobody lost a seat');
    assert.doesNotMatch(deeds, /lost the connection|left/);
    assert.equal(await one.page.locator('.pending, .failed').count(), 0, 'and nothing waits');
  }
  for (const name of ['film version', 'seq']) assert.equal(await number(ada, name), await number(grace, name), name);
  await ada.shot('after-the-kill');

  const said = await ada.page.evaluate(() => /** @type {any} */ (globalThis).said_);
  const lost = said.find(([, text]) => text.includes('Connection lost'));
  const again = said.find(([, text]) => text.includes('Connected again'));
  assert.match(again[1], /Connected again, (nothing was missed|\d+ missed entr\w+ caught up)/, 'resumed, not begun anew');
  t.diagnostic(`the loss was noticed ${Math.round(lost[0] - killed)} ms after the kill; connected again after ${Math.round(again[0] - killed)} ms (2 s are asked for): ${again[1].trim()}`);
  ada.content(NETWORK);
  grace.content();
  await ada.go();
  await grace.go();
});
