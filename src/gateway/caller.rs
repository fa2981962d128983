//! Who calls a verb: a participant by a token, or a server by its key.

use crate::auth::token::Claims;

/// Somebody known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// The bearer of a token.
    Participant(Claims),
    /// A server, by the name of its key.
    Server(String),
}
