// The page's pure parts, without a browser: what numbers and entries read like, the code's picture, the mark of a file.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import jsqr from 'jsqr';

import { hash } from '../../web/js/mark.js';
import { Names } from '../../web/js/names.js';
import { encode } from '../../web/js/qr.js';
import { jumped, story } from '../../web/js/story.js';
import { clock, list, signed, why } from '../../web/js/words.js';

test('a code of every length is read by somebody else\'s reader', () => {
  const scale = 3;
  for (let length = 1; length <= 180; length++) {
    const text = 'https://watch.example/s/ä0b5e9c1a-6f0d?'.repeat(5).slice(0, length - 1);
    const modules = encode(text);
    if (!modules) continue; // an umlaut is two bytes
    const size = (modules.length + 8) * scale;
    const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
      if (modules[Math.floor(y / scale) - 4]?.[Math.floor(x / scale) - 4]) pixels.fill(0, (y * size + x) * 4, (y * size + x) * 4 + 3);
    }
    if (text) assert.equal((jsqr.default ?? jsqr)(pixels, size, size)?.data, text, `${length} characters`);
  }
  assert.ok(encode('x'.repeat(180)));
  assert.equal(encode('x'.repeat(181)), null);
});

test('times, lists and codes in words', () => {
  assert.deepEqual([0, 5_999, 754_200, 3_723_000, NaN, -5].map(clock), ['0:00', '0:05', '12:34', '1:02:03', '0:00', '0:00']);
  assert.deepEqual([[], ['A'], ['A', 'B'], ['A', 'B', 'C'], ['A', 'B', 'C', 'D', 'E']].map((names) => list(names)), ['', 'A', 'A and B', 'A, B and C', 'A, B, C and 2 more']);
  assert.deepEqual([12.4, -7, 0, -0.4].map(signed), ['+12 ms', '−7 ms', '±0 ms', '±0 ms']);
  assert.equal(why({ code: 'nobody knows', message: 'as the server says' }), 'as the server says');
});

test('who did what', () => {
  const names = new Names();
  names.self = 'a';
  for (const [id, name] of [['a', 'Ada'], ['b', 'Bo']]) names.note({ id, name, color: null });
  const media = { kind: 'sample', src: 'sample', title: 'Sample film' };
  const film = (version, from, more) => ({ type: 'playback', from, data: { version, phase: 'paused', media, position_ms: 0, rate: 1, ...more } });
  const load = film(1, 'b', { reason: 'load' });
  const play = film(2, 'a', { reason: 'load', phase: 'waiting' });
  const ready = film(3, null, { reason: 'ready', phase: 'playing' });
  const fast = film(4, 'b', { reason: 'ready', phase: 'playing', rate: 1.5 });
  const pause = film(5, 'b', { reason: 'pause', position_ms: 754_200, rate: 1.5 });
  const again = film(5, 'a', { reason: 'pause', position_ms: 754_200, rate: 1.5 });
  const seek = film(6, 'a', { reason: 'seek', position_ms: 900_000, rate: 1.5 });
  const told = [load, play, ready, fast, pause, again, seek].map((entry, at, all) => story(entry, all[at - 1], names));
  assert.deepEqual(told, [
    'Bo put on “Sample film”', 'You pressed play at 0:00', 'Everybody is ready: on it goes', 'Bo set the speed to 1.5×', 'Bo paused at 12:34',
    null, 'You jumped to 15:00',
  ]);
  // In a row, what led nowhere is not told, and what led somewhere is a jump.
  const nowhere = film(7, 'a', { reason: 'seek', position_ms: 900_000, rate: 1.5 });
  assert.equal(story(nowhere, seek, names), null);
  assert.deepEqual([jumped(seek, again), jumped(nowhere, seek), jumped(pause, fast), jumped(ready, play), jumped(seek, undefined)], [true, false, false, false, true]);
  const left = (reason, from) => story({ type: 'participant.left', from, data: { participant_id: 'b', reason, host_id: 'a' } }, undefined, names);
  assert.deepEqual([left('left', 'b'), left('timeout', null), left('kicked', 'a')], ['Bo left', 'Bo lost the connection', 'You removed Bo']);
  assert.equal(story({ type: 'host.changed', from: null, data: { host_id: 'a', reason: 'promoted' } }, undefined, names), 'You are host now');
  assert.equal(story({ type: 'chat', from: 'b', data: { text: 'x' } }, undefined, names), null);
});

test('a mark tells files apart', () => {
  const bytes = (text) => new TextEncoder().encode(text);
  assert.match(hash(bytes('')), /^[0-9a-f]{16}$/);
  assert.equal(hash(bytes('one film')), hash(bytes('one film')));
  assert.notEqual(hash(bytes('one film')), hash(bytes('one gilm')));
});
