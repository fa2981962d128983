//! The memory adapter: everything in this process. The embedded default, and the reference model of the contract.
//!
//! Responsible for the four ports over plain state, one step at a time per session. Not responsible for outliving the process.
//! `session`, `publish`, `seats` and `repeats` are the specification (pure, with the time as an argument); `log`, `sessions` and
//! `membership` put a lock around it and deliver while it is held, which is what keeps announcements in order. Several nodes can share one
//! store ([`Memory::node`]), as several share one Redis, so that tests see the same shape with both adapters.

pub mod limiter;
mod log;
mod membership;
mod publish;
mod repeats;
mod restart;
mod seats;
mod session;
mod sessions;
mod shards;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use self::limiter::LocalLimiter;
pub use self::restart::Kept;
use self::session::Session;
use self::shards::{Cell, Listener, Shards, lock};
use super::clock::ClusterClock;
use super::log::{Announcement, Deliver};
use super::{Backend, Durability, Health};
use crate::model::history::Retention;
use crate::model::id::SessionId;
use crate::model::time::ClusterMs;

/// What can be set.
#[derive(Debug, Clone, Copy)]
pub struct MemorySettings {
    /// What a log keeps.
    pub history: Retention,
}

/// Builds the adapter for one node. The store is returned beside the ports, for [`Memory::sweep`] and for more nodes.
#[must_use]
pub fn memory(
    settings: MemorySettings,
    clock: Arc<ClusterClock>,
    deliver: Arc<dyn Deliver>,
) -> (Backend, Arc<Memory>) {
    let limiter = Arc::new(LocalLimiter::on(Arc::clone(&clock)));
    // Memory can always deliver.
    let (health, _) =
        watch::channel(Health { starting: false, up: true, partly: None, durability: Durability::Memory });
    let store = Arc::new(Memory {
        settings,
        clock,
        shards: Shards::new(),
        limiter,
        health,
        nodes: AtomicU64::new(0),
    });
    (store.node(deliver), store)
}

/// The store: every session of the process.
pub struct Memory {
    settings: MemorySettings,
    clock: Arc<ClusterClock>,
    shards: Shards,
    limiter: Arc<LocalLimiter>,
    /// Kept so that receivers never see it closed.
    health: watch::Sender<Health>,
    nodes: AtomicU64,
}

/// One node's view of the store: the same sessions, its own subscriptions.
#[derive(Clone)]
struct Node {
    store: Arc<Memory>,
    number: u64,
    deliver: Arc<dyn Deliver>,
}

impl Memory {
    /// The ports for one more node on this store.
    #[must_use]
    pub fn node(self: &Arc<Self>, deliver: Arc<dyn Deliver>) -> Backend {
        let number = self.nodes.fetch_add(1, Ordering::Relaxed);
        let node = Arc::new(Node { store: Arc::clone(self), number, deliver });
        Backend {
            name: "memory",
            sessions: Arc::clone(&node) as _,
            log: Arc::clone(&node) as _,
            membership: node,
            limiter: Arc::clone(&self.limiter) as _,
            clock: Arc::clone(&self.clock),
            health: self.health.subscribe(),
        }
    }

    /// Drops sessions whose time is over and full token buckets. Call it each minute: without it only what is touched is dropped.
    pub fn sweep(&self, now: ClusterMs) {
        self.shards.sweep(now);
        self.limiter.sweep();
    }

    /// Looks at a session in one step; `None` when there is none. An ended one is shown.
    fn look<T>(&self, id: SessionId, look: impl FnOnce(&Session, ClusterMs) -> T) -> Option<T> {
        let cell = self.shards.get(id)?;
        let mut cell = lock(&cell);
        // Read under the lock, so that the steps of a session never see time go back.
        let now = self.clock.now();
        cell.forget_gone(now);
        cell.session.as_ref().map(|session| look(session, now))
    }

    /// Looks at a session that has not ended.
    fn look_live<T>(&self, id: SessionId, look: impl FnOnce(&Session, ClusterMs) -> T) -> Option<T> {
        self.look(id, |session, now| (!session.over()).then(|| look(session, now))).flatten()
    }

    /// Changes a session in one step and announces what the step did, in this order: the epoch it began, what `tell` makes of its result,
    /// the entries it appended. All of it still under the lock; `None` when there is no session.
    fn change<T>(
        &self,
        id: SessionId,
        change: impl FnOnce(&mut Session, ClusterMs) -> T,
        tell: impl FnOnce(&T, &[Listener]),
    ) -> Option<T> {
        let cell = self.shards.get(id)?;
        let mut cell = lock(&cell);
        let now = self.clock.now();
        cell.forget_gone(now);
        let Cell { session, listeners } = &mut *cell;
        let session = session.as_mut()?;
        let before = session.position(session.head());
        let result = change(session, now);
        let announce = |announcement: Option<Announcement>| {
            let Some(announcement) = announcement else { return };
            for listener in &*listeners {
                listener.deliver.announced(id, announcement.clone());
            }
        };
        announce(session.new_epoch(before, now));
        tell(&result, listeners);
        announce(session.announcement(before.seq));
        session.trim(now);
        Some(result)
    }
}
