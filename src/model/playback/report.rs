//! What a player tells of itself now and then. It informs: no report moves the film.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The shortest lead: what a browser needs from a message to a frame.
const LEAD_LEAST: Duration = Duration::from_millis(120);
/// The longest lead: beyond it a button feels broken.
const LEAD_MOST: Duration = Duration::from_millis(500);
/// The lead when nobody has reported.
const LEAD_UNKNOWN: Duration = Duration::from_millis(250);
/// What is added to the way of the farthest viewer: a node's and a browser's own delays.
const LEAD_MARGIN: Duration = Duration::from_millis(60);
/// Who is farther than this one-way is not waited for, and catches up alone.
const FAR: Duration = Duration::from_millis(400);

/// How a player fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is the word of the same name in docs/PROTOCOL.md")]
pub enum PlayerStatus {
    Idle,
    Loading,
    Ready,
    Playing,
    Buffering,
    Lagging,
    Hidden,
    Error,
}

impl PlayerStatus {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Idle,
        Self::Loading,
        Self::Ready,
        Self::Playing,
        Self::Buffering,
        Self::Lagging,
        Self::Hidden,
        Self::Error,
    ];
}

/// One report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Its film position minus the room's, in milliseconds.
    pub drift_ms: Option<i64>,
    /// The 95th percentile of its newest round trips, in milliseconds.
    pub rtt_ms: Option<u32>,
    /// How it fares.
    pub status: Option<PlayerStatus>,
}

/// How far ahead a change is dated, from the round trips (in milliseconds) of everybody in the room.
#[must_use]
pub fn lead(round_trips: impl IntoIterator<Item = u32>) -> Duration {
    let one_way = round_trips.into_iter().map(|rtt| Duration::from_millis(u64::from(rtt)) / 2);
    let farthest = one_way.filter(|way| *way <= FAR).max();
    farthest.map_or(LEAD_UNKNOWN, |way| (way + LEAD_MARGIN).clamp(LEAD_LEAST, LEAD_MOST))
}
