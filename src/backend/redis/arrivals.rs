//! The way of messages from the subscriber's connection up to [`Deliver`].
//!
//! Responsible for a bounded queue between the two, for reading each message, and for telling rooms that missed one. Not responsible for
//! which channels are listened to (`subscriber`). A full queue drops messages and notes whose they were: the connection must never wait
//! for the hub, or its confirmations and its end would go unnoticed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::meters::Meters;
use super::wire::{self, Notice};
use crate::backend::log::Deliver;
use crate::model::id::SessionId;

/// Messages that may wait for the hub: a second of a very busy node. Past it they are dropped, and their rooms read the log.
const QUEUED_MAX: usize = 8192;
/// Messages taken from the queue at once.
const TAKEN: usize = 64;

/// A channel this node may listen to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Channel {
    Session(SessionId),
    /// The node's own, for its probe.
    Home,
}

/// A message on its way.
struct Arrived {
    channel: Channel,
    payload: Bytes,
}

/// The connection's end of the queue.
#[derive(Clone)]
pub(super) struct Queue {
    sender: mpsc::Sender<Arrived>,
    dropped: Arc<Mutex<HashSet<SessionId>>>,
}

/// The hub's end of the queue.
pub(super) struct Arrivals {
    receiver: mpsc::Receiver<Arrived>,
    dropped: Arc<Mutex<HashSet<SessionId>>>,
    deliver: Arc<dyn Deliver>,
    /// The newest marker that came home.
    home: watch::Sender<u64>,
    meters: Arc<Meters>,
}

impl Queue {
    /// Queues a message, or notes that it was dropped. Never waits.
    pub(super) fn push(&self, channel: Channel, payload: Bytes) {
        let Err(refused) = self.sender.try_send(Arrived { channel, payload }) else { return };
        // A lost marker is a probe that does not come home, which is the truth.
        if let Channel::Session(session) = refused.into_inner().channel {
            self.dropped.lock().unwrap_or_else(PoisonError::into_inner).insert(session);
        }
    }
}

/// Both ends.
pub(super) fn queue(
    deliver: Arc<dyn Deliver>,
    home: watch::Sender<u64>,
    meters: Arc<Meters>,
) -> (Queue, Arrivals) {
    let (sender, receiver) = mpsc::channel(QUEUED_MAX);
    let dropped = Arc::new(Mutex::new(HashSet::new()));
    (Queue { sender, dropped: dropped.clone() }, Arrivals { receiver, dropped, deliver, home, meters })
}

impl Arrivals {
    /// Carries messages to the hub, until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut taken = Vec::with_capacity(TAKEN);
        while let Some(count) = stop.run_until_cancelled(self.receiver.recv_many(&mut taken, TAKEN)).await {
            if count == 0 {
                return;
            }
            for arrived in taken.drain(..) {
                self.hand_over(arrived);
            }
            let dropped = std::mem::take(&mut *self.dropped.lock().unwrap_or_else(PoisonError::into_inner));
            for session in dropped {
                self.deliver.interrupted(Some(session));
            }
        }
    }

    fn hand_over(&self, Arrived { channel, payload }: Arrived) {
        match (channel, wire::read(payload)) {
            (Channel::Home, Some(Notice::Marker(marker))) => {
                self.home.send_replace(marker);
            }
            (Channel::Session(session), Some(Notice::Entries(entries))) => {
                self.deliver.announced(session, entries);
            }
            (Channel::Session(session), Some(Notice::Relay(relay))) => self.deliver.relayed(session, relay),
            (Channel::Session(session), Some(Notice::TakenOver(who, newest))) => {
                self.deliver.replaced(session, who, newest);
            }
            (Channel::Session(session), _) => {
                self.meters.malformed.increment(1);
                tracing::warn!("an announcement could not be read");
                self.deliver.interrupted(Some(session));
            }
            (Channel::Home, _) => self.meters.malformed.increment(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::log::{Announcement, Relay};
    use crate::metrics::Metrics;
    use crate::metrics::label::BackendKind;
    use crate::metrics::process::Build;
    use crate::model::id::ParticipantId;
    use crate::model::seat::Generation;

    #[derive(Default)]
    struct Ear(Mutex<(usize, Vec<Option<SessionId>>)>);

    impl Deliver for Ear {
        fn announced(&self, _: SessionId, _: Announcement) {}
        fn relayed(&self, _: SessionId, _: Relay) {
            self.0.lock().unwrap().0 += 1;
        }
        fn replaced(&self, _: SessionId, _: ParticipantId, _: Generation) {}
        fn interrupted(&self, session: Option<SessionId>) {
            self.0.lock().unwrap().1.push(session);
        }
    }

    fn meters() -> Meters {
        let build = Build { version: "test", revision: "test", backend: BackendKind::Redis };
        Meters::new(&Metrics::new(build, tokio::runtime::Handle::current()))
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_once() {
        let ear = Arc::new(Ear::default());
        let (home, _) = watch::channel(0);
        let (queue, arrivals) = queue(ear.clone(), home, Arc::new(meters()));
        let (busy, late) = (SessionId::new_random(), SessionId::new_random());
        let frame = || Bytes::from_static(b"w1 r * {}");
        for _ in 0..QUEUED_MAX {
            queue.push(Channel::Session(busy), frame());
        }
        for _ in 0..3 {
            queue.push(Channel::Session(late), frame());
        }
        drop(queue);
        arrivals.run(CancellationToken::new()).await;
        let heard = ear.0.lock().unwrap();
        assert_eq!(heard.0, QUEUED_MAX);
        assert_eq!(heard.1, [Some(late)]);
    }
}
