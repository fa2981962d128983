//! How long things took: histograms of microseconds, one for each kind of time.
//!
//! Times count from when a message was *meant* to leave, so that a server that stalls cannot hide behind a generator that waits for it.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time told apart; longer ones count as this.
const MAX_MICROS: u64 = 60_000_000;
/// Digits that are kept of a value.
const DIGITS: u8 = 3;

/// Times of one kind.
#[derive(Debug, Clone)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub(crate) fn new() -> Self {
        // Fails for bounds that make no sense; these do.
        Self(Histogram::new_with_bounds(1, MAX_MICROS, DIGITS).expect("sound bounds"))
    }

    /// One took so long.
    pub(crate) fn record(&mut self, took: Duration) {
        self.took(micros(took));
    }

    /// One took so many microseconds.
    pub(crate) fn took(&mut self, micros: u64) {
        self.0.saturating_record(micros.clamp(1, MAX_MICROS));
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    /// The time that so much of them (0 to 1) took at most; zero of none.
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        Duration::from_micros(self.at(part).unwrap_or(0))
    }

    /// The same in microseconds; none of none.
    pub(crate) fn at(&self, part: f64) -> Option<u64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(part).min(self.0.max()))
    }

    /// Adds those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        // Fails only where values do not fit, and both have the same bounds.
        let added = self.0.add(&other.0);
        debug_assert!(added.is_ok(), "the same bounds");
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }

    /// For a summary.
    pub(crate) fn inner(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// Times of every kind that readers measure.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    /// From the first packet of a connection to its `welcome`.
    pub(crate) connect: Times,
    /// From when a message was meant to leave to its `ack`.
    pub(crate) ack: Times,
    /// To each receiver.
    pub(crate) deliver: Times,
    /// From a cut until everything is there again.
    pub(crate) recovery: Times,
    /// To each receiver of a signal or a note.
    pub(crate) passing: Times,
}

impl Window {
    /// None yet.
    pub(crate) fn new() -> Self {
        let times = Times::new;
        Self { connect: times(), ack: times(), deliver: times(), recovery: times(), passing: times() }
    }

    /// Takes what another has.
    pub(crate) fn drain(&mut self, other: &mut Self) {
        for (into, from) in [
            (&mut self.connect, &mut other.connect),
            (&mut self.ack, &mut other.ack),
            (&mut self.deliver, &mut other.deliver),
            (&mut self.recovery, &mut other.recovery),
            (&mut self.passing, &mut other.passing),
        ] {
            if from.len() > 0 {
                into.add(from);
                from.clear();
            }
        }
    }
}

/// The microseconds of a duration.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
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
        assert_eq!(times.at(0.5), None);
        (1..=1000).for_each(|millis| times.took(millis * 1000));
        let near = |part: f64, millis: f64| {
            let found = times.at(part).map_or(f64::NAN, |micros| micros as f64 / 1000.0);
            assert!((found / millis - 1.0).abs() < 0.002, "{part}: {found}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
        times.record(Duration::from_secs(3600));
        assert!(times.quantile(1.0) >= Duration::from_secs(59), "too long counts as the longest");
    }

    #[test]
    fn what_is_drained_is_there_once() {
        let (mut total, mut second) = (Window::new(), Window::new());
        second.deliver.took(5);
        second.ack.took(7);
        total.drain(&mut second);
        total.drain(&mut second);
        assert_eq!((total.deliver.len(), total.ack.len(), second.deliver.len()), (1, 1, 0));
        assert_eq!(micros(Duration::from_millis(2)), 2000);
    }

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }
}
