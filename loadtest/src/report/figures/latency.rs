//! How long things took: a few quantiles of a histogram, and enough of its shape to draw it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Where the distribution is kept: dense towards the end, because that is where a server shows itself.
const QUANTILES: [f64; 26] = [
    0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98, 0.99,
    0.995, 0.998, 0.999, 0.9995, 0.9999, 0.99999, 1.0,
];

/// The kinds of times a run has; none for what it does not do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latencies {
    /// From the first packet of a connection to its `welcome`.
    pub(crate) connect: Option<Latency>,
    /// From when a message was meant to leave to its `ack`.
    pub(crate) ack: Option<Latency>,
    /// From when a message was meant to leave to each receiver.
    pub(crate) deliver: Option<Latency>,
    /// From the cut of a connection until it is up to date again.
    pub(crate) recovery: Option<Latency>,
    /// How much later than meant messages left: the generator's own fault, never the gateway's.
    pub(crate) lateness: Option<Latency>,
}

/// Times of one kind, microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// How many there are.
    pub(crate) count: u64,
    /// Half took at most this.
    pub(crate) p50_us: u64,
    /// Of ten, nine.
    pub(crate) p90_us: u64,
    /// Of a hundred, 95.
    pub(crate) p95_us: u64,
    /// Of a hundred, 99.
    pub(crate) p99_us: u64,
    /// Of a thousand, 999.
    pub(crate) p999_us: u64,
    /// The longest.
    pub(crate) max_us: u64,
    /// The mean.
    pub(crate) mean_us: f64,
    /// The distribution: the share of them (0 to 1), and what so many took at most. Rises in both; for charts.
    pub(crate) distribution: Vec<(f64, u64)>,
}

impl Latency {
    /// Of a histogram of microseconds; none when it is empty.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
        (!histogram.is_empty()).then(|| Self {
            count: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p95_us: at(0.95),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: histogram.max(),
            // A tenth of a microsecond: more digits would be noise in a file.
            mean_us: (histogram.mean() * 10.0).round() / 10.0,
            distribution: distribution(histogram),
        })
    }
}

/// Quantiles nobody of so few can tell apart from the longest are left out.
fn distribution(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 values")]
    let finest = 1.0 - 1.0 / histogram.len().max(1) as f64;
    let told = QUANTILES.into_iter().filter(|quantile| *quantile <= finest || *quantile >= 1.0);
    told.map(|quantile| (quantile, histogram.value_at_quantile(quantile).min(histogram.max()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_that_of_the_histogram() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("bounds");
        assert_eq!(Latency::of(&histogram), None, "nothing measured is no zero");
        (1..=1000).for_each(|value| histogram.saturating_record(value));
        let latency = Latency::of(&histogram).expect("some");
        assert_eq!((latency.count, latency.p50_us, latency.p90_us), (1000, 500, 900));
        assert_eq!((latency.p95_us, latency.p99_us, latency.p999_us, latency.max_us), (950, 990, 999, 1000));
        assert!((latency.mean_us - 500.5).abs() < 0.5, "{}", latency.mean_us);
        let distribution = &latency.distribution;
        assert!(distribution.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{distribution:?}");
        assert_eq!(distribution.first().map(|(share, _)| *share), Some(0.0));
        assert_eq!(distribution.last(), Some(&(1.0, 1000)));
        assert!(distribution.iter().all(|(share, _)| *share <= 0.999 || *share == 1.0), "{distribution:?}");
    }
}
