//! What the chaos harness uses of the integration suite's support: processes, a Redis, nodes, a proxy, tokens, waiting.
//!
//! Its clients are left out: they panic when a connection fails, and here connections are made to fail.
#![allow(dead_code, reason = "the support serves several test binaries")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "test support: a panic is the failure report")]

#[path = "../../it/support/api.rs"]
pub mod api;
#[path = "../../it/support/certificates.rs"]
pub mod certificates;
#[path = "../../it/support/chaos_proxy.rs"]
pub mod chaos_proxy;
#[path = "../../it/support/mint.rs"]
pub mod mint;
#[path = "../../it/support/node.rs"]
pub mod node;
#[path = "../../it/support/pair.rs"]
pub mod pair;
#[path = "../../it/support/process.rs"]
pub mod process;
#[path = "../../it/support/redis_cluster.rs"]
pub mod redis_cluster;
#[path = "../../it/support/redis_server.rs"]
pub mod redis_server;
#[path = "../../it/support/resp.rs"]
pub mod resp;
#[path = "../../it/support/sentinels.rs"]
pub mod sentinels;
#[path = "../../it/support/wait.rs"]
pub mod wait;
