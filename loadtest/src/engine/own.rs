//! What the generator itself costs: a run whose generator could not keep up has measured the generator.
//!
//! A thread cannot use more than one core, so it is the busiest thread that tells: one that is on a processor all the time is late
//! for what comes next, however idle the others are.

use std::collections::HashMap;
use std::time::Duration;

use crate::target::process::Process;

/// A generator one of whose threads was on a processor for more than this share of the time has measured itself.
pub(crate) const BUSY: f64 = 0.9;

/// What this program's threads had cost at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    threads: HashMap<u32, Duration>,
}

impl Own {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { threads: Process(std::process::id()).threads().into_iter().collect() }
    }

    /// The share of the time since an earlier moment for which the busiest thread was on a processor.
    pub(crate) fn busiest_since(&self, earlier: &Self, time: Duration) -> f64 {
        let used = |(id, now): (&u32, &Duration)| {
            now.saturating_sub(earlier.threads.get(id).copied().unwrap_or_default()).as_secs_f64()
        };
        let most = self.threads.iter().map(used).fold(0.0, f64::max);
        if time.is_zero() { 0.0 } else { most / time.as_secs_f64() }
    }
}

/// Why figures say nothing about the gateway, if they do not.
pub(crate) fn void(busiest: f64) -> Option<String> {
    (busiest > BUSY).then(|| {
        format!(
            "the generator was at its limit: its busiest thread was on a processor {:.0} % of the time, over {:.0} % (--threads gives it more)",
            busiest * 100.0,
            BUSY * 100.0
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generator_at_its_limit_makes_a_run_void() {
        assert_eq!(void(0.89), None);
        assert!(void(0.91).is_some_and(|why| why.contains("91 %")));
    }

    #[test]
    fn the_busiest_thread_tells() {
        let own = |first: u64, second: u64| Own {
            threads: [(1, Duration::from_millis(first)), (2, Duration::from_millis(second))].into(),
        };
        let share = own(500, 1950).busiest_since(&own(100, 1000), Duration::from_secs(1));
        assert!((share - 0.95).abs() < 1e-9, "{share}");
        assert_eq!(own(1, 1).busiest_since(&own(0, 0), Duration::ZERO), 0.0);
    }
}
