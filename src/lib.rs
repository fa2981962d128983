//! WatchParty: a pub/sub gateway for people who watch together.
//!
//! The floors, bottom first; a file imports only from floors below its own:
//!
//! - [`model`], [`config`]: plain data and pure rules; learn the domain here.
//! - [`protocol`], [`auth`], [`metrics`], [`telemetry`]: the wire, identity, numbers and lines.
//! - [`backend`]: the ports (sessions, log, membership, limiter) and two equal adapters, memory and redis.
//! - [`hub`]: the rooms of this node: who listens, encode once, fan out.
//! - [`gateway`]: the product's verbs: create, join, attach, publish, recover, kick, health.
//! - [`http`], [`ws`]: the edges, the only code that knows axum, hyper and close codes.
//! - [`server`], [`shutdown`]: the composition root: builds everything, owns the listeners, drains.
//!
//! `docs/ARCHITECTURE.md` walks through the ways data takes.

pub mod auth;
pub mod backend;
pub mod cli;
pub mod config;
pub mod gateway;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod model;
pub mod protocol;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod ws;
