//! The ways a client can break RFC 6455 or our bounds, each with the close code and reason it is told.
//!
//! Responsible for the mapping only: one variant per rule, so that a test names the rule and a log line tells
//! two clients' bugs apart although both are told 1002. Deciding that a rule was broken is the decoder's;
//! sending the close is the connection's.

/// A rule the client broke. The connection closes with [`Violation::code`] and [`Violation::reason`]; nothing
/// more is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} ({})", self.reason(), self.code())]
pub enum Violation {
    /// A client's frame without a mask (RFC 6455, 5.1).
    Unmasked,
    /// RSV1, RSV2 or RSV3 without an extension that gives it meaning (5.2).
    ReservedBit,
    /// Opcode 3 to 7 or 11 to 15 (5.2).
    ReservedOpcode,
    /// A length that would have fitted a shorter form (5.2).
    LongLength,
    /// A control frame of more than 125 bytes (5.5).
    ControlTooLong,
    /// A control frame that is not final (5.5).
    ControlFragmented,
    /// A continuation of nothing (5.4).
    StrayContinuation,
    /// A new message inside an unfinished one (5.4).
    Interleaved,
    /// A close code that must not be on the wire (7.4).
    CloseCode,
    /// A close body of one byte, half a code (5.5.1).
    CloseBody,
    /// A binary message, where only text is spoken.
    Binary,
    /// Text or a close reason that is not UTF-8 (8.1).
    NotUtf8,
    /// A compressed message that is not whole deflate data (RFC 7692, 7.2.2).
    Deflate,
    /// A message longer than the limit, by what its headers declare or by what it inflates to.
    TooBig,
    /// A message of more frames than are allowed ([`MAX_FRAGMENTS`](super::MAX_FRAGMENTS)).
    TooManyFragments,
}

impl Violation {
    /// The close code: 1002, 1003, 1007 or 1009.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooBig | Self::TooManyFragments => 1009,
            _ => 1002,
        }
    }

    /// The close reason, a machine token.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unmasked => "unmasked_frame",
            Self::ReservedBit => "reserved_bit",
            Self::ReservedOpcode => "reserved_opcode",
            Self::LongLength => "length_not_shortest",
            Self::ControlTooLong => "control_too_long",
            Self::ControlFragmented => "control_fragmented",
            Self::StrayContinuation => "stray_continuation",
            Self::Interleaved => "message_interleaved",
            Self::CloseCode => "close_code",
            Self::CloseBody => "close_body",
            Self::Binary => "binary",
            Self::NotUtf8 => "not_utf8",
            Self::Deflate => "deflate_data",
            Self::TooBig => "too_big",
            Self::TooManyFragments => "too_many_fragments",
        }
    }
}
