// Which film the video element has: the sample that ships with the page, an address, or each one's own copy of a file. And the dialog in
// which somebody chooses one for all. Where it stands is the SDK's business.

import { $, write } from './elements.js';
import { mark } from './mark.js';
import { why } from './words.js';

/** @import { Room } from './room.js' */

const SAMPLE = '/web/media/sample.webm';
/** How long an address may take to say what it is, before it is put on without its length. */
const PROBE_MS = 8_000;

/** @param {Pick<Room, 'party' | 'video' | 'banners' | 'names'>} room */
export function film({ party, video, banners, names }) {
  /** Files that were opened here, by their mark. @type {Map<string, string>} */
  const files = new Map();
  let shown = '';
  /** @type {Room | null} */
  let room = null;

  const address = ({ kind, src }) => {
    if (kind === 'sample') return SAMPLE;
    if (kind === 'file') return files.get(src) ?? null;
    return src.startsWith('https://') ? src : null;
  };

  const show = (state) => {
    const media = state?.media;
    const src = media ? address(media) : null;
    const cover = $('empty');
    cover.hidden = src !== null;
    if (!src) write($('empty-text'), !media ? 'No film yet.' : media.kind === 'file' ? `${names.subject(state.actor)} opened a file: open your own copy of “${media.title ?? 'it'}”.` : 'This film has no address that can be loaded.');
    if ((src ?? '') === shown) return;
    shown = src ?? '';
    if (src) video.src = src;
    else video.removeAttribute('src');
    video.load();
  };

  const put = async (media, src) => {
    const box = $('choose-box');
    const wrong = $('choose-wrong');
    wrong.hidden = true;
    try {
      const duration_ms = await length(src);
      await party.load({ ...media, ...(duration_ms && { duration_ms }) });
      box.close();
      return true;
    } catch (error) {
      wrong.hidden = false;
      write(wrong, why(error));
      if (!box.open) banners.refused(error);
      return false;
    }
  };

  const sample = () => put({ kind: 'sample', src: 'sample', title: 'Sample film' }, SAMPLE);
  const opened = async (file) => {
    const src = await mark(file);
    files.set(src, URL.createObjectURL(file));
    const media = party.line.state?.media;
    // The copy that somebody else asked for: nothing to tell the others, only to show it here.
    if (media?.kind === 'file' && media.src === src) {
      $('choose-box').close();
      show(party.line.state);
      return undefined;
    }
    return put({ kind: 'file', src, title: file.name.slice(0, 200) }, files.get(src));
  };

  $('empty-sample').onclick = async () => {
    if (await sample()) banners.sent(party, party.play());
  };
  $('choose-sample').onclick = sample;
  $('empty-choose').onclick = $('choose').onclick = () => ($('choose-wrong').hidden = true, $('choose-box').showModal());
  $('choose-done').onclick = () => $('choose-box').close();
  $('choose-file').onchange = ({ target }) => {
    if (target.files[0]) void opened(target.files[0]);
    target.value = '';
  };
  $('choose-url').onsubmit = (event) => {
    event.preventDefault();
    const src = event.target.elements.src.value.trim();
    if (!/^https:\/\/\S+$/.test(src)) {
      $('choose-wrong').hidden = false;
      write($('choose-wrong'), 'An address begins with https://');
      return;
    }
    void put({ kind: 'url', src, title: title(src) }, src);
  };

  const off = party.on('playback', show);
  const failed = () => shown && banners.set('film', 'bad', 'This browser cannot load the film.');
  const fine = () => banners.clear('film');
  video.addEventListener('error', failed);
  video.addEventListener('loadedmetadata', fine);
  // A player without a film refuses to start, and is asked again once there is one.
  const can = () => room?.sync.syncNow();
  video.addEventListener('loadeddata', can);
  return {
    /** @param {Room} whole */
    ready: (whole) => (room = whole),
    stop() {
      off();
      video.removeEventListener('error', failed);
      video.removeEventListener('loadedmetadata', fine);
      video.removeEventListener('loadeddata', can);
      video.pause();
      video.removeAttribute('src');
      video.load();
      for (const url of files.values()) URL.revokeObjectURL(url);
    },
  };
}

function title(src) {
  const name = new URL(src).pathname.split('/').at(-1);
  try {
    return decodeURIComponent(name || src).slice(0, 200);
  } catch {
    return (name || src).slice(0, 200);
  }
}

/** How long a film is, from a player nobody sees; undefined where it does not say in time. */
function length(src) {
  return new Promise((resolve, reject) => {
    const probe = document.createElement('video');
    const timer = setTimeout(() => done(() => resolve(undefined)), PROBE_MS);
    const done = (then) => {
      clearTimeout(timer);
      probe.removeAttribute('src');
      probe.load();
      then();
    };
    probe.preload = 'metadata';
    probe.onloadedmetadata = () => {
      const { duration } = probe;
      done(() => resolve(Number.isFinite(duration) ? Math.round(duration * 1000) : undefined));
    };
    probe.onerror = () => probe.getAttribute('src') && done(() => reject(new Error('This browser cannot load that film.')));
    probe.src = src;
  });
}
