// The golden frames of the protocol: what the SDK sends is of their shape, and what they show it is understood.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';

import { alone, outcome, person } from './support/people.js';

const folder = new URL('../../tests/golden/', import.meta.url);
const golden = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
const names = readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));

/** Names of members, all the way down; what an application puts into `body`, `payload` is its own. */
function shape(value) {
  if (Array.isArray(value)) return value.map(shape);
  if (value === null || typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, key === 'body' || key === 'payload' ? 'any' : shape(value[key])]));
}

const GRACE = 'c9f0f895-fb98-4b91-99f2-f4a1b2c3d4e5';
const ADA = '8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42';
const DATA = 'data';

/** How an application has the SDK send each; null: by itself. */
const SENT = {
  'client.hello': null,
  'client.ping': null,
  'client.refresh': null,
  'client.report': null,
  'client.chat': ({ party }, frame) => party.publish('chat', frame[DATA]),
  'client.event': ({ party }, frame) => party.publish('event', frame[DATA]),
  'client.profile': ({ party }, frame) => party.publish('profile', frame[DATA]),
  'client.kick': ({ party }, frame) => party.publish('kick', frame[DATA]),
  'client.host.transfer': ({ party }, frame) => party.publish('host.transfer', frame[DATA]),
  'client.session.update': ({ party }, frame) => party.publish('session.update', frame[DATA]),
  'client.session.end': ({ party }) => party.publish('session.end'),
  'client.load': ({ party }, { data }) => party.load(data.media, data.position_ms),
  'client.play': ({ party }) => party.play(),
  'client.pause': ({ party }, { data }) => party.pause(data),
  'client.seek': ({ party }, { data }) => party.seek(data.position_ms),
  'client.rate': ({ party }, { data }) => party.rate(data.rate),
  'client.ready': ({ party }, { data }) => party.ready(data.version),
  'client.signal': ({ party }, { to, data }) => party.signal(to, data),
  'client.notify': ({ party }, { data }) => party.notify(data.topic, data.body),
  'client.notify.to': ({ party }, { to, data }) => party.notify(data.topic, data.body, to),
  'client.history': ({ party }, { data }) => party.history(data),
  'client.participants': ({ party }, { data }) => party.roster(data),
  'client.leave': ({ party }) => party.leave(),
};

test('every client frame is one that the SDK can send', () => {
  assert.deepEqual(Object.keys(SENT).sort(), names.filter((name) => name.startsWith('client.')).sort());
});

for (const [name, send] of Object.entries(SENT).filter(([, send]) => send)) {
  test(`${name} is sent as it is shown`, async () => {
    const { time, server, ada } = await alone();
    server.refuse = () => 'silence';
    const frame = golden(name);
    void Promise.resolve(send(ada, frame)).catch(() => {});
    await time.run(30);
    const [, sent] = server.read.filter(([, { type }]) => type === frame.type).at(-1);
    const { id, n, ...rest } = sent;
    const { id: goldenId, n: goldenN, ...shown } = frame;
    assert.deepEqual(rest, shown);
    assert.equal(n === undefined, goldenN === undefined);
    if (goldenId !== undefined) assert.ok(typeof id === 'string' && id.length <= 64);
  });
}

test('hello, ping, refresh and report are of their shape', async () => {
  const hellos = [];
  const { time, server, ada } = await alone({ options: { resume: { epoch: 'e', seq: 1 } } });
  const greet = server.greet.bind(server);
  server.greet = (socket, hello) => (hellos.push(hello), greet(socket, hello));
  ada.socket().cut();
  await time.run(2000);
  ada.socket().tell({ type: 'token.expiring', data: { expires_at: 0 } });
  ada.party.report({ drift_ms: -12.5, rtt_ms: 38.25, status: 'playing' });
  await time.run(100);
  assert.deepEqual(shape(hellos[0]), shape(golden('client.hello')));
  const sent = (type) => server.read.find(([, frame]) => frame.type === type)[1];
  assert.deepEqual(sent('report'), golden('client.report'));
  for (const type of ['ping', 'refresh']) {
    const { id: _, ...shown } = golden(`client.${type}`);
    assert.deepEqual(shape(sent(type)), shape(shown));
  }
});

/** A party that was greeted by the golden welcome. */
async function greeted() {
  const { time, server } = await alone();
  server.greet = (socket) => {
    socket.who = 'grace';
    socket.tell(golden('server.welcome'));
  };
  const grace = person(server, 'grace', { options: { resume: { epoch: '6c8349cc-7260-4e62-a3b1-1396831a8398', seq: 40 } } });
  await time.until('a welcome', () => grace.party.state === 'live');
  return { time, server, grace, tell: async (...frames) => (frames.forEach((frame) => grace.socket().tell(frame)), time.run(50)) };
}

test('welcome is understood', async () => {
  const { grace } = await greeted();
  const { party } = grace;
  assert.equal(party.id, GRACE);
  assert.deepEqual(party.participants.map(({ name }) => name), ['Ada', 'Grace']);
  assert.equal(party.session.host_id, ADA);
  assert.equal(party.total, 2);
  assert.equal(party.welcome.durability, 'aof');
  assert.equal(party.line.state, null);
  assert.deepEqual(party.position, { epoch: '6c8349cc-7260-4e62-a3b1-1396831a8398', seq: 40 });
  assert.ok(Math.abs(party.clock.now() - 1767225643000) < 1000);
});

/** What each frame of the server does. Entries are put in order of their numbers, which in the files have holes. */
const HEARD = {
  'server.chat': ({ told }, frame) => assert.deepEqual(told('chat'), [[frame]]),
  'server.event': ({ told }, frame) => assert.deepEqual(told('event'), [[frame]]),
  'server.participant.joined': ({ party }, { data }) => assert.ok(party.participants.some(({ id }) => id === data.id)),
  'server.participant.left': ({ party, told }, { data }) => {
    assert.ok(!party.participants.some(({ id }) => id === data.participant_id));
    assert.equal(party.session.host_id, data.host_id);
    assert.equal(told('host').at(-1)[0], data.host_id);
  },
  'server.participant.updated': ({ party }) => assert.equal(party.participants[1].name, 'Grace H.'),
  'server.host.changed': ({ party }, { data }) => assert.equal(party.session.host_id, data.host_id),
  'server.session.updated': ({ party, told }, { data }) => {
    assert.deepEqual(party.session, data);
    assert.deepEqual(told('session').at(-1)[0], data);
  },
  'server.session.ended': ({ told }, frame) => assert.deepEqual(told('session').at(-1)[1], frame),
  'server.playback': ({ party, told }, frame) => {
    assert.deepEqual(party.line.state, frame.data);
    assert.deepEqual(told('playback').at(-1), [frame.data, frame]);
  },
  'server.playback.waiting': ({ party }, { data }) => assert.equal(party.line.position(data.anchor_ms + 5000), data.position_ms),
  'server.signal': ({ told }, frame) => assert.deepEqual(told('signal'), [[frame]]),
  'server.notify': ({ told }, frame) => assert.deepEqual(told('notify'), [[frame]]),
  'server.notify.peers': ({ party, told }) => {
    assert.deepEqual(party.participants.map(({ connection, rtt_ms }) => [connection, rtt_ms]), [['connected', 80], ['reconnecting', undefined]]);
    assert.equal(told('notify').length, 0, 'it is the nodes\' own');
  },
  'server.status': ({ party }) => assert.equal(party.backend, 'degraded'),
  'server.status.epoch': ({ party }, { data }) => assert.equal(party.position.epoch, data.epoch),
  'server.reset': ({ party, told }, { data }) => {
    assert.deepEqual(told('reset'), [[data]]);
    assert.deepEqual(party.position, { epoch: data.epoch, seq: data.head });
  },
  'server.goaway': ({ told }, { data }) => assert.deepEqual(told('goaway'), [[data]]),
  'server.error': ({ told }, { data }) => assert.equal(told('refused')[0][0].code, data.code),
  'server.error.closed': ({ told }, { data }) => assert.equal(told('refused')[0][0].code, data.code),
};

/** Shown by tests of their own, here and beside this file. */
const ELSEWHERE = [
  'server.ack', 'server.ack.duplicate', 'server.error.gap', 'server.error.rate_limited', 'server.pong', 'server.reply.history',
  'server.playback.clock', 'server.reply.participants', 'server.reply.refresh', 'server.token.expiring', 'server.welcome',
];

test('every server frame is one that a test shows to the SDK', () => {
  assert.deepEqual([...Object.keys(HEARD), ...ELSEWHERE].sort(), names.filter((name) => name.startsWith('server.')).sort());
});

for (const [name, check] of Object.entries(HEARD)) {
  test(`${name} is understood`, async () => {
    const { grace, tell } = await greeted();
    const frame = golden(name);
    const head = { type: 'event', ts: 0, from: null, data: { topic: 'filler', body: null } };
    if (frame.seq) {
      // Up to the welcome's head the roster knows already; what changes it comes later.
      frame.seq = Math.max(frame.seq, 43);
      if (name === 'server.chat' || name === 'server.event') frame.seq = 41;
      for (let seq = 41; seq < frame.seq; seq += 1) await tell({ ...head, seq });
    }
    await tell(frame);
    check(grace, frame);
  });
}

test('a film that is told by another clock jumps nowhere', async () => {
  const { grace: { party }, tell } = await greeted();
  const [playing, told] = [golden('server.playback'), golden('server.playback.clock')];
  for (let seq = 41; seq < playing.seq; seq += 1) await tell({ type: 'event', seq, ts: 0, from: null, data: { topic: 'filler', body: null } });
  const by = told.data.anchor_ms - playing.data.anchor_ms;
  // Played for a while by the time the clock changes.
  const shift = (frame, ms) => ({ ...frame, ts: ms, data: { ...frame.data, anchor_ms: frame.data.anchor_ms - 60_000, effective_at_ms: frame.data.effective_at_ms - 60_000 } });
  await tell(shift(playing, party.clock.now()));
  const look = () => [party.clock.now(), party.line.position(party.clock.now())];
  const [before, position] = look();
  // At that moment: the clock of this server has not changed, as its answers to pings will say.
  let seen;
  party.on('playback', () => (seen = look()));
  await tell(shift(told, before + by));
  assert.deepEqual([party.line.state.reason, by], ['clock', -10_000]);
  const way = Math.round(seen[0] - before - by);
  assert.ok(way >= 0 && way < 50, `only the way of the entry was between: ${way}`);
  assert.equal(Math.round(seen[1] - position), way);
});

test('acks and errors settle what was sent, by their ids', async () => {
  for (const [name, seen] of [
    ['server.ack', ({ value }) => assert.deepEqual(value, { ...golden('server.ack').data, duplicate: false })],
    ['server.ack.duplicate', ({ value }) => assert.deepEqual(value, golden('server.ack.duplicate').data)],
    ['server.error', ({ error }) => assert.deepEqual([error.code, error.message], ['forbidden', 'Not allowed'])],
  ]) {
    const { time, server, grace, tell } = await greeted();
    server.refuse = () => 'silence';
    const sent = outcome(grace.party.publish('chat', { text: 'x' }));
    await time.run(30);
    const [, { id, n }] = server.read.find(([, { type }]) => type === 'chat');
    assert.equal(n, 4, 'after the last_n of the welcome');
    await tell({ ...golden(name), id, n });
    seen(sent);
  }
});

test('gap and rate_limited send again: at once from last_n on, and after the delay', async () => {
  const { time, server, grace, tell } = await greeted();
  server.refuse = () => 'silence';
  const chats = () => server.read.filter(([, { type }]) => type === 'chat').map(([, { id, n }]) => ({ id, n }));
  grace.party.publish('chat', { text: 'x' });
  await time.run(30);
  await tell({ ...golden('server.error.gap'), ...chats()[0] });
  assert.deepEqual(chats().map(({ n }) => n), [4, golden('server.error.gap').data.last_n + 1]);
  const limited = golden('server.error.rate_limited');
  await tell({ ...limited, ...chats()[1] });
  await time.run(limited.data.retry_after_ms - 60);
  assert.equal(chats().length, 2);
  await time.run(100);
  assert.deepEqual(chats().map(({ n }) => n), [4, 4, 4]);
});

test('replies answer what was asked', async () => {
  const { time, server, grace, tell } = await greeted();
  server.refuse = () => 'silence';
  for (const [name, type, ask] of [
    ['server.reply.history', 'history', () => grace.party.history({ before: 41 })],
    ['server.reply.participants', 'participants', () => grace.party.roster()],
  ]) {
    const page = outcome(ask());
    await time.run(30);
    const [, { id }] = server.read.find(([, frame]) => frame.type === type);
    await tell({ ...golden(name), id });
    assert.deepEqual(page.value, golden(name).data);
  }
  await tell(golden('server.reply.refresh'));
  assert.equal(grace.told('refused').length, 0);
});

test('pong moves the clock; token.expiring asks for another', async () => {
  const { server, grace, tell } = await greeted();
  await tell(golden('server.token.expiring'));
  assert.ok(server.read.some(([who, { type }]) => who === 'grace' && type === 'refresh'));
  const { data } = golden('server.pong');
  for (let count = 0; count < 6; count += 1) await tell({ type: 'pong', data: { ...data, t0: grace.world.now() - 5 } });
  assert.ok(grace.party.clock.settled);
});
