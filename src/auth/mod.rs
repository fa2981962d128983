//! Identity: who may enter (passwords), who someone is (tokens), and which backends may speak (server keys).
//!
//! Proofs only. What an identity may do is the session's state, judged above.

pub mod password;
pub mod server_key;
pub mod token;
