// People with browsers: each has a context of their own, opens the page through a door, and does what a person does, by what is on the
// screen. Whatever the browser complains about (errors, its content policy, requests to elsewhere) is kept, and a test ends by asking for it.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { eventually } from './patience.js';

/** Where screenshots go. */
const place = process.env.WATCHPARTY_SHOTS ?? '';
export const PASSWORD = 'popcorn!';
/** The browser itself logs these where a test makes them happen: a socket that cannot connect, an answer that is no 200. */
export const NETWORK = /WebSocket connection to|Failed to load resource|ERR_/;

/** One browser for all contexts. */
export function browser() {
  // Tests run as root in containers, where Chromium's sandbox cannot.
  const args = ['--no-sandbox', '--disable-dev-shm-usage', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--mute-audio', '--allow-loopback-in-peer-connection'];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
}

export class Person {
  complaints = [];
  foreign = [];

  /** @param {any} browser @param {string} name @param {any} [options] of Playwright's context */
  static async arrive(browser, name, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1360, height: 820 }, colorScheme: 'dark', locale: 'en-GB', ...options });
    const person = new Person(name, context, await context.newPage());
    await person.listen();
    return person;
  }

  constructor(name, context, page) {
    Object.assign(this, { name, context, page });
  }

  async listen() {
    const { page } = this;
    page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
    page.on('pageerror', (error) => this.complaints.push(`thrown: ${error.stack}`));
    page.on('request', (request) => {
      const url = request.url();
      if (this.base && !url.startsWith(this.base) && !/^(blob|data):/.test(url)) this.foreign.push(url);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
    });
  }

  /** Opens an address of a door. @param {string} base @param {string} [path] */
  async open(base, path = '/') {
    this.base = base;
    await this.page.goto(base + path);
  }

  /** @param {{ base: string }} door @param {{ name?: string, seats?: number }} [session] */
  async create(door, { name = 'Movie night', seats = 10 } = {}) {
    await this.open(door.base);
    await this.fill('#create', { display_name: this.name, name, password: PASSWORD, max_participants: String(seats) });
    await this.page.click('#create button.primary');
    await this.inside();
    return new URL(this.page.url()).pathname;
  }

  /** @param {{ base: string }} door @param {string} path */
  async join(door, path, password = PASSWORD) {
    await this.open(door.base, path);
    await this.fill('#join-form', { display_name: this.name, password });
    await this.page.click('#join-form button.primary');
  }

  async fill(form, fields) {
    for (const [name, value] of Object.entries(fields)) await this.page.fill(`${form} [name=${name}]`, value);
  }

  /** In the room, connected. */
  async inside() {
    await this.shows('#room');
    await this.sees('.person', this.name);
  }

  /** @param {string} selector */
  async shows(selector) {
    await eventually(`${this.name} is shown ${selector}`, () => this.page.isVisible(selector), () => this.text('body'));
  }

  text(selector) {
    return this.page.evaluate((selector) => [...document.querySelectorAll(selector)].map((one) => one.innerText), selector);
  }

  /** Some element has the text. @param {string} selector @param {string | RegExp} wanted */
  async sees(selector, wanted) {
    const has = (text) => (typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text));
    await eventually(`${this.name} sees ${wanted} in ${selector}`, async () => (await this.text(selector)).some(has), () => this.text(selector));
  }

  async says(text) {
    await this.page.fill('#say', text);
    await this.page.press('#say', 'Enter');
  }

  /** What the player does, and where it would be at the computer's time 0: equal for players that are in step. */
  player() {
    return this.page.evaluate(() => {
      const video = document.querySelector('#film');
      return { at: video.currentTime, paused: video.paused, rate: video.playbackRate, zero: video.currentTime - (performance.timeOrigin + performance.now()) / 1000 };
    });
  }

  /** Plays, and moves. */
  async plays() {
    const from = (await this.player()).at;
    await eventually(`${this.name}'s film moves`, async () => {
      const { at, paused } = await this.player();
      return !paused && at > from + 0.3;
    }, () => this.player());
  }

  async pauses() {
    await eventually(`${this.name}'s film stands`, async () => (await this.player()).paused, () => this.player());
  }

  /** @param {string} name */
  async shot(name) {
    mkdirSync(place, { recursive: true });
    await this.page.screenshot({ path: join(place, `${name}.png`) });
  }

  /** Nobody complained, beyond what a test names; nothing came from elsewhere. @param {RegExp} [expected] */
  content(expected = /^$/) {
    assert.deepEqual(this.complaints.filter((text) => !expected.test(text)), [], this.name);
    assert.deepEqual(this.foreign, [], this.name);
  }

  async go() {
    await this.context.close();
  }
}

/** Two players are in step: so many seconds apart at most. @param {Person} one @param {Person} other */
export async function inStep(one, other, most = 0.15) {
  const apart = async () => Math.abs((await one.player()).zero - (await other.player()).zero);
  await eventually(`${one.name} and ${other.name} are in step`, async () => (await apart()) <= most, async () => [await one.player(), await other.player()]);
}
