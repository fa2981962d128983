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

function film(who, { from, data }, before) {
  const { reason, phase, media, rate } = data;
  const old = before?.data;
  if (old && old.version === data.version) return null; // a command that changed nothing
  const at = clock(data.position_ms);
  if (from === null) {
    if (phase !== 'playing') return null;
    return { ready: 'Everybody is ready: on it goes', quorum: 'Most are ready: on it goes', deadline: 'Waited long enough: on it goes' }[reason] ?? null;
  }
  if (old && old.rate !== rate && old.media.src === media.src && reason !== 'load') return `${who} set the speed to ${rate}×`;
  // `reason` stays what put the film where it is, so a play that follows a seek is known by the phase alone.
  if (phase === 'waiting' && old?.phase === 'paused') return `${who} pressed play at ${at}`;
  switch (reason) {
    case 'load': return `${who} put on “${media.title || media.src}”`;
    case 'play': return `${who} pressed play at ${at}`;
    case 'forced': return `${who} started without waiting`;
    case 'seek': return phase === 'paused' && old?.phase === 'waiting' ? `${who} paused at ${at}` : `${who} jumped to ${at}`;
    case 'pause': return `${who} paused at ${at}`;
    case 'rate': return `${who} set the speed to ${rate}×`;
    default: return null;
  }
}
