//! The WebSocket edge: the handshake, the frames, and what a connection does with them.
//!
//! Responsible for everything from an upgrade request to a close code; not for what messages mean to a room.
//!
//! - `route`: an upgrade request, answered; `upgrade`: the handshake (pure); `gate`: caps per node and address.
//! - `extension`: what is agreed on permessage-deflate (pure).
//! - `frame`: RFC 6455 from bytes to messages (pure); `machine`: from a message to a decision (pure).
//! - `carrier`: the stream under HTTP, given back by an upgrade.
//! - `echo`: in test builds alone, a route for conformance suites.
//! - `heartbeat`: pings; `connection`: one socket's story; `live`: one that has a seat; `closing`: how it ends.

pub mod carrier;
pub mod closing;
mod connection;
#[cfg(feature = "conformance")]
pub mod echo;
pub mod extension;
pub mod frame;
pub mod gate;
mod greeting;
mod heartbeat;
mod live;
mod machine;
mod requests;
pub mod route;
mod socket;
pub mod upgrade;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::hub::terms::Terms;
use crate::hub::wheel::Wheels;
use crate::model::id::ConnectionId;
use gate::{Caps, Gate};

/// What all sockets of a node share.
pub struct Sockets {
    /// The verbs.
    pub gateway: Arc<Gateway>,
    /// Who may connect.
    pub gate: Arc<Gate>,
    /// Who is pinged when.
    pub wheels: Arc<Wheels>,
    /// What a listener may hold.
    pub terms: Arc<Terms>,
    /// Numbers connections, event streams among them.
    pub next: AtomicU64,
    /// Where the pings' clock starts.
    pub since: Instant,
}

impl Sockets {
    /// Nobody is connected. `most` is what the process can have open, where that is less than the settings want.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, most: usize) -> Arc<Self> {
        let (metrics, config) = (gateway.metrics().clone(), gateway.config());
        let connections = &config.connections;
        let caps = Caps {
            node: connections.max.min(most),
            address: connections.per_address,
            pending: connections.pending_per_address,
        };
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
        metrics.fan_out.outbox_bytes_limit.set(config.outbox.bytes_total as f64);
        let (interval, timeout) = (connections.ping_interval, Some(connections.pong_timeout));
        let terms = Terms {
            frames: config.outbox.frames,
            bytes: config.outbox.bytes,
            bytes_total: config.outbox.bytes_total,
            held: AtomicUsize::new(0),
            metrics: metrics.clone(),
        };
        Arc::new(Self {
            gate: Gate::new(caps, metrics),
            wheels: Wheels::new(config.server.worker_threads, interval, timeout),
            terms: Arc::new(terms),
            next: AtomicU64::new(1),
            since: Instant::now(),
            gateway,
        })
    }

    /// A number for one more connection.
    #[must_use]
    pub fn number(&self) -> ConnectionId {
        ConnectionId(self.next.fetch_add(1, Ordering::Relaxed))
    }
}
