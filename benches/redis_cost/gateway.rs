//! What the gateway sends to Redis for a message: batches through the real adapter, as a seated participant says them.
//!
//! Numbered by their author, under a seat's generation, on a channel this node listens to: the hot path with nothing left out.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use watchparty::backend::Backend;
use watchparty::backend::log::{Announcement, Dedup, Deliver, Publish, Published, Relay};
use watchparty::backend::membership::JoinRequest;
use watchparty::backend::redis::{OnOutage, RedisSettings, RedisTarget, Surroundings, connect};
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::history::Retention;
use watchparty::model::id::{NodeId, ParticipantId, SessionId};
use watchparty::model::participant::DisplayName;
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Generation, Profile, Seat};
use watchparty::model::session::{NewSession, SessionName};

use crate::ENTRY_BYTES;
use crate::support::wait::soon;

/// Longer than any run.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// A node's adapter, a session on it and somebody who talks there.
pub(crate) struct Gateway {
    backend: Backend,
    seat: Seat,
    said: u64,
    _stop: DropGuard,
}

struct Deaf;

impl Deliver for Deaf {
    fn announced(&self, _: SessionId, _: Announcement) {}
    fn relayed(&self, _: SessionId, _: Relay) {}
    fn replaced(&self, _: SessionId, _: ParticipantId, _: Generation) {}
    fn interrupted(&self, _: Option<SessionId>) {}
}

impl Gateway {
    pub(crate) async fn connect(port: u16) -> Self {
        let stop = CancellationToken::new();
        let backend = adapter(port, stop.clone()).await;
        let (session, host) = (SessionId::new_random(), ParticipantId::new_random());
        let new = NewSession {
            id: session,
            name: SessionName::parse("Movie night").expect("a good name"),
            password_hash: String::from("$2b$12$hash"),
            host,
            capacity: 10,
            ttl: LONG,
        };
        backend.sessions.create(new).await.expect("a session");
        backend.log.subscribe(session).await.expect("a subscription");
        let request = JoinRequest {
            session,
            participant: host,
            node: NodeId::new_random(),
            profile: Profile { name: DisplayName::new("Ada").expect("a good name"), color: None },
            lease: LONG,
            roster: 10,
        };
        let joined = backend.membership.join(request).await.expect("an answer").expect("a seat");
        Self { backend, seat: joined.seat, said: 0, _stop: stop.drop_guard() }
    }

    /// Publishes the next `messages` in one call.
    pub(crate) async fn publish(&mut self, messages: usize) {
        let batch: Vec<Publish> = (0..messages).map(|_| self.next()).collect();
        let answers = self.backend.log.publish(self.seat.session, &batch).await.expect("an answer");
        let accepted = |answer: &Published| matches!(answer, Published::Accepted(_));
        assert!(answers.iter().all(accepted), "{answers:?}");
    }

    fn next(&mut self) -> Publish {
        self.said += 1;
        let (participant, n) = (self.seat.participant, self.said);
        let record = |text: &str| {
            let data = format!(r#"{{"text":"{text}"}}"#);
            Record::new(EntryKind::Chat, Some(participant), Some(n), &data)
        };
        let padding = ENTRY_BYTES - record("").stored().len();
        Publish {
            author: Some(participant),
            generation: Some(self.seat.generation),
            dedup: Dedup::Number(n),
            record: record(&"x".repeat(padding)),
            if_version: None,
            effect: None,
        }
    }
}

async fn adapter(port: u16, stop: CancellationToken) -> Backend {
    let settings = RedisSettings {
        target: RedisTarget::plain("127.0.0.1", port),
        prefix: String::from("wp"),
        node: NodeId::new_random(),
        // As the plain stream beside it.
        history: Retention::newest(1000),
        durability: None,
        replicas: 1,
        on_outage: OnOutage::Allow,
    };
    let build = Build { version: "bench", revision: "bench", backend: BackendKind::Redis };
    let metrics = Metrics::new(build, tokio::runtime::Handle::current());
    let tracker = TaskTracker::new();
    let surroundings = Surroundings {
        deliver: Arc::new(Deaf),
        stop,
        tracker: &tracker,
        metrics: &metrics,
        clock: Arc::default(),
    };
    let backend = connect(settings, surroundings).expect("settings that can work");
    let mut health = backend.health.clone();
    drop(soon("the link to Redis", health.wait_for(|health| health.up)).await.expect("the adapter watches"));
    backend
}
