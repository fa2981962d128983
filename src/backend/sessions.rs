//! The port of session records.

use async_trait::async_trait;

use super::SessionSummary;
use super::error::BackendError;
use crate::model::id::SessionId;
use crate::model::session::{NewSession, SessionRecord};

/// Records of sessions. Contract:
///
/// - `create` writes record, password hash and an empty log with their time to live in one step; there is no moment at which a
///   key without one exists. An id is never reused: creating an existing one is `Unavailable`.
/// - A session ends by [`Effect::End`](super::log::Effect) or when its time to live runs out; then every read says `None`. The
///   time to live starts again with every join, entry and beat (implementations may round by a tenth of it).
/// - The password hash is never read together with the record.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Creates a session that nobody has joined yet.
    async fn create(&self, session: NewSession) -> Result<SessionRecord, BackendError>;

    /// The record and how many seats are taken; `None` when there is no such session, or it ended.
    async fn find(&self, session: SessionId) -> Result<Option<SessionSummary>, BackendError>;

    /// bcrypt text of the password; `None` when there is no such session, or it ended.
    async fn password_hash(&self, session: SessionId) -> Result<Option<String>, BackendError>;
}
