//! Close codes: why a connection ends, and which number and reason the client is told (`docs/PROTOCOL.md`, "Close codes").

/// Why this side ends a connection. One row of the protocol's table each, as far as the server sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The participant left.
    Left,
    /// A frame broke RFC 6455; the reason names the rule.
    Protocol(&'static str),
    /// A binary frame.
    Binary,
    /// Text that is not UTF-8.
    NotUtf8,
    /// A message over its bound; the reason names the bound.
    TooBig(&'static str),
    /// A bug of ours.
    Internal,
    /// The node is stopping; come back after so many milliseconds.
    Draining(u32),
    /// The seat was lost while the node could not renew it; resume at once.
    SeatLost,
    /// The node cannot serve this now; come back after so many milliseconds.
    Overloaded(u32),
    /// A frame that is not a JSON object.
    Malformed,
    /// No token, a bad or an expired one.
    Unauthorized(&'static str),
    /// Kicked or banned.
    Kicked,
    /// No such session.
    NoSession,
    /// Past outbox and log, or too long without progress.
    TooSlow,
    /// A newer connection of the same participant.
    Replaced,
    /// The session ended.
    SessionEnded,
    /// Kept sending far beyond the rate.
    RateAbused,
    /// Every seat is taken.
    Full,
    /// New participants are refused.
    Locked,
}

impl Ending {
    /// The close code.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Left => 1000,
            Self::Protocol(_) => 1002,
            Self::Binary => 1003,
            Self::NotUtf8 => 1007,
            Self::TooBig(_) => 1009,
            Self::Internal => 1011,
            Self::Draining(_) | Self::SeatLost => 1012,
            Self::Overloaded(_) => 1013,
            Self::Malformed => 4400,
            Self::Unauthorized(_) => 4401,
            Self::Kicked => 4403,
            Self::NoSession => 4404,
            Self::TooSlow => 4408,
            Self::Replaced => 4409,
            Self::SessionEnded => 4410,
            Self::RateAbused => 4429,
            Self::Full | Self::Locked => 4430,
        }
    }

    /// The reason in the close frame: a machine token, and the delay where the client needs one.
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Draining(ms) => format!("draining retry_after_ms={ms}"),
            Self::Overloaded(ms) => format!("overloaded retry_after_ms={ms}"),
            Self::Protocol(rule) | Self::TooBig(rule) | Self::Unauthorized(rule) => rule.to_owned(),
            other => other.label().to_owned(),
        }
    }

    /// The label in metrics and logs: one word for each row of the table.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Protocol(_) => "protocol",
            Self::Binary => "binary",
            Self::NotUtf8 => "not_utf8",
            Self::TooBig(_) => "too_big",
            Self::Internal => "internal",
            Self::Draining(_) => "draining",
            Self::SeatLost => "seat_lost",
            Self::Overloaded(_) => "overloaded",
            Self::Malformed => "malformed",
            Self::Unauthorized(_) => "unauthorized",
            Self::Kicked => "kicked",
            Self::NoSession => "no_session",
            Self::TooSlow => "too_slow",
            Self::Replaced => "replaced",
            Self::SessionEnded => "session_ended",
            Self::RateAbused => "rate_abused",
            Self::Full => "full",
            Self::Locked => "locked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_rides_in_the_reason() {
        assert_eq!(Ending::Draining(750).reason(), "draining retry_after_ms=750");
        assert_eq!(Ending::Draining(750).code(), 1012);
        assert_eq!(Ending::Protocol("unmasked").reason(), "unmasked");
        assert_eq!(Ending::Full.code(), 4430);
    }
}
