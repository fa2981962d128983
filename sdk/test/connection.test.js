// Sockets that end, each way the protocol knows, and what the connection makes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { afterClose, backoff } from '../close.js';
import { alone, outcome, person, two } from './support/people.js';

const half = () => 0.5;
const states = (who) => who.told('state').map(([state]) => state);

test('every close code means what the table says', () => {
  const verdicts = {
    resume: [1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429],
    token: [4401],
    stop: [1000, 1002, 1003, 1007, 1009, 4400, 4403, 4404, 4409, 4410, 4430, 3000, 4999],
  };
  for (const [then, codes] of Object.entries(verdicts)) {
    for (const code of codes) assert.equal(afterClose(code, '', undefined, half).then, then, `${code}`);
  }
});

test('delays: of goaway, of the reason, at least a second from who is overloaded, else a backoff', () => {
  assert.equal(afterClose(1012, 'draining retry_after_ms=300', 750, half).after_ms, 750);
  assert.equal(afterClose(1012, 'draining retry_after_ms=300', undefined, half).after_ms, 300);
  assert.equal(afterClose(1012, 'seat_lost', undefined, half).after_ms, undefined);
  assert.equal(afterClose(1013, 'overloaded retry_after_ms=20', undefined, () => 0).after_ms, 1000);
  assert.equal(afterClose(1013, 'overloaded retry_after_ms=4000', undefined, half).after_ms, 5000);
  assert.equal(afterClose(4429, 'rate_abused', undefined, half).after_ms, 1250);
  assert.equal(afterClose(1006, '', undefined, half).after_ms, undefined);
  const most = [0, 1, 2, 5, 6, 60].map((tries) => backoff(tries, () => 1));
  assert.deepEqual(most, [500, 1000, 2000, 16_000, 20_000, 20_000]);
  assert.equal(backoff(3, () => 0), 0);
});

for (const code of [1000, 1002, 1009, 4400, 4403, 4404, 4409, 4410, 4430]) {
  test(`${code} is for good: no other socket, and what waits is told`, async () => {
    const { time, server, ada } = await alone();
    server.refuse = () => 'silence';
    const sent = outcome(ada.party.publish('chat', { text: 'x' }));
    ada.socket().end(code, 'why');
    await time.run(120_000);
    assert.equal(server.sockets.length, 1);
    assert.deepEqual(ada.told('state').at(-1), ['closed', { code, reason: 'why' }]);
    assert.equal(sent.error.code, 'closed');
    assert.equal((await ada.party.publish('chat', { text: 'y' }).catch((error) => error)).code, 'closed');
    assert.equal(ada.world.listening(), 0);
    assert.equal(time.waiting, 0);
  });
}

for (const code of [1001, 1006, 1011, 4408]) {
  test(`${code} resumes where it was`, async () => {
    const { time, server, ada, bo } = await two();
    ada.socket().end(code);
    await time.run(15);
    bo.party.publish('chat', { text: 'meanwhile' });
    await time.until('back', () => states(ada).at(-1) === 'live', 1000);
    await time.run(100);
    assert.deepEqual(states(ada), ['live', 'retrying', 'live']);
    assert.deepEqual(ada.chats(), ['meanwhile']);
    assert.equal(ada.told('reset').length, 0);
    assert.equal(server.sockets.length, 3);
  });
}

test('a takeover is never fought', async () => {
  const { time, server, ada } = await alone();
  const twin = person(server, 'ada');
  await time.run(60_000);
  assert.deepEqual(states(ada), ['live', 'closed']);
  assert.equal(ada.told('state').at(-1)[1].code, 4409);
  assert.deepEqual(states(twin), ['live']);
});

test('goaway names the time, and nothing brings it forward', async () => {
  const { time, server, ada } = await alone();
  ada.socket().tell({ type: 'goaway', data: { reconnect_after_ms: 3000, reason: 'draining' } });
  ada.socket().end(1012, 'draining retry_after_ms=3000');
  await time.run(1000);
  ada.world.fire('online');
  await time.run(1500);
  assert.deepEqual(ada.told('goaway'), [[{ reconnect_after_ms: 3000, reason: 'draining' }]]);
  assert.equal(server.sockets.length, 1);
  await time.run(1000);
  assert.equal(states(ada).at(-1), 'live');
});

test('waits double up to 20 s while nobody answers, and the network coming back tries at once', async () => {
  const { time, server, ada } = await alone({ random: () => 1 });
  server.meet = (socket) => (server.time.after(0, () => socket.cut()), 'dead');
  ada.socket().cut();
  await time.run(75_000);
  const waits = ada.told('state').filter(([state]) => state === 'retrying').map(([, { in_ms }]) => in_ms);
  assert.deepEqual(waits.slice(0, 8), [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
  server.meet = () => undefined;
  ada.world.fire('online');
  await time.run(100);
  assert.equal(states(ada).at(-1), 'live');
});

test('a seat that flaps is taken up again with growing waits; one that held starts anew', async () => {
  const { time, server, ada } = await alone({ random: () => 1 });
  for (let round = 0; round < 3; round += 1) {
    ada.socket().cut();
    await time.until('back', () => ada.party.state === 'live');
  }
  await time.run(11_000);
  ada.socket().cut();
  const waits = ada.told('state').filter(([state]) => state === 'retrying').map(([, { in_ms }]) => in_ms);
  assert.deepEqual(waits, [500, 1000, 2000, 500]);
  assert.equal(server.sockets.length, 4);
});

test('a socket that says nothing for 15 s is given up, while somebody looks', async () => {
  const { time, server, ada } = await alone();
  ada.socket().onmessage = null; // a dead network: no close, no frame
  await time.run(14_000);
  assert.equal(server.sockets.length, 1);
  await time.run(5_000);
  assert.equal(states(ada).at(-1), 'live');
  assert.deepEqual(ada.told('state')[1], ['retrying', { code: 1006, reason: 'silent', in_ms: 250 }]);

  const bo = person(server, 'bo');
  await time.run(100);
  bo.world.unseen = true;
  bo.socket().onmessage = null;
  await time.run(60_000);
  assert.equal(bo.party.state, 'live');
  bo.world.unseen = false;
  await time.run(5_000);
  assert.equal(bo.told('state').at(1)[0], 'retrying');
});

test('a refused token is renewed once; a second refusal is the end', async () => {
  const asked = [];
  const options = { getToken: async (renew) => (asked.push(renew), 'ada') };
  const { time, server, ada } = await alone({ options });
  let refusals = 1;
  server.meet = () => (refusals-- > 0 ? [4401, 'token_expired'] : undefined);
  ada.socket().end(4401, 'token_expired');
  await time.run(1000);
  assert.equal(states(ada).at(-1), 'closed', 'refused twice in a row');
  assert.deepEqual(asked, [false, true]);

  const bo = person(server, 'bo', { options: { getToken: (renew) => (asked.push(renew), 'bo') } });
  await time.run(100);
  bo.socket().end(4401, 'token_expired');
  await time.run(100);
  bo.socket().end(4401, 'token_expired');
  await time.run(100);
  assert.equal(bo.party.state, 'live', 'refused once, twice over');
  assert.deepEqual(asked, [false, true, false, true, true]);
});

test('a token that runs out is refreshed on the same socket', async () => {
  const tokens = ['ada', 'another'];
  const { time, server, ada } = await alone({ options: { getToken: () => tokens.shift() ?? null } });
  ada.socket().tell({ type: 'token.expiring', data: { expires_at: 0 } });
  await time.run(100);
  assert.deepEqual(server.read.filter(([, { type }]) => type === 'refresh').map(([, { data }]) => data), [{ token: 'another' }]);
  assert.equal(server.sockets.length, 1);
});

test('no token is the end; one that cannot be fetched is tried for again', async () => {
  const { time, server } = await alone();
  const cy = person(server, 'cy', { options: { getToken: () => null } });
  let failures = 2;
  const di = person(server, 'di', {
    options: {
      getToken: () => {
        if (failures-- > 0) throw new Error('offline');
        return 'di';
      },
    },
  });
  await time.run(5000);
  assert.deepEqual(cy.told('state'), [['closed', { code: 0, reason: 'no_token' }]]);
  assert.deepEqual(states(di), ['retrying', 'retrying', 'live']);
});

test('leaving says so and ends; closing keeps the seat', async () => {
  const { time, server, ada, bo } = await two();
  ada.party.leave();
  await time.run(100);
  assert.deepEqual(ada.told('state').at(-1), ['closed', { code: 1000, reason: 'left' }]);
  bo.party.close();
  await time.run(100);
  assert.deepEqual(bo.told('state').at(-1), ['closed', { code: 1000, reason: 'closed' }]);
  assert.deepEqual(server.read.filter(([, { type }]) => type === 'leave').map(([who]) => who), ['ada']);
  assert.equal(time.waiting, 0);
});

test('closing at once opens nothing, and an address that is none is the end', async () => {
  const { time, server } = await alone();
  const cy = person(server, 'cy');
  cy.party.close();
  const bad = person(server, 'di', {
    WebSocket: class {
      constructor() {
        throw new SyntaxError('no address');
      }
    },
  });
  await time.run(1000);
  assert.equal(server.sockets.length, 1);
  assert.deepEqual(bad.told('state'), [['closed', { code: 0, reason: 'SyntaxError: no address' }]]);
});

test('a token that comes too late opens nothing', async () => {
  const { time, server } = await alone();
  let give;
  const cy = person(server, 'cy', { options: { getToken: () => new Promise((resolve) => (give = resolve)) } });
  await time.run(10);
  cy.party.close();
  give('cy');
  await time.run(1000);
  assert.equal(server.sockets.length, 1);
  assert.equal(cy.party.state, 'closed');
});

test('a request whose connection is lost is told so', async () => {
  const { time, server, ada } = await alone();
  server.refuse = () => 'silence';
  const page = outcome(ada.party.history());
  await time.run(50);
  ada.socket().cut();
  await time.run(1);
  assert.equal(page.error.code, 'offline');
  assert.equal((await ada.party.roster().catch((error) => error)).code, 'offline');
  assert.equal(ada.party.notify('typing', { on: true }), false);
});
