//! The product's verbs: create, join, attach, publish, recover, kick, health. Edges call these and nothing below; no file here
//! knows HTTP, WebSocket frames or Redis.

pub mod error;
pub mod sessions;
