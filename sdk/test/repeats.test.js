import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Repeats } from '../repeats.js';

const chat = (n, text, from = 'ada') => ({ type: 'chat', seq: 0, ts: 0, from, n, data: { text } });
const heard = (repeats, ...entries) => entries.map((entry) => repeats.note(entry));

test('numbers that rise are never repeats, whatever the words', () => {
  assert.deepEqual(heard(new Repeats(), chat(1, 'lol'), chat(2, 'lol'), chat(3, 'lol')), [false, false, false]);
});

test('the same words under the same or a smaller number are, once each', () => {
  const repeats = new Repeats();
  heard(repeats, chat(44, 'x'), chat(45, 'lol'), chat(46, 'lol'));
  assert.deepEqual(heard(repeats, chat(44, 'lol'), chat(45, 'lol'), chat(46, 'lol')), [true, true, false]);
});

test('other words under a number that was heard are new', () => {
  const repeats = new Repeats();
  heard(repeats, chat(1, 'a'), chat(2, 'b'));
  assert.deepEqual(heard(repeats, chat(2, 'c')), [false]);
});

test('authors do not mix, and what has no author or number is never a repeat', () => {
  const repeats = new Repeats();
  heard(repeats, chat(1, 'a'), chat(undefined, 'b'), chat(1, 'c', null));
  assert.deepEqual(heard(repeats, chat(1, 'a', 'bo'), chat(undefined, 'b'), chat(1, 'c', null)), [false, false, false]);
});

test('it forgets the oldest of more than four thousand', () => {
  const repeats = new Repeats();
  for (let n = 1; n <= 4098; n += 1) repeats.note(chat(n, `${n}`));
  assert.deepEqual(heard(repeats, chat(1, '1'), chat(4098, '4098')), [false, true]);
});
