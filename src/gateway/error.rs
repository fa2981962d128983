//! What can go wrong with a verb of the product, and what a client may know of it.

use crate::backend::error::BackendError;
use crate::backend::limiter::Decision;
use crate::backend::log::Refusal;
use crate::backend::membership::JoinRefusal;
use crate::protocol::problem::{Code, Fault};

/// How long a client waits after `unavailable`, in milliseconds: long enough for a Redis to come back or a queue to drain.
pub const RETRY_MS: u64 = 1000;

/// A verb was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GatewayError {
    /// The client is told exactly this.
    #[error("{}", .0.detail)]
    Fault(Fault),
    /// The backend failed; the client is told `unavailable`, the log line the rest.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl GatewayError {
    /// A refusal with its code's own sentence.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self::Fault(Fault::of(code))
    }

    /// What the client is told.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Fault(fault) => fault.clone(),
            Self::Backend(BackendError::Unreadable(_)) => Fault::of(Code::Internal),
            Self::Backend(_) => Fault::of(Code::Unavailable).retry_after(RETRY_MS),
        }
    }
}

impl From<Fault> for GatewayError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<JoinRefusal> for GatewayError {
    fn from(refusal: JoinRefusal) -> Self {
        Self::of(match refusal {
            JoinRefusal::NoSession => Code::SessionNotFound,
            JoinRefusal::Banned => Code::Forbidden,
            JoinRefusal::Full => Code::SessionFull,
            JoinRefusal::Locked => Code::SessionLocked,
        })
    }
}

/// What someone is told whom a bucket refused: that they ask too often, or that nobody can count while Redis is away.
#[must_use]
pub fn over_limit(decision: Decision) -> Fault {
    let code = if decision.outage { Code::Unavailable } else { Code::RateLimited };
    Fault::of(code).retry_after(decision.retry_after_ms)
}

/// What the author of a refused publish is told.
#[must_use]
pub fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NoSession => Fault::of(Code::SessionNotFound),
        Refusal::Stale => Fault::of(Code::Stale),
        Refusal::Gap { last_n } => Fault { last_n: Some(last_n), ..Fault::of(Code::Gap) },
        Refusal::Conflict => Fault::of(Code::Conflict).retry_after(RETRY_MS),
        Refusal::NoSuchParticipant => Fault::field("participant_id", "nobody seated has this id"),
        Refusal::Banned => Fault::of(Code::Forbidden),
    }
}
