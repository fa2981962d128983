//! What integration tests drive: the real binary, a real Redis, clients that are not ours, and a bad network.
//!
//! Nothing here asserts a promise of the gateway; it only makes promises observable. Everything that starts a
//! process or a listener ends it in `Drop`, so a test that panics leaves nothing behind. Waiting is always for a
//! condition under a deadline (`wait`), never for time to pass.
#![allow(dead_code, reason = "each test binary that includes this module uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "test support: a panic is the failure report, and visibility ends at the test binary"
)]

pub mod acl;
pub mod api;
pub mod certificates;
pub mod chaos_proxy;
pub mod client;
pub mod event_stream;
pub mod golden;
pub mod mint;
pub mod node;
pub mod pair;
pub mod party;
pub mod process;
pub mod raw;
pub mod redis_cluster;
pub mod redis_server;
pub mod resp;
pub mod sentinels;
pub mod session;
pub mod single;
pub mod wait;
