// Participants of a test: the SDK on a computer and a network of their own, and everything they were told.

import { connect } from '../../index.js';
import { Server } from './server.js';
import { Time, computer } from './time.js';

export function person(server, name, { delay, options, ...machine } = {}) {
  const world = computer(server.time, { WebSocket: server.socket(delay), ...machine });
  const party = connect({ url: `ws://test/${name}`, getToken: () => name, world, ...options });
  const heard = [];
  for (const event of ['state', 'chat', 'event', 'playback', 'participants', 'host', 'session', 'notify', 'signal', 'status', 'goaway', 'reset', 'lost', 'refused']) {
    party.on(event, (...values) => heard.push([event, ...values]));
  }
  return {
    party, world, heard,
    told: (event) => heard.filter(([name]) => name === event).map(([, ...values]) => values),
    chats: () => heard.filter(([name]) => name === 'chat').map(([, entry]) => entry.data.text),
    socket: () => server.sockets.filter((socket) => socket.url === `ws://test/${name}`).at(-1),
  };
}

/** One person, greeted. */
export async function alone(more) {
  const time = new Time();
  const server = new Server(time);
  const ada = person(server, 'ada', more);
  await time.until('a welcome', () => ada.party.state === 'live');
  return { time, server, ada };
}

/** Two of them. */
export async function two(more) {
  const met = await alone(more);
  const bo = person(met.server, 'bo', more);
  await met.time.until('a welcome', () => bo.party.state === 'live');
  return { ...met, bo };
}

/** What a promise came to, without waiting: undefined while it is open. */
export function outcome(promise) {
  const seen = {};
  promise.then((value) => Object.assign(seen, { value }), (error) => Object.assign(seen, { error }));
  return seen;
}
