// Who gets in, who does not, and who has to go: wrong words, full and locked sessions, kicks, a host who leaves, an end for all.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NETWORK, PASSWORD, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

const arrive = (name) => Person.arrive(chromium, name);

test('what is wrong is said at the field it is about', async () => {
  const ada = await arrive('Ada');
  await ada.open(home.doors[0].base);
  await ada.shot('start');
  await ada.fill('#create', { display_name: 'Ada', name: 'x', password: PASSWORD });
  await ada.page.click('#create button.primary');
  await ada.shows('#create .wrong');
  assert.equal(await ada.page.getAttribute('#create [name=name]', 'aria-invalid'), 'true');
  assert.ok(await ada.page.evaluate(() => document.activeElement.name === 'name'));
  ada.content();
  await ada.go();
});

test('a wrong password is refused, the right one lets in', async () => {
  const [ada, grace] = [await arrive('Ada'), await arrive('Grace')];
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path, 'not it, sorry');
  await grace.sees('#join-form .wrong', 'That password is not right');
  await grace.sees('#join-title', 'Movie night');
  await grace.shot('wrong-password');
  await grace.fill('#join-form', { password: PASSWORD });
  await grace.page.click('#join-form button.primary');
  await grace.inside();
  ada.content();
  grace.content(NETWORK);
  await ada.go();
  await grace.go();
});

test('a full session says so', async () => {
  const [ada, grace] = [await arrive('Ada'), await arrive('Grace')];
  const path = await ada.create(home.doors[0], { seats: 1 });
  await grace.join(home.doors[1], path);
  await eventually('Grace hears that it is full', async () => /Every seat is taken/.test((await grace.text('body')).join()) && !(await grace.page.isVisible('#room')));
  await grace.shot('full');
  ada.content();
  grace.content(NETWORK);
  await ada.go();
  await grace.go();
});

test('a host locks, removes, and hands over by leaving', async () => {
  const [ada, grace, bo] = [await arrive('Ada'), await arrive('Grace'), await arrive('Bo')];
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  await bo.join(home.doors[0], path);
  await bo.inside();
  await ada.sees('#people-count', '3 of 10');
  assert.equal(await grace.page.locator('.menu:visible').count(), 0, 'only the host may');

  await ada.page.click('.person:has-text("Bo") .menu > button');
  await ada.page.click('.person:has-text("Bo") .menu li:has-text("Remove") >> nth=0');
  await bo.sees('#over-title', 'You were removed');
  await grace.sees('#timeline', 'Ada removed Bo');
  await bo.shot('removed');

  await ada.page.click('#settings');
  await ada.page.check('[name=locked]');
  await ada.page.check('[name=host_controls]');
  await ada.shot('settings');
  await ada.page.click('#settings-form button.primary');
  await grace.sees('#room-about', 'locked');
  const late = await arrive('Late');
  await late.join(home.doors[1], path);
  await late.sees('body', 'locked');
  await ada.page.click('#empty-sample');
  await eventually('Grace may not move it', () => grace.page.isDisabled('#toggle'));

  await ada.page.click('#leave');
  await ada.sees('#over-title', 'You left');
  await ada.page.click('#over-again');
  await ada.shows('#join-form');
  await grace.sees('#timeline', 'Ada left');
  await grace.sees('.person', /Grace[\s\S]*host/);
  await eventually('Grace may move it now', async () => !(await grace.page.isDisabled('#toggle')));

  await grace.page.click('#settings');
  await grace.page.click('#end');
  await grace.page.click('#end-form .danger');
  await grace.sees('#over-title', 'That was it');
  for (const one of [ada, grace, bo]) one.content();
  late.content(NETWORK);
  for (const one of [ada, grace, bo, late]) await one.go();
});

test('a host makes another the host, who names things anew and removes somebody', async () => {
  const [ada, grace, bo] = [await arrive('Ada'), await arrive('Grace'), await arrive('Bo')];
  const path = await ada.create(home.doors[0]);
  for (const [one, door] of [[grace, 1], [bo, 0]]) {
    await one.join(home.doors[door], path);
    await one.inside();
  }
  await ada.sees('#people-count', '3 of 10');
  await ada.page.click('.person:has-text("Grace") .menu > button');
  await ada.page.click('.person:has-text("Grace") .menu li:has-text("Make host")');
  await grace.sees('.person', /Grace[\s\S]*host/);
  await eventually('Ada may no more', async () => (await ada.page.locator('.menu:visible').count()) === 0);

  await grace.page.click('#settings');
  await grace.fill('#settings-form', { display_name: 'Grace H', name: 'Second feature' });
  await grace.page.click('#settings-form button.primary');
  for (const one of [ada, bo]) {
    await one.sees('#room-name', 'Second feature');
    await one.sees('.person', 'Grace H');
  }
  await grace.page.click('.person:has-text("Bo") .menu > button');
  await grace.page.click('.person:has-text("Bo") .menu li:has-text("Remove and keep out")');
  await grace.page.click('#remove-form .danger');
  await bo.sees('#over-title', 'You were removed');
  await ada.sees('#people-count', '2 of 10');
  await ada.sees('#timeline', 'Grace H removed Bo');
  for (const one of [ada, grace, bo]) one.content();
  for (const one of [ada, grace, bo]) await one.go();
});

test('a second tab takes the seat, the first one says so', async () => {
  const ada = await arrive('Ada');
  const path = await ada.create(home.doors[0]);
  // What a duplicated tab has: the same storage.
  const kept = await ada.page.evaluate(() => ({ ...sessionStorage }));
  const twin = await arrive('Ada');
  await twin.page.addInitScript((kept) => Object.entries(kept).forEach(([key, value]) => sessionStorage.setItem(key, value)), kept);
  await twin.open(home.doors[0].base, path);
  await twin.inside();
  await ada.sees('#over-title', 'Opened elsewhere');
  ada.content();
  twin.content();
  await ada.go();
  await twin.go();
});

test('a session that is none says so, in a page of its own', async () => {
  const ada = await arrive('Ada');
  await ada.open(home.doors[0].base, '/s/8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42');
  await ada.sees('#join-about', 'This session is over, or the link is not whole');
  ada.content(NETWORK);
  await ada.go();
});

test('a link that lost a letter, or has one too many, says so too', async () => {
  const ada = await arrive('Ada');
  for (const link of ['8f14e45f-ceea-467f-a9d1-0c5a3b1f7e4', '8F14E45F-CEEA-467F-A9D1-0C5A3B1F7E42', '8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42/', '']) {
    await ada.open(home.doors[0].base, `/s/${link}`);
    await ada.sees('#join-about', 'This session is over, or the link is not whole');
  }
  ada.content(NETWORK);
  await ada.go();
});
