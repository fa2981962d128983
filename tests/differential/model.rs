//! The memory backend as a side: the model that is led, and in `teeth` also the leader.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use watchparty::backend::Backend;
use watchparty::backend::clock::ClusterClock;
use watchparty::backend::log::Deliver;
use watchparty::backend::memory::{Kept, Memory, MemorySettings, memory};
use watchparty::model::history::Retention;
use watchparty::model::id::SessionId;
use watchparty::model::time::ClockName;

use crate::ear::Ear;
use crate::store::{Loss, Store};

/// A store in memory, and what it was after each operation.
pub(crate) struct Model {
    backend: Backend,
    memory: Arc<Memory>,
    ear: Arc<Ear>,
    kept: Vec<Kept>,
}

impl Model {
    pub(crate) fn new(keep: usize) -> Self {
        Self::heard_through(keep, |ear| ear)
    }

    /// One whose deliveries pass something on their way.
    pub(crate) fn heard_through(keep: usize, way: impl FnOnce(Arc<Ear>) -> Arc<dyn Deliver>) -> Self {
        let ear = Arc::new(Ear::default());
        let settings = MemorySettings { history: Retention::newest(keep) };
        let (backend, memory) = memory(settings, Arc::new(ClusterClock::new()), way(ear.clone()));
        Self { backend, memory, ear, kept: Vec::new() }
    }

    /// Turns the clock on by the least that a restart takes.
    fn turn_clock(&self) {
        let clock = &self.backend.clock;
        let name = ClockName::of_branch("0000000000000000").expect("a name");
        clock.correct(name, Duration::from_millis(clock.now().0 + 1), Duration::ZERO);
    }

    /// Restarts with what it was when `survived` operations were done.
    pub(crate) fn go_back(&mut self, session: SessionId, survived: usize) {
        self.turn_clock();
        self.kept.truncate(survived);
        self.memory.restart(session, self.kept.last().expect("the first mark is always there"));
    }
}

#[async_trait]
impl Store for Model {
    fn backend(&self) -> Backend {
        self.backend.clone()
    }

    fn ear(&self) -> Arc<Ear> {
        self.ear.clone()
    }

    fn mark(&mut self, session: SessionId, first: bool) {
        if first {
            self.kept.clear();
        }
        self.kept.push(self.memory.keep(session));
    }

    async fn tick(&self) {
        self.turn_clock();
    }

    async fn promote(&mut self, session: SessionId) {
        self.turn_clock();
        self.memory.restart(session, &self.memory.keep(session));
    }

    async fn restart(&mut self, session: SessionId) {
        self.promote(session).await;
    }

    async fn crash(&mut self, session: SessionId, loss: Loss) -> usize {
        let survived = self.kept.len().saturating_sub(loss.operations).max(1);
        self.go_back(session, survived);
        survived
    }
}
