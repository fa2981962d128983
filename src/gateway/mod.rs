//! The product's verbs: create, join, attach, publish, recover, kick, health. Edges call these and nothing below; no file here
//! knows HTTP, WebSocket frames or Redis.

pub mod caller;
pub mod draft;
pub mod error;
pub mod health;
pub mod ice;
pub mod sessions;

pub use draft::Gateway;
