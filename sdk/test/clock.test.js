// The clock against networks it has not seen: how far it is off beyond what no clock could know (half the path's asymmetry).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Clock, percentile } from '../clock.js';
import { alone } from './support/people.js';
import { Time, chance, computer, normal } from './support/time.js';

const START = 1_767_225_600_000;

/** A clock whose pings take `up()` there and `down()` back; the truth is `START + time.now`. */
function clock({ ppm = 0, up = () => 10, down = () => 10, lost = () => false } = {}) {
  const time = new Time();
  const world = computer(time, { ppm });
  const pings = [];
  const met = new Clock(world, ({ data: { t0 } }) => {
    pings.push(time.now);
    if (lost()) return true;
    time.after(up(), () => {
      const t = START + time.now + state.stepped;
      time.after(down(), () => met.pong({ t0, t1: t, t2: t }));
    });
    return true;
  });
  const state = { stepped: 0 };
  const error = () => met.now() - (START + time.now + state.stepped);
  return { time, world, clock: met, pings, error, state };
}

test('ten pings quickly, then one each 5 s, and four each minute', async () => {
  const { time, clock: met, pings } = clock();
  met.welcome(START);
  await time.run(1_000);
  assert.deepEqual(pings, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  await time.run(59_000);
  assert.ok(pings.length >= 21 && pings.length <= 22, `${pings.length}`);
  await time.run(60_000);
  assert.ok(pings.length >= 35 && pings.length <= 37, `${pings.length}`);
});

test('before the first answer it goes by the greeting; it is settled after five', async () => {
  const { time, clock: met, error } = clock();
  met.welcome(START - 10);
  assert.equal(error(), -10);
  assert.equal(met.settled, false);
  assert.equal(met.bound, Infinity);
  await time.run(350);
  assert.equal(met.settled, false);
  await time.run(100);
  assert.equal(met.settled, true);
  assert.equal(met.bound, 10);
  assert.ok(Math.abs(error()) < 0.01);
});

test('round trips to 100 ms with jitter to 20 ms and ±100 ppm: p50 < 5, p99 < 20 beyond half the asymmetry', async () => {
  const errors = [];
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = chance(seed);
    const [there, back] = [2 + random() * 48, 2 + random() * 48];
    const jitter = random() * 20;
    const queue = () => jitter * random() * (random() < 0.3 ? 1 : 0.3);
    const ppm = (random() - 0.5) * 200;
    const met = clock({ ppm, up: () => there + queue(), down: () => back + queue(), lost: () => random() < 0.02 });
    met.clock.welcome(START);
    await met.time.run(2_000);
    for (let step = 0; step < 60; step += 1) {
      await met.time.run(2_000);
      errors.push(Math.max(0, Math.abs(met.error()) - Math.abs(there - back) / 2));
      assert.ok(met.clock.bound * 2 >= there + back - 1 && met.clock.bound * 2 <= there + back + 2 * jitter + 1);
    }
  }
  const [p50, p99] = [percentile(errors, 0.5), percentile(errors, 0.99)];
  assert.ok(p50 < 5 && p99 < 20, `p50 ${p50}, p99 ${p99}`);
});

test('the quickest answers decide, even where most come late', async () => {
  const random = chance(7);
  const met = clock({ up: () => 10 + (random() < 0.6 ? 80 * random() : 0) });
  met.clock.welcome(START);
  await met.time.run(2_000);
  for (let step = 0; step < 60; step += 1) {
    await met.time.run(1_000);
    assert.ok(Math.abs(met.error()) < 3, `${met.error()}`);
  }
});

test('small changes are slewed at 5 ms a second, and time never runs back', async () => {
  const met = clock();
  met.clock.welcome(START);
  await met.time.run(70_000);
  met.state.stepped = 30;
  let last = met.clock.now();
  for (let step = 0; step < 900; step += 1) {
    await met.time.run(100);
    const now = met.clock.now();
    assert.ok(now - last <= 100.51 && now - last >= 99.49, `${now - last}`);
    last = now;
  }
  assert.ok(Math.abs(met.error()) < 1, `${met.error()}`);
});

test('a clock that jumped is followed, and told', async () => {
  const met = clock();
  const steps = [];
  met.clock.welcome(START);
  await met.time.run(20_000);
  met.clock.on('step', (by) => steps.push(Math.round(by)));
  met.state.stepped = 4_000;
  await met.time.run(11_000);
  assert.deepEqual(steps, [4000]);
  assert.ok(Math.abs(met.error()) < 0.1);
});

test('a step that an entry tells is taken at once, once, and not when pings were quicker', async () => {
  const { time, clock: met, error, state, pings } = clock();
  const steps = [];
  met.welcome(START);
  await time.run(10_000);
  met.on('step', (by) => steps.push(Math.round(by)));
  state.stepped = -20_000;
  const sent = pings.length;
  met.moved(-20_000, START + time.now - 20_040);
  assert.ok(Math.abs(error()) < 0.01, `${error()}`);
  assert.ok(pings.length > sent, 'and it looks at once');
  met.moved(-20_000, START + time.now - 20_000);
  await time.run(20_000);
  assert.ok(Math.abs(error()) < 0.01, `${error()}`);
  assert.deepEqual(steps, [-20_000]);
});

test('one strange answer changes nothing, and one that took long is not strange', async () => {
  let slow = 0;
  const met = clock({ up: () => 10 + slow });
  met.clock.welcome(START);
  await met.time.run(20_000);
  const before = met.clock.now() - met.time.now;
  met.state.stepped = 1_000;
  await met.time.run(5_000);
  met.state.stepped = 0;
  await met.time.run(5_000);
  slow = 3_000;
  await met.time.run(20_000);
  assert.ok(Math.abs(met.clock.now() - met.time.now - before) < 0.1);
});

test('after sleep (the monotonic clock stood still), online and being seen again it asks quickly', async () => {
  const { time, server, ada } = await alone();
  const pings = () => server.read.filter(([, { type }]) => type === 'ping').length;
  await time.run(20_000);
  const quiet = pings();
  ada.world.slept += 60_000;
  await time.run(6_000);
  assert.ok(pings() - quiet >= 10, `${pings() - quiet}`);
  for (const event of ['online', 'visibilitychange']) {
    await time.run(20_000);
    const before = pings();
    ada.world.fire(event);
    await time.run(1_000);
    assert.equal(pings() - before, 10, event);
  }
  ada.world.unseen = true;
  const before = pings();
  ada.world.fire('visibilitychange');
  await time.run(1_000);
  assert.ok(pings() - before <= 1, 'going out of sight asks nothing');
});

test('the 95th percentile of round trips is what is reported', async () => {
  let count = 0;
  const met = clock({ up: () => (count++ % 10 === 0 ? 190 : 10) });
  assert.equal(met.clock.rtt, undefined);
  met.clock.welcome(START);
  await met.time.run(2_000);
  assert.equal(Math.round(met.clock.rtt), 200);
});
