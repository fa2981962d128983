//! What these cases use of the integration suite's support: a Redis, and waiting. Clients and nodes are left out, as nothing here speaks HTTP.
#![allow(dead_code, reason = "the support serves several test binaries")]
#![allow(unreachable_pub, reason = "visibility ends at the test binary")]

#[path = "../it/support/certificates.rs"]
pub mod certificates;
#[path = "../it/support/chaos_proxy.rs"]
pub mod chaos_proxy;
#[path = "../it/support/pair.rs"]
pub mod pair;
#[path = "../it/support/process.rs"]
pub mod process;
#[path = "../it/support/redis_server.rs"]
pub mod redis_server;
#[path = "../it/support/resp.rs"]
pub mod resp;
#[path = "../it/support/wait.rs"]
pub mod wait;
