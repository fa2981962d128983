//! Acks that nothing stands behind, for the broken build of that name (`sabotage`). Compiled for tests only.

use super::{Gateway, Item};
use crate::backend::log::Published;
use crate::model::entry::{Epoch, Position, Seq};
use crate::sabotage::{self, Break};

impl Gateway {
    /// Acks all of it, at a place made up, and leaves nobody to be told how it really went.
    pub(super) fn ack_if_sabotaged(&self, batch: Vec<Item>) -> Vec<Item> {
        if !sabotage::is(Break::AckBeforeRedis) {
            return batch;
        }
        for item in batch {
            let made_up = Position { epoch: Epoch::new_random(), seq: Seq::ZERO };
            self.respond(item, Ok(Published::Accepted(made_up)));
        }
        Vec::new()
    }
}
