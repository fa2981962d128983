//! The cluster's clock on this node: a monotonic clock plus an offset that the adapter sets.
//!
//! The memory adapter leaves the offset at the system's own time; the redis adapter corrects it by the clock of the Redis that
//! orders the logs, so that every node dates alike (`docs/ARCHITECTURE.md`, "Time"). After a failover that is another host's clock, so
//! clocks have names, and those before the present one are remembered: what was dated by one of them can be told anew.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::model::time::{ClockName, ClusterMs};

/// Clocks that are remembered, the present one among them. What was dated by an older one is told as it stands.
const REMEMBERED: usize = 8;

/// Steps of one and the same clock from here on are reported. Smaller ones players absorb.
const STEP_US: i64 = 250_000;

/// Reads the cluster's time without a call. Shared by every floor that needs a "now".
#[derive(Debug)]
pub struct ClusterClock {
    started: Instant,
    /// Cluster microseconds at `started`.
    base_us: AtomicI64,
    /// The clocks that were followed, the present one last, each with its `base_us`. Held while the clock is set.
    followed: Mutex<VecDeque<(ClockName, i64)>>,
    /// The present clock's name.
    present: watch::Sender<Option<ClockName>>,
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
        Self {
            started: Instant::now(),
            base_us: AtomicI64::new(micros(now)),
            followed: Mutex::default(),
            present: watch::Sender::new(None),
        }
    }

    /// The cluster's time.
    #[must_use]
    pub fn now(&self) -> ClusterMs {
        let us = self.base_us.load(Ordering::Relaxed).saturating_add(micros(self.started.elapsed()));
        ClusterMs(u64::try_from(us / 1000).unwrap_or(0))
    }

    /// The cluster's time and the clock it was read by; `None` before the first correction.
    #[must_use]
    pub fn read(&self) -> (ClusterMs, Option<ClockName>) {
        let followed = self.lock();
        (self.now(), followed.back().map(|(name, _)| *name))
    }

    /// How many milliseconds one clock is ahead of another; `None` when this node followed only one of them, or neither.
    #[must_use]
    pub fn between(&self, behind: ClockName, ahead: ClockName) -> Option<i64> {
        let followed = self.lock();
        let base = |name| followed.iter().find(|(known, _)| *known == name).map(|(_, base)| *base);
        Some(base(ahead)?.saturating_sub(base(behind)?) / 1000)
    }

    /// Changes when another clock is followed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Option<ClockName>> {
        self.present.subscribe()
    }

    /// Adopts a reading of a reference clock: it showed `reference` half a round trip before now.
    pub fn correct(&self, name: ClockName, reference: Duration, round_trip: Duration) {
        let at_now = micros(reference).saturating_add(micros(round_trip) / 2);
        let base = at_now.saturating_sub(micros(self.started.elapsed()));
        let mut followed = self.lock();
        let before = self.base_us.swap(base, Ordering::Relaxed);
        match followed.back_mut() {
            Some((present, at)) if *present == name => {
                *at = base;
                let step = base.saturating_sub(before);
                if step.abs() > STEP_US {
                    tracing::warn!(
                        step_ms = step / 1000,
                        "the cluster's clock was set; films jump by as much"
                    );
                }
                return;
            }
            Some(_) => {
                tracing::info!(step_ms = base.saturating_sub(before) / 1000, "another clock is the cluster's")
            }
            None => {}
        }
        followed.retain(|(known, _)| *known != name);
        if followed.len() == REMEMBERED {
            followed.pop_front();
        }
        followed.push_back((name, base));
        drop(followed);
        self.present.send_replace(Some(name));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(ClockName, i64)>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(digit: char) -> ClockName {
        ClockName::of_branch(&String::from(digit).repeat(40)).unwrap()
    }

    #[test]
    fn a_correction_counts_half_the_round_trip() {
        let clock = ClusterClock::new();
        clock.correct(name('a'), Duration::from_secs(1000), Duration::from_millis(400));
        let now = clock.now().0;
        assert!((1_000_200..1_001_200).contains(&now), "{now}");
    }

    #[test]
    fn clocks_before_this_one_are_remembered_by_how_far_off_they_are() {
        let clock = ClusterClock::new();
        let changes = clock.changes();
        let follow =
            |digit, seconds| clock.correct(name(digit), Duration::from_secs(seconds), Duration::ZERO);
        assert_eq!((clock.read().1, clock.between(name('a'), name('a'))), (None, None));
        follow('a', 1000);
        assert!(changes.has_changed().unwrap());
        follow('b', 1060);
        follow('c', 1030);
        assert_eq!(clock.read().1, Some(name('c')));
        let ahead = |digit| clock.between(name(digit), name('c')).unwrap();
        // Each reading is a little later than the one before, and shows a round number all the same.
        assert!((20_000..=30_000).contains(&ahead('a')), "{}", ahead('a'));
        assert!((-40_000..=-30_000).contains(&ahead('b')), "{}", ahead('b'));
        assert_eq!((ahead('c'), clock.between(name('d'), name('c'))), (0, None));
        let seen = changes.has_changed().unwrap();
        follow('c', 2000);
        assert!(seen && ahead('c') == 0, "the same clock, set");
        for digit in "0123456".chars() {
            follow(digit, 2000);
        }
        let known = |digit| clock.between(name(digit), name('6')).is_some();
        assert_eq!((known('b'), known('c')), (false, true), "the oldest are forgotten");
    }
}
