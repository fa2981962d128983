// The film's controls: what is pressed here happens for everybody, except for sound and full screen. They show the room's film, not this
// player's: where the two differ is for the sync light to say.

import { $, write } from './elements.js';
import { clock } from './words.js';

/** @import { Room } from './room.js' */

const DRAW_MS = 200;

/** @param {Room} room */
export function controls(room) {
  const { party, video, banners, aim } = room;
  const seek = $('seek');
  let held = false;

  const length = () => party.line.state?.media.duration_ms ?? (Number.isFinite(video.duration) ? video.duration * 1000 : 0);
  const draw = () => {
    const { state } = party.line;
    const runs = state !== null && state.phase !== 'paused';
    $('toggle-icon').setAttribute('href', runs ? '#i-pause' : '#i-play');
    $('toggle').setAttribute('aria-label', runs ? 'Pause for everybody' : 'Play for everybody');
    const off = state === null || !room.mine();
    $('toggle').disabled = $('rate').disabled = seek.disabled = off;
    $('choose').disabled = !room.mine();
    $('toggle').title = room.mine() ? '' : 'Only the host moves the film';
    const total = length();
    seek.max = String(Math.max(1000, Math.round(total)));
    write($('length'), clock(total));
    if (held) return;
    const at = Math.round(aim.goal ?? party.film_ms ?? 0);
    seek.value = String(at);
    seek.setAttribute('aria-valuetext', `${clock(at)} of ${clock(total)}`);
    write($('now'), clock(at));
    if (state && document.activeElement !== $('rate')) $('rate').value = String(state.rate);
  };

  $('toggle').onclick = () => toggle(room);
  seek.oninput = () => {
    held = true;
    write($('now'), clock(Number(seek.value)));
  };
  seek.onchange = () => {
    held = false;
    aim.to(Number(seek.value));
    aim.go();
  };
  $('rate').onchange = () => {
    const sent = party.rate(Number($('rate').value));
    banners.sent(party, sent);
    // While it has the focus nothing else takes back what did not come about.
    sent.catch(() => ($('rate').value = String(party.line.state?.rate ?? 1)));
  };
  $('mute').onclick = () => mute(room);
  $('volume').oninput = ({ target }) => {
    video.volume = Number(target.value);
    video.muted = video.volume === 0;
  };
  const loud = () => {
    $('mute').setAttribute('aria-pressed', String(video.muted));
    $('mute-icon').setAttribute('href', video.muted ? '#i-mute' : '#i-loud');
  };
  video.addEventListener('volumechange', loud);
  $('full').onclick = full;
  const off = room.sync.on('refused', (error) => banners.refused(error));
  const timer = setInterval(draw, DRAW_MS);
  const offs = [party.on('playback', draw), party.on('session', draw)];
  draw();
  return () => {
    clearInterval(timer);
    video.removeEventListener('volumechange', loud);
    [off, ...offs].forEach((run) => run());
  };
}

/** Play or pause, for everybody. @param {Room} room */
export function toggle({ party, sync, banners, mine }) {
  const { state } = party.line;
  if (!state || !mine()) return;
  // A pause is on the frame that is shown here; while the film waits, nobody shows the one that counts.
  if (state.phase === 'playing') banners.sent(party, sync.pause());
  else banners.sent(party, state.phase === 'paused' ? party.play() : party.pause());
}

/** Here only. @param {Room} room */
export function mute({ video }) {
  video.muted = !video.muted;
}

export function full() {
  if (document.fullscreenElement) void document.exitFullscreen();
  // Refused where the browser does not allow it; then nothing happens, which is what is seen anyway.
  else $('screen').requestFullscreen?.().catch(() => {});
}
