//! What a session may be and what is kept of it: its life, its size, its log, its seats.

use std::time::Duration;

use super::reader::Reader;
use super::setting::{Form, Preset, Setting};
use crate::model::history::Retention;

/// Thirty days: a session nobody touched for longer is not one anybody comes back to.
const TTL_SECONDS_MAX: u64 = 30 * 24 * 3600;

pub(super) const SESSION_TTL: Setting = Setting::open(
    "SESSION_TTL",
    Preset::Text("86400"),
    Form::seconds(60, TTL_SECONDS_MAX),
    "Life of a session after the last join, entry or beat of someone connected.",
);
pub(super) const SESSION_MAX_PARTICIPANTS: Setting = Setting::open(
    "SESSION_MAX_PARTICIPANTS",
    Preset::Text("1000"),
    Form::Count { min: 1, max: 100_000 },
    "The largest max_participants a client may ask for.",
);
pub(super) const PARTICIPANT_LEASE: Setting = Setting::open(
    "PARTICIPANT_LEASE",
    Preset::Text("30"),
    Form::seconds(10, 300),
    "How long a seat outlives its connection or its node: the time to come back in.",
);
pub(super) const HISTORY_ENTRIES: Setting = Setting::open(
    "HISTORY_ENTRIES",
    Preset::Text("1000"),
    Form::Count { min: 100, max: 100_000 },
    "Entries a session's log keeps at least; older positions get reset.",
);
pub(super) const HISTORY_AGE: Setting = Setting::open(
    "HISTORY_AGE",
    Preset::Text("600"),
    Form::seconds(0, 24 * 3600),
    "Entries younger than this are kept beyond HISTORY_ENTRIES, up to HISTORY_BYTES.",
);
pub(super) const HISTORY_BYTES: Setting = Setting::open(
    "HISTORY_BYTES",
    Preset::Text("8MiB"),
    Form::Bytes { min: 0, max: 1 << 30 },
    "A session's log that takes more keeps HISTORY_ENTRIES alone, so that no flood fills the store.",
);
pub(super) const MESSAGE_BYTES: Setting = Setting::open(
    "MESSAGE_BYTES",
    Preset::Text("65536"),
    Form::Bytes { min: 4096, max: 1_048_576 },
    "One message from a client; over it the socket closes with 1009.",
);

pub(super) const SETTINGS: &[&Setting] = &[
    &SESSION_TTL,
    &SESSION_MAX_PARTICIPANTS,
    &PARTICIPANT_LEASE,
    &HISTORY_ENTRIES,
    &HISTORY_AGE,
    &HISTORY_BYTES,
    &MESSAGE_BYTES,
];

/// What a session may be, and what is kept of it.
#[derive(Clone, Debug)]
pub struct SessionsConfig {
    /// Life after the last sign of somebody connected.
    pub ttl: Duration,
    /// The largest `max_participants` a client may ask for.
    pub max_participants: u32,
    /// How long a seat outlives its connection.
    pub participant_lease: Duration,
    /// What a log keeps.
    pub history: Retention,
    /// Longest message of a client, in bytes.
    pub message_bytes: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> SessionsConfig {
    SessionsConfig {
        ttl: reader.span(&SESSION_TTL),
        max_participants: reader.count(&SESSION_MAX_PARTICIPANTS),
        participant_lease: reader.span(&PARTICIPANT_LEASE),
        history: Retention {
            entries: reader.count(&HISTORY_ENTRIES),
            age: reader.span(&HISTORY_AGE),
            bytes: reader.count(&HISTORY_BYTES),
        },
        message_bytes: reader.count(&MESSAGE_BYTES),
    }
}
