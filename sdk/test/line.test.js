import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Line, positionOf } from '../line.js';

const paused = { version: 1, phase: 'paused', media: { kind: 'sample', src: 's', duration_ms: 60_000 }, position_ms: 5_000, anchor_ms: 1_000, rate: 1, effective_at_ms: 1_000, actor: 'a', reason: 'load' };
const playing = { ...paused, version: 2, phase: 'playing', anchor_ms: 2_000, effective_at_ms: 2_000, rate: 1.5, reason: 'play' };

test('a film that stands is where it stands; one that plays is on its line, from its anchor to its end', () => {
  assert.equal(positionOf(paused, 99_000), 5_000);
  assert.equal(positionOf(playing, 1_500), 5_000);
  assert.equal(positionOf(playing, 4_000), 8_000);
  assert.equal(positionOf(playing, 1e6), 60_000);
  const endless = { ...playing, media: { kind: 'sample', src: 's' } };
  assert.equal(positionOf(endless, 102_000), 155_000);
});

test('a state that is yet to come leaves the one before it in force', () => {
  const line = new Line();
  assert.equal(line.position(0), null);
  line.take(paused, 1_000);
  assert.ok(line.take(playing, 1_800));
  assert.equal(line.state, playing);
  assert.equal(line.at(1_999), paused);
  assert.equal(line.at(2_000), playing);
  const hop = { ...playing, version: 3, position_ms: 7_000, anchor_ms: 4_200, effective_at_ms: 4_200 };
  line.take(hop, 4_000);
  assert.equal(line.position(4_100), 8_150);
  assert.equal(line.position(4_300), 7_150);
});

test('a pause before a start that was still to come stands where it says, at once', () => {
  const line = new Line();
  line.take(paused, 1_000);
  line.take(playing, 1_800);
  const again = { ...paused, version: 3, anchor_ms: 1_850, effective_at_ms: 1_850, reason: 'pause' };
  line.take(again, 1_900);
  assert.equal(line.at(1_900), again);
  assert.equal(line.at(2_500), again);
});

test('an older state, or the same again, changes nothing; a snapshot changes all', () => {
  const line = new Line();
  line.take(playing, 2_000);
  assert.equal(line.take(paused, 2_100), false);
  assert.equal(line.take({ ...playing, position_ms: 1 }, 2_100), false);
  assert.equal(line.state, playing);
  line.reset(paused);
  assert.equal(line.at(0), paused);
  line.reset(undefined);
  assert.equal(line.state, null);
});

test('what stands was in force when it was told, however slow the clock here is', () => {
  const line = new Line();
  line.take(playing, 2_000);
  const again = { ...paused, version: 3, anchor_ms: 6_000, effective_at_ms: 6_000, reason: 'pause' };
  line.take(again, 5_700);
  assert.equal(line.at(5_700), again);
  const waiting = { ...again, version: 4, phase: 'waiting', effective_at_ms: 8_000 };
  line.take(waiting, 7_500);
  assert.equal(line.at(7_500), waiting);
});

test('a clock that is set back brings no state back that another had replaced; one that is yet to come still is', () => {
  const line = new Line();
  line.take(playing, 2_000);
  const hop = { ...playing, version: 3, position_ms: 7_000, anchor_ms: 4_200, effective_at_ms: 4_200, reason: 'seek' };
  line.take(hop, 4_000);
  line.settle(4_100);
  assert.equal(line.at(3_900), playing);
  line.settle(4_300);
  assert.equal(line.at(3_900), hop);
  assert.equal(line.position(3_900), 7_000, 'where it began');
});
