//! The integration suite: one binary, real processes, one file per subject.
//!
//! `support` holds what a test drives (nodes, Redis, clients, a network that can be broken); each other module
//! is one subject. One binary, because linking dominates the time of a suite and the support is shared.
//! Rules that need no I/O are tested beside the code; here is only what needs sockets and processes.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod bad_frames;
mod bad_http;
mod bad_messages;
mod bad_tokens;
mod bad_upgrade;
mod canary;
mod capacity;
mod centrifugo;
mod death;
mod deflate;
mod doctor;
mod drain;
mod durability;
mod events;
mod fuzz;
mod host;
mod http2;
mod kick;
mod leftovers;
mod limits;
mod links;
mod memory;
mod metrics;
mod order;
mod pace;
mod playback;
mod poll;
mod presence;
mod redis_cluster;
mod redis_restart;
mod redis_trouble;
mod repair;
mod replicated;
mod resume;
mod rolling;
mod sentinel;
mod sessions;
mod slow;
mod support;
mod support_chaos;
mod support_redis;
mod support_wire;
mod talk;
mod timing;
mod tls;
mod traces;
