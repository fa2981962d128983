// What a file of tests plays on: one Chromium and one house, opened before its first test and closed after its last. Whoever imports this has
// both, as Node runs each file of tests in a process of its own.

import { after, before } from 'node:test';

import { browser } from './people.js';
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
