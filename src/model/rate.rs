//! A rate: how much of something in which time, and how much at once.

use std::time::Duration;

/// So many per period, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many the period grants, at least 1.
    pub count: u32,
    /// The period.
    pub per: Duration,
    /// How many may come at once, at least 1.
    pub burst: u32,
}

/// A limit an operator can switch off. `Off` is spelled out, so that "no limit" is always somebody's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateLimit {
    /// Nothing is counted.
    Off,
    /// Tokens are taken from a bucket of this rate.
    At(Rate),
}

impl RateLimit {
    /// The bucket, unless the limit is off.
    #[must_use]
    pub fn rate(self) -> Option<Rate> {
        match self {
            Self::Off => None,
            Self::At(rate) => Some(rate),
        }
    }
}
