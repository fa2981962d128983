//! The port of session records over memory.
//!
//! Responsible for creating sessions and showing their records. Not responsible for changing them: that is an effect of a publish.

use async_trait::async_trait;

use super::Node;
use super::session::Session;
use super::shards::lock;
use crate::backend::SessionSummary;
use crate::backend::error::BackendError;
use crate::backend::sessions::SessionStore;
use crate::model::id::SessionId;
use crate::model::session::{NewSession, SessionRecord};

#[async_trait]
impl SessionStore for Node {
    async fn create(&self, session: NewSession) -> Result<SessionRecord, BackendError> {
        let id = session.id;
        let cell = self.store.shards.get_or_new(id);
        let mut cell = lock(&cell);
        let now = self.store.clock.now();
        cell.forget_gone(now);
        if cell.session.is_some() {
            return Err(BackendError::Unavailable(format!("session {id} exists")));
        }
        let session = Session::create(session, self.store.settings.history, now);
        let record = session.record.clone();
        cell.session = Some(session);
        Ok(record)
    }

    async fn find(&self, session: SessionId) -> Result<Option<SessionSummary>, BackendError> {
        Ok(self.store.look_live(session, |session, now| SessionSummary {
            record: session.record.clone(),
            participants: session.seats.count(now),
        }))
    }

    async fn password_hash(&self, session: SessionId) -> Result<Option<String>, BackendError> {
        Ok(self.store.look_live(session, |session, _| session.password_hash().to_owned()))
    }
}
