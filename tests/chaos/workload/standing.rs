//! How one client stands, for those who wait until everybody has everything.
//!
//! Written by the client, read by the workload. It decides nothing.

use std::sync::{Mutex, PoisonError};

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No connection, or no `welcome` on it yet.
    Away,
    /// Welcomed.
    Seated,
    /// Closed with a code after which a client does not come back.
    Ended(u16),
}

#[derive(Debug, Clone, Copy)]
struct State {
    phase: Phase,
    at: u64,
    came: bool,
    quiet: bool,
}

/// The standing of one client.
#[derive(Debug)]
pub(crate) struct Standing(Mutex<State>);

impl Default for Standing {
    fn default() -> Standing {
        Standing(Mutex::new(State { phase: Phase::Away, at: 0, came: false, quiet: false }))
    }
}

impl Standing {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn seated(&self, at: u64) {
        self.with(|state| (state.phase, state.at, state.came) = (Phase::Seated, at, true));
    }

    pub(crate) fn away(&self) {
        self.with(|state| (state.phase, state.quiet) = (Phase::Away, false));
    }

    pub(crate) fn ended(&self, code: u16) {
        self.with(|state| state.phase = Phase::Ended(code));
    }

    pub(crate) fn heard(&self, seq: u64) {
        self.with(|state| state.at = seq);
    }

    /// Whether they have said their last word and everything they said is acked.
    pub(crate) fn quiet(&self, quiet: bool) {
        self.with(|state| state.quiet = quiet);
    }

    pub(crate) fn phase(&self) -> Phase {
        self.with(|state| state.phase)
    }

    /// The code after which they did not come back.
    pub(crate) fn ended_with(&self) -> Option<u16> {
        match self.phase() {
            Phase::Ended(code) => Some(code),
            _ => None,
        }
    }

    pub(crate) fn is_seated(&self) -> bool {
        self.phase() == Phase::Seated
    }

    /// The number up to which they have everything.
    pub(crate) fn at(&self) -> u64 {
        self.with(|state| state.at)
    }

    /// Whether they were welcomed once, or turned away for good.
    pub(crate) fn has_come(&self) -> bool {
        self.with(|state| state.came || matches!(state.phase, Phase::Ended(_)))
    }

    /// Whether nothing more is to be expected of them: silent and seated, or gone for good.
    pub(crate) fn is_done(&self) -> bool {
        self.with(|state| match state.phase {
            Phase::Seated => state.quiet,
            Phase::Away => false,
            Phase::Ended(_) => true,
        })
    }
}
