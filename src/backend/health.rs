//! Whether the backend can deliver, and to whom: what readiness, `status` and the metrics are made of.
//!
//! Plain data that an adapter watches over and tells by a channel. Not responsible for finding it out (a probe of the adapter's), nor for what is
//! made of it (`gateway::health`). A backend of several stores fails in parts, so a session has a health of its own.

use std::fmt;
use std::sync::Arc;

use super::Durability;
use crate::model::id::SessionId;

/// Whether the backend can deliver, as its own probe through the publish path saw it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// No probe has come home yet.
    pub starting: bool,
    /// The newest probes came home: what is published is delivered, in every session.
    pub up: bool,
    /// While that does not hold for every session: for which it does. `None`: all share one fate.
    pub partly: Option<Partly>,
    /// What an ack means at present.
    pub durability: Durability,
}

impl Health {
    /// Whether what is published in this session is delivered.
    #[must_use]
    pub fn delivers(&self, session: SessionId) -> bool {
        self.up || self.partly.as_ref().is_some_and(|partly| partly.0.delivers(session))
    }

    /// Whether the same sessions are delivered as by the other.
    #[must_use]
    pub fn delivers_as(&self, other: &Self) -> bool {
        (self.up, &self.partly) == (other.up, &other.partly)
    }
}

/// Knows for which sessions what is published is delivered. Answers from memory and does not change: what changes is told as another.
pub trait Reach: Send + Sync {
    /// Whether it is in this one.
    fn delivers(&self, session: SessionId) -> bool;
}

/// A [`Reach`], the same as another only if it is that one.
#[derive(Clone)]
pub struct Partly(Arc<dyn Reach>);

impl Partly {
    /// Of what is known now.
    #[must_use]
    pub fn of(reach: Arc<dyn Reach>) -> Self {
        Self(reach)
    }
}

impl PartialEq for Partly {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Partly {}

impl fmt::Debug for Partly {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Partly")
    }
}
