//! The port of session records on Redis.

use std::sync::Arc;

use async_trait::async_trait;
use redis::Value;

use super::Shared;
use super::reply::{self, Reply, unreadable};
use super::rows::{self, Fields};
use super::scripts::{self, Call};
use crate::backend::SessionSummary;
use crate::backend::error::BackendError;
use crate::backend::sessions::SessionStore;
use crate::model::entry::Epoch;
use crate::model::id::SessionId;
use crate::model::session::{NewSession, SessionRecord};
use crate::model::time::{ClusterMs, millis};

/// Records, through scripts.
pub(super) struct RedisSessions(pub(super) Arc<Shared>);

#[async_trait]
impl SessionStore for RedisSessions {
    async fn create(&self, session: NewSession) -> Result<SessionRecord, BackendError> {
        let call = Call::new(&scripts::CREATE, &self.0.keys.session(session.id));
        let ttl = millis(session.ttl);
        let mut call = call.arg(Epoch::new_random().to_string()).arg(ttl).arg(&session.password_hash);
        for (field, value) in rows::new_record(&session) {
            call = call.arg(field).arg(value);
        }
        let Value::Int(created) = self.0.routes.commit(session.id, call).await? else {
            return Err(unreadable("a time of creation"));
        };
        let created_at = ClusterMs(u64::try_from(created).map_err(|_| unreadable("a time of creation"))?);
        if created_at.0 == 0 {
            return Err(BackendError::Unavailable("the session's id is taken".into()));
        }
        Ok(SessionRecord {
            id: session.id,
            name: session.name,
            host: session.host,
            capacity: session.capacity,
            locked: false,
            control: crate::model::session::Control::default(),
            created_at,
            expires_at: created_at.plus(session.ttl),
            version: 1,
        })
    }

    async fn find(&self, session: SessionId) -> Result<Option<SessionSummary>, BackendError> {
        let call = Call::new(&scripts::FIND, &self.0.keys.session(session));
        let mut reply = Reply::array(self.0.routes.run(session, call).await?)?;
        if reply.left() == 0 {
            return Ok(None);
        }
        let record = rows::record(session, &Fields::read(reply.next_array()?)?)?;
        let participants = u32::try_from(reply.next_number()?).map_err(|_| unreadable("a count"))?;
        Ok(Some(SessionSummary { record, participants }))
    }

    async fn password_hash(&self, session: SessionId) -> Result<Option<String>, BackendError> {
        let call = Call::new(&scripts::PASSWORD, &self.0.keys.session(session));
        match self.0.routes.run(session, call).await? {
            Value::Nil => Ok(None),
            hash => {
                let hash = String::from_utf8(reply::bytes(hash)?.into());
                hash.map(Some).map_err(|_| unreadable("a password hash"))
            }
        }
    }
}
