//! What can go wrong below the ports. Refusals that a rule decides are values of the ports; these are failures.

/// A backend call failed. The message is for logs and never reaches a client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackendError {
    /// Nothing was done: the backend cannot be reached, refused the call, or is out of memory. Safe to try again later.
    #[error("backend unavailable: {0}")]
    Unavailable(String),
    /// The call went out and no answer came: it happened once or not at all.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// What came back is not what our scripts write: a bug or somebody else's data.
    #[error("unreadable answer: {0}")]
    Unreadable(String),
}
