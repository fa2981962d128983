// The call's buttons: microphone, camera, screen, hang up. The first of them that is pressed enters the call; what a browser cannot do, or
// may not over plain HTTP, has no button.

import { relays } from './api.js';
import { $, write } from './elements.js';
import { Mesh, MOST } from './mesh.js';
import { Tiles } from './tiles.js';
import { list } from './words.js';

/** @import { Room } from './room.js' */

/** @param {Room} room */
export function call({ party, names, banners, seat }) {
  const devices = navigator.mediaDevices;
  const can = devices !== undefined && 'RTCPeerConnection' in window;
  $('call').hidden = !can;
  $('tiles').replaceChildren();
  if (!can) return () => {};

  const tiles = new Tiles($('tiles'), names);
  /** @type {Record<string, MediaStreamTrack | null>} */
  const own = { audio: null, video: null, screen: null };
  const mesh = new Mesh(party, () => relays(seat.id, seat.token), {
    peer(id, said) {
      if (said && mesh.said.on) tiles.show(id, 'cam', said);
      if (!said) tiles.drop(id, 'cam');
      if (!said?.screen) tiles.drop(id, 'screen');
      draw();
    },
    track(id, purpose, track) {
      tiles.show(id, purpose, mesh.peers.get(id) ?? {});
      tiles.put(id, purpose, track);
    },
    gone: (id, purpose) => purpose === 'screen' && tiles.drop(id, 'screen'),
  });

  const draw = () => {
    const { said } = mesh;
    const pressed = { mic: said.audio, cam: said.video, screen: said.screen };
    for (const [name, on] of Object.entries(pressed)) $(`call-${name}`).setAttribute('aria-pressed', String(on));
    $('call-end').hidden = !said.on;
    $('call-screen').hidden = !('getDisplayMedia' in devices);
    const others = [...mesh.peers.keys()].map((id) => names.name(id));
    write($('call-text'), said.on ? (others.length === 0 ? 'You are in the call alone' : `In the call with ${list(others)}`) : others.length > 0 ? `${list(others)} ${others.length === 1 ? 'is' : 'are'} in a call` : '');
    if (said.on) tiles.show(party.id, 'cam', said);
  };
  const refused = (/** @type {any} */ error) => {
    // Who changes their mind in the browser's own dialog needs no word on it.
    if (error?.name === 'NotAllowedError') banners.set('call', 'fair', 'The browser did not allow that.', true);
    else banners.set('call', 'fair', error?.name === 'NotFoundError' ? 'There is no such device here.' : `That did not work: ${error?.message ?? error}`, true);
  };
  const enter = async () => {
    if (mesh.said.on || mesh.peers.size < MOST) {
      if (!mesh.said.on) for (const [id, said] of mesh.peers) tiles.show(id, 'cam', said);
      return true;
    }
    banners.set('call', 'fair', `A call has room for ${MOST}.`, true);
    return false;
  };
  const toggle = (kind, ask) => async () => {
    try {
      if (own[kind]) {
        own[kind].stop();
        own[kind] = null;
      } else {
        if (!(await enter())) return;
        const track = (await devices.getUserMedia(ask)).getTracks()[0];
        own[kind] = track;
        tiles.put(party.id, 'cam', track);
      }
      await mesh.bring(kind, own[kind]);
    } catch (error) {
      refused(error);
    }
    draw();
  };
  const hide = async () => {
    own.screen?.stop();
    own.screen = null;
    tiles.drop(party.id, 'screen');
    if (mesh.said.screen) await mesh.show(null);
    draw();
  };
  $('call-mic').onclick = toggle('audio', { audio: true });
  $('call-cam').onclick = toggle('video', { video: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { max: 24 } } });
  $('call-screen').onclick = async () => {
    if (own.screen) return hide();
    try {
      if (!(await enter())) return undefined;
      const [video, audio = null] = (await devices.getDisplayMedia({ video: true, audio: true })).getTracks().sort((one) => (one.kind === 'video' ? -1 : 1));
      own.screen = video;
      video.onended = hide; // the browser's own "stop sharing"
      tiles.show(party.id, 'screen', {});
      tiles.put(party.id, 'screen', video);
      await mesh.show({ video, audio });
    } catch (error) {
      refused(error);
    }
    draw();
    return undefined;
  };
  const end = () => {
    for (const kind of Object.keys(own)) {
      own[kind]?.stop();
      own[kind] = null;
    }
    mesh.leave();
    tiles.clear();
    draw();
  };
  $('call-end').onclick = end;
  draw();
  return () => {
    end();
    mesh.stop();
  };
}
