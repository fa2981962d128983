//! Time bases. Each has a type of its own, because a millisecond of one is not a millisecond of another:
//! cluster time is the clock of the Redis that orders the log (or the node's own in memory), Unix seconds are
//! what tokens speak (RFC 7519 `NumericDate`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch by the cluster's clock; what every time in the protocol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterMs(pub u64);

impl ClusterMs {
    /// This instant and a duration later (saturating).
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The same instant as a token writes it, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }
}

/// Seconds since the Unix epoch, as JWT claims write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// This second and a duration later (saturating, whole seconds).
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_secs()))
    }

    /// The same instant in milliseconds.
    #[must_use]
    pub fn millis(self) -> ClusterMs {
        ClusterMs(self.0.saturating_mul(1000))
    }
}

/// A duration in whole milliseconds, saturating: what the wire and the scripts count in.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
