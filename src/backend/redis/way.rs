//! A way to one primary: its connections and everything that keeps them, as one thing that is opened and closed.
//!
//! A node on one Redis has one for its whole life; of a cluster it has one for each primary, which come and go (`cluster`). Not responsible for
//! which session takes which (`routes`).

use std::sync::Arc;

use redis::Value;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::arrivals;
use super::keys::{Keys, Own};
use super::link::Fault;
use super::meters::Meters;
use super::primary::Primary;
use super::probe::{self, Probe};
use super::scripts::Call;
use super::subscriber::Subscriber;
use super::supervisor::{Condition, LinkState, Supervisor};
use super::verify::Demand;
use super::whereabouts::Whereabouts;
use crate::backend::Health;
use crate::backend::clock::ClusterClock;
use crate::backend::error::BackendError;
use crate::backend::log::Deliver;
use crate::model::id::SessionId;

/// What all ways of a node have in common.
pub(super) struct Plan {
    pub(super) keys: Keys,
    pub(super) demand: Demand,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) meters: Arc<Meters>,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// What is particular to one.
pub(super) struct Course {
    pub(super) whereabouts: Whereabouts,
    /// The node's own names there.
    pub(super) own: Own,
    /// The clock it sets: the cluster's, or one that nobody reads.
    pub(super) clock: Arc<ClusterClock>,
    /// Of a cluster: told when channels are taken away.
    pub(super) taken: Option<Arc<Notify>>,
    /// Whether it leads to a primary that took another one's place.
    pub(super) succeeds: bool,
}

/// An open way.
pub(super) struct Way {
    primary: Arc<Primary>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) health: watch::Receiver<Health>,
    stop: CancellationToken,
}

impl Plan {
    /// Opens one; it is usable when its condition says so, and ends with the node or when it is closed.
    pub(super) fn open(&self, course: Course) -> Way {
        let Course { whereabouts, own, clock, taken, succeeds } = course;
        let (stop, meters) = (self.stop.child_token(), Arc::new(self.meters.of_primary()));
        let (primary, writers) = Primary::new(self.demand, &own.mark, &meters);
        let primary = Arc::new(primary);
        for writer in writers {
            self.tracker.spawn(writer.run(stop.clone()));
        }
        let (condition, seen_condition) = watch::channel(Condition::new());
        let (health, seen_health) = watch::channel(probe::unknown(self.demand.level));
        let (home, returned) = watch::channel(0);
        let (queue, arrivals) = arrivals::queue(self.deliver.clone(), home, meters.clone());
        let subscriber = Subscriber::new(self.keys.clone(), own.home.clone(), queue, taken, meters.clone());
        self.tracker.spawn(arrivals.run(stop.clone()));
        if let Some(sentinels) = whereabouts.sentinels() {
            sentinels.listen(&stop, &self.tracker);
        }
        let supervisor = Supervisor {
            whereabouts,
            home: own.home.clone(),
            demand: self.demand,
            succeeds,
            primary: primary.clone(),
            subscriber: subscriber.clone(),
            deliver: self.deliver.clone(),
            condition,
            clock: clock.clone(),
            meters: meters.clone(),
        };
        self.tracker.spawn(supervisor.run(stop.clone()));
        let probe = Probe {
            home: own.home,
            primary: primary.clone(),
            subscriber: subscriber.clone(),
            returned,
            condition: seen_condition.clone(),
            clock,
            health,
            meters,
        };
        self.tracker.spawn(probe.run(stop.clone()));
        Way { primary, subscriber, condition: seen_condition, health: seen_health, stop }
    }
}

impl Way {
    /// Runs a script; one that only reads once more, if its connection was lost.
    pub(super) async fn run(&self, call: &Call) -> Result<Value, Fault> {
        self.open().await;
        match self.primary.run(call).await {
            Err(Fault::Silent(_)) if !call.writes() && !self.primary.is_open() => {
                self.open().await;
                self.primary.run(call).await
            }
            answer => answer,
        }
    }

    /// Runs a script of a session whose outcome somebody is told of: it counts once as many replicas have it as an ack promises.
    pub(super) async fn commit(&self, session: SessionId, call: &Call) -> Result<Value, Fault> {
        self.open().await;
        self.primary.commit(session, call).await
    }

    /// Listens to a session; returns when Redis has confirmed it.
    pub(super) async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        if !self.subscriber.is_open() {
            let mut condition = self.condition.clone();
            self.unless_down(async { drop(condition.wait_for(|now| now.state == LinkState::Live).await) })
                .await;
        }
        self.subscriber.subscribe(session).await
    }

    /// Returns when calls can be made, or cannot.
    async fn open(&self) {
        if !self.primary.is_open() {
            self.unless_down(self.primary.opened()).await;
        }
    }

    /// Waits for a connection to stand, or until it is known that there is an outage. One that is being replaced is no reason to refuse
    /// anybody: in a planned failover the next stands within a second or two. Whoever comes during an outage is refused at once.
    async fn unless_down(&self, stands: impl Future<Output = ()>) {
        let mut health = self.health.clone();
        tokio::select! {
            () = stands => {}
            _ = health.wait_for(|health| !health.up) => {}
        }
    }

    /// There is no such primary any more.
    pub(super) fn close(&self) {
        self.stop.cancel();
        self.subscriber.retire();
    }
}
