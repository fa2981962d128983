//! The Redis that takes the writes, as the ports call it: one script, one answer.
//!
//! Responsible for handing a call to the current link, for a script that Redis has forgotten, and for timing. What somebody is told of is
//! run by `commit`, which waits for replicas where that was asked for (`writers`). Not responsible for opening links (`supervisor` puts
//! them here). There is one of these, and one set of links, for each primary; a cluster has several (`routes`).

use std::sync::Arc;

use redis::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::link::{Fault, Link};
use super::meters::Meters;
use super::scripts::Call;
use super::verify::Demand;
use super::writers::{Writer, Writers};
use crate::backend::Durability;
use crate::backend::error::BackendError;
use crate::model::id::SessionId;

/// The way to the primary, open or not.
pub(super) struct Primary {
    link: watch::Sender<Option<Arc<Link>>>,
    /// Only where an ack waits for replicas.
    writers: Option<Writers>,
    meters: Arc<Meters>,
}

impl Primary {
    /// The way, and what works on its writers' queues, if acks are to wait for replicas. `mark` is the key they write.
    pub(super) fn new(demand: Demand, mark: &str, meters: &Arc<Meters>) -> (Self, Vec<Writer>) {
        let waits = demand.level == Some(Durability::Replicated);
        let (writers, working) = waits.then(|| Writers::new(demand.replicas, mark, meters)).unzip();
        (
            Self { link: watch::Sender::new(None), writers, meters: meters.clone() },
            working.unwrap_or_default(),
        )
    }

    /// Whether an ack waits for replicas.
    pub(super) fn has_writers(&self) -> bool {
        self.writers.is_some()
    }

    /// Puts other links in place, one for each writer.
    pub(super) fn replace(&self, link: Arc<Link>, writers: Vec<Arc<Link>>) {
        self.put(Some(link), writers);
    }

    /// There is no link any more.
    pub(super) fn clear(&self) {
        self.put(None, Vec::new());
    }

    fn put(&self, link: Option<Arc<Link>>, writers: Vec<Arc<Link>>) {
        if let Some(own) = &self.writers {
            own.replace(writers);
        }
        // Last: who waits for it finds the writers connected.
        self.link.send_replace(link);
    }

    fn current(&self) -> Option<Arc<Link>> {
        self.link.borrow().clone()
    }

    /// Whether there is a link, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        stands(&self.link.borrow())
    }

    /// Returns once there is a link.
    pub(super) async fn opened(&self) {
        // The sender is ours: it cannot be gone.
        let _ = self.link.subscribe().wait_for(stands).await;
    }

    /// Runs a script.
    pub(super) async fn run(&self, call: &Call) -> Result<Value, Fault> {
        let Some(link) = self.current() else {
            return Err(Fault::Refused("no connection to Redis".into()));
        };
        let started = Instant::now();
        let answer = run_on(&link, call).await;
        if let Some(command) = call.script.command {
            self.meters.duration(command).record(started.elapsed().as_secs_f64());
        }
        answer
    }

    /// Runs a script of a session whose outcome somebody is told of: it counts once as many replicas have it as an ack promises.
    pub(super) async fn commit(&self, session: SessionId, call: &Call) -> Result<Value, Fault> {
        let Some(writers) = &self.writers else { return self.run(call).await };
        let (started, command) = (Instant::now(), call.script.command);
        let answer = writers.commit(session, call.clone()).await;
        if let Some(command) = command {
            self.meters.duration(command).record(started.elapsed().as_secs_f64());
        }
        answer
    }

    /// Whether replicas follow, as far as an ack needs them; asked on another writer with each turn.
    pub(super) async fn confirm(&self, turn: u64) -> Result<(), BackendError> {
        let Some(writers) = &self.writers else { return Ok(()) };
        writers.confirm(turn).await.map_err(|fault| fault.into_error(true))
    }
}

/// One that was lost stays in place until somebody looks.
fn stands(link: &Option<Arc<Link>>) -> bool {
    link.as_ref().is_some_and(|link| !link.broken().is_cancelled())
}

/// Runs a script on a given link, handing it over first when Redis has forgotten it (a restart, `SCRIPT FLUSH`).
pub(super) async fn run_on(link: &Link, call: &Call) -> Result<Value, Fault> {
    match link.call(&call.command).await {
        Err(Fault::NoScript) => {
            link.call(&call.script.load()).await?;
            link.call(&call.command).await
        }
        answer => answer,
    }
}
