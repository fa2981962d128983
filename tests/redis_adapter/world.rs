//! What the cases stand on: a `redis-server` of their own, nodes on it, and a record of what each node heard.
//!
//! Unlike the contract suite's harness it sees links come and go, and it can talk to the Redis behind the adapter's back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watchparty::backend::log::{Announcement, Cut, Dedup, Deliver, Log, Publish, Published, Relay};
use watchparty::backend::membership::{JoinRefusal, JoinRequest, Joined, Membership};
use watchparty::backend::redis::{
    Condition, LinkState, OnOutage, RedisSettings, RedisTarget, Surroundings, connect_watched,
};
use watchparty::backend::{Backend, Durability};
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::entry::{Entry, Epoch, Seq};
use watchparty::model::history::{History, Retention};
use watchparty::model::id::{NodeId, ParticipantId, SessionId};
use watchparty::model::participant::DisplayName;
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Generation, Profile, Seat};
use watchparty::model::session::{NewSession, SessionName};

use crate::support::redis_server::{Aof, RedisOptions, RedisServer};
use crate::support::wait::{self, soon};

/// Longer than any test.
pub(crate) const LEASE: Duration = Duration::from_secs(300);

/// Polls a condition that must come true.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    wait::until(what, || async { condition().then_some(()) }).await;
}

/// What a node was told, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Announced(SessionId, Announcement),
    Relayed(SessionId, Relay),
    Replaced(SessionId, ParticipantId, Generation),
    Interrupted(Option<SessionId>),
}

#[derive(Default)]
struct Ear(Mutex<Vec<Heard>>);

impl Ear {
    fn note(&self, heard: Heard) {
        self.0.lock().unwrap().push(heard);
    }
}

impl Deliver for Ear {
    fn announced(&self, session: SessionId, announcement: Announcement) {
        self.note(Heard::Announced(session, announcement));
    }

    fn relayed(&self, session: SessionId, relay: Relay) {
        self.note(Heard::Relayed(session, relay));
    }

    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation) {
        self.note(Heard::Replaced(session, participant, newest));
    }

    fn interrupted(&self, session: Option<SessionId>) {
        self.note(Heard::Interrupted(session));
    }
}

/// One node's adapter. Its tasks end with it.
pub(crate) struct Node {
    pub(crate) backend: Backend,
    id: NodeId,
    condition: watch::Receiver<Condition>,
    ear: Arc<Ear>,
    stop: CancellationToken,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Node {
    pub(crate) fn log(&self) -> Arc<dyn Log> {
        self.backend.log.clone()
    }

    pub(crate) fn membership(&self) -> Arc<dyn Membership> {
        self.backend.membership.clone()
    }

    /// Returns when its links work.
    pub(crate) async fn live(&self) {
        let mut condition = self.condition.clone();
        soon("live links", condition.wait_for(|condition| condition.state == LinkState::Live)).await.unwrap();
    }

    pub(crate) async fn join(
        &self,
        session: SessionId,
        participant: ParticipantId,
        lease: Duration,
    ) -> Result<Joined, JoinRefusal> {
        let profile = Profile { name: DisplayName::new("Ada \"L\" {").unwrap(), color: None };
        let request = JoinRequest { session, participant, node: self.id, profile, lease, roster: 10 };
        self.backend.membership.join(request).await.unwrap()
    }

    pub(crate) async fn publish(&self, session: SessionId, publish: Publish) -> Published {
        self.backend.log.publish(session, &[publish]).await.unwrap().remove(0)
    }

    pub(crate) async fn read_all(&self, session: SessionId) -> Vec<Entry> {
        self.backend.log.read(session, Cut::After(Seq::ZERO), 10_000).await.unwrap().unwrap().entries
    }

    pub(crate) async fn history(&self, session: SessionId) -> History {
        self.backend.log.read(session, Cut::After(Seq::ZERO), 0).await.unwrap().unwrap().history
    }

    pub(crate) async fn epoch(&self, session: SessionId) -> Epoch {
        self.history(session).await.epoch
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.ear.0.lock().unwrap().clone()
    }

    pub(crate) fn interruptions(&self) -> usize {
        self.heard().iter().filter(|heard| **heard == Heard::Interrupted(None)).count()
    }

    fn announced(&self, session: SessionId) -> Vec<Announcement> {
        let of = |heard| match heard {
            Heard::Announced(to, announcement) if to == session => Some(announcement),
            _ => None,
        };
        self.heard().into_iter().filter_map(of).collect()
    }

    /// The data of the announced entries that are texts.
    pub(crate) fn texts(&self, session: SessionId) -> Vec<String> {
        let records = self.announced(session).into_iter().flat_map(|one| one.records);
        records.filter_map(|record| serde_json::from_str(record.data()).ok()).collect()
    }

    /// The data of the entries in the log that are texts.
    pub(crate) async fn texts_of_log(&self, session: SessionId) -> Vec<String> {
        let entries = self.read_all(session).await.into_iter();
        entries.filter_map(|entry| serde_json::from_str(entry.record.data()).ok()).collect()
    }
}

/// A Redis and the sessions made on it.
pub(crate) struct World {
    pub(crate) redis: RedisServer,
    /// What the logs of nodes started from now on keep.
    pub(crate) history: Retention,
    hosts: Mutex<HashMap<SessionId, ParticipantId>>,
    unknown: SessionId,
    durability: Option<Durability>,
}

impl World {
    pub(crate) const CAPACITY: u32 = 5;

    /// Without persistence.
    pub(crate) async fn start() -> Self {
        Self::on(RedisServer::start().await)
    }

    /// With an append-only file, on disk before each answer.
    pub(crate) async fn durable() -> Self {
        Self::on(RedisServer::start_with(RedisOptions { aof: Aof::Always, ..RedisOptions::default() }).await)
    }

    pub(crate) fn on(redis: RedisServer) -> Self {
        let (history, durability) = (Retention::newest(100), None);
        Self { redis, history, hosts: Mutex::default(), unknown: SessionId::new_random(), durability }
    }

    /// Around a primary with a replica, for which each ack waits.
    pub(crate) fn replicated(primary: RedisServer) -> Self {
        Self { durability: Some(Durability::Replicated), ..Self::on(primary) }
    }

    /// A node that may not have found its Redis yet.
    pub(crate) fn unready_node(&self) -> Node {
        let (ear, stop, id) = (Arc::new(Ear::default()), CancellationToken::new(), NodeId::new_random());
        let settings = RedisSettings {
            target: RedisTarget::plain("127.0.0.1", self.redis.port()),
            prefix: "wp".into(),
            node: id,
            history: self.history,
            durability: self.durability,
            replicas: 1,
            on_outage: OnOutage::Allow,
        };
        let build = Build { version: "test", revision: "test", backend: BackendKind::Redis };
        let metrics = Metrics::new(build, tokio::runtime::Handle::current());
        let surroundings = Surroundings {
            deliver: ear.clone(),
            stop: stop.clone(),
            tracker: &TaskTracker::new(),
            metrics: &metrics,
            clock: Arc::default(),
        };
        let (backend, condition) = connect_watched(settings, surroundings).unwrap();
        Node { backend, id, condition, ear, stop }
    }

    /// A node that delivers.
    pub(crate) async fn node(&self) -> Node {
        let node = self.unready_node();
        node.live().await;
        soon("a probe", node.backend.health.clone().wait_for(|health| health.up)).await.unwrap();
        node
    }

    pub(crate) async fn session(&self, node: &Node) -> SessionId {
        let (id, host) = (SessionId::new_random(), ParticipantId::new_random());
        let new = NewSession {
            id,
            name: SessionName::parse("Movie night").unwrap(),
            password_hash: "$2b$12$hash".into(),
            host,
            capacity: Self::CAPACITY,
            ttl: Duration::from_secs(600),
        };
        let record = node.backend.sessions.create(new.clone()).await.unwrap();
        let found = node.backend.sessions.find(id).await.unwrap().unwrap();
        assert_eq!((found.record, found.participants), (record, 0));
        assert!(node.backend.sessions.create(new).await.is_err(), "an id is never reused");
        self.hosts.lock().unwrap().insert(id, host);
        id
    }

    /// Milliseconds a key has to live; -1 for ever.
    pub(crate) async fn pttl(&self, key: &str) -> i64 {
        self.redis.cli(&["PTTL", key]).await.parse().unwrap()
    }

    pub(crate) fn host(&self, session: SessionId) -> ParticipantId {
        self.hosts.lock().unwrap()[&session]
    }

    pub(crate) fn unknown_session(&self) -> SessionId {
        self.unknown
    }
}

/// An entry of nobody with a text as its data.
pub(crate) fn chat(kind: EntryKind, text: &str) -> Publish {
    let record = Record::new(kind, None, None, &serde_json::to_string(text).unwrap());
    Publish { author: None, generation: None, dedup: Dedup::None, record, if_version: None, effect: None }
}

pub(crate) fn plain(text: &str) -> Publish {
    chat(EntryKind::Event, text)
}

/// What a connection says as its `n`th.
pub(crate) fn numbered(seat: Seat, n: u64) -> Publish {
    let record = Record::new(EntryKind::Chat, Some(seat.participant), Some(n), r#"{"text":"hello"}"#);
    Publish {
        author: Some(seat.participant),
        generation: Some(seat.generation),
        dedup: Dedup::Number(n),
        record,
        if_version: None,
        effect: None,
    }
}
