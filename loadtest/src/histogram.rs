//! How long things took: a histogram of microseconds, and what a report says of it.
//!
//! Times count from when a message was *meant* to leave, so that a server that stalls cannot hide behind a generator that waits for it.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time told apart; longer ones count as this.
const MAX_MICROS: u64 = 60_000_000;
/// Digits that are kept of a value.
const DIGITS: u8 = 3;

/// Times of one kind.
#[derive(Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub(crate) fn new() -> Self {
        // Fails for bounds that make no sense; these do.
        Self(Histogram::new_with_bounds(1, MAX_MICROS, DIGITS).expect("sound bounds"))
    }

    /// One took so long.
    pub(crate) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(MAX_MICROS);
        self.0.saturating_record(micros.max(1));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The time that so much of them (0 to 1) took at most.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        Duration::from_micros(self.0.value_at_quantile(part))
    }

    /// Starts again, and gives what was.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::new())
    }
}

/// The middle of some values; of an even number, the mean of the two in the middle. 0 for none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.is_empty(), sorted.len() % 2) {
        (true, _) => 0.0,
        (false, 1) => sorted[middle],
        (false, _) => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut times = Times::new();
        (1..=1000).for_each(|millis| times.record(Duration::from_millis(millis)));
        let near = |part: f64, millis: f64| {
            let found = times.quantile(part).as_secs_f64() * 1000.0;
            assert!((found / millis - 1.0).abs() < 0.002, "{part}: {found}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
        times.record(Duration::from_secs(3600));
        assert!(times.quantile(1.0) >= Duration::from_secs(59), "too long counts as the longest");
        assert_eq!((times.take().len(), times.len()), (1001, 0));
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
