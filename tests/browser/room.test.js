// A party of two on two replicas: they meet, talk, move the film and stay in step; then what the page owes everybody beyond that: phones,
// keyboards, screen readers, and a policy that nothing breaks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import jsqr from 'jsqr';

import { inStep, NETWORK, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { chromium, home } from './support/stage.js';

/** Ada on the first replica, Grace on the second, in one session. */
async function party(options = {}) {
  const ada = await Person.arrive(chromium, 'Ada', options.ada);
  const grace = await Person.arrive(chromium, 'Grace', options.grace);
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  for (const [one, other] of [[ada, grace], [grace, ada]]) await one.sees('.person', other.name);
  return { ada, grace, path, people: [ada, grace] };
}

async function film({ ada, grace }) {
  await ada.page.click('#empty-choose');
  await ada.page.click('#choose-sample');
  for (const one of [ada, grace]) await eventually(`${one.name} has the film`, () => one.page.isHidden('#empty'));
  await ada.sees('#length', '2:00');
}

test('two on two replicas meet, talk, and watch', async () => {
  const room = await party({ grace: { colorScheme: 'light' } });
  const { ada, grace } = room;
  const [first, second] = home.nodes.map(({ port }) => port);
  assert.ok(home.doors[0].went.includes(first) && !home.doors[0].went.includes(second));
  assert.ok(home.doors[1].went.includes(second) && !home.doors[1].went.includes(first));

  await ada.says('Popcorn ready? 🍿');
  await grace.sees('.message', 'Popcorn ready? 🍿');
  await grace.says('Always. Sound on, lights off.');
  await ada.sees('.message', 'Always. Sound on, lights off.');
  assert.equal((await ada.text('.message')).length, 2, 'once each, sent ones too');

  await film(room);
  await grace.sees('#timeline', 'Ada put on “Sample film”');
  await ada.page.click('#toggle');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  await grace.sees('#timeline', /Ada pressed play at 0:00/);

  await grace.page.click('#toggle');
  await Promise.all([ada.pauses(), grace.pauses()]);
  await ada.sees('#timeline', /Grace paused at 0:\d\d/);
  await eventually('both hold one frame', async () => Math.abs((await ada.player()).at - (await grace.player()).at) < 0.045, async () => [await ada.player(), await grace.player()]);

  // Where Grace drags it, both stand; and from there both go on.
  await grace.page.fill('#seek', '61000');
  for (const one of room.people) await eventually(`${one.name} stands at 1:01`, async () => Math.abs((await one.player()).at - 61) < 0.03, () => one.player());
  await ada.sees('#timeline', 'Grace jumped to 1:01');
  await ada.page.click('#toggle');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);

  // A jump while it plays waits for both.
  await ada.page.fill('#seek', '30000');
  await grace.sees('#timeline', 'Ada jumped to 0:30');
  for (const one of room.people) await eventually(`${one.name} goes on from 0:30`, async () => Math.abs((await one.player()).at - 30) < 20 && !(await one.player()).paused);
  await inStep(ada, grace);

  await ada.page.selectOption('#rate', '1.5');
  for (const one of room.people) await eventually(`${one.name} is faster`, async () => Math.abs((await one.player()).rate - 1.5) < 0.2, () => one.player());
  await ada.page.selectOption('#rate', '1');
  await grace.sees('#timeline', 'Ada set the speed to 1×');

  // Bo comes late, on a phone, and is where the others are.
  const bo = await Person.arrive(chromium, 'Bo', { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await bo.join(home.doors[0], room.path);
  await bo.inside();
  await bo.plays();
  await inStep(bo, ada);
  assert.equal((await ada.player()).paused, false, 'a joiner stops nobody');
  await bo.sees('.message', 'Popcorn ready?');
  await bo.says('On the train, but in the front row 🚃');
  await ada.sees('.message', 'front row');
  room.people.push(bo);

  await grace.says('The same frame on all three. 🎬');
  await grace.page.click('#reactions button >> nth=0');
  await ada.sees('#whisper', 'Grace: Party');
  await ada.sees('.person', /playing · [+−±]\d+ ms · RTT \d+ ms/);
  await ada.sees('.person', /Bo[\s\S]*playing · [+−±]\d+ ms/);
  await ada.page.mouse.move(2, 2);
  await bo.page.click('#reactions button >> nth=4');
  await ada.sees('#whisper', 'Bo: Heart');
  await grace.page.fill('#say', 'and');
  await ada.sees('#typing', 'Grace is typing');
  // For the picture's sake; once it is gone, there is nothing to wait for.
  await eventually('it has risen', () => ada.page.evaluate(() => [...document.querySelectorAll('.bubble')].every((one) => Number(getComputedStyle(one).opacity) > 0.9)));
  await ada.shot('room-dark');
  await grace.shot('room-light');
  await bo.shot('phone-late');
  for (const one of room.people) one.content();
  for (const one of room.people) await one.go();
});

test('“Play the sample” plays it, for everybody, in one click', async () => {
  const { ada, grace, people } = await party();
  await ada.page.click('#empty-sample');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  await grace.sees('#timeline', /Ada put on “Sample film”[\s\S]*Ada pressed play at 0:00/);
  for (const one of people) one.content();
  for (const one of people) await one.go();
});

test('a reload keeps the seat, the past and the film', async () => {
  const room = await party();
  const { ada, grace } = room;
  await film(room);
  await grace.says('before');
  await ada.sees('.message', 'before');
  await ada.page.click('#toggle');
  await grace.plays();
  await grace.page.reload();
  await grace.inside();
  await grace.sees('.message', 'before');
  await ada.says('while you were gone');
  await grace.sees('.message', 'while you were gone');
  // A browser wants a click before it plays with sound; some do not.
  await eventually('it plays, or asks for a click', async () => (await grace.page.isVisible('#unblock')) || !(await grace.player()).paused, () => grace.player());
  if (await grace.page.isVisible('#unblock')) await grace.page.click('#unblock');
  await grace.plays();
  await inStep(ada, grace);
  assert.equal((await ada.text('.person')).length, 2);
  const joined = (await ada.text('.deeds')).filter((text) => text.startsWith('Grace joined'));
  assert.equal(joined.length, 1, 'nobody left and nobody joined');
  await grace.says('back');
  await ada.sees('.message', 'back');
  for (const one of room.people) one.content();
  for (const one of room.people) await one.go();
});

test('an answer quotes what it answers', async () => {
  const { ada, grace, people } = await party();
  await ada.says('Which film?');
  await grace.sees('.message', 'Which film?');
  await grace.page.hover('.message');
  await grace.page.click('.message .answer');
  await grace.sees('#reply', 'Which film?');
  await grace.says('The one with the clock.');
  await ada.sees('.quote', 'Ada: Which film?');
  for (const one of people) one.content();
  for (const one of people) await one.go();
});

test('the past is read in pages, as far back as it goes', async () => {
  const { ada, grace, path, people } = await party();
  await ada.page.evaluate(() => {
    for (let at = 1; at <= 130; at++) {
      document.querySelector('#say').value = `message ${at}`;
      document.querySelector('#compose').requestSubmit();
    }
  });
  await grace.sees('.message', 'message 130');
  const bo = await Person.arrive(chromium, 'Bo');
  await bo.join(home.doors[1], path);
  await bo.sees('.message', 'message 130');
  const numbers = async () => (await bo.text('.message .text')).map((text) => Number(text.split(' ')[1]));
  const first = await numbers();
  assert.ok(first[0] > 1 && first.length < 130, `a page: ${first[0]} to ${first.at(-1)}`);
  await bo.page.click('#earlier');
  await bo.sees('#beginning', 'The session begins here');
  assert.deepEqual(await numbers(), Array.from({ length: 130 }, (_, at) => at + 1), 'each once, in order');
  assert.equal(await bo.page.isVisible('#earlier'), false);
  assert.equal((await ada.text('.pending, .failed')).length, 0);
  for (const one of [...people, bo]) one.content();
  for (const one of [...people, bo]) await one.go();
});

test('what people write is text, wherever it stands', async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const room = await party();
  const { ada, grace, path } = room;
  const mallory = await Person.arrive(chromium, evil);
  await mallory.join(home.doors[0], path);
  await mallory.sees('.person', evil);
  await mallory.says(`${evil}<script>alert(2)</script>`);
  await ada.sees('.message', '<script>alert(2)</script>');
  await ada.sees('.person', evil);
  await ada.sees('#timeline', `${evil} joined`);
  assert.equal(await ada.page.locator('#room img[src=x], #room script').count(), 0);
  for (const one of [ada, grace, mallory]) one.content();
  for (const one of [ada, grace, mallory]) await one.go();
});

test('the link is in the code, and the policy is strict', async () => {
  const ada = await Person.arrive(chromium, 'Ada');
  const path = await ada.create(home.doors[0]);
  const answer = await ada.page.request.get(home.doors[0].base + path);
  const policy = answer.headers()['content-security-policy'];
  assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const film = await ada.page.request.get(`${home.doors[0].base}/web/media/sample.webm`, { headers: { range: 'bytes=4-9' } });
  assert.deepEqual([film.status(), (await film.body()).length, film.headers()['content-encoding']], [206, 6, undefined]);

  await ada.page.click('#invite');
  await ada.shows('#qr svg');
  const link = await ada.page.inputValue('#link');
  assert.equal(link, home.doors[0].base + path);
  await ada.shot('invite');
  // Drawn as a camera sees it: from the page's own picture.
  const { pixels, size } = await ada.page.evaluate(async () => {
    const scale = 6;
    const svg = document.querySelector('#qr svg');
    const path = new Path2D(svg.querySelector('path').getAttribute('d'));
    const size = svg.viewBox.baseVal.width * scale;
    const context = Object.assign(document.createElement('canvas'), { width: size, height: size }).getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, size, size);
    context.scale(scale, scale);
    context.fillStyle = '#000';
    context.fill(path);
    return { pixels: [...context.getImageData(0, 0, size, size).data], size };
  });
  assert.equal((jsqr.default ?? jsqr)(Uint8ClampedArray.from(pixels), size, size)?.data, link);
  ada.content();
  await ada.go();
});

test('a keyboard is enough', async () => {
  const room = await party();
  const { ada, grace } = room;
  await film(room);
  await ada.page.locator('#screen').click({ position: { x: 40, y: 40 } });
  await ada.page.keyboard.press(' ');
  await grace.plays();
  await ada.page.keyboard.press(' ');
  await grace.pauses();
  const at = (await ada.player()).at;
  await ada.page.keyboard.press('ArrowRight');
  await eventually('ten seconds on', async () => Math.abs((await grace.player()).at - at - 10) < 0.5, () => grace.player());
  await ada.page.keyboard.press('m');
  // The player tells of it in a moment of its own.
  await eventually('m mutes', async () => (await ada.page.getAttribute('#mute', 'aria-pressed')) === 'true');
  await ada.page.keyboard.press('?');
  await ada.shows('#hud');
  await ada.sees('#hud', 'drift p50 / p95 / p99');
  await ada.page.keyboard.press('?');
  // In the line to write in the same keys are letters.
  await ada.page.focus('#say');
  await ada.page.keyboard.type(' m?');
  assert.equal(await ada.page.inputValue('#say'), ' m?');
  assert.equal((await grace.player()).paused, true);
  // Everything that can be done has a name a screen reader can say.
  const nameless = await ada.page.evaluate(() => [...document.querySelectorAll('button, input, select, a')]
    .filter((one) => one.offsetParent && !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
    .map((one) => one.outerHTML));
  assert.deepEqual(nameless, []);
  for (const one of room.people) one.content();
  for (const one of room.people) await one.go();
});

test('a phone has all of it, and nothing hangs over the edge', async () => {
  const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
  const room = await party({ grace: phone });
  const { ada, grace } = room;
  await film(room);
  await grace.page.tap('#toggle');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  await grace.says('From the tram.');
  await ada.sees('.message', 'From the tram.');
  for (const width of [390, 320]) {
    await grace.page.setViewportSize({ width, height: 844 });
    const wide = await grace.page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${wide} pixels on ${width}`);
  }
  await grace.page.setViewportSize({ width: 390, height: 844 });
  await grace.page.evaluate(() => scrollTo(0, 0));
  await grace.shot('phone');
  for (const one of room.people) one.content();
  for (const one of room.people) await one.go();
});

test('a file is opened by each for themselves', async () => {
  const room = await party();
  const { ada, grace } = room;
  const file = new URL('../../web/media/sample.webm', import.meta.url).pathname;
  await ada.page.setInputFiles('#choose-file', file);
  await grace.sees('#empty-text', 'open your own copy of “sample.webm”');
  await grace.page.setInputFiles('#choose-file', file);
  for (const one of room.people) await eventually(`${one.name} has the film`, () => one.page.isHidden('#empty'));
  await grace.page.click('#toggle');
  await Promise.all([ada.plays(), grace.plays()]);
  await inStep(ada, grace);
  for (const one of room.people) one.content();
  for (const one of room.people) await one.go();
});

test('an address that is none is told where it was typed', async () => {
  const ada = await Person.arrive(chromium, 'Ada');
  await ada.create(home.doors[0]);
  await ada.page.click('#empty-choose');
  await ada.page.fill('#choose-url [name=src]', 'http://films.example/a.webm');
  await ada.page.click('#choose-url button');
  await ada.sees('#choose-wrong', 'https://');
  await ada.shot('choose');
  ada.content(NETWORK);
  await ada.go();
});
