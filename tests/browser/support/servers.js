// What the page runs against: one Redis, two gateways on it, and a door in front of each. Real processes, on ports of their own.
//
// A door is a TCP relay that prefers one gateway and takes the other when that one is gone: what a balancer is to a browser. So a test says
// on which replica somebody is, and can kill it under them.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { eventually, within } from './patience.js';

const binary = process.env.WATCHPARTY_BINARY ?? '';
/** On every node; a test's, so nobody's. */
const JWT_SECRET = 'browser-tests-only-0123456789abcdef0123456789abcdef';

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function child(program, args, env, cwd) {
  const process_ = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  const heard = new Set();
  for (const stream of [process_.stdout, process_.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line);
      for (const run of heard) run(line);
    });
  }
  const ended = new Promise((resolve) => process_.once('exit', resolve));
  /** The first line for which `find` has an answer. */
  const line = (find) => new Promise((resolve, reject) => {
    const run = (text) => {
      const found = find(text);
      if (found === undefined) return;
      heard.delete(run);
      resolve(found);
    };
    said.forEach(run);
    heard.add(run);
    void ended.then(() => reject(new Error(`${program} ended: ${said.join('\n')}`)));
  });
  const stop = async (signal = 'SIGTERM') => {
    process_.kill(signal);
    await within(ended, `the end of ${program}`);
  };
  return { line, stop, said };
}

/** With a file that it reads again when it is started again. */
async function redis(place) {
  const port = await freePort();
  const start = async () => {
    const server = child('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'yes', '--dir', place], process.env, place);
    await within(server.line((text) => (text.includes('Ready to accept connections') ? true : undefined)), 'a Redis');
    return server;
  };
  let server = await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: () => server.stop(),
    /** Where it was, with what it had. */
    again: async () => (server = await start()),
  };
}

async function gateway(place, url) {
  const env = {
    HOST: '127.0.0.1', PORT: '0', ENVIRONMENT: 'development', BCRYPT_COST: '4', DRAIN_DELAY: '0', LOG_FORMAT: 'json', REDIS_URL: url, JWT_SECRET,
  };
  const server = child(binary, ['serve'], env, place);
  const port = await within(server.line((text) => {
    if (!text.startsWith('{')) return undefined;
    const { message, addr } = JSON.parse(text);
    return message === 'listening' ? Number(addr.split(':').at(-1)) : undefined;
  }), 'a gateway that listens');
  await eventually('a gateway that is ready', async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok);
  return { ...server, port };
}

/** @param {number[]} ports the preferred gateway first */
async function door(ports) {
  const open = new Set();
  /** For each connection, the gateway it went to. */
  const went = [];
  const relay = createServer((near) => {
    const pass = ([port, ...others]) => {
      if (port === undefined) return near.destroy();
      const far = connect(port, '127.0.0.1');
      far.once('error', () => pass(others));
      far.once('connect', () => {
        went.push(port);
        far.removeAllListeners('error');
        for (const [from, to] of [[near, far], [far, near]]) {
          open.add(from);
          from.on('error', () => to.destroy());
          from.on('close', () => (open.delete(from), to.destroy()));
          from.pipe(to);
        }
      });
      return undefined;
    };
    near.on('error', () => {});
    pass(ports);
  });
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', () => resolve(undefined)));
  return {
    base: `http://127.0.0.1:${relay.address().port}`,
    went,
    close: () => (open.forEach((socket) => socket.destroy()), relay.close()),
  };
}

/** The whole house: `doors[0]` leads to the first gateway, `doors[1]` to the second, while they live. */
export async function house() {
  const place = mkdtempSync(join(tmpdir(), 'watchparty-browser-'));
  const store = await redis(place);
  const nodes = await Promise.all([gateway(place, store.url), gateway(place, store.url)]);
  const ports = nodes.map(({ port }) => port);
  const doors = [await door(ports), await door([...ports].reverse())];
  const dead = new Set();
  return {
    nodes,
    doors,
    store,
    /** @param {number} at */
    kill: async (at) => (dead.add(at), await nodes[at].stop('SIGKILL')),
    /** In good order. @param {number} at */
    stop: async (at) => (dead.add(at), await nodes[at].stop()),
    async close() {
      for (const one of doors) one.close();
      await Promise.all(nodes.map((node, at) => (dead.has(at) ? undefined : node.stop())));
      await store.stop();
      rmSync(place, { recursive: true, force: true });
    },
  };
}
