//! Rooms that need a repair, each once, however often they ask: the hub's only wish list, read by the gateway's resync.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::model::entry::Position;
use crate::model::id::SessionId;

/// Bounded by the number of rooms, as each stands here at most once.
#[derive(Debug, Default)]
pub struct Behind {
    rooms: Mutex<HashMap<SessionId, Position>>,
    wake: Notify,
}

impl Behind {
    /// A room wants the entries after `at`. A newer wish replaces an older one.
    pub fn ask(&self, session: SessionId, at: Position) {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).insert(session, at);
        self.wake.notify_one();
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until a room asks, and takes at most `limit` of those that did.
    pub async fn take(&self, limit: usize) -> Vec<(SessionId, Position)> {
        loop {
            {
                let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
                let some: Vec<SessionId> = rooms.keys().take(limit).copied().collect();
                if !some.is_empty() {
                    return some
                        .into_iter()
                        .filter_map(|session| rooms.remove(&session).map(|at| (session, at)))
                        .collect();
                }
            }
            self.wake.notified().await;
        }
    }
}
