//! The log port over memory: publishing, reading, listening.
//!
//! Responsible for locking and for telling listeners. Not responsible for what a publish does (`publish`).

use async_trait::async_trait;

use super::Node;
use super::shards::{Listener, lock};
use crate::backend::error::BackendError;
use crate::backend::log::{Cut, Log, Most, Page, Publish, Published, Refusal, Relay};
use crate::model::id::SessionId;

#[async_trait]
impl Log for Node {
    async fn publish(&self, session: SessionId, batch: &[Publish]) -> Result<Vec<Published>, BackendError> {
        debug_assert!(
            batch.iter().rev().skip(1).all(|publish| publish.effect.is_none()),
            "a publish with an effect is the last of its batch"
        );
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let published = self.store.change(session, |session, now| session.publish(batch, now), |_, _| {});
        Ok(published.unwrap_or_else(|| vec![Published::Refused(Refusal::NoSession); batch.len()]))
    }

    async fn read_most(
        &self,
        session: SessionId,
        cut: Cut,
        most: Most,
    ) -> Result<Option<Page>, BackendError> {
        Ok(self.store.look(session, |session, _| session.read(cut, most)))
    }

    async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        let cell = self.store.shards.get_or_new(session);
        let mut cell = lock(&cell);
        if cell.listeners.iter().all(|listener| listener.node != self.number) {
            cell.listeners.push(Listener { node: self.number, deliver: self.deliver.clone() });
        }
        Ok(())
    }

    async fn unsubscribe(&self, session: SessionId) {
        if let Some(cell) = self.store.shards.get(session) {
            lock(&cell).listeners.retain(|listener| listener.node != self.number);
        }
    }

    async fn relay(&self, session: SessionId, relay: Relay) -> Result<bool, BackendError> {
        let Some(cell) = self.store.shards.get(session) else { return Ok(relay.to.is_none()) };
        let mut cell = lock(&cell);
        let now = self.store.clock.now();
        cell.forget_gone(now);
        if let Some(to) = relay.to
            && !cell.session.as_ref().is_some_and(|session| session.seats.seated(to, now))
        {
            return Ok(false);
        }
        for listener in &cell.listeners {
            listener.deliver.relayed(session, relay.clone());
        }
        Ok(true)
    }
}
