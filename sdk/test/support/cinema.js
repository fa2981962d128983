// A room of viewers, each with a computer, a network and a player of their own, and one clock that knows the truth.

import { follow } from '../../index.js';
import { positionOf } from '../../line.js';
import { person } from './people.js';
import { SimPlayer } from './player.js';
import { Server } from './server.js';
import { Time, chance } from './time.js';

export const FILM = { kind: 'sample', src: 'sample', duration_ms: 3_600_000 };

/** Round trips up to 100 ms, as uneven as they come, with jitter up to 20 ms. */
function network(random) {
  const [up, down] = [5 + random() * 45, 5 + random() * 45];
  const jitter = random() * 20;
  return (isUp) => (isUp ? up : down) + jitter * random() * random();
}

export function cinema(seed) {
  const time = new Time();
  const server = new Server(time);
  const random = chance(seed);
  const enter = (name, more = {}) => {
    const origin = random() * 1e7;
    const ppm = (random() - 0.5) * 200;
    const machine = { origin, ppm, wall: random() * 1e12, random, delay: network(random) };
    const who = person(server, name, { ...machine, ...more.person });
    const player = new SimPlayer(time, { random, ppm: (random() - 0.5) * 200, ...more.player });
    player.clock = who.world.now;
    const sync = follow(who.party, player);
    return { ...who, player, sync };
  };
  /** How far a player really is from the film. */
  const drift = ({ player }) => player.positionMs() - positionOf(server.film, server.now);
  return { time, server, random, enter, drift };
}

/** So many viewers, and the film on. */
export async function playing(seed, count, more) {
  const room = cinema(seed);
  const viewers = Array.from({ length: count }, (_, at) => room.enter(`v${at}`, more));
  await room.time.until('all there', () => viewers.every(({ party }) => party.state === 'live'));
  await room.time.run(1500);
  viewers[0].party.load(FILM);
  await room.time.run(500);
  viewers[0].party.play();
  await room.time.until('the film runs', () => viewers.every(({ player }) => player.moving));
  return { ...room, viewers };
}
