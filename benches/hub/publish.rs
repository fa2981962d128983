//! The way of a message through a node that has no Redis: from a client's frame to the ack, and to the last listener of the room.
//!
//! The frame is decoded and its JSON parsed, the gateway queues it, memory takes it and announces it, the hub gives it to the room, and the
//! ack goes into the speaker's outbox: the functions that a connection calls, on channels instead of sockets. Two of its steps are
//! not here, because only a connection has them: the rates (`ws/machine`) and the wake-up for a socket that can be read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;
use watchparty::auth::password::{PasswordPool, PoolSize};
use watchparty::auth::server_key::ServerKeys;
use watchparty::auth::token::Keys;
use watchparty::backend::clock::ClusterClock;
use watchparty::backend::memory::{MemorySettings, memory};
use watchparty::config::Config;
use watchparty::config::source::MapSource;
use watchparty::gateway::publish::Answer;
use watchparty::gateway::rooms::Attached;
use watchparty::gateway::sessions::{AdmissionRequest, CreateRequest};
use watchparty::gateway::{Gateway, Parts};
use watchparty::hub::{Commons, Hub};
use watchparty::metrics::label::Origin;
use watchparty::model::entry::Seq;
use watchparty::model::history::Retention;
use watchparty::model::id::NodeId;
use watchparty::model::password::Password;
use watchparty::model::record::EntryKind;
use watchparty::model::session::SessionName;
use watchparty::protocol::inbound::{self, Message};
use watchparty::protocol::outbound;
use watchparty::ws::frame::{Decoder, Event, Flow};

use crate::listeners::{Listener, metrics, terms};
use crate::masked::masked;
use crate::rounds::{Cost, Rounds, Stopwatch};

/// Messages of a window.
const WINDOW: usize = 128;

/// What a message costs in a room of so many, when so many are sent before the answers are waited for.
pub(crate) fn measure(people: usize, together: usize) -> Cost {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { Scene::set(people).await.measure(together).await })
}

/// A client's message of about 128 bytes in the log.
pub(crate) fn message(n: u64) -> String {
    format!(r#"{{"type":"chat","id":"m-{n}","n":{n},"data":{{"text":"{}"}}}}"#, "x".repeat(56))
}

struct Scene {
    gateway: Arc<Gateway>,
    _tasks: JoinSet<()>,
    /// Everybody in the room; the speaker is the last.
    people: Vec<(Listener, Attached)>,
    decoder: Decoder,
    said: u64,
    answered: Arc<AtomicU64>,
}

impl Scene {
    async fn set(people: usize) -> Self {
        let mut tasks = JoinSet::new();
        let gateway = gateway(&mut tasks);
        tasks.spawn(gateway.clone().run_resync());
        let terms = terms(gateway.metrics().clone());
        let password = || Password::new(String::from("a password")).expect("a good password");
        let name = SessionName::parse("Movie night").expect("a good name");
        let max_participants = Some(u32::try_from(people.max(2)).expect("a few"));
        let request = CreateRequest { name, password: password(), max_participants, display_name: None };
        let mut admission = gateway.create_session(request).await.expect("a session");
        let session = admission.record.id;
        let mut attached = Vec::new();
        for (_, number) in (0..people).zip(0..) {
            let listener = Listener::channel(number, &terms);
            let claims = gateway.verify(&admission.token).expect("a good token");
            let seat = gateway.attach(&claims, None, &listener.outbox).await.expect("a seat");
            attached.push((listener, seat));
            let request = AdmissionRequest { session, password: password(), display_name: None };
            if attached.len() < people {
                admission = gateway.join_session(request).await.expect("the right password");
            }
        }
        let decoder = Decoder::new(64 * 1024);
        let answered = Arc::default();
        Self { gateway, _tasks: tasks, people: attached, decoder, said: 0, answered }
    }

    async fn measure(mut self, together: usize) -> Cost {
        // Joins are entries of the log too: the first message comes after as many.
        let joined = self.people.len() as u64;
        let mut rounds = Rounds::new();
        loop {
            let mut frames: Vec<_> = (self.said + 1..).take(WINDOW).map(|n| masked(&message(n))).collect();
            let watch = Stopwatch::start();
            for some in frames.chunks_mut(together) {
                some.iter_mut().for_each(|frame| self.say(frame));
                let speaker = &mut self.people.last_mut().expect("a speaker").0;
                while self.answered.load(Ordering::Relaxed) < self.said
                    || !speaker.has(Seq(joined + self.said))
                {
                    speaker.wait().await;
                }
            }
            let spent = watch.stop();
            for (listener, _) in &mut self.people {
                assert!(listener.has(Seq(joined + self.said)), "everybody has everything");
                listener.empty();
            }
            if !rounds.add(spent, WINDOW as u64) {
                return rounds.cost();
            }
        }
    }

    /// What a connection does with the bytes it read.
    fn say(&mut self, frame: &mut [u8]) {
        let (speaker, attached) = self.people.last().expect("a speaker");
        let fed = self.decoder.feed(frame, |event| {
            let Event::Text(text) = event else { panic!("a text frame, not {event:?}") };
            let inbound = inbound::parse(text).expect("a good message");
            let Message::Say { kind, data } = inbound.message else { panic!("a chat message") };
            let (id, n) = (inbound.id, inbound.n);
            submit(&self.gateway, attached, (n, kind, &data), {
                let (outbox, answered) = (speaker.outbox.clone(), self.answered.clone());
                move |answer| {
                    let Answer::Acked { at, duplicate } = answer else { panic!("an ack, not {answer:?}") };
                    outbox.send("ack", &outbound::ack(id.as_deref(), n, at, duplicate));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
            Flow::Continue
        });
        fed.expect("a good frame");
        self.said += 1;
    }
}

fn submit(
    gateway: &Arc<Gateway>,
    attached: &Attached,
    (n, kind, data): (Option<u64>, EntryKind, &RawValue),
    respond: impl FnOnce(Answer) + Send + 'static,
) {
    gateway.submit_words(attached.seat, n, kind, data, respond);
}

/// A gateway on memory whose rooms are served.
fn gateway(tasks: &mut JoinSet<()>) -> Arc<Gateway> {
    let (config, _) =
        Config::read(&MapSource::from([("ENVIRONMENT", "development")])).expect("good settings");
    let (metrics, clock) = (metrics(), Arc::new(ClusterClock::new()));
    let commons = Commons { metrics: metrics.clone(), clock: clock.clone(), origin: Origin::Local };
    let (hub, shards) = Hub::new(1, commons);
    shards.into_iter().for_each(|shard| drop(tasks.spawn(shard.run())));
    let (backend, _) = memory(MemorySettings { history: Retention::newest(1000) }, clock, hub.clone());
    // Passwords are no part of what is measured: the cheapest there are.
    let size = PoolSize { cost: 4, workers: 1, queue: 64 };
    Gateway::new(Parts {
        node: NodeId::new_random(),
        config: Arc::new(config),
        backend,
        hub,
        keys: Keys::new(b"a secret of at least 32 bytes, to measure", None),
        server_keys: ServerKeys::new([]),
        passwords: PasswordPool::start(size, Arc::new(())).expect("a pool"),
        metrics,
        tracker: TaskTracker::new(),
    })
}
