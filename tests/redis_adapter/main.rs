//! The redis adapter where only Redis can give the answer: restarts and lost tails, links that are killed, keys that expire, full memory.
//!
//! What every adapter must do is in the contract suite. Each case has a `redis-server` of its own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]

mod keeping;
mod links;
mod repeats;
mod replicas;
mod restarts;
mod support;
mod world;
