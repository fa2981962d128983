//! A session as the cases speak of it: people who join, say things and leave, through any node.
//!
//! Responsible for saying a case's steps in one line each; a step that cannot fail in the case panics with what it was. Not responsible for
//! what is expected.

use std::time::Duration;

use serde_json::Value;
use watchparty::backend::log::{Cut, Dedup, Effect, Publish, Published, Refusal};
use watchparty::backend::membership::{Beat, JoinRefusal, JoinRequest, Joined};
use watchparty::backend::{Backend, SessionSummary};
use watchparty::model::entry::{Entry, Seq};
use watchparty::model::id::{NodeId, ParticipantId, SessionId};
use watchparty::model::participant::DisplayName;
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Profile, Seat, Snapshot};
use watchparty::model::session::{NewSession, SessionName};

use crate::harness::Harness;

/// A lease that does not run out during a case.
pub(crate) const LONG: Duration = Duration::from_secs(3600);
/// A lease that is meant to run out.
pub(crate) const SHORT: Duration = Duration::from_millis(40);
/// A time to live that does not run out during a case.
pub(crate) const TTL: Duration = Duration::from_secs(24 * 3600);
/// Seats where capacity is not the subject.
pub(crate) const ROOMY: u32 = 1000;

/// A session, seen from one node.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) backend: Backend,
    pub(crate) id: SessionId,
    /// The creator.
    pub(crate) host: ParticipantId,
}

/// What a creator asks for, to be changed where a case cares.
pub(crate) fn new_session(capacity: u32, ttl: Duration) -> NewSession {
    NewSession {
        id: SessionId::new_random(),
        name: SessionName::parse("Movie night").expect("a good name"),
        password_hash: String::from("$2b$04$hash"),
        host: ParticipantId::new_random(),
        capacity,
        ttl,
    }
}

pub(crate) fn profile(name: &str) -> Profile {
    Profile { name: DisplayName::new(name).expect("a good name"), color: None }
}

impl Party {
    /// A new session with these seats.
    pub(crate) async fn new(harness: &Harness, capacity: u32) -> Self {
        Self::create(harness, new_session(capacity, TTL)).await
    }

    pub(crate) async fn create(harness: &Harness, session: NewSession) -> Self {
        let (backend, id, host) = (harness.node.backend.clone(), session.id, session.host);
        backend.sessions.create(session).await.expect("creates");
        Self { backend, id, host }
    }

    /// The same session from another node.
    pub(crate) fn at(&self, backend: &Backend) -> Self {
        Self { backend: backend.clone(), ..self.clone() }
    }

    pub(crate) async fn try_join(
        &self,
        participant: ParticipantId,
        lease: Duration,
    ) -> Result<Joined, JoinRefusal> {
        let request = JoinRequest {
            session: self.id,
            participant,
            node: NodeId::new_random(),
            profile: profile("Ada"),
            lease,
            roster: 100,
        };
        self.backend.membership.join(request).await.expect("answers a join")
    }

    /// Takes a seat for long.
    pub(crate) async fn join(&self, participant: ParticipantId) -> Joined {
        self.try_join(participant, LONG).await.expect("admitted")
    }

    /// Somebody new takes a seat for long.
    pub(crate) async fn guest(&self) -> Joined {
        self.join(ParticipantId::new_random()).await
    }

    pub(crate) async fn leave(&self, seat: Seat) {
        self.backend.membership.leave(seat).await.expect("leaves");
    }

    pub(crate) async fn beat(&self, seats: &[Seat]) -> Beat {
        self.beat_for(seats, LONG).await
    }

    /// A short lease is given by a beat, when everyone is seated: on a slow machine one given by a join would run out before that.
    pub(crate) async fn beat_for(&self, seats: &[Seat], lease: Duration) -> Beat {
        self.backend.membership.beat(self.id, seats, lease).await.expect("beats")
    }

    pub(crate) async fn batch(&self, batch: &[Publish]) -> Vec<Published> {
        let published = self.backend.log.publish(self.id, batch).await.expect("publishes");
        assert_eq!(published.len(), batch.len(), "one answer for each");
        published
    }

    pub(crate) async fn publish(&self, publish: Publish) -> Published {
        self.batch(&[publish]).await.remove(0)
    }

    /// A seat says its number `n`.
    pub(crate) async fn say(&self, seat: Seat, n: u64) -> Published {
        self.publish(said(seat, n)).await
    }

    /// A server key does something.
    pub(crate) async fn effect(&self, effect: Effect) -> Published {
        self.publish(Publish { effect: Some(effect), ..event("effect") }).await
    }

    /// A server key adds this many entries.
    pub(crate) async fn fill(&self, count: usize) {
        for at in 0..count {
            accepted(&self.publish(event(&at.to_string())).await);
        }
    }

    /// A server key adds this many entries of about so many bytes each, and a little more.
    pub(crate) async fn fill_with(&self, count: usize, bytes: usize) {
        let body = "x".repeat(bytes);
        for _ in 0..count {
            accepted(&self.publish(event(&body)).await);
        }
    }

    /// Everything the log holds, read in pages.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let after = entries.last().map_or(Seq::ZERO, |entry| entry.seq);
            let page = self.backend.log.read(self.id, Cut::After(after), 256).await.expect("reads");
            let page = page.expect("there is such a session");
            if page.entries.is_empty() {
                return entries;
            }
            entries.extend(page.entries);
        }
    }

    /// Kinds of entries after a number, with their data.
    pub(crate) async fn told_after(&self, seq: Seq) -> Vec<(EntryKind, Value)> {
        let entries = self.entries().await;
        let after = entries.into_iter().filter(|entry| entry.seq > seq);
        after.map(|entry| (entry.record.kind(), data(&entry.record))).collect()
    }

    pub(crate) async fn head(&self) -> Seq {
        self.snapshot().await.history.head
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        let snapshot = self.backend.membership.snapshot(self.id, 100).await.expect("answers");
        snapshot.expect("there is such a session")
    }

    pub(crate) async fn summary(&self) -> SessionSummary {
        let summary = self.backend.sessions.find(self.id).await.expect("answers");
        summary.expect("there is such a session")
    }

    /// Who is host, and the record's version.
    pub(crate) async fn host_now(&self) -> (ParticipantId, u64) {
        let record = self.summary().await.record;
        (record.host, record.version)
    }
}

/// A chat by a seat's connection.
pub(crate) fn said(seat: Seat, n: u64) -> Publish {
    let data = format!(r#"{{"text":"number {n}"}}"#);
    Publish {
        author: Some(seat.participant),
        generation: Some(seat.generation),
        dedup: Dedup::Number(n),
        record: Record::new(EntryKind::Chat, Some(seat.participant), Some(n), &data),
        if_version: None,
        effect: None,
    }
}

/// An event by a server key.
pub(crate) fn event(body: &str) -> Publish {
    let data = format!(r#"{{"topic":"t","body":"{body}"}}"#);
    Publish {
        author: None,
        generation: None,
        dedup: Dedup::None,
        record: Record::new(EntryKind::Event, None, None, &data),
        if_version: None,
        effect: None,
    }
}

/// The number an accepted publish got.
pub(crate) fn accepted(published: &Published) -> Seq {
    let Published::Accepted(position) = published else { panic!("not accepted: {published:?}") };
    position.seq
}

pub(crate) fn refused(refusal: Refusal) -> Published {
    Published::Refused(refusal)
}

/// A record's data as JSON.
pub(crate) fn data(record: &Record) -> Value {
    serde_json::from_str(record.data()).expect("data is JSON")
}
