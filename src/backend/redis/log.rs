//! The port of the log on Redis: batches in, pages out, announcements on and off.
//!
//! How a batch is laid out for the script is in `batch`.

use std::sync::Arc;

use async_trait::async_trait;

use super::Shared;
use super::batch;
use super::reply::{Reply, unreadable};
use super::rows;
use super::scripts::{self, Call};
use super::wire;
use crate::backend::error::BackendError;
use crate::backend::log::{Cut, Log, Most, Page, Publish, Published, Relay};
use crate::model::entry::{Entry, Seq};
use crate::model::history::History;
use crate::model::id::SessionId;

/// The log, through scripts and channels.
pub(super) struct RedisLog {
    pub(super) shared: Arc<Shared>,
}

#[async_trait]
impl Log for RedisLog {
    async fn publish(&self, session: SessionId, batch: &[Publish]) -> Result<Vec<Published>, BackendError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let call = batch::call(&self.shared, session, batch)?;
        let answer = self.shared.routes.commit(session, call).await?;
        batch::read(answer, batch.len())
    }

    async fn read_most(
        &self,
        session: SessionId,
        cut: Cut,
        most: Most,
    ) -> Result<Option<Page>, BackendError> {
        let (side, seq) = match cut {
            Cut::After(seq) => ("after", seq),
            Cut::Before(seq) => ("before", seq),
        };
        let call = Call::new(&scripts::READ, &self.shared.keys.session(session));
        let call = call.arg(side).arg(seq.0).arg(most.entries).arg(most.bytes);
        let mut reply = Reply::array(self.shared.routes.run(session, call).await?)?;
        if reply.left() == 0 {
            return Ok(None);
        }
        let epoch = rows::epoch(&reply.next_text()?)?;
        let (head, first) = (Seq(reply.next_number()?), Seq(reply.next_number()?));
        let lineage = rows::lineage(&reply.next_text()?)?;
        let mut entries = entries(reply.next_array()?)?;
        if matches!(cut, Cut::Before(_)) {
            entries.reverse();
        }
        if entries.windows(2).any(|pair| pair[1].seq != pair[0].seq.next()) {
            return Err(unreadable("a hole in the log"));
        }
        Ok(Some(Page { history: History { epoch, head, first, lineage }, entries }))
    }

    async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        self.shared.routes.subscribe(session).await
    }

    async fn unsubscribe(&self, session: SessionId) {
        self.shared.routes.unsubscribe(session).await;
    }

    async fn relay(&self, session: SessionId, relay: Relay) -> Result<bool, BackendError> {
        let keys = &self.shared.keys;
        let to = relay.to.map(|to| to.to_string()).unwrap_or_default();
        let call = Call::new(&scripts::RELAY, &keys.session(session));
        let call = call.arg(keys.channel(session)).arg(to).arg(wire::relay(&relay));
        Ok(self.shared.routes.run(session, call).await? == redis::Value::Int(1))
    }
}

fn entries(mut reply: Reply) -> Result<Vec<Entry>, BackendError> {
    let mut entries = Vec::with_capacity(reply.left());
    while reply.left() > 0 {
        entries.push(rows::entry(reply.next_array()?)?);
    }
    Ok(entries)
}
