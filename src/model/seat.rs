//! A participant's place in a session: the seat, who sits in it, and the view of a session at one position.

use serde::Serialize;

use super::history::History;
use super::id::{ParticipantId, SessionId};
use super::participant::{Color, DisplayName, Role};
use super::session::SessionRecord;
use super::time::ClusterMs;

/// Counts the times seats of a session were taken. A connection may write only under the generation it joined with: a node that
/// was frozen while its participant came back elsewhere holds an older one and is `stale`. They rise, with holes where the store restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u64);

/// How a participant looks to the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// What to call them.
    pub name: DisplayName,
    /// Their colour, if they chose one.
    pub color: Option<Color>,
}

impl Profile {
    /// The JSON object stored with the seat: `{"name":…,"color":…}`.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Two strings always serialise.
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{}"))
    }
}

/// A seat as its connection knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    /// In which session.
    pub session: SessionId,
    /// Whose.
    pub participant: ParticipantId,
    /// Since which taking.
    pub generation: Generation,
}

/// A seated participant as others are told of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Participant {
    /// Who.
    pub id: ParticipantId,
    /// What to call them.
    pub name: DisplayName,
    /// Their colour.
    pub color: Option<Color>,
    /// Host or member, now.
    pub role: Role,
    /// When they took the seat they hold.
    pub joined_at: ClusterMs,
}

/// A named piece of session state: its version and its JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name, for example `playback`.
    pub name: String,
    /// Grows by one with every change.
    pub version: u64,
    /// The value, one JSON text.
    pub value: String,
}

/// A session at one position of its log: what stands for the past when the past is not replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The record, host included.
    pub record: SessionRecord,
    /// The log at that moment; `history.head` is the snapshot's position.
    pub history: History,
    /// Every slot.
    pub slots: Vec<Slot>,
    /// The longest-seated participants, at most what was asked for, in order of joining.
    pub participants: Vec<Participant>,
    /// How many there are in all.
    pub participants_total: u32,
}
