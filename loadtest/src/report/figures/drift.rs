//! How far players were from where the film should be: a few quantiles of how far, and how often each way.

use serde::{Deserialize, Serialize};

/// A bar of the shape is so wide, microseconds.
const BIN_US: u32 = 10_000;
/// Bars to each side of none; what is farther is in the last.
const SIDE: usize = 20;

/// Drift of players, ten times a second each. Quantiles are of how far, without direction, microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Drift {
    /// How often somebody looked.
    pub(crate) count: u64,
    /// Half were at most so far.
    pub(crate) p50_us: u32,
    /// Of a hundred, 95.
    pub(crate) p95_us: u32,
    /// Of a hundred, 99.
    pub(crate) p99_us: u32,
    /// The farthest.
    pub(crate) max_us: u32,
    /// A bar is so wide.
    pub(crate) bin_us: u32,
    /// How often from the most behind (first) to the most ahead (last), with as many bars on either side of none; the outermost hold all beyond.
    pub(crate) bins: Vec<u64>,
}

impl Drift {
    /// Of drifts in milliseconds; none of none.
    pub(crate) fn of(drifts: &[f64]) -> Option<Self> {
        if drifts.is_empty() {
            return None;
        }
        let mut far: Vec<f64> = drifts.iter().map(|drift| drift.abs() * 1000.0).collect();
        far.sort_by(f64::total_cmp);
        let mut bins = vec![0; 2 * SIDE];
        drifts.iter().for_each(|drift| bins[bin(*drift)] += 1);
        Some(Self {
            count: drifts.len() as u64,
            p50_us: at(&far, 0.5),
            p95_us: at(&far, 0.95),
            p99_us: at(&far, 0.99),
            max_us: at(&far, 1.0),
            bin_us: BIN_US,
            bins,
        })
    }

    /// Where a bar begins, in milliseconds; the first and the last have no end.
    pub(crate) fn begins_ms(&self, bar: usize) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few bars")]
        let bars = bar as f64 - self.bins.len() as f64 / 2.0;
        bars * f64::from(self.bin_us) / 1000.0
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kept between the ends")]
fn bin(drift: f64) -> usize {
    let side = SIDE as f64;
    ((drift * 1000.0 / f64::from(BIN_US)).floor().clamp(-side, side - 1.0) + side) as usize
}

/// The value that so much of them have at most.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list; more than an hour off is told as an hour"
)]
fn at(sorted: &[f64], part: f64) -> u32 {
    let at = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[at].min(3.6e9).round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_how_far_and_bars_of_which_way() {
        assert_eq!(Drift::of(&[]), None);
        let drifts: Vec<f64> =
            (0..100).map(|at| if at % 2 == 0 { f64::from(at) } else { -f64::from(at) }).collect();
        let drift = Drift::of(&drifts).expect("some");
        assert_eq!((drift.count, drift.p50_us, drift.p99_us, drift.max_us), (100, 49_000, 98_000, 99_000));
        assert_eq!((drift.bins.iter().sum::<u64>(), drift.bins[SIDE], drift.bins[SIDE - 1]), (100, 5, 5));
        assert_eq!((drift.begins_ms(SIDE), drift.begins_ms(0)), (0.0, -200.0));
        let far = Drift::of(&[-5e9, 900.0]).expect("some");
        assert_eq!((far.bins[0], far.bins[2 * SIDE - 1], far.max_us), (1, 1, 3_600_000_000));
    }
}
