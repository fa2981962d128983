//! May clients come here, and does publishing work: answers from memory, without a lock or a call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Gateway;
use crate::backend::{Durability, Health};
use crate::metrics::label::DurabilityLevel;
use crate::protocol::outbound::Status;

/// What a probe is told.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// This build.
    pub version: &'static str,
    /// `memory` or `redis`.
    pub backend: &'static str,
    /// Since the start.
    pub uptime: Duration,
    /// Why load balancers should send nobody here; empty when they may.
    pub reasons: Vec<&'static str>,
}

impl Gateway {
    /// The state now.
    #[must_use]
    pub fn health(&self) -> HealthReport {
        let health = *self.parts.backend.health.borrow();
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
            reasons,
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

    /// Watches the backend for ever: listeners learn that publishing is suspended and that it works again; the gauges follow.
    pub async fn run_health(self: Arc<Self>) {
        let mut health = self.parts.backend.health.clone();
        let mut told = true;
        loop {
            let now: Health = *health.borrow_and_update();
            self.parts.metrics.set_durability(level(now));
            let ready = self.health().reasons.is_empty();
            self.parts.metrics.node.ready.set(if ready { 1.0 } else { 0.0 });
            if !now.starting && now.up != told {
                told = now.up;
                tracing::warn!(up = now.up, "backend state changed");
                self.parts.hub.tell_all("status", Status::of(now.up).encode()).await;
            }
            if health.changed().await.is_err() {
                // The backend is gone, and the node with it.
                return;
            }
        }
    }
}

fn level(health: Health) -> DurabilityLevel {
    match health.durability {
        Durability::Memory => DurabilityLevel::Memory,
        Durability::Aof => DurabilityLevel::Aof,
        Durability::Fsync => DurabilityLevel::Fsync,
        Durability::Replicated => DurabilityLevel::Replicated,
    }
}
