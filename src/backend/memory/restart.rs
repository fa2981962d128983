//! The reference model's restarts: what is left of a session when its store loses everything after some moment.
//!
//! Responsible for the door through which an integration test makes the model go through what a Redis goes through: `tests/differential` keeps
//! a session before each step and goes back to what survived a crash. Not responsible for what a restart means (`session`). No gateway calls
//! this: a process that holds its sessions in memory loses all of them when it ends.

use super::Memory;
use super::session::Session;
use super::shards::lock;
use crate::model::id::SessionId;

/// One session as it was at a moment, or that there was none.
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Kept(Option<Session>);

impl Memory {
    /// What one session is now, to go back to.
    #[doc(hidden)]
    #[must_use]
    pub fn keep(&self, session: SessionId) -> Kept {
        Kept(self.shards.get(session).and_then(|cell| lock(&cell).session.clone()))
    }

    /// A restart or promotion of the store after which `kept` is all it has of the session. Who listens goes on listening.
    #[doc(hidden)]
    pub fn restart(&self, session: SessionId, kept: &Kept) {
        let survived = kept.0.clone().map(|mut survived| {
            survived.restart();
            survived
        });
        lock(&self.shards.get_or_new(session)).session = survived;
    }
}
