//! When a film that waits starts: when everybody is ready, when most are and the others had a second, or at the deadline.
//!
//! Nobody owns the wait. Every node with the room open asks [`verdict`] and tries [`start`]; the slot's version lets one of them win.
//! So one viewer, however slow or silent, never holds the others for longer than the deadline.

use super::command::{Moment, PATIENCE};
use super::{Phase, Playback, Reason, Waiting};
use crate::model::time::ClusterMs;

/// How many of how many viewers are ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Those waited for: who had joined when the wait began, and is not known to be reconnecting.
    pub required: usize,
    /// Those of them who are ready.
    pub ready: usize,
}

impl Tally {
    /// Three quarters: one of four may be left behind, one of two may not.
    fn is_quorum(self) -> bool {
        self.ready > 0 && self.ready.saturating_mul(4) >= self.required.saturating_mul(3)
    }
}

/// Whether to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Now, for this reason.
    Start(Reason),
    /// If nothing else happens, look again then.
    Until(ClusterMs),
}

/// Judges a wait. Without a tally (nobody knows whom to wait for) only the deadline counts; so it does when nobody is waited for.
#[must_use]
pub fn verdict(waiting: Waiting, tally: Option<Tally>, now: ClusterMs) -> Verdict {
    let patience = waiting.since_ms.plus(PATIENCE);
    match tally {
        Some(tally) if tally.required > 0 && tally.ready >= tally.required => Verdict::Start(Reason::Ready),
        Some(tally) if tally.is_quorum() && now >= patience => Verdict::Start(Reason::Quorum),
        _ if now >= waiting.deadline_ms => Verdict::Start(Reason::Deadline),
        Some(tally) if tally.is_quorum() => Verdict::Until(patience.min(waiting.deadline_ms)),
        _ => Verdict::Until(waiting.deadline_ms),
    }
}

/// The state in which a wait has ended; `None` when the film does not wait for this version (any more).
#[must_use]
pub fn start(film: &Playback, version: u64, reason: Reason, at: Moment) -> Option<Playback> {
    film.waiting().filter(|waiting| waiting.version == version)?;
    Some(Playback {
        version: film.version + 1,
        phase: Phase::Playing,
        anchor: at.ahead(),
        effective_at: at.ahead(),
        reason,
        clock: at.clock,
        ..film.clone()
    })
}
