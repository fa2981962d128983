//! Listeners of one room that one shard serves: the loop that everything else is built around.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::act::{Act, Batch, Ended};
use super::outbox::{Closing, Delivery, Outbox};
use crate::backend::log::Relay;
use crate::metrics::Metrics;
use crate::metrics::label::SentKind;
use crate::model::id::ConnectionId;
use crate::protocol::close::Ending;
use crate::protocol::framing::Framing;

/// Listeners served before others may run: a direct write does not count against the runtime's budget. Some milliseconds of writes.
const YIELD_EVERY: usize = 256;

/// Listeners whose memory is asked for at once: since their last entry it has left every cache, and a core waits for many lines as long as for one.
/// So few that the first are not pushed out by the writes before theirs.
const AHEAD: usize = 16;

/// How long a shard has had its thread, in listeners served.
#[derive(Debug, Default)]
pub(super) struct Turn(pub(super) usize);

impl Turn {
    pub(super) async fn served(&mut self, listeners: usize) {
        self.0 += listeners;
        if self.0 >= YIELD_EVERY {
            self.0 = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// One of them. Its number stands beside it, so that who goes is found without a look at everybody's memory.
#[derive(Debug)]
struct Listener {
    connection: ConnectionId,
    outbox: Arc<Outbox>,
}

/// Some or all listeners of a room.
#[derive(Debug, Default)]
pub(super) struct Listeners(Vec<Listener>);

impl Listeners {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn add(&mut self, outbox: Arc<Outbox>) {
        self.0.push(Listener { connection: outbox.connection, outbox });
    }

    /// All of them, as many at a time as are served in one turn.
    pub(super) fn chunks(&self) -> impl Iterator<Item = impl ExactSizeIterator<Item = &Arc<Outbox>>> {
        self.0.chunks(YIELD_EVERY).map(|some| some.iter().map(|listener| &listener.outbox))
    }

    /// Takes one out, if it is among them.
    pub(super) fn remove(&mut self, connection: ConnectionId) -> Option<Arc<Outbox>> {
        let at = self.0.iter().position(|listener| listener.connection == connection)?;
        Some(self.0.swap_remove(at).outbox)
    }

    /// Carries out what the room has for them.
    pub(super) async fn hear(&self, act: &Act, turn: &mut Turn, metrics: &Metrics) {
        let mut relayed = Relayed::default();
        for some in self.0.chunks(YIELD_EVERY) {
            match act {
                Act::Batch(batch) => hand(some, batch, metrics),
                Act::Relayed(relay) => {
                    some.iter().for_each(|listener| relayed.pass(relay, &listener.outbox, metrics));
                }
                other => some.iter().for_each(|listener| meet(&listener.outbox, other)),
            }
            turn.served(some.len()).await;
        }
    }
}

/// The hot loop: a look at some, then a write for each healthy one, and nothing else.
fn hand(listeners: &[Listener], batch: &Batch, metrics: &Metrics) {
    let (mut sent, mut bytes) = (0, 0);
    for some in listeners.chunks(AHEAD) {
        some.iter().for_each(|listener| listener.outbox.fetch());
        for Listener { outbox: listener, .. } in some {
            match batch.runs.get(listener.framing()).map(|run| listener.deliver(run)) {
                Some(Delivery::Sent(written)) => {
                    sent += 1;
                    bytes += written as u64;
                }
                Some(Delivery::Skipped | Delivery::Lagging) => {}
                // It came after the run was begun.
                None => listener.lag(),
            }
        }
    }
    batch.sent(sent);
    metrics.sockets.sent_bytes.increment(bytes);
}

fn meet(listener: &Outbox, act: &Act) {
    let seat = listener.seat();
    match act {
        Act::Reset { history, frame } => {
            listener.reset(history, frame);
        }
        Act::Adopt { at, frame } => listener.adopt(*at, frame),
        Act::Replaced { participant, newest } => {
            if seat.is_some_and(|(seat, _)| seat.participant == *participant && seat.generation < *newest) {
                listener.finish(Closing::Ours(Ending::Replaced));
            }
        }
        Act::Ended(Ended { at, whose, ending }) => {
            let concerns = |who| whose.is_none_or(|whose| whose == who);
            if seat.is_some_and(|(seat, since)| concerns(seat.participant) && since < at) {
                listener.finish_after(*at, Closing::Ours(*ending));
            }
        }
        Act::Lost(seats) => {
            if seat.is_some_and(|(seat, _)| seats.contains(seat)) {
                listener.finish(Closing::Ours(Ending::SeatLost));
            }
        }
        Act::NoSession => listener.finish(Closing::Ours(Ending::NoSession)),
        Act::Told(event, frame) => listener.send(event, frame),
        // Given to all at once, above.
        Act::Batch(_) | Act::Relayed(_) => {}
    }
}

/// A relayed frame, encoded when the first listener of a framing wants it.
#[derive(Debug, Default)]
pub(super) struct Relayed([Option<Bytes>; Framing::ALL.len()]);

impl Relayed {
    /// Passes it to a listener for whom it is meant.
    pub(super) fn pass(&mut self, relay: &Relay, listener: &Outbox, metrics: &Metrics) {
        let framing = listener.framing_of(relay.frame.len());
        let bytes = self.0[framing as usize].get_or_insert_with(|| {
            let mut out = BytesMut::new();
            framing.encode(relay.event(), None, &relay.frame, &mut out);
            out.freeze()
        });
        let sent = match relay.to {
            Some(_) => listener.send_direct(bytes),
            None => listener.send_ephemeral(bytes),
        };
        if sent {
            metrics.sockets.frames_sent.get(SentKind::Direct).increment(1);
        } else {
            metrics.fan_out.ephemeral_dropped.increment(1);
        }
    }
}
