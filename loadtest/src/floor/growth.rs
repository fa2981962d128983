//! Growth: how what a delivery costs depends on the size of its room, for either server, and how much of that is the entry's own cost.
//!
//! An entry is read, judged, logged and answered once, however many it goes to: in a room of ten each delivery bears a tenth of that, in a room of
//! 5000 nothing of it. So beside the plain quotient, which the objective is about, all rounds of a server are fitted by `CPU = a × entries + b ×
//! deliveries`. What is left of a delivery without the entries' part has nothing in it that may depend on size; where that differs between
//! neighbouring sizes, something else grows, or the machine was not the same.

use serde_json::{Value, json};

use super::report::{micros, middle};
use super::{Measured, Round, Side};
use crate::cli::Regime;

/// What an entry costs a server, and what a delivery costs beside it, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Fit {
    entry: f64,
    delivery: f64,
}

impl Fit {
    /// The two numbers with the least sum of squared differences over (entries, deliveries, microseconds); `None` when the points do not tell the
    /// two apart: fewer than two sizes.
    fn of(points: &[(f64, f64, f64)]) -> Option<Fit> {
        let sum = |term: fn(&(f64, f64, f64)) -> f64| points.iter().map(term).sum::<f64>();
        let (ee, ed, dd) = (sum(|p| p.0 * p.0), sum(|p| p.0 * p.1), sum(|p| p.1 * p.1));
        let (ec, dc) = (sum(|p| p.0 * p.2), sum(|p| p.1 * p.2));
        let determinant = ee * dd - ed * ed;
        // Proportional points leave rounding errors of the products they are made of, and nothing else.
        if determinant <= ee * dd * 1e-9 {
            return None;
        }
        let entry = (ec * dd - dc * ed) / determinant;
        Some(Fit { entry, delivery: (dc * ee - ec * ed) / determinant })
    }
}

/// One server at each size.
#[derive(Debug)]
struct Costs {
    /// Microseconds a delivery, and a frame: what is delivered, and what publishers are answered.
    delivery: Vec<f64>,
    frame: Vec<f64>,
    fit: Option<Fit>,
    /// Microseconds a delivery without the entries' part.
    rest: Vec<f64>,
}

impl Costs {
    fn of(scenes: &[&Measured], side: Side) -> Costs {
        let rounds = scenes.iter().flat_map(|scene| &scene.rounds).filter(|round| round.side == side);
        let points: Vec<_> =
            rounds.map(|round| (float(round.entries), float(round.deliveries), micros(round))).collect();
        let fit = Fit::of(&points);
        let entry = fit.map_or(0.0, |fit| fit.entry);
        let each = |figure: &dyn Fn(&Round) -> f64| -> Vec<f64> {
            scenes.iter().map(|scene| middle(scene, side, figure)).collect()
        };
        Costs {
            delivery: each(&|round| micros(round) / float(round.deliveries).max(1.0)),
            frame: each(&|round| micros(round) / float(round.deliveries + round.answers).max(1.0)),
            rest: each(&|round| {
                (micros(round) - entry * float(round.entries)) / float(round.deliveries).max(1.0)
            }),
            fit,
        }
    }

    fn print(&self, name: &str) {
        for (what, values) in [("a delivery", &self.delivery), ("a frame", &self.frame)] {
            row(&format!("{name}, {what}"), values, spread(values));
        }
        let Some(Fit { entry, delivery }) = self.fit else { return };
        row(&format!("{name}, less its entry's part"), &self.rest, steps(&self.rest));
        println!(
            "    {entry:.2} µs an entry + {delivery:.3} µs a delivery; the last number is of neighbouring sizes"
        );
    }

    fn json(&self) -> Value {
        json!({
            "delivery_micros": self.delivery, "delivery_spread": spread(&self.delivery),
            "frame_micros": self.frame, "frame_spread": spread(&self.frame),
            "fit": self.fit.map(|fit| json!({
                "entry_micros": fit.entry, "delivery_micros": fit.delivery,
                "rest_micros": self.rest, "rest_neighbours": steps(&self.rest),
            })),
        })
    }
}

/// Growth's steps, one after another.
#[derive(Debug)]
pub(super) struct Growth {
    sizes: Vec<u32>,
    floor: Costs,
    gateway: Costs,
    /// The gateway's cost of a delivery by the floor's.
    ratio: Vec<f64>,
}

impl Growth {
    /// `None` without two steps. `ratios`: of each scene.
    pub(super) fn of(measured: &[Measured], ratios: &[f64]) -> Option<Growth> {
        let grows = |scene: &&Measured| scene.plan.regime == Regime::Growth;
        let scenes: Vec<&Measured> = measured.iter().filter(grows).collect();
        let ratio = measured.iter().zip(ratios).filter(|(scene, _)| grows(scene)).map(|(_, ratio)| *ratio);
        (scenes.len() > 1).then(|| Growth {
            sizes: scenes.iter().map(|scene| scene.plan.subscribers).collect(),
            floor: Costs::of(&scenes, Side::Floor),
            gateway: Costs::of(&scenes, Side::Gateway),
            ratio: ratio.collect(),
        })
    }

    /// How much the gateway's cost of a delivery differs between sizes: what the objective is about; and the floor's.
    pub(super) fn spreads(&self) -> (f64, f64) {
        (spread(&self.gateway.delivery), spread(&self.floor.delivery))
    }

    pub(super) fn print(&self) {
        let sizes: Vec<f64> = self.sizes.iter().map(|size| f64::from(*size)).collect();
        let told: String = sizes.iter().map(|size| format!("{size:>9}")).collect();
        println!("\n{:36}{told}{:>10}", "growth: CPU µs in rooms of", "spread");
        self.floor.print("floor");
        self.gateway.print("gateway");
        row("ratio, a delivery", &self.ratio, spread(&self.ratio));
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "sizes": self.sizes, "floor": self.floor.json(), "gateway": self.gateway.json(),
            "ratio": self.ratio, "ratio_spread": spread(&self.ratio),
        })
    }
}

fn row(name: &str, values: &[f64], differs: f64) {
    let values: String = values.iter().map(|value| format!("{value:>9.3}")).collect();
    println!("{name:36}{values}{:>8.1} %", 100.0 * differs);
}

/// How much the greatest is above the least, as a part of the least.
fn spread(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max) / values.iter().copied().fold(f64::MAX, f64::min) - 1.0
}

/// The most that two neighbours differ, as a part of the lesser.
fn steps(values: &[f64]) -> f64 {
    values.windows(2).map(spread).fold(0.0, f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "a round has far fewer than 2^52 deliveries")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_finds_what_an_entry_and_a_delivery_cost() {
        let cost = |entries: f64, deliveries: f64| (entries, deliveries, 25.0 * entries + 6.0 * deliveries);
        let sound = [cost(24_000.0, 240_000.0), cost(2400.0, 240_000.0), cost(48.0, 240_000.0)];
        let fit = Fit::of(&sound).expect("two sizes");
        assert!((fit.entry - 25.0).abs() < 1e-6 && (fit.delivery - 6.0).abs() < 1e-6, "{fit:?}");
        // Errors that take each other's place.
        let (mut above, mut below) = (sound[0], sound[0]);
        (above.2, below.2) = (above.2 * 1.1, below.2 * 0.9);
        let fit = Fit::of(&[above, below, sound[1], sound[2]]).expect("two sizes");
        assert!((fit.entry - 25.0).abs() < 1e-6 && (fit.delivery - 6.0).abs() < 1e-6, "{fit:?}");
    }

    #[test]
    fn one_size_tells_nothing_of_entries() {
        assert_eq!(Fit::of(&[(10.0, 100.0, 700.0), (20.0, 200.0, 1500.0), (30.0, 300.0, 2100.0)]), None);
        assert_eq!(Fit::of(&[]), None);
        assert_eq!(Fit::of(&[(0.0, 0.0, 0.0)]), None);
    }

    #[test]
    fn spreads_are_of_the_extremes_and_steps_of_neighbours() {
        assert!((spread(&[4.0, 5.0, 8.0]) - 1.0).abs() < 1e-9);
        assert!((steps(&[4.0, 5.0, 8.0]) - 0.6).abs() < 1e-9);
        assert!((steps(&[5.0, 4.0]) - 0.25).abs() < 1e-9, "whichever is the greater");
        assert!(steps(&[5.0]).abs() < 1e-9);
    }
}
