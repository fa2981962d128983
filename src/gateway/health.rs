//! May clients come here, and does publishing work: answers from memory, without a lock or a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::interval;

use super::Gateway;
use crate::backend::{Durability, Health};
use crate::hub::Telling;
use crate::metrics::label::DurabilityLevel;
use crate::protocol::outbound::Status;

/// The runtime's tick.
const TICK: Duration = Duration::from_secs(1);

/// A runtime that has not ticked for so long serves nobody: time to be restarted.
const LIVE: Duration = Duration::from_secs(10);

/// What a probe is told.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// This build.
    pub version: &'static str,
    /// `memory` or `redis`.
    pub backend: &'static str,
    /// Since the start.
    pub uptime: Duration,
    /// Whether load balancers may send clients here.
    pub ready: bool,
    /// Why not: `starting`, `draining`, `backend`.
    pub reasons: Vec<&'static str>,
    /// Whether the runtime that serves clients still ticks.
    pub live: bool,
}

impl Gateway {
    /// The state now.
    #[must_use]
    pub fn health(&self) -> HealthReport {
        let health = self.parts.backend.health.borrow().clone();
        let mut reasons = Vec::new();
        if health.starting {
            reasons.push("starting");
        } else if !health.up && self.parts.config.server.ready_requires_backend {
            reasons.push("backend");
        }
        if self.is_draining() {
            reasons.push("draining");
        }
        HealthReport {
            version: env!("CARGO_PKG_VERSION"),
            backend: self.parts.backend.name,
            uptime: self.started.elapsed(),
            ready: reasons.is_empty(),
            reasons,
            live: self.is_live(),
        }
    }

    /// Returns when load balancers may send clients here, for the first time; never, if that is never so.
    pub async fn until_ready(&self) {
        let mut health = self.parts.backend.health.clone();
        loop {
            health.borrow_and_update();
            if self.health().ready {
                return;
            }
            if health.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Whether the node is stopping.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The node is stopping: not ready any more.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.parts.metrics.node.draining.set(1.0);
        self.parts.metrics.node.ready.set(0.0);
    }

    /// Whether the runtime ticked lately. A node that never ticked is still starting.
    fn is_live(&self) -> bool {
        let ticked = self.ticked.load(Ordering::Relaxed);
        ticked == 0 || self.started.elapsed().as_secs().saturating_sub(ticked) < LIVE.as_secs()
    }

    /// Watches the backend for ever: listeners learn that publishing in their session is suspended and that it works again; the gauges follow.
    pub async fn run_health(self: Arc<Self>) {
        let mut health = self.parts.backend.health.clone();
        let mut ticks = interval(TICK);
        let mut told = Health { starting: false, up: true, partly: None, durability: Durability::Memory };
        loop {
            let now: Health = health.borrow_and_update().clone();
            self.ticked.store(self.started.elapsed().as_secs().max(1), Ordering::Relaxed);
            self.parts.metrics.set_durability(level(now.durability));
            self.parts.metrics.node.ready.set(if self.health().ready { 1.0 } else { 0.0 });
            if !now.starting && !now.delivers_as(&told) {
                tracing::warn!(up = now.up, partly = now.partly.is_some(), "backend state changed");
                self.parts.hub.tell_each("status", changes(told, now.clone())).await;
                told = now;
            }
            tokio::select! {
                changed = health.changed() => if changed.is_err() {
                    // The backend is gone, and the node with it.
                    return;
                },
                _ = ticks.tick() => {}
            }
        }
    }
}

/// What each session is told once this was told and that holds: nothing, where nothing has changed.
fn changes(told: Health, now: Health) -> Telling {
    let (up, degraded) = (Status::of(true).encode(), Status::of(false).encode());
    Telling::by(move |session| {
        let delivers = now.delivers(session);
        (delivers != told.delivers(session)).then(|| if delivers { up.clone() } else { degraded.clone() })
    })
}

fn level(durability: Durability) -> DurabilityLevel {
    match durability {
        Durability::Memory => DurabilityLevel::Memory,
        Durability::Aof => DurabilityLevel::Aof,
        Durability::Fsync => DurabilityLevel::Fsync,
        Durability::Replicated => DurabilityLevel::Replicated,
    }
}
