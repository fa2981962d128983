//! What the comparison uses of the integration suite's support: a Redis that can be killed and cut, and waiting.
#![allow(dead_code, reason = "the support serves several test binaries")]
#![allow(unreachable_pub, reason = "visibility ends at the test binary")]

#[path = "../it/support/certificates.rs"]
pub mod certificates;
#[path = "../it/support/process.rs"]
pub mod process;
#[path = "../it/support/redis_server.rs"]
pub mod redis_server;
#[path = "../it/support/resp.rs"]
pub mod resp;
#[path = "../it/support/wait.rs"]
pub mod wait;
