//! The film as a line through one point: `sdk/line.js` in Rust, and the truth that players are judged by.
//!
//! Pure. A viewer's `Line` is what came to them, late as their network is; `Truth` is every state the gateway made, as any socket told it first.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Ms;

/// What a state says, as far as a player needs it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Playback {
    pub(super) version: u64,
    pub(super) phase: String,
    pub(super) media: Media,
    pub(super) position_ms: Ms,
    pub(super) anchor_ms: Ms,
    pub(super) rate: f64,
    pub(super) effective_at_ms: Ms,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) waiting: Option<Waiting>,
    /// The rest, so that a state that differs in anything is another.
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// The film, as far as it matters when it ends.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Media {
    #[serde(default)]
    pub(super) duration_ms: Option<Ms>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

/// A film that waits for its viewers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Waiting {
    pub(super) version: u64,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl Playback {
    /// Whether the film moves.
    pub(super) fn plays(&self) -> bool {
        self.phase == "playing"
    }

    /// Where it has the film at a moment of the cluster's time.
    pub(super) fn position(&self, moment: Ms) -> Ms {
        let run = if self.plays() { self.rate * (moment - self.anchor_ms).max(0.0) } else { 0.0 };
        (self.position_ms + run).min(self.end())
    }

    /// Where the film ends.
    pub(super) fn end(&self) -> Ms {
        self.media.duration_ms.unwrap_or(f64::INFINITY)
    }
}

/// What one viewer knows.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The newest state, which may be yet to come into force.
    pub(super) state: Option<Arc<Playback>>,
    before: Option<Arc<Playback>>,
}

impl Line {
    /// A state came; whether it is newer than what was known. `now`: cluster time.
    pub(super) fn take(&mut self, state: Arc<Playback>, now: Ms) -> bool {
        if self.state.as_ref().is_some_and(|known| state.version <= known.version) {
            return false;
        }
        self.before = self.at(now);
        self.state = Some(state);
        true
    }

    /// What a snapshot says, whatever was known.
    pub(super) fn reset(&mut self, state: Option<Arc<Playback>>) {
        self.before = None;
        self.state = state;
    }

    /// The state in force at a moment. Only a film that plays is dated ahead.
    pub(super) fn at(&self, moment: Ms) -> Option<Arc<Playback>> {
        match (&self.before, &self.state) {
            (Some(before), Some(state)) if state.plays() && moment < state.effective_at_ms => {
                Some(before.clone())
            }
            (_, state) => state.clone(),
        }
    }

    /// The clock was set: what had come into force at a moment, by the clock as it was, stays.
    pub(super) fn settle(&mut self, moment: Ms) {
        if self.at(moment) == self.state {
            self.before = None;
        }
    }

    /// Where the film is at a moment.
    pub(super) fn position(&self, moment: Ms) -> Option<Ms> {
        self.at(moment).map(|state| state.position(moment))
    }
}

/// Every state the gateway made, by version, each with when it was first told.
#[derive(Debug, Default)]
pub(super) struct Truth(BTreeMap<u64, (Ms, Arc<Playback>)>);

impl Truth {
    /// Somebody's socket told of a state; all sockets tell the same, and the first is enough.
    pub(super) fn take(&mut self, state: &Arc<Playback>, now: Ms) {
        self.0.entry(state.version).or_insert_with(|| (now, state.clone()));
    }

    /// The newest.
    pub(super) fn newest(&self) -> Option<Arc<Playback>> {
        self.0.last_key_value().map(|(_, (_, state))| state.clone())
    }

    /// The state in force at a moment of true time.
    pub(super) fn at(&self, moment: Ms) -> Option<&Arc<Playback>> {
        self.all().rev().find(|state| state.effective_at_ms <= moment)
    }

    /// Whether for so long before a moment the film went on under one and the same state, which plays, and nobody has moved it again: a state is told
    /// a little before it comes into force, and then a player whose clock is ahead has made the jump that another has yet to make.
    pub(super) fn steady(&self, moment: Ms, since: Ms) -> Option<&Arc<Playback>> {
        let now = self.at(moment)?;
        let quiet = now.anchor_ms.max(now.effective_at_ms) + since <= moment;
        let moved = self.0.values().any(|(told, state)| state.version > now.version && *told <= moment);
        (now.plays() && quiet && !moved).then_some(now)
    }

    /// All states, oldest first.
    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Arc<Playback>> {
        self.0.values().map(|(_, state)| state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(version: u64, phase: &str, effective: Ms) -> Arc<Playback> {
        let json = serde_json::json!({"version": version, "phase": phase, "media": {"kind": "sample", "duration_ms": 60_000},
            "position_ms": 1000, "anchor_ms": effective, "rate": 2, "effective_at_ms": effective});
        Arc::new(serde_json::from_value(json).expect("a state"))
    }

    #[test]
    fn the_truth_is_what_was_in_force() {
        let mut truth = Truth::default();
        assert!(truth.at(0.0).is_none());
        truth.take(&state(2, "playing", 5_000.0), 4_800.0);
        truth.take(&state(1, "paused", 1_000.0), 1_000.0);
        assert_eq!(truth.at(4_999.0).map(|state| state.version), Some(1));
        assert_eq!(truth.at(5_500.0).map(|state| state.position(5_500.0)), Some(2_000.0));
        assert_eq!(truth.at(1e9).map(|state| state.position(1e9)), Some(60_000.0), "not beyond its end");
        assert!(truth.steady(7_999.0, 3_000.0).is_none() && truth.steady(8_000.0, 3_000.0).is_some());
        assert!(truth.steady(4_900.0, 3_000.0).is_none(), "a film that stands is not judged");
        truth.take(&state(3, "playing", 9_200.0), 9_000.0);
        assert!(truth.steady(8_999.0, 3_000.0).is_some() && truth.steady(9_000.0, 3_000.0).is_none());
        assert_eq!(truth.at(9_100.0).map(|state| state.version), Some(2), "told, and not yet in force");
    }
}
