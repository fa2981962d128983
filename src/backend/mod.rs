//! Where sessions and their logs live: four ports, and two equal adapters of them.
//!
//! Each port's doc comment is its contract, and `tests/contract` runs one suite over both adapters. Data travels up at one
//! place only: an adapter calls [`Deliver`](log::Deliver), which the hub implements. Dispatch is dynamic here, because each
//! call is a network round trip, and nowhere below.

pub mod clock;
pub mod error;
pub mod health;
pub mod limiter;
pub mod log;
pub mod membership;
pub mod memory;
pub mod redis;
pub mod sessions;

use std::sync::Arc;

use tokio::sync::watch;

pub use health::Health;

use crate::model::session::SessionRecord;

/// What an ack means with this backend (`docs/OPERATIONS.md`, "Redis").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The entry is in memory.
    Memory,
    /// It is in the append-only file, on disk within a second.
    Aof,
    /// It is on disk.
    Fsync,
    /// At least one replica has it.
    Replicated,
}

impl Durability {
    /// The wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Aof => "aof",
            Self::Fsync => "fsync",
            Self::Replicated => "replicated",
        }
    }
}

/// The four ports and what watches over them, built by one adapter.
#[derive(Clone)]
pub struct Backend {
    /// `memory` or `redis`, for people and metrics.
    pub name: &'static str,
    /// Records of sessions.
    pub sessions: Arc<dyn sessions::SessionStore>,
    /// Entries and announcements.
    pub log: Arc<dyn log::Log>,
    /// Seats.
    pub membership: Arc<dyn membership::Membership>,
    /// Token buckets shared by all nodes.
    pub limiter: Arc<dyn limiter::Limiter>,
    /// The cluster's clock as this node sees it.
    pub clock: Arc<clock::ClusterClock>,
    /// Changes when delivery becomes possible or impossible, for all sessions or for some.
    pub health: watch::Receiver<Health>,
}

/// A session's record together with how many seats are taken now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSummary {
    /// The record.
    pub record: SessionRecord,
    /// Seats whose lease has not run out.
    pub participants: u32,
}
