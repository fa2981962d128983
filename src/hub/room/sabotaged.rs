//! The room without its backfill, for the broken build of that name (`sabotage`). Compiled for tests only.

use bytes::Bytes;
use tokio::time::Instant;

use super::{Live, Step};
use crate::hub::act::{Act, Batch};
use crate::hub::run::{Run, Runs};
use crate::model::history::History;

impl Live {
    /// In step with the log by saying so: listeners are put at its head and never given what lies between.
    pub(super) fn declare_in_step(&mut self, history: &History) -> Step {
        let nothing = Run {
            begin: self.at.epoch,
            first: self.at.seq.next(),
            end: history.position(),
            bytes: Bytes::new(),
            narrow: None,
        };
        let batch = Batch::new(Runs::same(&nothing), Vec::new(), Instant::now());
        self.acts.push(Act::Batch(Box::new(batch)));
        self.at = history.position();
        self.lock_ring(|ring, at| ring.restart(at));
        self.catch_up()
    }
}
