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
