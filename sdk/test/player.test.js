// The adapter of media elements, on an element of a few lines: units, names, and what a browser does at the edges of a film.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { VideoPlayer } from '../player.js';

class Element extends EventTarget {
  currentTime = 0;
  playbackRate = 1;
  duration = 60;
  paused = true;
  ended = false;
  muted = false;
  readyState = 3;
  HAVE_ENOUGH_DATA = 4;
  ranges = [];
  ownerDocument = new EventTarget();
  plays = 0;

  get buffered() {
    return { length: this.ranges.length, start: (at) => this.ranges[at][0], end: (at) => this.ranges[at][1] };
  }

  play() {
    this.plays += 1;
    return Promise.resolve();
  }

  pause() {
    this.paused = true;
  }
}

test('seconds are milliseconds', () => {
  const element = new Element();
  const player = new VideoPlayer(element);
  player.seek(12_345);
  assert.equal(element.currentTime, 12.345);
  assert.equal(player.positionMs(), 12_345);
  player.setRate(1.05);
  assert.equal(element.playbackRate, 1.05);
  assert.deepEqual([player.paused(), player.muted(), player.rates], [true, false, 'continuous']);
});

test('what is loaded from here on, in the range that is here', () => {
  const element = new Element();
  const player = new VideoPlayer(element);
  element.currentTime = 20;
  assert.equal(player.bufferedMs(), 0);
  element.ranges = [[0, 10], [18, 23], [40, 50]];
  assert.equal(player.bufferedMs(), 3000);
  element.ranges = [[18, 59.95]];
  assert.equal(player.bufferedMs(), Infinity, 'to the end');
  element.ranges = [];
  element.readyState = 4;
  assert.equal(player.bufferedMs(), Infinity, 'it can play through');
});

test('a film that is over is not begun anew', async () => {
  const element = new Element();
  const player = new VideoPlayer(element);
  await player.play();
  element.ended = true;
  await player.play();
  assert.equal(element.plays, 1);
});

test('events by their names here, until nobody listens; gestures are of the whole page', () => {
  const element = new Element();
  const player = new VideoPlayer(element);
  const heard = [];
  const offs = ['loaded', 'seeked', 'ratechange', 'gesture'].map((event) => player.on(event, (value) => heard.push([event, value])));
  element.playbackRate = 1.5;
  const fire = () => {
    for (const name of ['loadedmetadata', 'seeked', 'ratechange']) element.dispatchEvent(new Event(name));
    for (const name of ['pointerdown', 'keydown']) element.ownerDocument.dispatchEvent(new Event(name));
  };
  fire();
  assert.deepEqual(heard, [['loaded', 1.5], ['seeked', 1.5], ['ratechange', 1.5], ['gesture', undefined], ['gesture', undefined]]);
  offs.forEach((off) => off());
  fire();
  assert.equal(heard.length, 5);
});

test('frames where there are any', () => {
  assert.equal(new VideoPlayer(new Element()).frames, undefined);
  const element = new Element();
  const asked = [];
  Object.assign(element, {
    requestVideoFrameCallback: (run) => asked.push(run),
    cancelVideoFrameCallback: (handle) => asked.splice(handle - 1, 1, null),
  });
  const shown = [];
  const stop = new VideoPlayer(element).frames((position_ms, moment) => shown.push([position_ms, moment]));
  asked[0](99, { mediaTime: 1.5, expectedDisplayTime: 100 });
  asked[1](140, { mediaTime: 1.54, expectedDisplayTime: 141 });
  assert.deepEqual(shown, [[1500, 100], [1540, 141]]);
  stop();
  assert.equal(asked[2], null);
});
