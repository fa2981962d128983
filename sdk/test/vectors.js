// What the SDK's clock, drift controller and follower of a film do, as inputs and outputs on stdout. The virtual players of `loadtest sync` are
// these parts in Rust and have to do the same: their test (`loadtest/src/scenario/sync/vectors.rs`) runs this file. All chance comes from seeds.

import { fileURLToPath } from 'node:url';

import { Clock } from '../clock.js';
import { Drift } from '../drift.js';
import { follow } from '../index.js';
import { Line, positionOf } from '../line.js';
import { SimPlayer } from './support/player.js';
import { Time, chance, computer, normal } from './support/time.js';

const START = 1_767_225_600_000;

/** A clock on an uneven path, whose server's clock jumps once, by pings and once by word. */
async function clockVector(seed) {
  const random = chance(seed);
  const time = new Time();
  const world = computer(time, { ppm: (random() - 0.5) * 200 });
  const ops = [];
  const pings = [];
  let stepped = 0;
  const clock = new Clock(world, ({ data: { t0 } }) => {
    pings.push(t0);
    time.after(5 + random() * 45, () => {
      const t = START + time.now + stepped;
      time.after(5 + random() * 45, () => {
        const pong = { t0, t1: t, t2: t + 0.25 };
        ops.push({ op: 'pong', now: world.now(), pong });
        clock.pong(pong);
      });
    });
    return true;
  });
  let steps = 0;
  clock.on('step', () => (steps += 1));
  const read = () => {
    const { settled, bound, rtt = null } = clock;
    ops.push({ op: 'read', now: world.now(), gives: clock.now(), settled, bound: Number.isFinite(bound) ? bound : null, rtt, steps });
  };
  ops.push({ op: 'welcome', now: world.now(), now_ms: START + 7 });
  clock.welcome(START + 7);
  for (let at = 0; at < 400; at += 1) {
    await time.run(331);
    read();
    if (at === 150) stepped = 400;
    if (at === 250) {
      stepped -= 900;
      const ts = START + time.now + stepped;
      ops.push({ op: 'moved', now: world.now(), by: -900, ts });
      clock.moved(-900, ts);
    }
    if (at === 300) {
      ops.push({ op: 'offline', now: world.now() });
      clock.offline();
    }
    if (at === 320) {
      ops.push({ op: 'welcome', now: world.now(), now_ms: START + time.now + stepped });
      clock.welcome(START + time.now + stepped);
    }
  }
  return { ops, pings };
}

/** A controller that is asked four times a second about a player that drifts, is corrected, sought and sometimes hopeless. */
function driftVector(seed, discrete, frames) {
  const random = chance(seed);
  const control = new Drift(discrete, frames);
  const ops = [];
  let off = 0;
  let hopeless = false;
  for (let now = 0; now < 240_000; now += 250) {
    if (random() < 0.04) off += normal(random) * 900;
    if (random() < 0.004) hopeless = !hopeless;
    for (let at = 0; at < 3; at += 1) {
      const drift = off + normal(random) * 6;
      ops.push({ op: 'add', drift });
      control.add(drift);
    }
    const asked = { now, rate: random() < 0.8 ? 1 : 1.25, settled: random() < 0.95, unseen: random() < 0.05 };
    const what = control.decide(asked.now, asked.rate, asked.settled, asked.unseen);
    const { mean, sigma } = control.seek;
    ops.push({ op: 'decide', ...asked, what, lagging: control.lagging, mean, sigma });
    if (what === 'seek') {
      const took = 250 * Math.exp(0.3 * normal(random));
      ops.push({ op: 'sought', now: now + took, took });
      control.sought(now + took, took);
      if (!hopeless) off = normal(random) * 60;
    } else if (what === 'start') off = normal(random) * 200;
    else off += (what - asked.rate) * 250;
    if (random() < 0.01) {
      const starts = random() < 0.7;
      if (starts) off = normal(random) * 300;
      ops.push({ op: 'forgive', starts });
      control.forgive(starts);
    }
  }
  return { discrete, frames, ops };
}

/** A line that is told of states as they come, on a clock that is set now and then. */
function lineVector(seed) {
  const random = chance(seed);
  const line = new Line();
  const ops = [];
  let version = 0;
  let now = 10_000;
  for (let at = 0; at < 600; at += 1) {
    const what = random();
    now += 50 + Math.round(random() * 100);
    if (what < 0.3) {
      const phase = ['paused', 'playing', 'playing', 'waiting'][Math.floor(random() * 4)];
      version += random() < 0.9 ? 1 : -1;
      const when = now + Math.round(random() * 500) - 100;
      const state = { version, media, phase, rate: 1, position_ms: 1000 * at, anchor_ms: when, effective_at_ms: when, actor: 'a', reason: 'seek' };
      ops.push({ op: 'take', now, state, taken: line.take(state, now) });
    } else if (what < 0.4) {
      ops.push({ op: 'settle', moment: now });
      line.settle(now);
      now -= Math.round(random() * 600);
    }
    for (const moment of [now - 200, now, now + 200]) ops.push({ op: 'at', moment, version: line.at(moment)?.version ?? null, position: line.position(moment) });
  }
  return ops;
}

const AHEAD = 987_654;
/** No multiples of the follower's own times: what happens at the same moment has no order to be held to. */
const PLAYER = { seekMs: 263.7, startMs: 41.3 };

/** A player that is led through the states of a film: where it is each 50 ms, and what was sent. */
async function followVector({ ppm, states, pauseAt, startMs = PLAYER.startMs, held = [] }) {
  const time = new Time();
  const setTimeout = (run, ms) => {
    const due = time.now + ms;
    return time.after((held.find(([from, to]) => due > from && due < to)?.[1] ?? due) - time.now, run);
  };
  const world = computer(time, { origin: 0, ppm: 0, setTimeout });
  const line = new Line();
  const clock = new Clock(world, () => true);
  for (let at = 0; at < 5; at += 1) clock.pong({ t0: 0, t1: AHEAD, t2: AHEAD });
  const listeners = [];
  const sent = [];
  const party = {
    world,
    line,
    clock,
    on: (event, run) => {
      if (event === 'playback') listeners.push(run);
      return () => {};
    },
    ready: (version) => {
      sent.push({ type: 'ready', data: { version } });
      return true;
    },
    report: (data) => {
      sent.push({ type: 'report', data });
      return true;
    },
    pause: (data) => {
      sent.push({ type: 'pause', data: { position_ms: Math.round(data.position_ms), at_ms: Math.round(data.at_ms) } });
      return Promise.resolve();
    },
  };
  const player = new SimPlayer(time, { random: () => 0.5, ppm, frames: false, ...PLAYER, startMs, seekSpread: 0, startSpread: 0 });
  const sync = follow(/** @type {any} */ (party), player);
  const places = [];
  // Between the follower's own ticks, so that nothing happens at the same time.
  await time.run(7.3);
  let pressed = false;
  for (let at = 0; at < 1_600; at += 1) {
    if (pauseAt !== undefined && !pressed && time.now >= pauseAt) {
      pressed = true;
      void sync.pause();
    }
    for (const { at: when, state } of states) {
      if (when > time.now - 50 && when <= time.now && line.take(state, clock.now())) listeners.forEach((run) => run());
    }
    places.push([player.positionMs(), player.paused() ? 0 : 1]);
    await time.run(50);
  }
  sync.stop();
  return { ppm, ahead: AHEAD, seek: PLAYER.seekMs, start: startMs, held, pause_at: pauseAt ?? null, states, places, sent: sent.filter(({ type }) => type !== 'report') };
}

const media = { kind: 'sample', src: 'sample', duration_ms: 3_600_000 };

/** @returns {any[]} what a film goes through, as it comes to a viewer: late, and dated by the cluster's clock */
function film() {
  const state = (version, at, from, more) => ({
    at,
    state: { version, media, rate: 1, position_ms: 0, anchor_ms: AHEAD + from, effective_at_ms: AHEAD + from, actor: 'a', reason: 'load', phase: 'paused', ...more },
  });
  const waits = { version: 4, since_ms: AHEAD + 20_000, deadline_ms: AHEAD + 23_000 };
  return [
    state(1, 1_000, 960, {}),
    state(2, 3_000, 3_200, { phase: 'playing', reason: 'play' }),
    state(3, 12_040, 12_000, { phase: 'paused', position_ms: 8_777, reason: 'pause' }),
    state(4, 20_030, 20_000, { phase: 'waiting', position_ms: 600_000, reason: 'seek', waiting: waits }),
    state(5, 21_030, 21_150, { phase: 'playing', position_ms: 600_000, reason: 'ready' }),
    state(6, 30_060, 30_150, { phase: 'playing', position_ms: 611_000, reason: 'seek' }),
    state(7, 40_060, 40_150, { phase: 'playing', position_ms: 621_000, rate: 1.25, reason: 'rate' }),
    state(8, 50_700, 50_150, { phase: 'playing', position_ms: 634_400, rate: 1, reason: 'clock' }),
    state(9, 60_030, 60_000, { phase: 'paused', position_ms: 644_000, reason: 'pause' }),
  ];
}

export async function vectors() {
  const states = film();
  return {
    clock: [await clockVector(11), await clockVector(12)],
    drift: [driftVector(1, false, true), driftVector(2, false, false), driftVector(3, true, false)],
    follow: [
      await followVector({ ppm: 90, states }),
      await followVector({ ppm: -2_500, states }),
      await followVector({ ppm: 0, states: states.slice(1, 2), pauseAt: 9_000 }),
      await followVector({ ppm: 30, states: states.slice(6, 7) }),
      // Starts so slow that they miss: what is learnt of one, and of one that is too slow to be believed.
      await followVector({ ppm: 10, states, startMs: 333.3 }),
      await followVector({ ppm: 20, states: states.slice(6, 7), startMs: 777.7 }),
      // A page that is held up: when it is to start, and while it is found to have missed that.
      await followVector({ ppm: 40, states, held: [[2_903.1, 3_744.4], [20_950.3, 21_990.2]] }),
      await followVector({ ppm: 50, states: states.slice(6, 7), startMs: 777.7, held: Array.from({ length: 20 }, (_, at) => [40_100.3 + 400 * at, 40_300.4 + 400 * at]) }),
    ],
    line: [lineVector(21), lineVector(22)],
    position: states.map(({ state }) => [state, AHEAD + 45_000, positionOf(state, AHEAD + 45_000)]),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${JSON.stringify(await vectors())}\n`);
