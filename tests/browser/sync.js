// How far apart two real players are: two people in Chromium on two replicas with a Redis, and a third who comes late. Each page tells of every
// frame it shows, which place of the film it is and when it is seen (`requestVideoFrameCallback`); their difference is what is printed. Measured and
// printed, judged by nobody: `make sync` runs it, and docs/SYNC.md has what came of it.
//
// All pages run on one machine, so that their clocks can be told by one: `performance.timeOrigin` is the same wall clock in all of them.

import { browser, Person } from './support/people.js';
import { eventually } from './support/patience.js';
import { house } from './support/servers.js';

/** After a command nothing is counted for so long. */
const QUIET_MS = 3_000;
const HOLD_MS = 8_000;
const SHORT_MS = 5_000;
/** A page that showed nothing for so long shows nothing that could be compared. */
const GAP_MS = 150;
/** Whoever came late is there once so near for so long. */
const NEAR_MS = 100;
const STAYS_MS = 1_000;
/** Of the sample film. */
const FPS = 24;
const FRAME_MS = 1_000 / FPS;
const BAR_MS = 10;
const BARS = 48;

const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const now = () => performance.timeOrigin + performance.now();

/** Each page keeps its frames: `[place in the film, when it is seen]`, in milliseconds. @param {Person} person */
async function watch({ page }) {
  await page.evaluate(() => {
    const video = /** @type {HTMLVideoElement} */ (document.querySelector('#film'));
    const frames = (/** @type {any} */ (globalThis).frames_ = []);
    video.requestVideoFrameCallback(function next(_, { mediaTime, expectedDisplayTime }) {
      if (!video.paused) frames.push([mediaTime * 1000, performance.timeOrigin + expectedDisplayTime, video.playbackRate]);
      video.requestVideoFrameCallback(next);
    });
  });
}

/** @param {Person} person @returns {Promise<number[][]>} */
const frames = ({ page }) => page.evaluate(() => /** @type {any} */ (globalThis).frames_);

/** For each frame of one, how far it is ahead of the other then. @returns {{ at: number, by: number }[]} */
function apart(one, other) {
  let at = 0;
  return one.flatMap(([place, seen]) => {
    while (at + 1 < other.length && other[at + 1][1] <= seen) at += 1;
    const [there, when, rate] = other[at] ?? [0, Infinity, 1];
    const since = seen - when;
    return since >= 0 && since <= GAP_MS ? [{ at: seen, by: place - (there + since * rate) }] : [];
  });
}

const percentile = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? NaN;
const ms = (value) => `${value.toFixed(1)} ms`.padStart(11);

function row(name, differences) {
  const far = differences.map(({ by }) => Math.abs(by));
  const cells = [0.5, 0.95, 0.99, 1].map((part) => ms(percentile(far, part)));
  console.log(`${name.padEnd(34)}${String(far.length).padStart(8)}${cells.join('')}`);
}

function histogram(differences) {
  const bars = new Map();
  for (const { by } of differences) bars.set(Math.floor(by / BAR_MS), (bars.get(Math.floor(by / BAR_MS)) ?? 0) + 1);
  const most = Math.max(...bars.values());
  for (const at of [...bars.keys()].sort((a, b) => a - b)) {
    const count = bars.get(at);
    const label = `${at * BAR_MS}…${(at + 1) * BAR_MS} ms`.padStart(14);
    console.log(`${label}  ${((100 * count) / differences.length).toFixed(2).padStart(5)} %  ${'█'.repeat(Math.ceil((count / most) * BARS))}`);
  }
}

/** The frame both stand on, in milliseconds of the film. @param {Person} person */
const stands = async (person) => (await person.player()).at * 1000;

const [chromium, home] = await Promise.all([browser(), house()]);
try {
  const [ada, grace] = [await Person.arrive(chromium, 'Ada'), await Person.arrive(chromium, 'Grace')];
  const path = await ada.create(home.doors[0]);
  await grace.join(home.doors[1], path);
  await grace.inside();
  await ada.page.click('#empty-choose');
  await ada.page.click('#choose-sample');
  await eventually('the film is there', async () => (await ada.page.isHidden('#empty')) && (await grace.page.isHidden('#empty')));
  await Promise.all([watch(ada), watch(grace)]);

  /** When commands were given. */
  const commands = [now()];
  const quiet = (at) => commands.some((given) => at >= given && at < given + QUIET_MS);
  const command = async (run) => {
    commands.push(now());
    await run();
    // A command takes effect a little later, when all are ready.
    commands.push(now());
  };
  const play = () => command(async () => {
    await ada.page.click('#toggle');
    await Promise.all([ada.plays(), grace.plays()]);
  });
  await play();
  await rest(HOLD_MS);
  const pauses = [];
  for (const who of [grace, ada, grace]) {
    await command(async () => {
      await who.page.click('#toggle');
      await Promise.all([ada.pauses(), grace.pauses()]);
    });
    await rest(1_000);
    pauses.push((await stands(ada)) - (await stands(grace)));
    await play();
    await rest(SHORT_MS);
  }
  await command(() => grace.page.selectOption('#rate', '1.25'));
  await rest(HOLD_MS);
  await command(() => grace.page.selectOption('#rate', '1'));
  await rest(SHORT_MS);

  const late = await Person.arrive(chromium, 'Late');
  await late.open(home.doors[1].base, path);
  await late.fill('#join-form', { display_name: 'Late', password: 'popcorn!' });
  const came = now();
  await late.page.click('#join-form button.primary');
  await watch(late);
  await late.inside();
  await late.plays();
  await rest(SHORT_MS);

  const killed = now();
  await home.kill(0);
  await ada.sees('#banners', /Connected again/);
  const back = now();
  await ada.says('Still here.');
  await late.sees('.message', 'Still here.');
  await rest(SHORT_MS);

  const [adas, graces, lates] = await Promise.all([frames(ada), frames(grace), frames(late)]);
  const all = apart(adas, graces);
  const steady = all.filter(({ at }) => !quiet(at));
  const close = apart(lates, graces);
  const there = close.find(({ at }) => close.filter((one) => one.at >= at && one.at < at + STAYS_MS).every(({ by }) => Math.abs(by) <= NEAR_MS));

  console.log(`${'Chromium, two replicas and a Redis'.padEnd(34)}${'frames'.padStart(8)}${['p50', 'p95', 'p99', 'max'].map((name) => name.padStart(11)).join('')}`);
  row('apart while the film plays', steady);
  row('of that, after a replica was killed', steady.filter(({ at }) => at >= killed));
  row('all, commands included', all);
  console.log(`\napart after pauses: ${pauses.map((by) => ms(Math.abs(by)).trim()).join(', ')} (a frame is ${FRAME_MS.toFixed(1)} ms)`);
  console.log(`a late joiner within ${NEAR_MS} ms: ${there ? ms(there.at - came).trim() : 'never'} after pressing join (page and film loading included)`);
  const shown = [adas, graces].map((all) => (1_000 * all.length) / all.reduce((sum, [, seen], at) => sum + (at > 0 && seen - all[at - 1][1] < QUIET_MS ? seen - all[at - 1][1] : 0), 0));
  console.log(`frames shown a second while it played: ${shown.map((each) => each.toFixed(1)).join(', ')} (the film has ${FPS}; far fewer: the machine starves the browsers, and the rest says little)`);
  console.log(`connected again: ${ms(back - killed).trim()} after the kill, as the page says\n`);
  histogram(steady);
} finally {
  await chromium.close();
  await home.close();
}
