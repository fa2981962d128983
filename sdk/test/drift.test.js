// The controller's table (PLAYBACK, section 5), row by row, without a player.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Drift } from '../drift.js';

/** Five samples, and what follows of them. */
function decide(drift, off, { now = 0, rate = 1, settled = true, unseen = false } = {}) {
  for (let count = 0; count < 5; count += 1) drift.add(off);
  return drift.decide(now, rate, settled, unseen);
}

test('before five samples nothing is known', () => {
  const drift = new Drift(false, false);
  for (let count = 0; count < 4; count += 1) drift.add(500);
  assert.equal(drift.median, null);
  assert.equal(drift.decide(0, 1.25, true, false), 1.25);
});

for (const [frames, start, end] of [[false, 40, 12], [true, 25, 8]]) {
  test(`${frames ? 'with' : 'without'} frame callbacks: left alone to ${start} ms, then corrected down to ${end}`, () => {
    const drift = new Drift(false, frames);
    assert.equal(decide(drift, start), 1);
    assert.notEqual(decide(drift, start + 1), 1);
    assert.notEqual(decide(drift, end + 1), 1);
    assert.equal(decide(drift, -end), 1);
    assert.equal(decide(drift, -start), 1, 'and left alone again');
  });
}

test('a part of the drift is taken off the speed: at most 5 % below 300 ms, else 10 %', () => {
  for (const [off, rate] of [[50, 0.975], [-50, 1.025], [150, 0.95], [-299, 1.05], [300, 0.9], [-900, 1.1]]) {
    assert.equal(decide(new Drift(false, false), off), rate, `${off}`);
  }
  assert.equal(decide(new Drift(false, false), -50, { rate: 2 }), 2.05);
});

test('over a second off it seeks at the second median; over 600 ms once seeks are known to be steady', () => {
  const drift = new Drift(false, false);
  assert.equal(decide(drift, 1001), 1);
  assert.equal(decide(drift, 1001), 'seek');
  const steady = new Drift(false, false);
  for (const took of [250, 260, 240]) steady.sought(-1e6, took);
  assert.deepEqual([Math.round(steady.seek.mean), steady.seek.sigma < 10], [250, true]);
  decide(steady, -601);
  assert.equal(decide(steady, -601), 'seek');
  const once = new Drift(false, false);
  decide(once, 2000);
  decide(once, 0);
  assert.equal(decide(once, 2000), 1, 'two in a row');
});

test('unseen it seeks from 300 ms; before the clock is settled from 500, and never touches the speed', () => {
  const unseen = new Drift(false, false);
  decide(unseen, 301, { unseen: true });
  assert.equal(decide(unseen, 301, { unseen: true }), 'seek');
  const early = new Drift(false, false);
  for (let count = 0; count < 3; count += 1) assert.equal(decide(early, 499, { settled: false }), 1);
  decide(early, 501, { settled: false });
  assert.equal(decide(early, 501, { settled: false }), 'seek');
});

test('fixed speeds are never changed: a seek from 350 ms, once in ten seconds', () => {
  const drift = new Drift(true, false);
  for (let count = 0; count < 3; count += 1) assert.equal(decide(drift, 349), 1);
  decide(drift, 351);
  assert.equal(decide(drift, 351), 'seek');
  drift.sought(0, 200);
  decide(drift, 0);
  for (const now of [1_000, 5_000, 9_900]) assert.equal(decide(drift, 400, { now }), 1);
  assert.equal(decide(drift, 400, { now: 10_000 }), 'seek');
});

test('a seek that failed is tried again after twice as long; the third failure within a minute is the last', () => {
  const drift = new Drift(false, false);
  const seeks = [];
  for (let now = 0; now < 120_000 && !drift.lagging; now += 250) {
    if (decide(drift, 5000, { now }) !== 'seek') continue;
    seeks.push(now);
    drift.sought(now, 250);
  }
  const rests = seeks.slice(1).map((at, index) => at - seeks[index]);
  assert.equal(seeks.length, 3);
  assert.ok(rests[0] >= 6_000 && rests[0] < 7_000 && rests[1] >= 12_000 && rests[1] < 13_000, `${rests}`);
  assert.equal(drift.lagging, true);
  assert.equal(decide(drift, 5000, { now: 200_000 }), 1, 'it stays where it is');
  drift.forgive();
  decide(drift, 5000, { now: 200_000 });
  assert.equal(decide(drift, 5000, { now: 200_000 }), 'seek');
});

test('a seek that helped is followed by the short rest', () => {
  const drift = new Drift(false, false);
  decide(drift, 5000);
  assert.equal(decide(drift, 5000), 'seek');
  drift.sought(0, 250);
  decide(drift, 10, { now: 1_000 });
  decide(drift, 5000, { now: 2_000 });
  assert.equal(decide(drift, 5000, { now: 2_900 }), 1);
  assert.equal(decide(drift, 5000, { now: 3_000 }), 'seek');
});

test('who stands when a state comes is started: who misses it by more than 150 ms is started anew, twice, without a rest', () => {
  const drift = new Drift(false, false);
  drift.forgive(true);
  drift.sought(0, 250); // what put it ahead of the film before it was started
  assert.notEqual(decide(drift, 151, { now: 100 }), 'start', 'two in a row');
  assert.equal(decide(drift, 151, { now: 350 }), 'start');
  drift.sought(600, 250);
  decide(drift, -900, { now: 700 });
  assert.equal(decide(drift, -900, { now: 950 }), 'start', 'however far');
  drift.sought(1200, 250);
  for (const now of [1300, 1550, 9_000]) assert.equal(decide(drift, -599, { now }), 1.1, 'then by its speed');
  assert.equal(drift.lagging, false, 'and none of them counts as a seek that failed');
});

test('a start that landed is over, whatever comes later; before the clock is settled none is judged', () => {
  const near = new Drift(false, false);
  near.forgive(true);
  decide(near, 150);
  for (const now of [250, 500]) assert.equal(decide(near, 400, { now }), 0.9);
  const early = new Drift(false, false);
  early.forgive(true);
  for (let count = 0; count < 3; count += 1) assert.equal(decide(early, 400, { settled: false }), 1);
  decide(early, 400);
  assert.equal(decide(early, 400), 'start');
  const plays = new Drift(false, false);
  plays.forgive(false);
  decide(plays, 400);
  assert.equal(decide(plays, 400), 0.9, 'who plays already is not stopped');
  const fixed = new Drift(true, false);
  fixed.forgive(true);
  decide(fixed, 200);
  assert.equal(decide(fixed, 200), 'start', 'who knows no speeds between, too');
});
