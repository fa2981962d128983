// One room: a party, the player that follows it, and the parts of the page that show it. Each part knows the party and its own elements;
// what is between them is here.

import { connect, follow, VideoPlayer } from '/sdk/index.js';

import { Aim } from './aim.js';
import { renew } from './api.js';
import { Banners, connection } from './banners.js';
import { call } from './call.js';
import { chat } from './chat.js';
import { controls } from './controls.js';
import { $, write } from './elements.js';
import { film } from './film.js';
import { hud } from './hud.js';
import { invite } from './invite.js';
import { keys } from './keys.js';
import { light } from './light.js';
import { Names } from './names.js';
import { Network } from './network.js';
import { people } from './people.js';
import { reactions } from './reactions.js';
import { keep } from './seats.js';
import { settings } from './settings.js';
import { waiting } from './waiting.js';

/** @typedef {import('/sdk/index.js').Party} Party */
/** @typedef {import('/sdk/index.js').Sync} Sync */
/** @typedef {import('./seats.js').Seat} Seat */

/**
 * What the parts share.
 * @typedef {object} Room
 * @property {Party} party
 * @property {Sync} sync
 * @property {HTMLVideoElement} video
 * @property {Seat} seat
 * @property {Names} names
 * @property {Banners} banners
 * @property {Network} network
 * @property {Aim} aim
 * @property {() => boolean} mine whether this participant may move the film
 * @property {() => boolean} host
 */

/**
 * @param {Seat} seat
 * @param {(why: { code: number, reason: string }) => void} over it ended for good
 */
export function open(seat, over) {
  const network = new Network();
  const names = new Names();
  names.self = seat.participant_id;
  // Not the address of the admission: the page's policy lets it connect to its own origin alone.
  const url = `${location.origin.replace(/^http/, 'ws')}/ws/${seat.id}`;
  const party = connect({ url, getToken: (again) => token(seat, again), WebSocket: network.WebSocket });
  const banners = new Banners($('banners'));
  const video = $('film');
  const host = () => party.session?.host_id === party.id;
  const mine = () => host() || party.session?.control !== 'host';

  party.on('participants', (list, entry) => {
    for (const person of list) names.note(person);
    if (entry?.type === 'participant.updated') names.note(entry.data);
  });
  const title = () => party.session && show(party.session, party.line.state?.media);
  party.on('session', title);
  party.on('playback', title);
  const source = film({ party, video, banners, names });
  const sync = follow(party, new VideoPlayer(video));
  const aim = new Aim({ party, banners, mine });
  const room = { party, sync, video, seat, names, banners, network, aim, mine, host };
  connection(party, banners);
  source.ready(room);
  const offs = [controls(room), waiting(room), light(room), hud(room), keys(room), people(room), chat(room), reactions(room), call(room), settings(room), invite(room)];

  $('leave').onclick = () => party.leave();
  party.on('state', (state, why) => {
    if (state !== 'closed') return;
    for (const off of offs) off?.();
    sync.stop();
    source.stop();
    over(why);
  });
}

/** A fresh token for the old one; null when there is none to be had: the password is asked for again. */
async function token(seat, again) {
  if (!again) return seat.token;
  try {
    ({ token: seat.token } = await renew(seat.id, seat.token));
    keep(seat);
    return seat.token;
  } catch (error) {
    if (['unauthorized', 'forbidden', 'session_not_found'].includes(error.code)) return null;
    throw error;
  }
}

function show(session, media) {
  write($('room-name'), session.name);
  document.title = `${session.name} · WatchParty`;
  const rule = session.control === 'host' ? 'only the host moves the film' : 'everybody may move the film';
  write($('room-about'), [media && (media.title || media.src), rule, session.locked && 'locked'].filter(Boolean).join(' · '));
}
