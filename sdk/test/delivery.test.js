// Exactly once, in both directions, whatever becomes of sockets, numbers and logs.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { alone, outcome, person, two } from './support/people.js';
import { chance } from './support/time.js';

const texts = (server) => server.log.filter(({ type }) => type === 'chat').map(({ data }) => data.text);
const numbers = (server, who) => server.log.filter(({ n, from }) => n && from === who).map(({ n }) => n);

test('a chat is acked with its position and heard once by both', async () => {
  const { time, server, ada, bo } = await two();
  const sent = outcome(ada.party.publish('chat', { text: 'hi' }));
  await time.run(100);
  assert.deepEqual(sent.value, { epoch: server.epoch, seq: 3, duplicate: false });
  assert.deepEqual([ada.chats(), bo.chats()], [['hi'], ['hi']]);
  assert.deepEqual(bo.party.position, { epoch: server.epoch, seq: 3 });
});

test('what is said before the first welcome goes out after it', async () => {
  const { time, server } = await alone();
  const cy = person(server, 'cy');
  cy.party.publish('chat', { text: 'early' });
  await time.run(200);
  assert.deepEqual(texts(server), ['early']);
});

test('a cut in the middle of forty messages loses none and doubles none', async () => {
  const { time, server, ada, bo } = await two();
  const sent = Array.from({ length: 40 }, (_, at) => outcome(ada.party.publish('chat', { text: `m${at}` })));
  await time.run(15); // some are in the log, and no answer has come
  assert.ok(server.log.length > 2 && sent.every(({ value }) => !value));
  ada.socket().cut();
  await time.run(3000);
  assert.deepEqual(bo.chats(), sent.map((_, at) => `m${at}`));
  assert.deepEqual(ada.chats(), bo.chats());
  assert.deepEqual(numbers(server, 'ada'), sent.map((_, at) => at + 1));
  assert.ok(sent.every(({ value }) => value) && sent.some(({ value }) => value.duplicate));
});

test('at most 32 are on their way', async () => {
  const { time, server, ada } = await alone();
  server.refuse = () => 'silence';
  const sent = Array.from({ length: 300 }, (_, at) => outcome(ada.party.publish('chat', { text: `${at}` })));
  await time.run(500);
  assert.equal(server.read.filter(([, { type }]) => type === 'chat').length, 32);
  assert.equal(sent.filter(({ error }) => error?.code === 'queue_full').length, 300 - 256);
});

test('a refusal in the middle renumbers what follows', async () => {
  const { time, server, ada } = await alone();
  server.refuse = (_, { data }) => (data.text === 'b' ? { code: 'invalid_request' } : undefined);
  const sent = ['a', 'b', 'c', 'd'].map((text) => outcome(ada.party.publish('chat', { text })));
  await time.run(500);
  assert.deepEqual(texts(server), ['a', 'c', 'd']);
  assert.deepEqual(numbers(server, 'ada'), [1, 2, 3]);
  assert.equal(sent[1].error.code, 'invalid_request');
  assert.ok(sent[3].value);
});

test('over the rate it waits as told and keeps the order', async () => {
  const { time, server, ada } = await alone();
  let refusals = 0;
  server.refuse = (_, { data }) => (data.text === 'b' && refusals++ < 2 ? { code: 'rate_limited', retry_after_ms: 350 } : undefined);
  for (const text of ['a', 'b', 'c']) ada.party.publish('chat', { text });
  await time.run(600);
  assert.deepEqual(texts(server), ['a']);
  await time.run(600);
  assert.deepEqual(texts(server), ['a', 'b', 'c']);
  assert.deepEqual(numbers(server, 'ada'), [1, 2, 3]);
});

test('a crowd of messages over the rate goes at the rate, far from the refusals that close a connection', async () => {
  const { time, server, ada } = await alone();
  // A gateway's own numbers: 20 a second, 60 at once; closed at 100 refusals within 10 s.
  const refusals = [];
  let [tokens, at] = [60, time.now];
  server.refuse = (_, { type }) => {
    if (type !== 'chat') return undefined;
    tokens = Math.min(60, tokens + (time.now - at) / 50);
    at = time.now;
    if (tokens >= 1) return void tokens--;
    refusals.push(time.now);
    return { code: 'rate_limited', retry_after_ms: Math.ceil((1 - tokens) * 50) };
  };
  const all = Array.from({ length: 256 }, (_, at) => `m${at}`);
  for (const text of all) ada.party.publish('chat', { text });
  await time.run(25_000);
  assert.deepEqual(texts(server), all);
  assert.ok(refusals.length > 0);
  const most = Math.max(...refusals.map((from) => refusals.filter((at) => at >= from && at < from + 10_000).length));
  assert.ok(most < 80, `${most} within 10 s`);
  // What comes after it is not held back: as many as before leave at once.
  await time.run(5_000);
  const held = server.log.length;
  for (const text of all.slice(0, 32)) ada.party.publish('chat', { text });
  await time.run(50);
  assert.equal(server.log.length, held + 32);
});

test('`unavailable` means nobody knows: the same number again', async () => {
  const { time, server, ada } = await alone();
  let first = true;
  server.refuse = (who, frame) => {
    if (frame.type !== 'chat' || !first) return undefined;
    first = false;
    server.publish(who, frame); // it was written all the same
    return { code: 'unavailable', retry_after_ms: 200 };
  };
  const sent = outcome(ada.party.publish('chat', { text: 'once' }));
  await time.run(1000);
  assert.deepEqual(texts(server), ['once']);
  assert.equal(sent.value.duplicate, true);
});

test('a late command to the film is dropped and told, and what follows is renumbered', async () => {
  const { time, server, ada } = await alone();
  ada.party.load({ kind: 'sample', src: 'sample', duration_ms: 60_000 });
  await time.run(100);
  server.meet = () => 'dead';
  ada.socket().cut();
  const pause = outcome(ada.party.play());
  const chat = outcome(ada.party.publish('chat', { text: 'still here' }));
  await time.run(3000);
  server.meet = () => undefined;
  ada.world.fire('online');
  await time.run(40_000);
  assert.equal(pause.error.code, 'late');
  const [[{ data: _, ...lost }]] = ada.told('lost');
  assert.deepEqual(lost, { type: 'play', reason: 'late', acked: false });
  assert.ok(chat.value);
  assert.deepEqual(numbers(server, 'ada'), [1, 2]);
});

test('a command whose outcome nobody knows is settled by a new seat, not by chance', async () => {
  const { time, server, ada } = await alone();
  ada.party.load({ kind: 'sample', src: 'sample', duration_ms: 60_000 });
  await time.run(100);
  let refusals = 0;
  server.refuse = (_, { type }) => (type === 'seek' && refusals++ < 1 ? { code: 'unavailable', retry_after_ms: 2500 } : undefined);
  const seek = outcome(ada.party.seek(5000));
  const chat = outcome(ada.party.publish('chat', { text: 'after' }));
  const sockets = server.sockets.length;
  await time.run(6000);
  assert.equal(server.sockets.length, sockets + 1);
  assert.equal(seek.error.code, 'late');
  assert.ok(chat.value);
  assert.deepEqual(numbers(server, 'ada'), [1, 2]);
});

test('a command to the film is given up after two seconds, whatever the server does meanwhile, and told once', async () => {
  const { time, server, ada, bo } = await two();
  ada.party.load({ kind: 'sample', src: 'sample', duration_ms: 60_000 });
  await time.run(100);
  server.refuse = (_, { n }) => n && 'silence';
  const [play, chat] = [outcome(ada.party.play()), outcome(ada.party.publish('chat', { text: 'after' }))];
  await time.run(1_990);
  assert.deepEqual([play, chat], [{}, {}]);
  await time.run(20);
  assert.equal(play.error.code, 'late');
  assert.deepEqual(chat, {}, 'what is said waits');
  // It was not taken: the new seat knows, and what waited takes its number.
  server.refuse = () => undefined;
  ada.socket().cut();
  await time.run(3_000);
  assert.equal(server.film.phase, 'paused');
  assert.deepEqual([bo.chats(), numbers(server, 'ada')], [['after'], [1, 2]]);
  assert.deepEqual(ada.told('lost').map(([{ type, reason, acked }]) => [type, reason, acked]), [['play', 'late', false]]);
  // This one was taken, and only its answer is late: the film shows it, and the number is not given twice.
  server.refuse = (who, frame) => frame.n && (server.publish(who, frame), 'silence');
  const second = outcome(ada.party.play());
  await time.run(2_010);
  assert.equal(second.error.code, 'late');
  server.refuse = () => undefined;
  ada.socket().cut();
  ada.party.publish('chat', { text: 'again' });
  await time.run(3_000);
  assert.notEqual(server.film.phase, 'paused');
  assert.deepEqual([bo.chats(), numbers(server, 'ada')], [['after', 'again'], [1, 2, 3, 4]]);
  assert.equal(ada.told('lost').length, 2);
  assert.equal(ada.party.ring.unacked, 0);
});

test('while the backend is degraded no message is given up but late ones about the film: the socket stays, and a new seat is taken when it works again', async () => {
  const { time, server, ada } = await alone();
  ada.party.load({ kind: 'sample', src: 'sample', duration_ms: 60_000 });
  await time.run(100);
  let degraded = true;
  server.refuse = (_, { n }) => (n && degraded ? { code: 'unavailable', retry_after_ms: 500 } : undefined);
  ada.socket().tell({ type: 'status', data: { backend: 'degraded' } });
  const seek = outcome(ada.party.seek(5000));
  const chat = outcome(ada.party.publish('chat', { text: 'after' }));
  await time.run(10_000);
  assert.equal(server.sockets.length, 1);
  assert.deepEqual([seek.error.code, chat], ['late', {}]);
  degraded = false;
  ada.socket().tell({ type: 'status', data: { backend: 'up' } });
  await time.run(3000);
  assert.equal(server.sockets.length, 2);
  assert.equal(seek.error.code, 'late');
  assert.ok(chat.value);
  assert.deepEqual(numbers(server, 'ada'), [1, 2]);
});

test('`stale` is followed by the close that says why, and fights nobody', async () => {
  const { time, server, ada } = await alone();
  server.refuse = () => ({ code: 'stale' });
  const sent = outcome(ada.party.publish('chat', { text: 'x' }));
  await time.run(100);
  ada.socket().end(4409, 'replaced');
  await time.run(60_000);
  assert.equal(server.sockets.length, 1);
  assert.equal(sent.error.code, 'closed');
});

test('a question about the log that is over the rate is asked again', async () => {
  const { time, server, ada } = await alone();
  ada.party.publish('chat', { text: 'a' });
  ada.party.publish('chat', { text: 'b' });
  await time.run(100);
  let limits = 1;
  server.refuse = () => (limits-- > 0 ? { code: 'rate_limited', retry_after_ms: 300 } : undefined);
  server.lose(1);
  await time.run(200);
  assert.deepEqual(texts(server), ['a']);
  await time.run(1000);
  assert.deepEqual(texts(server), ['a', 'b']);
});

test('a log that lost its tail is told again what it lost, and nobody hears it twice', async () => {
  const { time, server, ada, bo } = await two();
  for (const text of ['a', 'b', 'c', 'd']) ada.party.publish('chat', { text });
  await time.run(200);
  server.lose(2);
  assert.deepEqual(texts(server), ['a', 'b']);
  await time.run(500);
  assert.deepEqual(texts(server), ['a', 'b', 'c', 'd']);
  assert.deepEqual(numbers(server, 'ada'), [1, 2, 3, 4]);
  assert.deepEqual(bo.chats(), ['a', 'b', 'c', 'd']);
  assert.equal(bo.told('reset')[0][0].reason, 'diverged');
  ada.party.publish('chat', { text: 'd' });
  await time.run(200);
  assert.deepEqual(bo.chats(), ['a', 'b', 'c', 'd', 'd']);
});

test('what was acked half a minute ago goes again as well; what nobody keeps any more is told', async () => {
  const { time, server, ada, bo } = await two();
  ada.party.publish('chat', { text: 'a' });
  await time.run(30_000);
  ada.party.publish('chat', { text: 'b' });
  await time.run(100);
  server.lose(2);
  await time.run(500);
  assert.deepEqual(texts(server), ['a', 'b']);
  assert.deepEqual(ada.told('lost'), []);
  for (let count = 0; count < 300; count += 1) {
    ada.party.publish('chat', { text: `${count}` });
    await time.run(20);
  }
  await time.run(100);
  assert.deepEqual(ada.party.ring, { unacked: 0, kept: 256 });
  server.lose(302);
  await time.run(3000);
  assert.deepEqual(texts(server), Array.from({ length: 256 }, (_, at) => `${at + 44}`));
  assert.deepEqual(ada.told('lost').map(([{ reason }]) => reason), ['gone']);
  assert.equal(bo.chats().length, 302, 'and heard once by who had heard it');
});

test('a command to the film that waits behind others too long is dropped before it is sent', async () => {
  const { time, server, ada } = await alone();
  server.refuse = () => 'silence';
  for (let count = 0; count < 32; count += 1) ada.party.publish('chat', { text: `${count}` });
  const play = outcome(ada.party.play());
  await time.run(3000);
  const chats = server.read.filter(([, { type }]) => type === 'chat');
  for (const [who, frame] of chats) ada.socket().tell(server.publish(who, frame));
  await time.run(100);
  assert.equal(play.error.code, 'late');
  assert.ok(!server.read.some(([, { type }]) => type === 'play'));
  server.refuse = () => undefined;
  ada.party.publish('chat', { text: 'on' });
  await time.run(100);
  assert.equal(numbers(server, 'ada').length, 33);
});

test('what is told twice is heard once, and what a snapshot has is not counted again', async () => {
  const { time, server, ada } = await alone();
  const word = server.append('chat', null, undefined, { text: 'from a bot' });
  await time.run(50);
  ada.socket().tell(word);
  await time.run(50);
  assert.deepEqual(ada.chats(), ['from a bot']);
  ada.socket().cut();
  person(server, 'bo');
  person(server, 'cy');
  await time.until('back', () => ada.party.state === 'live');
  await time.run(500);
  assert.deepEqual([ada.party.total, ada.party.participants.length], [3, 3]);
});

test('the tail may also be found missing at a resume', async () => {
  const { time, server, ada, bo } = await two();
  for (const text of ['a', 'b', 'c']) ada.party.publish('chat', { text });
  await time.run(200);
  server.sockets.forEach((socket) => socket.cut());
  server.lose(1);
  await time.run(3000);
  assert.deepEqual(texts(server), ['a', 'b', 'c']);
  assert.deepEqual(bo.chats(), ['a', 'b', 'c']);
});

test('a lost pause does not come back late, and takes no number with it', async () => {
  const { time, server, ada, bo } = await two();
  ada.party.load({ kind: 'sample', src: 'sample', duration_ms: 60_000 });
  ada.party.publish('chat', { text: 'a' });
  ada.party.seek(4000);
  ada.party.publish('chat', { text: 'b' });
  await time.run(5000);
  server.lose(3);
  await time.run(500);
  assert.deepEqual(texts(server), ['a', 'b']);
  assert.deepEqual(numbers(server, 'ada'), [1, 2, 3]);
  assert.deepEqual(bo.chats(), ['a', 'b']);
  assert.equal(ada.told('lost')[0][0].type, 'seek');
});

test('a hole in what is heard is never passed over', async () => {
  const { time, server, ada } = await alone();
  server.log.push({ type: 'chat', seq: 2, ts: 0, from: 'x', n: 1, data: { text: 'missed' } });
  server.append('chat', 'x', 2, { text: 'seen' });
  await time.run(2000);
  assert.deepEqual(ada.chats(), ['missed', 'seen']);
});

test('a position in the tab survives a reload', async () => {
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  const { time, server, ada } = await alone({ storage });
  ada.party.publish('chat', { text: 'before' });
  await time.run(100);
  ada.party.close();
  server.append('chat', 'x', 1, { text: 'meanwhile' });
  const again = person(server, 'ada', { storage });
  await time.run(100);
  assert.deepEqual(again.chats(), ['meanwhile']);
  again.party.publish('chat', { text: 'after' });
  await time.run(100);
  assert.deepEqual(numbers(server, 'ada'), [1, 2]);
});

test('any mix of cuts, refusals and lost tails: every ack is one entry, in order, heard once', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const random = chance(seed);
    const { time, server, ada, bo } = await two({ random });
    let spare = 0;
    server.refuse = (who, { type, n, data }) => {
      if (type !== 'chat' || spare <= 0 || random() > 0.2) return undefined;
      spare -= 1;
      // What is in the log already is never refused for what it is.
      if (random() < 0.3 && n > (server.last.get(who) ?? 0)) return { code: 'forbidden' };
      if (random() < 0.5) return { code: 'rate_limited', retry_after_ms: 50 };
      return data && { code: 'unavailable', retry_after_ms: 80 };
    };
    const sent = [];
    for (let step = 0; step < 60; step += 1) {
      spare = 3;
      const text = `${seed}.${step}`;
      sent.push({ text, came: outcome(ada.party.publish('chat', { text })) });
      if (random() < 0.1) ada.socket().cut();
      if (random() < 0.1) bo.socket().cut();
      await time.run(random() * 120);
    }
    await time.run(60_000);
    const acked = sent.filter(({ came }) => came.value).map(({ text }) => text);
    assert.ok(sent.every(({ came }) => came.value || came.error), `seed ${seed}: all came to something`);
    assert.deepEqual(texts(server), acked, `seed ${seed}: the log`);
    assert.deepEqual(numbers(server, 'ada'), acked.map((_, at) => at + 1), `seed ${seed}: numbers`);
    assert.deepEqual(bo.chats(), acked, `seed ${seed}: heard by the other`);
    assert.deepEqual(ada.chats(), acked, `seed ${seed}: heard by the author`);
  }
});

test('who is told that somebody else spoke with their numbers says so', async () => {
  const { time, server, ada } = await alone();
  server.refuse = () => 'silence';
  const sent = outcome(ada.party.publish('chat', { text: 'mine or theirs' }));
  await time.run(100);
  server.last.set('ada', 7);
  ada.socket().cut();
  await time.run(2000);
  assert.equal(sent.error.code, 'unknown');
  server.refuse = () => undefined;
  ada.party.publish('chat', { text: 'next' });
  await time.run(200);
  assert.deepEqual(numbers(server, 'ada'), [8]);
});
