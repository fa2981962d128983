//! The same film by another clock: after a failover the cluster's time is another host's, and a film that was dated by the one before
//! would be off by what the two differ.
//!
//! Who decides, or writes, tells the film by its own clock first ([`Playback::told_by`]), so that nobody's mistake is kept. [`rewrite`] is
//! for a film that nobody touches: the state that every node with the room open tries to put in its place, and the slot's version lets one.

use std::time::Duration;

use super::{Phase, Playback, Reason, Waiting};
use crate::model::time::{ClockName, ClusterMs, millis};

/// Up to here a film is left as it is: players absorb it, most by their speed alone.
pub const STEP: Duration = Duration::from_millis(250);

impl Playback {
    /// The same state by a clock that is so many milliseconds ahead of the one it was dated by: each instant, not its number, stays.
    #[must_use]
    pub fn told_by(self, clock: Option<ClockName>, ahead_ms: i64) -> Self {
        let shifted = |then: ClusterMs| then.shifted(ahead_ms);
        let phase = match self.phase {
            Phase::Waiting(Waiting { version, since_ms, deadline_ms }) => Phase::Waiting(Waiting {
                version,
                since_ms: shifted(since_ms),
                deadline_ms: shifted(deadline_ms),
            }),
            still @ (Phase::Playing | Phase::Paused) => still,
        };
        let (anchor, effective_at) = (shifted(self.anchor), shifted(self.effective_at));
        Self { phase, anchor, effective_at, clock, ..self }
    }

    /// Whether a clock that is so far ahead of the one it was dated by moves it: one that stands has no time to be wrong about.
    #[must_use]
    pub fn is_moved_by(&self, ahead_ms: i64) -> bool {
        !matches!(self.phase, Phase::Paused) && ahead_ms.unsigned_abs() > millis(STEP)
    }
}

/// The state in which a film is where it was before the clock moved; `None` when it does not matter.
#[must_use]
pub fn rewrite(film: &Playback, clock: Option<ClockName>, ahead_ms: i64) -> Option<Playback> {
    film.is_moved_by(ahead_ms).then(|| {
        let told = film.clone().told_by(clock, ahead_ms);
        // A wait keeps its reason: a pause in it, and the play after, go by it.
        let reason = if film.phase == Phase::Playing { Reason::Clock } else { film.reason };
        Playback { version: film.version + 1, reason, ..told }
    })
}
