// The real gateway on the memory backend, as a process of its own, and a wire in front of it that a test can cut.
//
// WATCHPARTY_BINARY names the program; without it, what `cargo build` left in the target directory.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect as dial, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { WebSocket as Ws } from 'ws';

import { connect } from '../../index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const binary = process.env.WATCHPARTY_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug', 'watchparty');

/** Generous: a busy machine is not a defect. */
const PATIENCE_MS = 60_000;

/** Node's own from 22 on; npm's `ws` before. */
export const WebSocket = globalThis.WebSocket ?? Ws;

/** `promise`, or an error that says what was waited for. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`in vain: ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** For what no event tells: looks whenever the process has nothing else to do. */
export async function eventually(what, done) {
  for (const end = performance.now() + PATIENCE_MS; !done(); ) {
    if (performance.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Starts it in an empty environment and directory: neither a developer's variables nor a .env decide the outcome. */
export async function gateway(settings = {}) {
  assert.ok(existsSync(binary), `no ${binary}: run 'cargo build' first, or name it in WATCHPARTY_BINARY`);
  const cwd = mkdtempSync(join(tmpdir(), 'watchparty-sdk-'));
  const env = { HOST: '127.0.0.1', PORT: '0', ENVIRONMENT: 'development', BCRYPT_COST: '4', DRAIN_DELAY: '0', LOG_FORMAT: 'json', ...settings };
  const child = spawn(binary, ['serve'], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const address = new Promise((resolve, reject) => {
    const said = [];
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        if (!line.startsWith('{')) return;
        const { message, addr, ...more } = JSON.parse(line);
        if (message === 'listening') resolve(addr ?? more.fields?.addr);
      });
    }
    void ended.then(() => reject(new Error(`it ended: ${said.join('\n')}`)));
  });
  const at = await within(address, 'a gateway that listens');
  const stop = async (signal = 'SIGTERM') => {
    child.kill(signal);
    await within(ended, 'its end');
    rmSync(cwd, { recursive: true, force: true });
  };
  return { base: `http://${at}`, port: Number(at.split(':').at(-1)), stop };
}

export async function call(base, method, path, body, token) {
  const response = await fetch(base + path, {
    method,
    headers: { ...(body && { 'content-type': 'application/json' }), ...(token && { authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const text = await response.text();
  return { status: response.status, body: text ? JSON.parse(text) : null };
}

/** A TCP relay to a port. `cut` kills what goes through it; while `deaf` nothing new does. */
export async function wire(port) {
  const open = new Set();
  const relay = createServer((near) => {
    if (relay.deaf) return near.destroy();
    const far = dial(port, '127.0.0.1');
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('error', () => {});
      from.on('close', () => (open.delete(from), to.destroy()));
    }
    return undefined;
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    port: relay.address().port,
    cut: () => open.forEach((socket) => socket.destroy()),
    set deaf(deaf) {
      relay.deaf = deaf;
    },
    close: () => (open.forEach((socket) => socket.destroy()), relay.close()),
  };
}

/** A participant on a real socket, with everything it was told and a way to wait for more. */
export class Guest {
  heard = [];
  #wake = () => {};

  constructor(admission, { port, ...options } = {}) {
    const url = new URL(admission.ws_url);
    if (port) url.port = String(port);
    this.id = admission.participant_id;
    this.party = connect({ url: url.href, getToken: () => admission.token, WebSocket, resume: null, ...options });
    for (const event of ['state', 'chat', 'event', 'entry', 'playback', 'participants', 'host', 'session', 'notify', 'signal', 'reset', 'lost', 'refused']) {
      this.party.on(event, (...values) => {
        this.heard.push([event, ...values]);
        this.#wake();
      });
    }
  }

  told(event) {
    return this.heard.filter(([name]) => name === event).map(([, ...values]) => values);
  }

  async until(what, done) {
    while (!done(this)) await within(new Promise((resolve) => (this.#wake = resolve)), `${what}; told: ${JSON.stringify(this.heard.slice(-8))}`);
  }

  live() {
    return this.until('to be live', () => this.party.state === 'live');
  }
}
