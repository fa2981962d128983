// The shapes of docs/PROTOCOL.md as types, and nothing that runs: frames, snapshots, the film's state. Names and units are the
// protocol's own (`_ms`: milliseconds; absolute times are the cluster's, since the Unix epoch), so that the page and the table agree.

/**
 * Where a reader is in a session's log.
 * @typedef {{ epoch: string, seq: number }} Position
 */

/**
 * What an ack says: where the entry is, and whether it was there before.
 * @typedef {{ epoch: string, seq: number, duplicate: boolean }} Ack
 */

/**
 * Somebody with a seat. What is optional comes with `peers` and is missing until then.
 * @typedef {object} Participant
 * @property {string} id
 * @property {string} name
 * @property {string | null} color `#rrggbb`
 * @property {'host' | 'member'} role
 * @property {number} joined_at
 * @property {'connected' | 'reconnecting'} [connection]
 * @property {PlayerStatus} [status]
 * @property {number} [drift_ms] their player's film position minus the room's
 * @property {number} [rtt_ms] what 95 of 100 of their newest round trips take at most
 * @property {number} [ready] the version their player is ready for
 */

/** @typedef {'idle' | 'loading' | 'ready' | 'playing' | 'buffering' | 'lagging' | 'hidden' | 'error'} PlayerStatus */

/**
 * @typedef {object} Session
 * @property {string} id
 * @property {string} name
 * @property {string} host_id
 * @property {number} max_participants
 * @property {boolean} locked
 * @property {'everyone' | 'host'} control who may move the film
 * @property {number} created_at
 * @property {number} expires_at
 */

/** @typedef {{ kind: 'url' | 'sample' | 'file', src: string, title?: string, duration_ms?: number }} Media */

/**
 * The film: one state for everybody.
 * @typedef {object} Playback
 * @property {number} version grows by one with every change
 * @property {'waiting' | 'playing' | 'paused'} phase
 * @property {Media} media
 * @property {number} position_ms where the film is at `anchor_ms`
 * @property {number} anchor_ms
 * @property {number} rate
 * @property {number} effective_at_ms when this state replaces the one before
 * @property {string} actor who put the film where it is
 * @property {'load' | 'play' | 'pause' | 'seek' | 'rate' | 'ready' | 'quorum' | 'deadline' | 'forced' | 'clock'} reason
 * @property {string} [clock] the clock that its times are by, for nodes
 * @property {{ version: number, since_ms: number, deadline_ms: number }} [waiting]
 */

/**
 * A frame of the server. Entries have `seq`; `from` is null when a node or a server key speaks.
 * @typedef {object} Frame
 * @property {string} type
 * @property {any} [data]
 * @property {string} [id]
 * @property {number} [n]
 * @property {number} [seq]
 * @property {number} [ts]
 * @property {string | null} [from]
 * @property {string} [to]
 */

/** @typedef {Frame & { seq: number, ts: number, from: string | null }} Entry */

/**
 * What stands for the past in `welcome` and `reset`.
 * @typedef {object} Snapshot
 * @property {Session} session
 * @property {string} epoch
 * @property {number} head
 * @property {Participant[]} participants at most 100, in order of joining
 * @property {number} participants_total
 * @property {string} host_id
 * @property {{ playback?: Playback }} slots
 * @property {number} now_ms
 * @property {string | null} reason
 */

/**
 * @typedef {Snapshot & { participant_id: string, role: 'host' | 'member', recovered: boolean, last_n: number, durability: string,
 *   ping_interval_ms: number, limits: { message_bytes: number, messages_per_second: number } }} Welcome
 */

export {};
