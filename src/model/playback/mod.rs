//! The film of a session: one state for everybody, the `playback` slot, and the pure rules by which it changes.
//!
//! - `media`: what is played, and the film's own units.
//! - `command`: what a participant asks for, and what the state becomes.
//! - `barrier`: when a film that waits for its viewers starts.
//! - `redate`: the same film by another clock.
//! - `report`: what a player tells of itself, and the lead time that follows.
//!
//! Here is no clock, no I/O and no randomness, and nothing ticks: a film that plays is a line through one point (position and
//! anchor), so that whoever knows the state and the cluster's time knows the frame. Which node computes a state does not matter;
//! the slot's version decides which of two lands.

pub mod barrier;
pub mod command;
pub mod media;
pub mod redate;
pub mod report;

use serde::{Deserialize, Serialize};

use super::id::ParticipantId;
use super::time::{ClockName, ClusterMs};
use media::{Media, MediaMs, RateMilli};

/// The slot's name.
pub const SLOT: &str = "playback";

/// What the film does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It stands until its viewers are ready.
    Waiting(Waiting),
    /// It runs.
    Playing,
    /// It stands.
    Paused,
}

/// A wait for viewers who have to load the film at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The version to be ready for: the one that put the film where it is.
    pub version: u64,
    /// When the film stopped for it. Who joined later is not waited for.
    pub since_ms: ClusterMs,
    /// When it starts whoever is ready.
    pub deadline_ms: ClusterMs,
}

/// Why the film is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Another film.
    Load,
    /// Somebody started it.
    Play,
    /// Somebody stopped it.
    Pause,
    /// Somebody moved it.
    Seek,
    /// Somebody changed its speed.
    Rate,
    /// Everybody was ready.
    Ready,
    /// Most were, and the others had a second.
    Quorum,
    /// The wait was over.
    Deadline,
    /// Somebody would not wait.
    Forced,
    /// The cluster's clock is another host's; the film is where it was.
    Clock,
}

/// A film and where it is. Without one a session is *idle*: it has no slot, and its version is 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Playback {
    /// Grows by one with every change.
    pub version: u64,
    /// What it does.
    pub phase: Phase,
    /// Which film.
    pub media: Media,
    /// Where it is at `anchor`.
    pub position: MediaMs,
    /// When it is there. May be yet to come.
    pub anchor: ClusterMs,
    /// How fast it runs.
    pub rate: RateMilli,
    /// When this state replaces the one before it.
    pub effective_at: ClusterMs,
    /// Who put it where it is.
    pub actor: ParticipantId,
    /// How.
    pub reason: Reason,
    /// The clock that its times are by; `None` where there is one for ever, as in memory.
    pub clock: Option<ClockName>,
}

impl Playback {
    /// Where the film is at a moment: `position + rate · max(0, now − anchor)` while it plays, at most its duration.
    #[must_use]
    pub fn position_at(&self, now: ClusterMs) -> MediaMs {
        let position = match self.phase {
            Phase::Playing => self.position.run(self.anchor, now, self.rate),
            Phase::Waiting(_) | Phase::Paused => self.position,
        };
        self.media.within(position)
    }

    /// The wait, if it waits.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        match self.phase {
            Phase::Waiting(waiting) => Some(waiting),
            Phase::Playing | Phase::Paused => None,
        }
    }

    /// The slot's value, and the data of a `playback` entry.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings and whole numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads [`Self::to_json`]; `None` for anything that is not a state.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The JSON form. It differs from the state in that the wait stands beside the phase's name.
#[derive(Serialize, Deserialize)]
struct Wire {
    version: u64,
    phase: PhaseName,
    media: Media,
    position_ms: MediaMs,
    anchor_ms: ClusterMs,
    rate: RateMilli,
    effective_at_ms: ClusterMs,
    actor: ParticipantId,
    reason: Reason,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock: Option<ClockName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PhaseName {
    Waiting,
    Playing,
    Paused,
}

impl From<Playback> for Wire {
    fn from(film: Playback) -> Self {
        let phase = match film.phase {
            Phase::Waiting(_) => PhaseName::Waiting,
            Phase::Playing => PhaseName::Playing,
            Phase::Paused => PhaseName::Paused,
        };
        Self {
            version: film.version,
            phase,
            waiting: film.waiting(),
            media: film.media,
            position_ms: film.position,
            anchor_ms: film.anchor,
            rate: film.rate,
            effective_at_ms: film.effective_at,
            actor: film.actor,
            reason: film.reason,
            clock: film.clock,
        }
    }
}

/// A stored state whose phase and wait do not fit together.
#[derive(Debug, thiserror::Error)]
#[error("`waiting` belongs to the phase of that name, and to no other")]
struct Mismatch;

impl TryFrom<Wire> for Playback {
    type Error = Mismatch;

    fn try_from(wire: Wire) -> Result<Self, Mismatch> {
        let phase = match (wire.phase, wire.waiting) {
            (PhaseName::Waiting, Some(waiting)) => Phase::Waiting(waiting),
            (PhaseName::Playing, None) => Phase::Playing,
            (PhaseName::Paused, None) => Phase::Paused,
            _ => return Err(Mismatch),
        };
        Ok(Self {
            version: wire.version,
            phase,
            media: wire.media,
            position: wire.position_ms,
            anchor: wire.anchor_ms,
            rate: wire.rate,
            effective_at: wire.effective_at_ms,
            actor: wire.actor,
            reason: wire.reason,
            clock: wire.clock,
        })
    }
}

#[cfg(test)]
mod tests;
