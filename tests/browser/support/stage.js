// What a file of tests plays on: one Chromium and one house, opened before its first test and closed after its last. Whoever imports this has
// both, as Node runs each file of tests in a process of its own.

import { after, before } from 'node:test';

import { browser, inStep, Person } from './people.js';
import { house } from './servers.js';

/** @type {any} */
export let chromium;
/** @type {Awaited<ReturnType<typeof house>>} */
export let home;

before(async () => {
  [chromium, home] = await Promise.all([browser(), house()]);
});
after(async () => {
  await chromium?.close();
  await home?.close();
});

/** Ada and Grace, each by a door of her own, with the sample film playing in step. @param {Awaited<ReturnType<typeof house>>} at */
export async function watching(at) {
  const [ada, grace] = [await Person.arrive(chromium, 'Ada'), await Person.arrive(chromium, 'Grace')];
  const path = await ada.create(at.doors[0]);
  await grace.join(at.doors[1], path);
  await grace.inside();
  await ada.page.click('#empty-sample');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  return { ada, grace };
}
