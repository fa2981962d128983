//! The fault matrix, as one program: real nodes, a real Redis, a proxy on every link, a load, and a nemesis with a seed.
//!
//! An ordinary test run plays the rows marked `smoke`, small and with a fixed seed. `make chaos` plays all of them (`runner::Plan` names the
//! variables). What must hold is judged afterwards by `checker`, from what `journal` wrote down.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure report")]
#![allow(unreachable_pub, reason = "visibility ends at the test binary")]

mod asking;
mod checker;
mod happening;
mod journal;
mod nemesis;
mod runner;
mod support;
mod table;
#[cfg(feature = "sabotage")]
mod teeth;
mod watching;
mod workload;
mod world;
