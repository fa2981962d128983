//! What a case gets: a backend, a record of what it delivered, more nodes on the same store, and time.
//!
//! Responsible for time and for recording; waiting under a deadline is the support's. Not responsible for building a backend: each adapter has a file of its own
//! that gives a [`Store`].

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinSet;
use watchparty::backend::Backend;
use watchparty::backend::log::{Announcement, Deliver, Relay};
use watchparty::model::entry::{Entry, Seq};
use watchparty::model::history::Retention;
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::seat::Generation;
use watchparty::model::time::ClusterMs;

pub(crate) use crate::support::wait::until;

/// Entries that every harness has its logs keep at least: few, so that trimming is soon seen.
pub(crate) const HISTORY_ENTRIES: usize = 100;

/// Most cases' logs keep these alone.
pub(crate) const BY_NUMBER: Retention =
    Retention { entries: HISTORY_ENTRIES, age: Duration::ZERO, bytes: HISTORY_BYTES };

/// Longer than any case, where time does not pass at a word.
pub(crate) const HISTORY_AGE: Duration = Duration::from_mins(10);

/// Thousands of small entries, or some hundred of those that [`Party::fill_with`](crate::party::Party::fill_with) makes.
pub(crate) const HISTORY_BYTES: usize = 1024 * 1024;

/// What logs keep where age is the subject.
pub(crate) const BY_AGE: Retention = Retention { age: HISTORY_AGE, ..BY_NUMBER };

/// One store of an adapter, to which nodes connect.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// Connects one more node.
    async fn connect(&self, deliver: Arc<dyn Deliver>) -> Backend;

    /// Makes time pass, where that can be done; elsewhere it does so by itself.
    fn pass(&self, time: Duration);

    /// Becomes another branch and loses nothing, as a Redis that restarted or was promoted; told for one session.
    async fn promote(&self, session: SessionId);

    /// Looks at what a case left behind, and panics if it should not be there.
    async fn finish(&self);
}

/// A node: its ports, and what they delivered.
pub(crate) struct Node {
    pub(crate) backend: Backend,
    pub(crate) delivered: Arc<Recorder>,
}

/// A store with one node on it.
pub(crate) struct Harness {
    pub(crate) node: Node,
    store: Box<dyn Store>,
}

impl Harness {
    pub(crate) async fn new(store: Box<dyn Store>) -> Self {
        Self { node: connect(&*store).await, store }
    }

    /// One more node on the same store.
    pub(crate) async fn another(&self) -> Node {
        connect(&*self.store).await
    }

    /// The store restarts, or another one is promoted in its place, and nothing is lost.
    pub(crate) async fn promote(&self, session: SessionId) {
        self.store.promote(session).await;
    }

    /// Ends a case that went well.
    pub(crate) async fn finish(self) {
        self.store.finish().await;
    }

    /// Waits until the store's clock shows at least `time`.
    pub(crate) async fn reach(&self, time: ClusterMs) {
        let clock = &self.node.backend.clock;
        self.store.pass(time.since(clock.now()));
        until("the clock", || async { (clock.now() >= time).then_some(()) }).await;
    }

    /// Waits until `time` has passed on the store's clock.
    pub(crate) async fn pass(&self, time: Duration) {
        self.reach(self.node.backend.clock.now().plus(time)).await;
    }
}

async fn connect(store: &dyn Store) -> Node {
    let delivered = Arc::new(Recorder::default());
    Node { backend: store.connect(Arc::clone(&delivered) as _).await, delivered }
}

/// Runs all at once, on whichever thread is free, and gives their results in the order in which they ended.
pub(crate) async fn together<T, All>(all: All) -> Vec<T>
where
    T: Send + 'static,
    All: IntoIterator<Item: Future<Output = T> + Send + 'static>,
{
    all.into_iter().collect::<JoinSet<T>>().join_all().await
}

/// Writes down what is delivered.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    announced: Vec<(SessionId, Announcement)>,
    relayed: Vec<(SessionId, Relay)>,
    replaced: Vec<(SessionId, ParticipantId, Generation)>,
}

impl Recorder {
    fn heard<T>(&self, look: impl FnOnce(&mut Heard) -> T) -> T {
        look(&mut self.0.lock().expect("no case panics while it records"))
    }

    /// Every announced entry of a session, as delivered: an adapter that delivers twice or out of order shows here.
    pub(crate) fn entries(&self, session: SessionId) -> Vec<Entry> {
        self.heard(|heard| {
            let ours = heard.announced.iter().filter(|(id, _)| *id == session);
            ours.flat_map(|(_, announcement)| entries_of(announcement)).collect()
        })
    }

    /// What was announced of a session, call by call.
    pub(crate) fn announcements(&self, session: SessionId) -> Vec<Announcement> {
        self.heard(|heard| {
            let ours = heard.announced.iter().filter(|(id, _)| *id == session);
            ours.map(|(_, announcement)| announcement.clone()).collect()
        })
    }

    /// Waits until the entry with this number was announced, then gives all.
    pub(crate) async fn entries_up_to(&self, session: SessionId, seq: Seq) -> Vec<Entry> {
        until(&format!("entry {seq}"), || async {
            Some(self.entries(session)).filter(|entries| entries.iter().any(|entry| entry.seq == seq))
        })
        .await
    }

    /// Frames relayed in a session.
    pub(crate) fn relayed(&self, session: SessionId) -> Vec<Relay> {
        self.heard(|heard| {
            heard.relayed.iter().filter(|(id, _)| *id == session).map(|(_, relay)| relay.clone()).collect()
        })
    }

    /// Waits until a frame with this text was relayed, then gives all.
    pub(crate) async fn relayed_up_to(&self, session: SessionId, frame: &'static str) -> Vec<Relay> {
        until(frame, || async {
            let frame = Bytes::from_static(frame.as_bytes());
            Some(self.relayed(session)).filter(|relays| relays.iter().any(|relay| relay.frame == frame))
        })
        .await
    }

    /// Seats that were taken over in a session.
    pub(crate) fn replaced(&self, session: SessionId) -> Vec<(ParticipantId, Generation)> {
        self.heard(|heard| {
            let ours = heard.replaced.iter().filter(|(id, ..)| *id == session);
            ours.map(|(_, participant, generation)| (*participant, *generation)).collect()
        })
    }
}

fn entries_of(announcement: &Announcement) -> Vec<Entry> {
    let numbered = announcement.records.iter().enumerate();
    numbered
        .map(|(at, record)| Entry {
            seq: announcement.first.plus(at),
            ts: announcement.ts,
            record: record.clone(),
        })
        .collect()
}

impl Deliver for Recorder {
    fn announced(&self, session: SessionId, announcement: Announcement) {
        self.heard(|heard| heard.announced.push((session, announcement)));
    }

    fn relayed(&self, session: SessionId, relay: Relay) {
        self.heard(|heard| heard.relayed.push((session, relay)));
    }

    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation) {
        self.heard(|heard| heard.replaced.push((session, participant, newest)));
    }

    /// No case cuts a link; a connection's first interruption is of no session that a case listens to.
    fn interrupted(&self, _session: Option<SessionId>) {}
}
