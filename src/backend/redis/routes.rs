//! Which primary takes a session: the one there is, or of a cluster the one that has the session's slot.
//!
//! Responsible for nothing but the choice. Not responsible for ways (`way`) or for who has which slot (`cluster`).

use std::sync::Arc;

use redis::Value;

use super::cluster::Cluster;
use super::scripts::Call;
use super::slots::slot_of;
use super::way::Way;
use crate::backend::error::BackendError;
use crate::model::id::SessionId;

/// Where calls and subscriptions go.
pub(super) enum Routes {
    One(Way),
    Many(Arc<Cluster>),
}

impl Routes {
    /// Runs a script of a session.
    pub(super) async fn run(&self, session: SessionId, call: Call) -> Result<Value, BackendError> {
        match self {
            Self::One(way) => way.run(&call).await.map_err(|fault| fault.into_error(call.writes())),
            Self::Many(cluster) => cluster.run(slot_of_session(session), &call).await,
        }
    }

    /// Runs a script of one key that is no session's.
    pub(super) async fn run_at(&self, key: &str, call: Call) -> Result<Value, BackendError> {
        match self {
            Self::One(way) => way.run(&call).await.map_err(|fault| fault.into_error(call.writes())),
            Self::Many(cluster) => cluster.run(slot_of(key.as_bytes()), &call).await,
        }
    }

    /// Runs a script of a session whose outcome somebody is told of: it counts once as many replicas have it as an ack promises.
    pub(super) async fn commit(&self, session: SessionId, call: Call) -> Result<Value, BackendError> {
        match self {
            Self::One(way) => {
                way.commit(session, &call).await.map_err(|fault| fault.into_error(call.writes()))
            }
            Self::Many(cluster) => cluster.commit(slot_of_session(session), session, &call).await,
        }
    }

    /// Listens to a session; returns when Redis has confirmed it.
    pub(super) async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        match self {
            Self::One(way) => way.subscribe(session).await,
            Self::Many(cluster) => cluster.subscribe(session).await,
        }
    }

    /// Stops listening to a session.
    pub(super) async fn unsubscribe(&self, session: SessionId) {
        match self {
            Self::One(way) => way.subscriber.unsubscribe(session).await,
            Self::Many(cluster) => cluster.unsubscribe(session).await,
        }
    }
}

/// The slot of all keys and channels of a session: its id is their tag.
pub(super) fn slot_of_session(session: SessionId) -> u16 {
    slot_of(session.to_string().as_bytes())
}
