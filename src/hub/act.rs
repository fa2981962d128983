//! What a room has for its listeners, whoever serves them: said once by the room, carried out by each part of a spread room.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::time::Instant;

use super::Commons;
use super::run::Runs;
use crate::backend::log::Relay;
use crate::metrics::label::SentKind;
use crate::model::entry::{Position, Seq};
use crate::model::history::History;
use crate::model::id::ParticipantId;
use crate::model::seat::{Generation, Seat};
use crate::model::time::ClusterMs;
use crate::protocol::close::Ending;

/// One thing that all listeners of a room are told, or that ends some of them.
#[derive(Debug)]
pub(super) enum Act {
    /// The next entries.
    Batch(Box<Batch>),
    /// The log does not go on from where the room was.
    Reset {
        /// The log at the snapshot.
        history: History,
        /// The `reset` frame.
        frame: Bytes,
    },
    /// A new epoch begins here, with no entry of it yet.
    Adopt {
        /// Where.
        at: Position,
        /// The `status` frame.
        frame: Bytes,
    },
    /// A participant's seat is a newer connection's.
    Replaced {
        /// Whose.
        participant: ParticipantId,
        /// Older ones end.
        newest: Generation,
    },
    /// An entry that was delivered ends those whom it concerns.
    Ended(Ended),
    /// Seats that a beat found lost.
    Lost(Vec<Seat>),
    /// There is no such session any more.
    NoSession,
    /// A frame for everybody that nobody keeps.
    Relayed(Relay),
    /// A frame for everybody, and its type.
    Told(&'static str, Bytes),
}

/// An end of seats. A seat taken after the entry is not meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    /// The entry that says so.
    pub(super) at: Seq,
    /// Whose seat; `None` for everybody's.
    pub(super) whose: Option<ParticipantId>,
    /// What they are told.
    pub(super) ending: Ending,
}

/// Encoded entries on their way to the listeners.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) runs: Runs,
    /// When the log took each entry.
    taken: Vec<ClusterMs>,
    /// When they came to the shard.
    arrived: Instant,
    /// Listeners they were written to, or left with.
    sent: AtomicU64,
}

impl Batch {
    pub(super) fn new(runs: Runs, taken: Vec<ClusterMs>, arrived: Instant) -> Self {
        Self { runs, taken, arrived, sent: AtomicU64::new(0) }
    }

    /// So many more listeners were given it.
    pub(super) fn sent(&self, listeners: u64) {
        self.sent.fetch_add(listeners, Ordering::Relaxed);
    }
}

impl Act {
    /// Every part of the room has carried it out.
    pub(super) fn done(self, commons: &Commons) {
        let Self::Batch(batch) = self else { return };
        let fan_out = &commons.metrics.fan_out;
        let deliveries = batch.sent.into_inner() * batch.taken.len() as u64;
        fan_out.deliveries.increment(deliveries);
        commons.metrics.sockets.frames_sent.get(SentKind::Entry).increment(deliveries);
        let (took, now) = (batch.arrived.elapsed(), commons.clock.now());
        let lag = fan_out.delivery_lag.get(commons.origin);
        for ts in batch.taken {
            fan_out.broadcast.record(took);
            lag.record(now.since(ts));
        }
    }
}
