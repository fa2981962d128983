// One speaks, many listen, for teams that have k6: the same question as `loadtest fanout`, asked with k6's own means.
//
//   k6 run -e URL=http://127.0.0.1:8080 -e LISTENERS=100 -e RATE=10 -e SECONDS=30 loadtest/k6/fanout.js
//
// What it does: one session, one speaker who sends on a schedule whatever the gateway does, listeners spread over a few virtual users (each
// runs many sockets in one loop). Times count from when a message was meant to leave, in whole milliseconds, because that is what a
// script's clock has. What is missing, came twice or out of order is counted for every listener. Not its job: what the gateway costs; `loadtest` reads that.
// Each delivery runs JavaScript, so k6 is late long before a gateway is; the threshold on lateness says when.
// Everybody joins by password from one address, so a gateway with its limits on lets some 120 in: set RATE_LIMIT_JOIN=off, and for more than
// 20 messages a second RATE_LIMIT_MESSAGES=off. Ends with exit code 99 when a threshold is missed.

import http from 'k6/http';
import exec from 'k6/execution';
import { Counter, Trend } from 'k6/metrics';

// Newer releases have the module under its own name, 1.1 (the newest on PyPI) still as an experiment; the API is the same.
const { WebSocket } = (() => {
  try {
    return require('k6/websockets');
  } catch {
    return require('k6/experimental/websockets');
  }
})();

const URL = __ENV.URL || 'http://127.0.0.1:8080';
const LISTENERS = Number(__ENV.LISTENERS || 100);
const RATE = Number(__ENV.RATE || 10);
const SECONDS = Number(__ENV.SECONDS || 10);
const PAYLOAD = Number(__ENV.PAYLOAD || 128);
// How many loops listeners spread over; each costs k6 a JavaScript runtime.
const LOOPS = Math.min(LISTENERS, Number(__ENV.LOOPS || 4));
// Listeners come in before the first message, and the last message has this long to reach everybody.
const ARRIVE = Number(__ENV.ARRIVE || 3);
const DRAIN = 3;
const TOTAL = Math.round(RATE * SECONDS);
const PASSWORD = 'load load load';

const deliver = new Trend('watchparty_deliver', true);
const lateness = new Trend('watchparty_lateness', true);
const counted = Object.fromEntries(
  ['sent', 'acked', 'delivered', 'missing', 'duplicated', 'reordered', 'resets', 'lost'].map((name) => [
    name,
    new Counter(`watchparty_${name}`),
  ]),
);

export const options = {
  scenarios: {
    listen: {
      executor: 'per-vu-iterations',
      exec: 'listen',
      vus: LOOPS,
      iterations: 1,
      maxDuration: `${ARRIVE + SECONDS + DRAIN + 30}s`,
    },
    speak: {
      executor: 'per-vu-iterations',
      exec: 'speak',
      vus: 1,
      iterations: 1,
      startTime: `${ARRIVE}s`,
      maxDuration: `${SECONDS + DRAIN + 30}s`,
    },
  },
  thresholds: {
    watchparty_missing: ['count==0'],
    watchparty_duplicated: ['count==0'],
    watchparty_reordered: ['count==0'],
    watchparty_lost: ['count==0'],
    watchparty_sent: [`count==${TOTAL}`],
    watchparty_acked: [`count==${TOTAL}`],
    watchparty_delivered: [`count==${TOTAL * LISTENERS}`],
    watchparty_deliver: [`p(99)<${__ENV.P99_MS || 50}`],
    // k6 itself: later than this, it measured itself.
    watchparty_lateness: ['p(99)<20'],
  },
  summaryTrendStats: ['p(50)', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
};

// The session and a ticket for everybody.
export function setup() {
  const post = (path, body) => {
    const answer = http.post(`${URL}${path}`, JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } });
    if (answer.status < 200 || answer.status > 299) {
      exec.test.abort(`${path} was answered with ${answer.status}: ${answer.body}`);
    }
    return answer.json();
  };
  const made = post('/api/sessions/create', { name: 'k6 fanout', password: PASSWORD, max_participants: LISTENERS + 1 });
  const join = () => post('/api/sessions/join', { session_id: made.id, password: PASSWORD }).token;
  return { session: made.id, speaker: made.token, listeners: Array.from({ length: LISTENERS }, join) };
}

function open(session, token) {
  const headers = { Authorization: `Bearer ${token}` };
  return new WebSocket(`${URL.replace(/^http/, 'ws')}/ws/${session}`, null, { headers });
}

// This loop's share of the listeners.
export function listen(data) {
  const loop = exec.scenario.iterationInTest;
  data.listeners.filter((_, at) => at % LOOPS === loop).forEach((token) => listener(data.session, token));
}

function listener(session, token) {
  const socket = open(session, token);
  const seen = new Uint8Array(TOTAL + 1);
  let [highest, got, leaving] = [0, 0, false];
  socket.onmessage = (event) => {
    const now = Date.now();
    // `type` comes first in every frame; only what is counted is worth parsing here.
    if (event.data.startsWith('{"type":"reset"')) return counted.resets.add(1);
    if (!event.data.startsWith('{"type":"event"')) return;
    const frame = JSON.parse(event.data);
    if (frame.data.topic !== 'load') return;
    if (seen[frame.n]) return counted.duplicated.add(1);
    if (frame.n < highest) counted.reordered.add(1);
    [seen[frame.n], highest, got] = [1, Math.max(highest, frame.n), got + 1];
    counted.delivered.add(1);
    deliver.add(now - Number(frame.data.body.split(' ', 1)[0]));
  };
  socket.onclose = () => {
    if (!leaving) counted.lost.add(1);
    counted.missing.add(TOTAL - got);
  };
  setTimeout(() => {
    leaving = true;
    socket.close();
  }, (ARRIVE + SECONDS + DRAIN) * 1000);
}

// Sends message n at its time after the first, whatever came of those before: a gateway that stalls cannot slow its own test.
export function speak(data) {
  const socket = open(data.session, data.speaker);
  socket.onmessage = (event) => {
    if (JSON.parse(event.data).type === 'ack') counted.acked.add(1);
  };
  socket.onopen = () => {
    const began = Date.now();
    let n = 0;
    const beat = setInterval(() => {
      for (let due; n < TOTAL && (due = began + (n * 1000) / RATE) <= Date.now(); ) {
        n += 1;
        lateness.add(Date.now() - due);
        const data = { topic: 'load', body: `${Math.round(due)} `.padEnd(PAYLOAD, 'x') };
        socket.send(JSON.stringify({ type: 'event', n, data }));
        counted.sent.add(1);
      }
      if (n < TOTAL) return;
      clearInterval(beat);
      setTimeout(() => socket.close(), DRAIN * 1000);
    }, 1);
  };
}
