//! The cluster's clock on this node: a monotonic clock plus an offset that the adapter sets.
//!
//! The memory adapter leaves the offset at the system's own time; the redis adapter corrects it by the clock of the Redis that
//! orders the logs, so that every node dates alike (`docs/ARCHITECTURE.md`, "Time").

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::time::ClusterMs;

/// Reads the cluster's time without a call. Shared by every floor that needs a "now".
#[derive(Debug)]
pub struct ClusterClock {
    started: Instant,
    /// Cluster microseconds at `started`.
    base_us: AtomicI64,
}

impl Default for ClusterClock {
    fn default() -> Self {
        Self::new()
    }
}

impl ClusterClock {
    /// A clock that agrees with the system's until it is corrected.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the system's clocks for cluster time"
    )]
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), base_us: AtomicI64::new(micros(now)) }
    }

    /// The cluster's time.
    #[must_use]
    pub fn now(&self) -> ClusterMs {
        let us = self.base_us.load(Ordering::Relaxed).saturating_add(micros(self.started.elapsed()));
        ClusterMs(u64::try_from(us / 1000).unwrap_or(0))
    }

    /// Adopts a reading of the reference clock: it showed `reference` half a round trip before now.
    pub fn correct(&self, reference: Duration, round_trip: Duration) {
        let at_now = micros(reference).saturating_add(micros(round_trip) / 2);
        self.base_us.store(at_now.saturating_sub(micros(self.started.elapsed())), Ordering::Relaxed);
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_counts_half_the_round_trip() {
        let clock = ClusterClock::new();
        clock.correct(Duration::from_secs(1000), Duration::from_millis(400));
        let now = clock.now().0;
        assert!((1_000_200..1_001_200).contains(&now), "{now}");
    }
}
