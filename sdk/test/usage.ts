// How a TypeScript application sees the SDK. Never run: `tsc` reads it, and each line marked as an error has to be one.

import { PartyError, connect, follow, VideoPlayer, type Entry, type Participant, type Playback, type Player, type Sync } from '../index.js';

declare const video: HTMLVideoElement;

const party = connect({ url: 'wss://watch.example/ws/0', getToken: async (renew) => (renew ? null : 'token') });

const off: () => void = party.on('chat', (entry: Entry) => console.log(entry.seq, entry.data.text));
party.on('playback', (film: Playback | null, entry) => console.log(film?.phase, entry?.from));
party.on('participants', (people: Participant[]) => people.map(({ name, rtt_ms }) => `${name} ${rtt_ms ?? ''}`));
party.on('state', (state, { code, in_ms }) => console.log(state === 'retrying' ? in_ms : code));
party.on('lost', ({ reason }) => reason === 'late');
// @ts-expect-error no such event
party.on('chats', () => {});
// @ts-expect-error a state is not a number
party.on('state', (state: number) => state);

party.publish('chat', { text: 'hi' }).then(({ epoch, seq, duplicate }) => [epoch, seq, duplicate]);
party.seek(1000).catch((error: PartyError) => error.code);
// @ts-expect-error no such kind of media
void party.load({ kind: 'stream', src: 'x' });
// @ts-expect-error an address is needed
connect({ getToken: () => 'x' });

const sync: Sync = follow(party, new VideoPlayer(video));
const drift: number | null = sync.drift;
const p99: number = sync.stats().p99;
const own: Player = {
  positionMs: () => 0, play: () => {}, pause: () => {}, seek: (ms) => void ms, setRate: () => {}, bufferedMs: () => Infinity, paused: () => true,
  rates: [1, 2], on: () => () => {},
};

console.log(off, drift, p99, own, party.clock.now(), party.clock.bound, party.position?.seq, party.film_ms);
