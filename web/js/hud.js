// The numbers: position in the log, clock, drift with its histogram, the SDK's ring, the last frames, and a button that drops the network
// to show what happens then. For whoever wants to see how it works, or why it does not.

import { $, icon, make, write } from './elements.js';
import { Histogram } from './histogram.js';
import { signed } from './words.js';

/** @import { Room } from './room.js' */

const DRAW_MS = 250;
const CUT_MS = 4_000;
const FRAMES = 24;

const ms = (value, digits = 0) => (Number.isFinite(value) ? `${value.toFixed(digits)} ms` : '–');

/** What is shown, in order. @type {[string, (room: Room) => string][]} */
const ROWS = [
  ['connection', ({ party }) => `${party.state}, ${party.backend}, ${party.welcome?.durability ?? '–'}`],
  ['seq', ({ party }) => (party.position ? `${party.position.seq} @ ${party.position.epoch.slice(0, 8)}` : '–')],
  ['film version', ({ party: { line } }) => (line.state ? `${line.state.version} ${line.state.phase} (${line.state.reason})` : '–')],
  ['round trip p95', ({ party }) => ms(party.clock.rtt ?? NaN, 1)],
  ['clock error', ({ party: { clock } }) => (clock.settled ? `≤ ${ms(clock.bound, 1)}` : 'settling')],
  ['drift now', ({ sync }) => (sync.drift === null ? '–' : signed(sync.drift))],
  ['drift p50 / p95 / p99', ({ sync }) => percentiles(sync.stats())],
  ['speed', ({ sync, video }) => `${sync.stats().rate || 1} (player ${video.playbackRate})`],
  ['seeks', ({ sync }) => `${sync.stats().seeks}, ${ms(sync.stats().seek_ms)} each`],
  ['start delay', ({ sync }) => ms(sync.stats().start_ms)],
  ['unacked / kept', ({ party }) => `${party.ring.unacked} / ${party.ring.kept}`],
];

const percentiles = ({ drifts, p50, p95, p99 }) => (drifts.length === 0 ? '–' : `${Math.round(p50)} / ${Math.round(p95)} / ${Math.round(p99)} ms`);

/** @param {Room} room */
export function hud(room) {
  const panel = $('hud');
  const toggle = $('hud-toggle');
  const cells = ROWS.map(() => make('dd'));
  const histogram = new Histogram();
  const frames = make('pre', { tabindex: '0', 'aria-label': 'The last frames' });
  const outcome = make('p', { class: 'outcome', role: 'status' });
  const drop = make('button', { class: 'drop', type: 'button', onclick: () => void cut(room, drop, outcome) }, `Drop my network for ${CUT_MS / 1000} s`);
  panel.replaceChildren(
    make('h2', {}, 'Under the hood', make('button', { class: 'round', type: 'button', 'aria-label': 'Close', onclick: () => toggle.click() }, icon('close'))),
    make('dl', {}, ...ROWS.flatMap(([name], at) => [make('dt', {}, name), cells[at]])),
    histogram.element, drop, outcome,
    make('details', {}, make('summary', {}, 'Frames'), frames),
  );
  panel.hidden = true;
  toggle.setAttribute('aria-expanded', 'false');
  const draw = () => {
    if (panel.hidden) return;
    ROWS.forEach(([, value], at) => write(cells[at], value(room)));
    histogram.draw(room.sync.stats().drifts);
    if (frames.closest('details')?.open) write(frames, room.network.frames.slice(-FRAMES).reverse().map(({ way, text }) => `${way} ${text}`).join('\n'));
  };
  toggle.onclick = () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute('aria-expanded', String(!panel.hidden));
    draw();
  };
  const timer = setInterval(draw, DRAW_MS);
  return () => clearInterval(timer);
}

/** Cuts the wire, and says how it came back. @param {Room} room */
async function cut({ party, network }, drop, outcome) {
  drop.disabled = true;
  write(outcome, '');
  const before = party.position?.seq ?? 0;
  write(drop, 'No network …');
  await network.cut(CUT_MS);
  const since = performance.now();
  write(drop, 'Network is back …');
  await live(party);
  const took = Math.round(performance.now() - since);
  const { recovered, head = before } = party.welcome ?? {};
  const missed = head - before;
  write(outcome, recovered ? `Live ${took} ms after the network was back; ${missed} missed ${missed === 1 ? 'entry' : 'entries'} caught up, none lost.` : `Live after ${took} ms, but the past could not be caught up.`);
  write(drop, `Drop my network for ${CUT_MS / 1000} s`);
  drop.disabled = false;
}

function live(party) {
  return new Promise((resolve) => {
    if (party.state === 'live') return resolve(undefined);
    const off = party.on('state', (state) => {
      if (state !== 'live' && state !== 'closed') return;
      off();
      resolve(undefined);
    });
    return undefined;
  });
}
