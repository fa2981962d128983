// The SDK's public face: what is exported here is the API, and README.md tells of it. Everything else may change.

import { Sync } from './follow.js';
import { Party } from './party.js';

export { VERSION } from './connection.js';
export { Party, Sync };
export { PartyError } from './ring.js';
export { VideoPlayer } from './player.js';

/** @typedef {import('./party.js').Options} Options */
/** @typedef {import('./party.js').Events} Events */
/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./connection.js').State} State */
/** @typedef {import('./frames.js').Ack} Ack */
/** @typedef {import('./frames.js').Entry} Entry */
/** @typedef {import('./frames.js').Media} Media */
/** @typedef {import('./frames.js').Participant} Participant */
/** @typedef {import('./frames.js').Playback} Playback */
/** @typedef {import('./frames.js').Position} Position */
/** @typedef {import('./frames.js').Session} Session */

/**
 * Connects, and stays connected until the session ends, somebody else takes the seat, or `close` or `leave` is called. It returns at
 * once: listen for `state`, or publish right away.
 * @param {Options} options
 * @returns {Party}
 */
export function connect(options) {
  return new Party(options);
}

/**
 * Keeps a player on the party's film until `stop`.
 * @param {Party} party
 * @param {Player} player
 * @returns {Sync}
 */
export function follow(party, player) {
  return new Sync(party, player);
}
