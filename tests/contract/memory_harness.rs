//! The suite on memory: a store in this process, whose clock is turned by hand.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use watchparty::backend::Backend;
use watchparty::backend::clock::ClusterClock;
use watchparty::backend::log::Deliver;
use watchparty::backend::memory::{Memory, MemorySettings, memory};
use watchparty::model::history::Retention;
use watchparty::model::id::SessionId;
use watchparty::model::time::ClockName;

use crate::harness::{BY_AGE, BY_NUMBER, Harness, Store};

/// A harness on a store of its own.
pub(crate) async fn start() -> Harness {
    keeping(BY_NUMBER).await
}

/// One whose logs keep what is young, too.
pub(crate) async fn start_aging() -> Harness {
    keeping(BY_AGE).await
}

async fn keeping(history: Retention) -> Harness {
    let clock = Arc::new(ClusterClock::new());
    Harness::new(Box::new(InMemory { history, clock, store: OnceLock::new() })).await
}

struct InMemory {
    history: Retention,
    clock: Arc<ClusterClock>,
    /// Made with the first node.
    store: OnceLock<Arc<Memory>>,
}

#[async_trait]
impl Store for InMemory {
    async fn connect(&self, deliver: Arc<dyn Deliver>) -> Backend {
        if let Some(store) = self.store.get() {
            return store.node(deliver);
        }
        let settings = MemorySettings { history: self.history };
        let (backend, store) = memory(settings, Arc::clone(&self.clock), deliver);
        assert!(self.store.set(store).is_ok(), "the first node is connected alone");
        backend
    }

    fn pass(&self, time: Duration) {
        let reference = Duration::from_millis(self.clock.now().0).saturating_add(time);
        let name = ClockName::of_branch("0000000000000000").expect("a name");
        self.clock.correct(name, reference, Duration::ZERO);
    }

    async fn promote(&self, session: SessionId) {
        let store = self.store.get().expect("a node is connected");
        store.restart(session, &store.keep(session));
    }

    /// A store in memory leaves nothing behind.
    async fn finish(&self) {}
}
