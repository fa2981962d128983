//! The codes that say what was wrong: the same words in an HTTP problem (RFC 9457) and in a socket's `error`.
//! Which status goes with a code is `http/problem`'s business.

use serde::Serialize;

/// What was wrong, as a word of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// A field is missing, unknown or out of its range.
    InvalidRequest,
    /// No valid token, or a failed join of any kind.
    Unauthorized,
    /// Known, but not allowed.
    Forbidden,
    /// No such session.
    SessionNotFound,
    /// No such address on this server.
    NotFound,
    /// The address does not know this method.
    MethodNotAllowed,
    /// State moved on, or does not allow this now.
    Conflict,
    /// Every seat is taken.
    SessionFull,
    /// New participants are refused.
    SessionLocked,
    /// The body is over its bound.
    PayloadTooLarge,
    /// The address is over its bound.
    UriTooLong,
    /// The body is not JSON by its own account.
    UnsupportedMediaType,
    /// Only a WebSocket upgrade can be answered here.
    UpgradeRequired,
    /// Over a rate; `retry_after_ms` says when to come back.
    RateLimited,
    /// Our own mistake.
    Internal,
    /// Cannot be done now; `retry_after_ms` says when to come back.
    Unavailable,
    /// Socket only: the seat belongs to a newer connection or is lost.
    Stale,
    /// Socket only: `n` skips numbers the log does not have; `last_n` says where to go on.
    Gap,
    /// Socket only: no such message type.
    UnknownType,
    /// Socket only: the receiver of a `signal` is not there.
    PeerUnreachable,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 20] = [
        Self::InvalidRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::SessionNotFound,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::SessionFull,
        Self::SessionLocked,
        Self::PayloadTooLarge,
        Self::UriTooLong,
        Self::UnsupportedMediaType,
        Self::UpgradeRequired,
        Self::RateLimited,
        Self::Internal,
        Self::Unavailable,
        Self::Stale,
        Self::Gap,
        Self::UnknownType,
        Self::PeerUnreachable,
    ];

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::SessionNotFound => "session_not_found",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::SessionFull => "session_full",
            Self::SessionLocked => "session_locked",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UriTooLong => "uri_too_long",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::UpgradeRequired => "upgrade_required",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Stale => "stale",
            Self::Gap => "gap",
            Self::UnknownType => "unknown_type",
            Self::PeerUnreachable => "peer_unreachable",
        }
    }

    /// A sentence for people; the same for everybody, so that it can tell nothing it should not.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthorized => "Session, password or token not accepted",
            Self::Forbidden => "Not allowed",
            Self::SessionNotFound => "No such session",
            Self::NotFound => "No such address",
            Self::MethodNotAllowed => "Method not allowed here",
            Self::Conflict => "The state has changed or does not allow this now",
            Self::SessionFull => "The session is full",
            Self::SessionLocked => "The session is locked",
            Self::PayloadTooLarge => "The body is too large",
            Self::UriTooLong => "The address is too long",
            Self::UnsupportedMediaType => "The body must be application/json",
            Self::UpgradeRequired => "A WebSocket upgrade is required",
            Self::RateLimited => "Too many requests",
            Self::Internal => "Something went wrong on our side",
            Self::Unavailable => "Not available right now",
            Self::Stale => "The seat belongs to a newer connection",
            Self::Gap => "A number was skipped",
            Self::UnknownType => "Unknown message type",
            Self::PeerUnreachable => "The receiver is not connected",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The member's name.
    pub field: String,
    /// The rule it breaks.
    pub message: String,
}

/// Something was wrong: the code, a sentence, and what a client can do with it. Never an inner error's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The word.
    pub code: Code,
    /// A sentence for people.
    pub detail: String,
    /// Which fields, if any.
    pub errors: Vec<FieldError>,
    /// When to come back.
    pub retry_after_ms: Option<u64>,
    /// With [`Code::Gap`]: the last number in the log.
    pub last_n: Option<u64>,
}

impl Fault {
    /// A fault with its code's own sentence.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self { code, detail: code.title().to_owned(), errors: Vec::new(), retry_after_ms: None, last_n: None }
    }

    /// A fault with a sentence of its own.
    #[must_use]
    pub fn because(code: Code, detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::of(code) }
    }

    /// One wrong field.
    #[must_use]
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.into(), message: message.into() };
        Self {
            detail: format!("{}: {}", error.field, error.message),
            errors: vec![error],
            ..Self::of(Code::InvalidRequest)
        }
    }

    /// The same fault, with a time to come back after.
    #[must_use]
    pub fn retry_after(self, ms: u64) -> Self {
        Self { retry_after_ms: Some(ms), ..self }
    }
}
