//! Where sessions are found: a map in shards, one lock per session.
//!
//! Responsible for finding a session's cell and for dropping cells nobody needs. Not responsible for what is in a session. A shard's lock
//! is held only to look up, so sessions do not wait for each other; a cell is dropped only while the map alone holds it, so nobody can
//! subscribe to one that is no longer in the map.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::session::Session;
use crate::backend::log::Deliver;
use crate::model::id::SessionId;
use crate::model::time::ClusterMs;

/// Enough that look-ups on many cores rarely meet.
const SHARDS: usize = 64;

/// Every session, and who listens to it.
#[derive(Default)]
pub(super) struct Shards {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

type Shard = HashMap<SessionId, Arc<Mutex<Cell>>>;

/// One session and its listeners. They share a lock, so that what is appended after `subscribe` is announced, in order.
#[derive(Default)]
pub(super) struct Cell {
    /// `None`: no such session, but somebody listens for one.
    pub(super) session: Option<Session>,
    pub(super) listeners: Vec<Listener>,
}

/// A node that listens.
pub(super) struct Listener {
    /// Which.
    pub(super) node: u64,
    /// Where to.
    pub(super) deliver: Arc<dyn Deliver>,
}

impl Shards {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }

    fn shard(&self, id: SessionId) -> Option<MutexGuard<'_, Shard>> {
        let at = usize::try_from(self.hasher.hash_one(id) % SHARDS as u64).unwrap_or(0);
        self.shards.get(at).map(lock)
    }

    /// The cell of a session, if anyone has one.
    pub(super) fn get(&self, id: SessionId) -> Option<Arc<Mutex<Cell>>> {
        self.shard(id)?.get(&id).cloned()
    }

    /// The cell of a session, empty when it is the first asked for.
    pub(super) fn get_or_new(&self, id: SessionId) -> Arc<Mutex<Cell>> {
        self.shard(id).map_or_else(Arc::default, |mut shard| Arc::clone(shard.entry(id).or_default()))
    }

    /// Drops sessions of which nothing is left, and cells with neither session nor listener. Cells in use are left for the next time.
    pub(super) fn sweep(&self, now: ClusterMs) {
        for shard in &self.shards {
            lock(shard).retain(|_, cell| {
                if Arc::strong_count(cell) > 1 {
                    return true;
                }
                let mut cell = lock(cell);
                cell.forget_gone(now);
                cell.session.is_some() || !cell.listeners.is_empty()
            });
        }
    }

    /// Cells in the map.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

impl Cell {
    /// Drops the session when nothing of it is left to read.
    pub(super) fn forget_gone(&mut self, now: ClusterMs) {
        if self.session.as_ref().is_some_and(|session| session.gone(now)) {
            self.session = None;
        }
    }
}

/// Locks. A panic under the lock is a bug that has been reported; the state is changed in whole steps, so going on is sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
