//! A store under comparison, and what can happen to it.

use std::sync::Arc;

use async_trait::async_trait;
use watchparty::backend::Backend;
use watchparty::model::id::SessionId;

use crate::ear::Ear;

/// How much a crash takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    /// The newest operations of which nothing is left.
    pub(crate) operations: usize,
    /// Whether a part of the oldest of them is still there, and no more than a part.
    pub(crate) torn: bool,
}

/// One side.
#[async_trait]
pub(crate) trait Store: Send {
    /// Its ports.
    fn backend(&self) -> Backend;

    /// What it delivers.
    fn ear(&self) -> Arc<Ear>;

    /// Notes that an operation is done, to be found again by [`crash`](Self::crash). The first call of a sequence forgets what was before.
    fn mark(&mut self, session: SessionId, first: bool);

    /// Returns when the store's clock has gone on, so that what ran out before did so earlier than what runs out next.
    async fn tick(&self);

    /// Becomes another branch and loses nothing.
    async fn promote(&mut self, session: SessionId);

    /// Stops in order and starts again.
    async fn restart(&mut self, session: SessionId);

    /// Is killed, loses some of what it had and starts again. Answers how many of the marks survived, at least 1.
    async fn crash(&mut self, session: SessionId, loss: Loss) -> usize;
}
