//! The integration suite: one binary, real processes, one file per subject.
//!
//! `support` holds what a test drives (nodes, Redis, clients, a network that can be broken); each other module
//! is one subject. One binary, because linking dominates the time of a suite and the support is shared.
//! Rules of the capability tests themselves live beside the code; here only what needs sockets and processes.

mod support;
mod support_chaos;
mod support_redis;
mod support_wire;
