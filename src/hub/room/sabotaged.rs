//! The room without its backfill, for the broken build of that name (`sabotage`). Compiled for tests only.

use bytes::Bytes;

use super::{Live, Step};
use crate::hub::outbox::Delivery;
use crate::hub::ring::Run;
use crate::model::history::History;

impl Live {
    /// In step with the log by saying so: listeners are put at its head and never given what lies between.
    pub(super) fn declare_in_step(&mut self, history: &History) -> Step {
        let nothing = Run {
            begin: self.at.epoch,
            first: self.at.seq.next(),
            end: history.position(),
            bytes: Bytes::new(),
        };
        for listener in self.listeners() {
            if listener.deliver(&nothing) == Delivery::Sent {
                tracing::debug!(connection = ?listener.connection, "sabotage: skipped what was missed");
            }
        }
        self.at = history.position();
        self.lock_ring(|ring, at| ring.restart(at));
        self.catch_up()
    }
}
