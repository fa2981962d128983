// What a player's owner does by hand, what a browser forbids, and how one waits for the others.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cinema, FILM, playing } from './support/cinema.js';

const commands = (server) => server.read.filter(([, { type }]) => ['play', 'pause', 'seek', 'rate', 'load'].includes(type)).map(([who, { type }]) => `${who} ${type}`);
const shown = (viewers) => viewers.map(({ player }) => Math.round(player.positionMs()));

test('what the SDK does to a player never comes back as a command', async () => {
  const { time, server, viewers } = await playing(1, 3);
  viewers.forEach(({ player }) => player.tell('gesture')); // fresh gestures would make commands of echoes
  await time.run(500);
  const before = commands(server).length;
  const gestures = () => viewers.forEach(({ player }) => player.tell('gesture'));
  viewers[0].party.seek(500_000);
  for (let step = 0; step < 40; step += 1) {
    gestures();
    await time.run(100);
  }
  viewers[1].party.rate(1.5);
  for (let step = 0; step < 20; step += 1) {
    gestures();
    await time.run(100);
  }
  void viewers[2].sync.pause();
  for (let step = 0; step < 20; step += 1) {
    gestures();
    await time.run(100);
  }
  assert.deepEqual(commands(server).slice(before), ['v0 seek', 'v1 rate', 'v2 pause']);
});

test('by hand: a pause is everybody\'s, on the frame it shows; a play starts all together', async () => {
  const { time, server, viewers } = await playing(2, 3);
  await time.run(4000);
  const [ada, bo] = viewers;
  ada.player.tell('gesture');
  ada.player.log.length = 0;
  ada.player.pause();
  const frame = Math.round(ada.player.positionMs());
  await time.run(1000);
  assert.equal(server.film.position_ms, frame);
  assert.deepEqual(shown(viewers).map((at) => Math.abs(at - frame) <= 20), [true, true, true]);
  assert.deepEqual(ada.player.log, ['pause'], 'the actor stays on their own frame');

  await time.run(3000);
  bo.player.tell('gesture');
  await time.run(1);
  bo.player.play();
  await time.run(5);
  assert.ok(bo.player.paused(), 'not ahead of the others');
  await time.run(2000);
  assert.ok(viewers.every(({ player }) => player.moving));
  assert.deepEqual(commands(server).slice(-2), ['v0 pause', 'v1 play']);
});

test('by hand: a seek and a rate', async () => {
  const { time, server, viewers } = await playing(3, 2);
  await time.run(4000);
  viewers[1].player.tell('gesture');
  await time.run(1);
  viewers[1].player.seek(900_000);
  await time.run(4000);
  assert.equal(Math.round(server.film.position_ms), 900_000);
  assert.ok(viewers.every(({ player }) => player.moving));
  viewers[1].player.tell('gesture');
  await time.run(1);
  viewers[1].player.setRate(1.25);
  await time.run(1000);
  assert.equal(server.film.rate, 1.25);
  assert.ok(viewers.every(({ player }) => Math.abs(player.rate - 1.25) < 0.2));
});

test('without a gesture it is nobody\'s wish: the player is brought back', async () => {
  const { time, server, viewers, drift } = await playing(4, 2);
  await time.run(4000);
  const before = commands(server).length;
  viewers[0].player.pause();
  await time.run(3000);
  assert.equal(commands(server).length, before);
  assert.ok(viewers[0].player.moving && Math.abs(drift(viewers[0])) < 150, `${drift(viewers[0])}`);
});

test('a command that is not allowed is told, and the player goes back', async () => {
  const { time, server, viewers } = await playing(5, 2);
  await time.run(4000);
  const refused = [];
  viewers[0].sync.on('refused', ({ code }) => refused.push(code));
  server.refuse = (_, { type }) => (type === 'pause' ? { code: 'forbidden' } : undefined);
  viewers[0].player.tell('gesture');
  await time.run(1);
  viewers[0].player.pause();
  await time.run(1200);
  assert.deepEqual(refused, ['forbidden']);
  assert.ok(viewers[0].player.moving, 'at once, not when its patience is over');
});

test('a browser that wants a gesture first is told of once, and obeyed after the click', async () => {
  const { time, server, enter, drift, viewers } = await playing(6, 2);
  const cy = enter('cy');
  const blocked = [];
  cy.player.forbidden = true;
  cy.sync.on('blocked', (error) => blocked.push(error.name));
  await time.run(10_000);
  assert.deepEqual(blocked, ['NotAllowedError']);
  viewers[0].party.seek(800_000);
  await time.run(2000);
  assert.equal(server.film.reason, 'ready', 'who may not play yet is there all the same');
  assert.equal(cy.player.positionMs(), 800_000);
  assert.deepEqual(blocked, ['NotAllowedError']);
  cy.player.forbidden = false;
  cy.sync.syncNow();
  await time.run(3000);
  assert.ok(cy.player.moving && Math.abs(drift(cy)) < 150, `${drift(cy)}`);
});

test('after a seek all wait until each is there and has loaded, but no longer than the deadline', async () => {
  const { time, server, viewers } = await playing(7, 3);
  await time.run(4000);
  viewers[2].player.loaded = false;
  viewers[0].party.seek(700_000);
  await time.run(1500);
  assert.equal(server.film.phase, 'waiting');
  assert.ok(viewers.every(({ player }) => player.paused() && player.positionMs() === 700_000));
  assert.deepEqual(viewers.map(({ sync }) => sync.status), ['ready', 'ready', 'loading']);
  viewers[2].player.loaded = true;
  await time.run(1000);
  assert.equal(server.film.phase, 'playing');
  assert.equal(server.film.reason, 'ready');

  await time.run(4000);
  viewers[2].player.loaded = false;
  viewers[0].party.seek(100_000);
  await time.run(4000);
  assert.equal(server.film.reason, 'deadline');
});

test('who was ready says so again on a new connection', async () => {
  const { time, server, viewers } = await playing(8, 2);
  await time.run(4000);
  const [ada, bo] = viewers;
  bo.player.loaded = false;
  bo.party.seek(700_000);
  await time.run(600);
  ada.socket().cut();
  await time.run(1500);
  const version = server.film.waiting?.version;
  const ready = server.read.filter(([who, { type, data }]) => who === 'v0' && type === 'ready' && data.version === version);
  assert.ok(ready.length >= 2, `${ready.length}`);
});

test('a film that is loaded late is put where it belongs', async () => {
  const { time, server, enter, drift } = cinema(9);
  const ada = enter('ada');
  await time.run(1000);
  ada.party.load(FILM, 60_000);
  await time.run(500);
  assert.equal(ada.player.positionMs(), 60_000);
  ada.player.shove(-60_000); // the element starts over with its new source
  ada.player.tell('loaded');
  await time.run(1000);
  assert.equal(ada.player.positionMs(), 60_000);
  ada.party.play();
  await time.run(3000);
  assert.equal(server.film.phase, 'playing');
  assert.ok(Math.abs(drift(ada)) < 100);
});

test('a player that only knows keyframes is not sought for ever', async () => {
  const { time, viewers } = await playing(10, 1);
  await time.run(3000);
  const [{ player, sync }] = viewers;
  player.stuck = true;
  void sync.pause();
  await time.run(500);
  player.shove(-700);
  player.log.length = 0;
  await time.run(20_000);
  assert.equal(player.log.filter((what) => what === 'seek').length, 3);
});

test('at the end of the film nobody is started again', async () => {
  const { time, viewers } = await playing(11, 2);
  viewers[0].party.seek(FILM.duration_ms - 3000);
  await time.run(6000);
  viewers.forEach(({ player }) => player.pause()); // what an element does at its end
  await time.run(100);
  viewers.forEach(({ player }) => (player.log.length = 0));
  await time.run(5000);
  assert.deepEqual(viewers.flatMap(({ player }) => player.log), []);
});

test('it reports each 5 s, each second while far off, with what PROTOCOL knows', async () => {
  const { time, server, viewers } = await playing(12, 1);
  const [ada] = viewers;
  await time.run(10_000);
  const reports = () => server.read.filter(([, { type }]) => type === 'report').map(([, { data }]) => data);
  const calm = reports().length;
  await time.run(20_000);
  assert.equal(reports().length - calm, 4);
  const { drift_ms, rtt_ms, status } = reports().at(-1);
  assert.ok(Math.abs(drift_ms) < 50 && rtt_ms > 5 && rtt_ms < 150 && status === 'playing', JSON.stringify(reports().at(-1)));
  ada.player.shove(-500);
  const before = reports().length;
  await time.run(4_000);
  assert.ok(reports().length - before >= 3);
});

test('a clock that steps while the film plays is absorbed', async () => {
  const { time, server, viewers, drift } = await playing(13, 1);
  const [ada] = viewers;
  await time.run(5000);
  ada.player.log.length = 0;
  server.stepped = 150;
  await time.run(90_000);
  assert.ok(Math.abs(drift(ada)) < 50, `${drift(ada)}`);
  assert.ok(!ada.player.log.includes('seek'));
});

for (const what of ['pause', 'hop']) {
  test(`a clock that is set back brings back nothing from before a ${what}`, async () => {
    const { time, server, viewers } = await playing(21, 2);
    const [ada, bo] = viewers;
    await time.run(8000);
    if (what === 'pause') void ada.sync.pause();
    else ada.party.seek(ada.party.film_ms + 1500);
    await time.run(1000);
    const { version } = server.film;
    viewers.forEach(({ player }) => (player.log.length = 0));
    server.stepped = -20_000;
    const steps = [];
    bo.party.clock.on('step', (by) => steps.push(Math.round(by / 1000)));
    for (let step = 0; step < 240; step += 1) {
      await time.run(50);
      assert.equal(bo.party.line.at(bo.party.clock.now()).version, version);
    }
    assert.deepEqual(steps, [-20]);
    if (what === 'hop') return;
    assert.equal(bo.party.film_ms, server.film.position_ms);
    assert.deepEqual(viewers.flatMap(({ player }) => player.log), []);
  });
}

test('stopping lets go of everything', async () => {
  const { time, server, viewers } = await playing(14, 2);
  const [ada, bo] = viewers;
  ada.sync.stop();
  assert.equal(ada.player.listening(), 0);
  ada.player.log.length = 0;
  void bo.sync.pause();
  await time.run(3000);
  assert.ok(ada.player.moving);
  assert.deepEqual(ada.player.log, []);
  const { p50, p95, p99, drifts, seek_ms } = bo.sync.stats();
  assert.ok(p50 <= p95 && p95 <= p99 && Array.isArray(drifts) && seek_ms > 0);
  assert.equal(server.film.phase, 'paused');
});
