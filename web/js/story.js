// Entries as sentences: who did what. Pure, but for the names; null for what need not be told.

import { clock } from './words.js';

/** @import { Names } from './names.js' */

/**
 * @param {any} entry
 * @param {any} before the playback entry before it, if it is one
 * @param {Names} names
 * @returns {string | null}
 */
export function story(entry, before, names) {
  const { type, from, data } = entry;
  const who = names.subject(from);
  if (type === 'playback') return film(who, entry, before);
  if (type === 'participant.joined') return `${names.subject(data.id)} joined`;
  if (type === 'participant.updated') return data.name ? `${who === 'You' ? 'You are' : 'Somebody is'} called ${data.name} now` : null;
  if (type === 'participant.left') return left(data, from, names);
  if (type === 'host.changed') return `${be(names.subject(data.host_id))} host${data.reason === 'reclaimed' ? ' again' : ' now'}`;
  if (type === 'session.updated') return `${who} changed the session: ${rules(data)}`;
  if (type === 'session.ended') return `${who} ended the session`;
  return null;
}

const be = (who) => (who === 'You' ? 'You are' : `${who} is`);

function left({ participant_id, reason }, from, names) {
  const who = names.subject(participant_id);
  if (reason === 'kicked') return `${names.subject(from)} removed ${names.name(participant_id)}`;
  return reason === 'timeout' ? `${who} lost the connection` : `${who} left`;
}

function rules({ name, max_participants, locked, control }) {
  const parts = [`“${name}”`, `${max_participants} seats`];
  if (locked) parts.push('locked');
  if (control === 'host') parts.push('only the host moves the film');
  return parts.join(', ');
}

function film(who, entry, before) {
  const { reason, phase, media, rate, position_ms } = entry.data;
  const at = clock(position_ms);
  if (entry.from === null) {
    if (phase !== 'playing' || before?.data.version === entry.data.version) return null;
    return { ready: 'Everybody is ready: on it goes', quorum: 'Most are ready: on it goes', deadline: 'Waited long enough: on it goes' }[reason] ?? null;
  }
  switch (deed(entry, before)) {
    case 'load': return `${who} put on “${media.title || media.src}”`;
    case 'play': return `${who} pressed play at ${at}`;
    case 'forced': return `${who} started without waiting`;
    case 'seek': return `${who} jumped to ${at}`;
    case 'pause': return `${who} paused at ${at}`;
    case 'rate': return `${who} set the speed to ${rate}×`;
    default: return null;
  }
}

/** What somebody did to the film. `reason` stays what put it where it is, so much is known only by what was before. */
function deed({ data }, before) {
  const { reason, phase, media, rate, position_ms, version } = data;
  const old = before?.data;
  if (!old) return reason;
  if (old.version === version) return null; // a command that changed nothing
  if (old.rate !== rate && old.media.src === media.src && reason !== 'load') return 'rate';
  if (phase === 'waiting' && old.phase === 'paused') return 'play';
  if (reason !== 'seek' || phase !== 'paused') return reason;
  if (old.phase === 'waiting') return 'pause';
  return old.phase === 'paused' && old.position_ms === position_ms ? null : 'seek';
}

/** Whether an entry is somebody's jump to another place in the film. @param {any} entry @param {any} before as for `story` */
export const jumped = (entry, before) => entry.type === 'playback' && entry.from !== null && deed(entry, before) === 'seek';
