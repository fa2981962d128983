//! The integration suite: one binary, real processes, one file per subject.
//!
//! `support` holds what a test drives (nodes, Redis, clients, a network that can be broken); each other module
//! is one subject. One binary, because linking dominates the time of a suite and the support is shared.
//! Rules that need no I/O are tested beside the code; here is only what needs sockets and processes.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod playback;
mod support;
mod support_chaos;
mod support_redis;
mod support_wire;
