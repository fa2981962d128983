// The whole journey against the real gateway in memory: create, join, connect, talk, lose the socket, come back, watch, leave.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { follow } from '../index.js';
import { Guest, WebSocket, call, eventually, gateway, wire, within } from './support/gateway.js';
import { SimPlayer } from './support/player.js';

const FILM = { kind: 'sample', src: 'sample', duration_ms: 120_000 };
let server;

before(async () => {
  server = await gateway();
});
after(() => server.stop());

async function party(more = {}) {
  const created = await call(server.base, 'POST', '/api/sessions/create', { name: 'Film night', password: 'popcorn', display_name: 'Ada', ...more });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const join = async (display_name) => {
    const joined = await call(server.base, 'POST', '/api/sessions/join', { session_id: created.body.id, password: 'popcorn', display_name });
    assert.equal(joined.status, 200, JSON.stringify(joined.body));
    return joined.body;
  };
  return { admission: created.body, join };
}

async function couple(t, options) {
  const { admission, join } = await party();
  const ada = new Guest(admission, options);
  await ada.live();
  const bo = new Guest(await join('Bo'));
  await bo.live();
  t.after(() => (ada.party.close(), bo.party.close()));
  return { ada, bo, admission, join };
}

const chats = (guest) => guest.told('chat').map(([{ data }]) => data.text);

test('create, join, connect, talk', async (t) => {
  const { ada, bo, admission } = await couple(t);
  assert.equal(ada.party.id, ada.id);
  assert.equal(ada.party.session.name, 'Film night');
  assert.equal(ada.party.session.host_id, ada.id);
  await ada.until("Bo's arrival", () => ada.party.participants.length === 2);
  assert.deepEqual(ada.party.participants.map(({ name }) => name), ['Ada', 'Bo']);
  const ack = await ada.party.publish('chat', { text: 'hello \u{1F3AC}' });
  assert.equal(ack.duplicate, false);
  await bo.until('a chat', () => chats(bo).length === 1);
  const [[entry]] = bo.told('chat');
  assert.deepEqual([entry.seq, entry.from, entry.n, entry.data.text], [ack.seq, ada.id, 1, 'hello \u{1F3AC}']);
  assert.deepEqual(bo.party.position, { epoch: ack.epoch, seq: ack.seq });

  await bo.party.publish('event', { topic: 'poll', body: { answers: [1, null] } });
  await bo.party.publish('profile', { name: 'Bo B.', color: '#3366cc' });
  await ada.until('the new name', () => ada.party.participants[1].name === 'Bo B.');
  const page = await ada.party.history({ limit: 2 });
  assert.deepEqual(page.entries.map(({ type }) => type), ['event', 'participant.updated']);
  assert.deepEqual((await ada.party.roster()).participants.map(({ name }) => name), ['Ada', 'Bo B.']);
  assert.deepEqual((await call(server.base, 'GET', `/api/sessions/${admission.id}/messages?limit=1`, undefined, admission.token)).body.entries, page.entries.slice(1));
});

test('two hundred messages at once cost nobody the connection', async (t) => {
  const { ada, bo } = await couple(t);
  const all = Array.from({ length: 200 }, (_, at) => `m${at}`);
  await Promise.all(all.map((text) => ada.party.publish('chat', { text })));
  await bo.until('the last', () => chats(bo).length >= all.length);
  assert.deepEqual(chats(bo), all);
  assert.deepEqual(ada.told('state').map(([state]) => state), ['live']);
});

test('what the server refuses is told, and the numbers go on', async (t) => {
  const { ada, bo } = await couple(t);
  const sent = await Promise.allSettled([
    bo.party.publish('chat', { text: 'a' }),
    bo.party.publish('chat', { text: '' }),
    bo.party.publish('session.update', { locked: true }),
    bo.party.publish('chat', { text: 'b' }),
    bo.party.play(),
    bo.party.publish('chat', { text: 'c' }),
  ]);
  assert.deepEqual(sent.map(({ reason }) => reason?.code), [undefined, 'invalid_request', 'forbidden', undefined, 'conflict', undefined]);
  await ada.until('all of it', () => chats(ada).length === 3);
  assert.deepEqual(chats(ada), ['a', 'b', 'c']);
  assert.deepEqual(ada.told('chat').map(([{ n }]) => n), [1, 2, 3]);
});

test('forty messages through a wire that is cut again and again: each once, in order, without a reset', async (t) => {
  const line = await wire(server.port);
  t.after(line.close);
  const { ada, bo } = await couple(t, { port: line.port });
  const sent = [];
  for (let count = 0; count < 40; count += 1) {
    sent.push(ada.party.publish('chat', { text: `m${count}` }));
    if (count % 12 === 5) {
      await sent[count - 2];
      line.cut();
      await ada.until('the loss', () => ada.party.state === 'retrying');
    }
    if (count % 12 === 8) await ada.live();
  }
  const acks = await within(Promise.all(sent), 'all acks');
  const expected = sent.map((_, count) => `m${count}`);
  await bo.until('all of it', () => chats(bo).length >= 40);
  await ada.until('all of it', () => chats(ada).length >= 40);
  assert.deepEqual(chats(bo), expected);
  assert.deepEqual(chats(ada), expected);
  assert.ok(acks.every(({ seq }, at) => at === 0 || seq > acks[at - 1].seq), 'in the order of their numbers');
  assert.deepEqual(bo.told('chat').map(([{ n }]) => n), sent.map((_, count) => count + 1));
  assert.ok(ada.told('state').filter(([state]) => state === 'retrying').length >= 3);
  assert.equal(ada.told('reset').length, 0);
  assert.equal(ada.told('lost').length, 0);
});

test('a number far ahead is answered by the last one of the log, and never written', async (t) => {
  const { ada, admission } = await couple(t);
  await ada.party.publish('chat', { text: 'first' });
  ada.party.close();
  const socket = new WebSocket(admission.ws_url, 'watchparty.v1');
  t.after(() => socket.close());
  const frames = [];
  socket.onopen = () => {
    socket.send(JSON.stringify({ type: 'hello', token: admission.token }));
    socket.send(JSON.stringify({ type: 'event', id: 'q', n: 1001, data: { topic: 'last_n', body: null } }));
  };
  socket.onmessage = ({ data }) => frames.push(JSON.parse(data));
  await eventually('an answer', () => frames.some(({ id }) => id === 'q'));
  const answer = frames.find(({ id }) => id === 'q');
  assert.deepEqual([answer.type, answer.data.code, answer.data.last_n], ['error', 'gap', 1]);
});

test('what others said while the network was away follows at the resume', async (t) => {
  const line = await wire(server.port);
  t.after(line.close);
  const { ada, bo } = await couple(t, { port: line.port });
  line.deaf = true;
  line.cut();
  await ada.until('the loss', () => ada.party.state === 'retrying');
  for (const text of ['one', 'two', 'three']) await bo.party.publish('chat', { text });
  line.deaf = false;
  await ada.until('all of it', () => chats(ada).length === 3);
  assert.deepEqual(chats(ada), ['one', 'two', 'three']);
  assert.equal(ada.told('reset').length, 0);
});

test('a takeover closes the older one with 4409, and it stays closed', async (t) => {
  const { ada, bo, admission } = await couple(t);
  const twin = new Guest(admission);
  t.after(() => twin.party.close());
  await ada.until('the end', () => ada.party.state === 'closed');
  assert.equal(ada.told('state').at(-1)[1].code, 4409);
  await twin.live();
  await bo.party.publish('chat', { text: 'who is there?' });
  await twin.until('a chat', () => chats(twin).length === 1);
  assert.equal(twin.party.state, 'live');
  assert.equal(ada.party.state, 'closed');
  await assert.rejects(ada.party.publish('chat', { text: 'me' }), { code: 'closed' });
});

test('a token that is none: asked for another, then closed', async () => {
  const { admission } = await party();
  const renewals = [];
  const guest = new Guest(admission, { getToken: (renew) => (renewals.push(renew), 'nonsense') });
  await guest.until('the end', () => guest.party.state === 'closed');
  assert.deepEqual(renewals, [false, true]);
  assert.equal(guest.told('state').at(-1)[1].code, 4401);
});

test('kicked is 4403, ended is 4410, leaving is 1000: each for good', async (t) => {
  const { ada, bo, join } = await couple(t);
  const cy = new Guest(await join('Cy'));
  await cy.live();
  await ada.party.publish('kick', { participant_id: bo.id });
  await bo.until('the end', () => bo.party.state === 'closed');
  assert.equal(bo.told('state').at(-1)[1].code, 4403);
  cy.party.leave();
  await cy.until('the end', () => cy.party.state === 'closed');
  assert.equal(cy.told('state').at(-1)[1].code, 1000);
  await ada.until('an empty room', () => ada.party.participants.length === 1);
  await ada.party.publish('session.end');
  await ada.until('the end', () => ada.party.state === 'closed');
  assert.equal(ada.told('state').at(-1)[1].code, 4410);
});

test('the host goes, and the next is told to all', async (t) => {
  const { ada, bo } = await couple(t);
  ada.party.leave();
  await bo.until('another host', () => bo.party.session.host_id === bo.id);
  assert.equal(bo.told('host').at(-1)[0], bo.id);
});

test('notify and signal pass, and who is not there is told of', async (t) => {
  const { ada, bo } = await couple(t);
  assert.ok(ada.party.notify('typing', { on: true }));
  assert.ok(ada.party.signal(bo.id, { kind: 'offer', link: 'cam.1', payload: { sdp: 'v=0' } }));
  await bo.until('both', () => bo.told('signal').length > 0 && bo.told('notify').some(([{ from }]) => from === ada.id));
  assert.equal(bo.told('signal')[0][0].from, ada.id);
  ada.party.signal('00000000-0000-4000-8000-000000000000', { kind: 'bye', link: 'cam.1' });
  await ada.until('a refusal', () => ada.told('refused').length > 0);
  const [[error, to]] = ada.told('refused');
  assert.deepEqual([error.code, to], ['peer_unreachable', '00000000-0000-4000-8000-000000000000']);
});

test('the clock settles on the cluster\'s time', async (t) => {
  const { ada } = await couple(t);
  const { clock } = ada.party;
  assert.ok(Math.abs(clock.now() - Date.now()) < 60_000, 'the greeting says it roughly');
  await eventually('a clock that settles', () => clock.settled);
  const { body } = await call(server.base, 'GET', '/api/clock');
  assert.ok(clock.bound < 30_000 && clock.rtt >= 0);
  assert.ok(clock.now() - body.now_ms >= -clock.bound - 1, `${clock.now() - body.now_ms}`);
});

/** Real time, in the shape that the simulated player wants. */
const real = {
  get now() {
    return performance.now();
  },
  after: (ms, run) => setTimeout(run, ms),
  cancel: (timer) => clearTimeout(timer),
};

test('a film: load, the ready barrier, play, rate, seek, pause on the actor\'s frame', async (t) => {
  const { ada, bo } = await couple(t);
  const viewers = [ada, bo].map((guest) => {
    const player = new SimPlayer(real, { random: Math.random, seekMs: 30, startMs: 5, startSpread: 1, frames: false });
    const sync = follow(guest.party, player);
    t.after(() => sync.stop());
    return { player, sync };
  });
  const state = (guest) => guest.party.line.state;
  await ada.party.load(FILM, 10_000);
  await bo.until('the film', () => state(bo)?.version === 1);
  assert.deepEqual(state(bo), state(ada));
  assert.equal(state(ada).phase, 'paused');

  await bo.party.play();
  await ada.until('a wait', () => ada.told('playback').some(([film]) => film?.phase === 'waiting'));
  await ada.until('the start', () => state(ada).phase === 'playing');
  assert.ok(['ready', 'quorum'].includes(state(ada).reason), state(ada).reason);
  assert.equal(state(ada).position_ms, 10_000);
  await eventually('both to play', () => viewers.every(({ player }) => player.moving));

  await ada.party.rate(1.25);
  await bo.until('the rate', () => state(bo).rate === 1.25);
  assert.equal(state(bo).phase, 'playing');

  await bo.party.seek(60_000);
  await ada.until('the seek', () => state(ada).phase === 'playing' && state(ada).position_ms === 60_000);

  await eventually('both to play', () => viewers.every(({ player }) => player.moving));
  await viewers[0].sync.pause();
  await bo.until('the pause', () => state(bo).phase === 'paused');
  const shown = viewers[0].player.positionMs();
  if (Math.abs(state(bo).position_ms - shown) > 0.5) assert.ok(Math.abs(shown - state(bo).position_ms) > 900, 'only a frame far off is not everybody\'s');
  const onFrame = ({ player }) => player.paused() && Math.abs(player.positionMs() - state(bo).position_ms) <= 20;
  await eventually('one frame', () => viewers.every(onFrame));
  assert.deepEqual(viewers.map(({ sync }) => sync.drift), [null, null]);
});

test('only the host controls when the session says so', async (t) => {
  const { ada, bo } = await couple(t);
  await ada.party.publish('session.update', { control: 'host' });
  await assert.rejects(bo.party.load(FILM), { code: 'forbidden' });
  await ada.party.load(FILM);
  await bo.until('the film', () => bo.party.line.state !== null);
  await bo.until('the rule', () => bo.party.session.control === 'host');
});

test('full is 4430, for good', async (t) => {
  const { admission, join } = await party({ max_participants: 1 });
  const second = await join('Bo');
  const ada = new Guest(admission);
  t.after(() => ada.party.close());
  await ada.live();
  const bo = new Guest(second);
  await bo.until('the end', () => bo.party.state === 'closed');
  assert.equal(bo.told('state').at(-1)[1].code, 4430);
});

test('a node that stops says goaway; who finds nobody tries on until somebody is there', async (t) => {
  const other = await gateway();
  const line = await wire(other.port);
  t.after(line.close);
  const created = await call(other.base, 'POST', '/api/sessions/create', { name: 'Film night', password: 'popcorn' });
  const ada = new Guest(created.body, { port: line.port });
  t.after(() => ada.party.close());
  await ada.live();
  const goaways = [];
  ada.party.on('goaway', (goaway) => goaways.push(goaway));
  await other.stop();
  await ada.until('the loss', () => ada.party.state === 'retrying');
  assert.equal(goaways.length, 1);
  assert.equal(ada.told('state').at(-1)[1].code, 1012);
});
