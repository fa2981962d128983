//! From an announcement to the last of a room's listeners, by how many listen: one entry alone, and many that came together.
//!
//! The step is one delivery: an entry given to one listener. Between windows everything that came out is thrown away and it is
//! checked that every listener was given every entry at once; a window with a listener that fell behind would be another measurement.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use watchparty::backend::clock::ClusterClock;
use watchparty::backend::log::{Announcement, Deliver as _};
use watchparty::hub::{Commons, Hub};
use watchparty::metrics::label::Origin;
use watchparty::model::entry::{Epoch, Seq};
use watchparty::model::history::History;
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::record::Record;
use watchparty::model::seat::{Generation, Seat};
use watchparty::model::time::ClusterMs;

use crate::listeners::{Kind, Listener, metrics, terms};
use crate::rounds::{Cost, Rounds, Stopwatch};

/// Listeners of a part of a large room (`hub/spread`): which of them come last is known by it.
const PART: usize = 256;
/// Deliveries of a window, about, and the most entries in one: a socket's buffer must take what is not read meanwhile.
const WINDOW: usize = 4096;
const WINDOW_ENTRIES: usize = 128;

/// A measurement takes a second; after so many it waits for something that does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// One measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) shards: usize,
    pub(crate) listeners: usize,
    /// Entries that are announced before the hub gets to work.
    pub(crate) together: usize,
}

impl Case {
    /// What a delivery costs, in a runtime of as many threads as there are shards.
    pub(crate) fn measure(self, record: &Record) -> Cost {
        let mut builder = match self.shards {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        if self.shards > 1 {
            builder.worker_threads(self.shards);
        }
        let runtime = builder.enable_all().build().expect("a runtime");
        let record = record.clone();
        runtime.block_on(async move {
            let mut measuring = JoinSet::new();
            // On a thread of the runtime, as the task is that hears from Redis.
            measuring.spawn(async move { Scene::set(self).await.measure(&record).await });
            let measured = tokio::time::timeout(PATIENCE, measuring.join_next()).await;
            let measured =
                measured.unwrap_or_else(|_| panic!("{self:?}: a listener was not given what was announced"));
            measured.expect("it was spawned").expect("it does not panic")
        })
    }
}

struct Scene {
    case: Case,
    hub: Arc<Hub>,
    _shards: JoinSet<()>,
    session: SessionId,
    epoch: Epoch,
    head: u64,
    listeners: Vec<Listener>,
}

impl Scene {
    async fn set(case: Case) -> Self {
        let (metrics, clock) = (metrics(), Arc::new(ClusterClock::new()));
        let commons = Commons { metrics: metrics.clone(), clock, origin: Origin::Remote };
        let (hub, tasks) = Hub::new(case.shards, commons);
        let mut shards = JoinSet::new();
        tasks.into_iter().for_each(|task| drop(shards.spawn(task.run())));
        let (session, epoch) = (SessionId::new_random(), Epoch::new_random());
        let history = History { epoch, head: Seq::ZERO, first: Seq(1), lineage: vec![] };
        hub.open(session).await;
        hub.begin(session, history.clone()).await;
        let terms = terms(metrics);
        let last = last_of_parts(case);
        let mut listeners = Vec::with_capacity(case.listeners);
        for (at, number) in (0..case.listeners).zip(0..) {
            let listener = match case.kind {
                Kind::Channel => Listener::channel(number, &terms),
                Kind::Socket => Listener::socket(number, &terms, last.contains(&at)).await,
            };
            let seat = Seat { session, participant: ParticipantId::new_random(), generation: Generation(1) };
            listener.outbox.start(seat, Seq::ZERO, history.position(), &Bytes::from_static(b"{}"));
            hub.attach(session, listener.outbox.clone()).await;
            listeners.push(listener);
        }
        Self { case, hub, _shards: shards, session, epoch, head: 0, listeners }
    }

    async fn measure(mut self, record: &Record) -> Cost {
        let batches = (WINDOW / self.case.listeners).min(WINDOW_ENTRIES) / self.case.together;
        let batches = batches.max(1);
        let deliveries = batches * self.case.together * self.case.listeners;
        let last = last_of_parts(self.case);
        let mut rounds = Rounds::new();
        loop {
            let watch = Stopwatch::start();
            for _ in 0..batches {
                self.announce(record);
                for at in &last {
                    self.listeners[*at].reach(Seq(self.head)).await;
                }
            }
            let spent = watch.stop();
            for listener in &mut self.listeners {
                assert!(
                    listener.has(Seq(self.head)),
                    "a listener fell behind: this is not what was to be measured"
                );
                listener.empty();
            }
            if !rounds.add(spent, deliveries as u64) {
                return rounds.cost();
            }
        }
    }

    fn announce(&mut self, record: &Record) {
        for _ in 0..self.case.together {
            self.head += 1;
            let (first, records) = (Seq(self.head), vec![record.clone()]);
            let announcement = Announcement { epoch: self.epoch, first, ts: ClusterMs(1), records };
            self.hub.announced(self.session, announcement);
        }
    }
}

/// The last listener of each part: a part gives to its own in the order they came. The room's own shard takes the first part, the other
/// shard the next, and so on in turn.
fn last_of_parts(case: Case) -> Vec<usize> {
    let last = case.listeners - 1;
    let before = (last / PART * PART).checked_sub(1).filter(|_| case.shards > 1);
    [before, Some(last)].into_iter().flatten().collect()
}
