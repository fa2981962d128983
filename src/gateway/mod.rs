//! The product's verbs: create, join, attach, publish, recover, kick, health. Edges call these and nothing below; no file here
//! knows HTTP, WebSocket frames or Redis.
//!
//! Each file adds one group of verbs to [`Gateway`]:
//!
//! - `sessions`: create, join, look up, tokens; `caller`: who may ask.
//! - `rooms`: a listener comes and goes; `recovery`: may it go on where it was (pure); `pull`: what it lacks.
//! - `publish`: the queue of a session, one call in flight; `verbs`: what a verb becomes at its turn (pure but for reads).
//! - `membership`: beats; `resync`: rooms that are behind; `health`: may clients come, does publishing work.

pub mod caller;
pub mod error;
pub mod health;
pub mod membership;
pub mod publish;
mod pull;
pub mod recovery;
mod relay;
pub mod resync;
pub mod rooms;
pub mod sessions;
mod verbs;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::auth::password::PasswordPool;
use crate::auth::server_key::ServerKeys;
use crate::auth::token::Keys;
use crate::backend::Backend;
use crate::backend::limiter::Limiter;
use crate::config::Config;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::model::id::NodeId;
use crate::model::time::ClusterMs;

/// What a gateway is made of; the composition root builds the parts.
pub struct Parts {
    /// Every setting.
    pub config: Arc<Config>,
    /// Where sessions live.
    pub backend: Backend,
    /// This node's rooms, the same that the backend delivers to.
    pub hub: Arc<Hub>,
    /// Signs and verifies tokens.
    pub keys: Keys,
    /// Backends that may publish.
    pub server_keys: ServerKeys,
    /// Hashes passwords.
    pub passwords: PasswordPool,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Where tasks are tracked.
    pub tracker: TaskTracker,
}

/// The gateway of one node.
pub struct Gateway {
    node: NodeId,
    parts: Parts,
    rooms: rooms::Rooms,
    queues: publish::Queues,
    draining: AtomicBool,
    started: Instant,
}

impl Gateway {
    /// A gateway that serves at once.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            node: NodeId::new_random(),
            parts,
            rooms: rooms::Rooms::default(),
            queues: publish::Queues::default(),
            draining: AtomicBool::new(false),
            started: Instant::now(),
        })
    }

    /// Which node this is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The cluster's time.
    #[must_use]
    pub fn now(&self) -> ClusterMs {
        self.parts.backend.clock.now()
    }

    /// Every setting.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.parts.config
    }

    /// Counts.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    /// Token buckets shared by all nodes.
    #[must_use]
    pub fn limiter(&self) -> &dyn Limiter {
        &*self.parts.backend.limiter
    }

    /// Where tasks are tracked.
    #[must_use]
    pub fn tracker(&self) -> &TaskTracker {
        &self.parts.tracker
    }
}
