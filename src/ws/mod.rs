//! The WebSocket edge: the handshake, the frames, and what a connection does with them.
//!
//! Responsible for everything from an upgrade request to a close code; not for what messages mean to a room.

pub mod frame;
pub mod upgrade;
