// Two people watch together, through somebody else's code: npm's `ws` and Node's own fetch.
//
// Usage: node node_client.mjs http://127.0.0.1:PORT    exit 0 when everything of docs/PROTOCOL.md it touches held

import assert from 'node:assert/strict';
import WebSocket from 'ws';

// Generous: a busy machine is not a defect.
const TIMEOUT_MS = 30_000;

async function post(base, path, body) {
  const response = await fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return { status: response.status, body: await response.json() };
}

// One socket that says hello and waits for frames by what they are.
class Client {
  static async open(seat) {
    const client = new Client(seat);
    await client.opened;
    assert.equal(client.socket.protocol, 'watchparty.v1');
    // `ws` inflates with Node's zlib, and compresses what is longer than its threshold below.
    assert.equal(client.socket.extensions, 'permessage-deflate');
    client.send({ type: 'hello', token: seat.token, client: { name: 'node', version: '0' } });
    client.welcome = (await client.until('a welcome', (frame) => frame.type === 'welcome')).data;
    assert.equal(client.welcome.participant_id, client.id);
    return client;
  }

  constructor(seat) {
    this.id = seat.participant_id;
    this.frames = [];
    this.wake = () => {};
    this.socket = new WebSocket(seat.ws_url, 'watchparty.v1', {
      handshakeTimeout: TIMEOUT_MS,
      perMessageDeflate: { threshold: 512 },
    });
    this.opened = new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
    this.closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.on('message', (data, isBinary) => {
      assert.equal(isBinary, false);
      this.frames.push(JSON.parse(data));
      this.wake();
    });
  }

  send(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  async until(what, accept) {
    const skipped = [];
    for (;;) {
      while (this.frames.length > 0) {
        const frame = this.frames.shift();
        if (accept(frame)) return frame;
        skipped.push(frame);
      }
      await within(new Promise((resolve) => (this.wake = resolve)), () => `${what}; before it: ${JSON.stringify(skipped)}`);
    }
  }
}

// `promise`, or an error that says what was waited for.
function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what()}`)), TIMEOUT_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// A chat is acked to its speaker and is one entry, the same at both ends.
async function talk(speaker, listener, n, text) {
  speaker.send({ type: 'chat', n, id: `chat-${n}`, data: { text } });
  let ack;
  let entry;
  await speaker.until('an ack and its entry', (frame) => {
    if (frame.type === 'ack' && frame.n === n) ack = frame;
    if (frame.type === 'chat' && frame.from === speaker.id) entry = frame;
    return ack !== undefined && entry !== undefined;
  });
  const heard = await listener.until('a chat', (frame) => frame.type === 'chat' && frame.from === speaker.id);
  assert.deepEqual(heard, entry);
  assert.equal(heard.data.text, text);
  assert.equal(heard.n, n);
  assert.equal(ack.id, `chat-${n}`);
  assert.equal(ack.data.seq, heard.seq);
}

// What is long goes compressed both ways, and is the same at both ends.
async function show(speaker, listener, size) {
  const body = Array.from({ length: size }, (_, i) => (i * 7919) % 1009).join(' \u{6C34}').slice(0, size);
  speaker.send({ type: 'event', data: { topic: 'long', body } });
  for (const end of [speaker, listener]) {
    const event = await end.until('an event', (frame) => frame.type === 'event' && frame.from === speaker.id);
    assert.deepEqual(event.data, { topic: 'long', body });
  }
}

async function main(base) {
  const created = await post(base, '/api/sessions/create', { name: 'Film night', password: 'open sesame' });
  assert.equal(created.status, 201);
  const joined = await post(base, '/api/sessions/join', {
    session_id: created.body.id,
    password: 'open sesame',
    display_name: 'Ada',
  });
  assert.equal(joined.status, 200);

  const host = await Client.open(created.body);
  const guest = await Client.open(joined.body);
  assert.equal(host.welcome.role, 'host');
  assert.equal(guest.welcome.role, 'member');
  assert.equal(guest.welcome.host_id, host.id);
  await host.until("the guest's arrival", (f) => f.type === 'participant.joined' && f.from === guest.id);

  await talk(host, guest, 1, 'hello from the host');
  await talk(guest, host, 1, 'hello from the guest \u{1F3AC}');

  for (const size of [600, 3000, 20_000]) await show(host, guest, size);

  guest.send({ type: 'notify', data: { topic: 'typing', body: true } });
  const typing = await host.until('a notify', (frame) => frame.type === 'notify');
  assert.equal(typing.from, guest.id);
  assert.deepEqual(typing.data, { topic: 'typing', body: true });
  assert.equal('seq' in typing, false);

  guest.send({ type: 'leave' });
  const left = await host.until('the leaving', (frame) => frame.type === 'participant.left');
  assert.equal(left.data.participant_id, guest.id);
  assert.equal(left.data.reason, 'left');
  assert.equal(await within(guest.closed, () => 'the close'), 1000);
  host.socket.close();
  await within(host.closed, () => "the host's close");
}

const base = process.argv[2]?.replace(/\/$/, '');
if (base === undefined) {
  console.error('usage: node node_client.mjs http://127.0.0.1:PORT');
  process.exit(2);
}
await main(base);
console.log('node client: created, joined, talked, notified and left');
