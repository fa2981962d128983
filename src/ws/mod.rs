//! The WebSocket edge: the handshake, the frames, and what a connection does with them.
//!
//! Responsible for everything from an upgrade request to a close code; not for what messages mean to a room.
//!
//! - `route`: an upgrade request, answered; `upgrade`: the handshake (pure); `gate`: caps per node and address.
//! - `frame`: RFC 6455 from bytes to messages (pure); `machine`: from a message to a decision (pure).
//! - `heartbeat`: pings; `connection`: one task that owns one socket's reading, acts on decisions, and ends it; `closing`: how it ends.

pub mod closing;
mod connection;
pub mod frame;
pub mod gate;
mod greeting;
mod heartbeat;
mod machine;
mod requests;
pub mod route;
mod socket;
pub mod upgrade;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::hub::outbox::Terms;
use crate::hub::wheel::Wheel;
use crate::model::id::ConnectionId;
use gate::Gate;

/// What all sockets of a node share.
pub struct Sockets {
    /// The verbs.
    pub gateway: Arc<Gateway>,
    /// Who may connect.
    pub gate: Arc<Gate>,
    /// Who is pinged when.
    pub wheel: Arc<Wheel>,
    /// What a listener may hold.
    pub terms: Arc<Terms>,
    /// Numbers connections, event streams among them.
    pub next: AtomicU64,
    /// Where the pings' clock starts.
    pub since: Instant,
}

impl Sockets {
    /// A number for one more connection.
    #[must_use]
    pub fn number(&self) -> ConnectionId {
        ConnectionId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}
