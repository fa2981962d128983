// What only a host can do, and cannot take back: to remove somebody so that they stay away, to change the password, to end it for all.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NETWORK, PASSWORD, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

/** Ada's session with a guest in it. */
async function party(name) {
  const [ada, guest] = await Promise.all([Person.arrive(chromium, 'Ada'), Person.arrive(chromium, name)]);
  const path = await ada.create(home.doors[0]);
  await guest.join(home.doors[1], path);
  await guest.inside();
  await ada.sees('.person', name);
  return { ada, guest, path };
}

async function choose(host, name, what) {
  await host.page.click(`.person:has-text("${name}") .menu > button`);
  await host.page.click(`.person:has-text("${name}") .menu li:has-text("${what}")`);
}

test('who is removed with a new password stays out, and the others can come and stay', async () => {
  const { ada, guest: cy, path } = await party('Cy');
  await choose(ada, 'Cy', 'Remove and keep out');
  await ada.sees('#remove-box', /Remove Cy\?[\s\S]*Whoever knows the password can join anew/);
  assert.equal(await ada.page.innerText('#remove-form .danger'), 'Remove');
  await ada.page.fill('#remove-form [name=password]', 'short');
  await ada.page.click('#remove-form .danger');
  await ada.sees('#remove-form .wrong', /password/);
  assert.deepEqual(await ada.text('#people-count'), ['2 of 10'], 'nobody is removed without what was asked for');
  await ada.page.fill('#remove-form [name=password]', 'quite another');
  assert.equal(await ada.page.innerText('#remove-form .danger'), 'Change it and remove');
  await ada.shot('remove');
  await ada.page.click('#remove-form .danger');
  await cy.sees('#over-title', 'You were removed');
  await eventually('it is closed', () => ada.page.isHidden('#remove-box'));

  await cy.join(home.doors[1], path);
  await cy.sees('#join-form .wrong', 'That password is not right');
  assert.deepEqual(await ada.text('#people-count'), ['1 of 10']);
  const bo = await Person.arrive(chromium, 'Bo');
  await bo.join(home.doors[0], path, 'quite another');
  await bo.inside();
  // Passwords are nobody's to read over a shoulder.
  await ada.page.click('#hud-toggle');
  await ada.page.click('#hud summary');
  await ada.sees('#hud pre', 'kick');
  assert.doesNotMatch((await ada.text('#hud pre')).join(), /quite another|short/);
  ada.content();
  bo.content();
  cy.content(NETWORK);
  for (const one of [ada, bo, cy]) await one.go();
});

test('the password is changed in the settings, and left alone when none is given', async () => {
  const { ada, guest: grace, path } = await party('Grace');
  const late = await Person.arrive(chromium, 'Late');
  await ada.page.click('#settings');
  await ada.page.fill('#settings-form [name=password]', 'tonight only');
  await ada.shot('settings-password');
  await ada.page.click('#settings-form button.primary');
  await eventually('it is saved', () => ada.page.isHidden('#settings-box'));
  await late.join(home.doors[1], path, PASSWORD);
  await late.sees('#join-form .wrong', 'That password is not right');

  await ada.page.click('#settings');
  assert.equal(await ada.page.inputValue('#settings-form [name=password]'), '', 'it is not kept');
  await ada.page.fill('#settings-form [name=max_participants]', '5');
  await ada.page.click('#settings-form button.primary');
  await ada.sees('#people-count', '2 of 5');
  await late.join(home.doors[1], path, 'tonight only');
  await late.inside();
  assert.equal((await grace.text('.person')).length, 3, 'who was there stayed');
  for (const one of [ada, grace]) one.content();
  late.content(NETWORK);
  for (const one of [ada, grace, late]) await one.go();
});

test('a session ends for all only after a question', async () => {
  const { ada, guest: grace } = await party('Grace');
  const asked = async () => {
    await ada.page.click('#end');
    await ada.shows('#end-box');
    assert.equal(await ada.page.evaluate(() => document.activeElement?.textContent), 'Go on watching', 'enter alone ends nothing');
  };
  await ada.page.click('#settings');
  await asked();
  assert.equal(await ada.page.getAttribute('#end-box', 'role'), 'alertdialog');
  await ada.shot('end');
  await ada.page.keyboard.press('Enter');
  await eventually('it is closed', () => ada.page.isHidden('#end-box'));
  assert.equal(await ada.page.evaluate(() => document.activeElement?.id), 'end', 'the focus is where it was');
  await asked();
  await ada.page.keyboard.press('Escape');
  await eventually('it is closed', () => ada.page.isHidden('#end-box'));
  assert.ok(await ada.page.isVisible('#settings-box'));
  await ada.page.click('#settings-done');
  await ada.says('Still here?');
  await grace.sees('.message', 'Still here?');

  await ada.page.click('#settings');
  await asked();
  await ada.page.click('#end-form .danger');
  for (const one of [ada, grace]) await one.sees('#over-title', 'That was it');
  assert.equal(await ada.page.locator('dialog[open]').count(), 0);
  for (const one of [ada, grace]) one.content();
  for (const one of [ada, grace]) await one.go();
});
