//! The product's verbs: create, join, attach, publish, recover, kick, health. Edges call these and nothing below; no file here
//! knows HTTP, WebSocket frames or Redis.
//!
//! Each file adds one group of verbs to [`Gateway`]:
//!
//! - `sessions`: create, join, look up, tokens; `caller`: who may ask.
//! - `rooms`: a listener comes and goes; `recovery`: may it go on where it was (pure); `pull`: what it lacks.
//! - `publish`: the queue of a session, one call in flight; `verbs`: what a verb becomes at its turn (pure but for reads).
//! - `playback`: the film: commands at their turn, waits and who ends them.
//! - `membership`: beats; `resync`: rooms that are behind; `health`: may clients come, does publishing work.

pub mod caller;
pub mod error;
pub mod health;
pub mod ice;
pub mod membership;
mod playback;
pub mod publish;
pub mod pull;
pub mod recovery;
mod relay;
pub mod resync;
pub mod rooms;
pub mod sessions;
mod verbs;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::auth::password::PasswordPool;
use crate::auth::server_key::ServerKeys;
use crate::auth::token::{Claims, Keys};
use crate::backend::Backend;
use crate::backend::limiter::Limiter;
use crate::config::Config;
use crate::hub::Hub;
use crate::metrics::Metrics;
use crate::model::id::NodeId;
use crate::model::time::ClusterMs;

/// What a gateway is made of; the composition root builds the parts.
pub struct Parts {
    /// Which node this is.
    pub node: NodeId,
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
    parts: Parts,
    rooms: rooms::Rooms,
    queues: publish::Queues,
    /// Held while a changed password is hashed.
    changing: tokio::sync::Mutex<()>,
    draining: AtomicBool,
    /// Seconds since the start at the runtime's last tick, for liveness.
    ticked: AtomicU64,
    started: Instant,
}

impl Gateway {
    /// A gateway that serves at once.
    #[must_use]
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            parts,
            rooms: rooms::Rooms::default(),
            queues: publish::Queues::default(),
            changing: tokio::sync::Mutex::default(),
            draining: AtomicBool::new(false),
            ticked: AtomicU64::new(0),
            started: Instant::now(),
        })
    }

    /// Which node this is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.parts.node
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

    /// What a participant's calls may be relayed by.
    #[must_use]
    pub fn ice(&self, claims: &Claims) -> ice::IceServers {
        ice::servers(self.parts.config.turn.as_ref(), claims, self.now())
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

#[cfg(test)]
impl Gateway {
    /// A gateway on the memory backend whose rooms nobody runs: for tests of edges. Needs a runtime.
    pub(crate) fn for_tests(config: Arc<Config>, metrics: Arc<Metrics>) -> Arc<Self> {
        use crate::backend::memory::{MemorySettings, memory};
        use crate::hub::Commons;
        use crate::metrics::label::Origin;
        use crate::model::history::Retention;
        let clock = Arc::new(crate::backend::clock::ClusterClock::new());
        let commons = Commons { metrics: metrics.clone(), clock: clock.clone(), origin: Origin::Local };
        let (hub, _) = Hub::new(1, commons);
        let (backend, _) = memory(MemorySettings { history: Retention::newest(1000) }, clock, hub.clone());
        let size = crate::auth::password::PoolSize { cost: 4, workers: 1, queue: 16 };
        Self::new(Parts {
            node: NodeId::new_random(),
            config,
            backend,
            hub,
            keys: Keys::new(b"a secret of at least 32 bytes, for tests", None),
            server_keys: ServerKeys::new([]),
            passwords: PasswordPool::start(size, Arc::new(())).expect("a pool"),
            metrics,
            tracker: TaskTracker::new(),
        })
    }
}
