//! Whose listeners a room has: a message for one participant finds theirs without a look at everybody's.
//!
//! A room keeps this from its first such message on, so one without any pays nothing for it. Responsible for who listens for whom, and
//! where; not for what they are given (`listeners`), nor for the queues to other shards (`spread`).

use std::collections::HashMap;
use std::sync::Arc;

use super::outbox::Outbox;
use crate::model::id::ParticipantId;

/// One listener of a participant.
#[derive(Debug)]
pub(super) struct Receiver {
    /// With which other shard it is; `None` for the room's own.
    pub(super) place: Option<usize>,
    pub(super) outbox: Arc<Outbox>,
}

/// The listeners of a room by their participants. Most have one, and for a moment two, when a newer connection replaces theirs.
#[derive(Debug, Default)]
pub(super) struct Receivers(HashMap<ParticipantId, Vec<Receiver>>);

impl Receivers {
    pub(super) fn add(&mut self, place: Option<usize>, outbox: &Arc<Outbox>) {
        let Some((seat, _)) = outbox.seat() else { return };
        let theirs = self.0.entry(seat.participant).or_insert_with(|| Vec::with_capacity(1));
        theirs.push(Receiver { place, outbox: outbox.clone() });
    }

    pub(super) fn remove(&mut self, outbox: &Outbox) {
        let Some((seat, _)) = outbox.seat() else { return };
        let Some(theirs) = self.0.get_mut(&seat.participant) else { return };
        theirs.retain(|receiver| receiver.outbox.connection != outbox.connection);
        if theirs.is_empty() {
            self.0.remove(&seat.participant);
        }
    }

    /// Who listens for a participant.
    pub(super) fn of(&self, participant: ParticipantId) -> &[Receiver] {
        self.0.get(&participant).map_or(&[], Vec::as_slice)
    }
}
