//! The regimes as numbers: how many listen, what is said how often, and what is asked of the gateway there.

use std::time::Duration;

use super::tally::Schedule;
use crate::cli::{FloorOptions, Regime};

/// Most messages a second of one speaker.
const RATE: u32 = 6000;

/// One scene of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    /// Of which regime.
    pub(super) regime: Regime,
    /// Sockets that get each message, the publisher's own among them.
    pub(super) subscribers: u32,
    /// Messages a second.
    pub(super) rate: u32,
    /// Messages in one write.
    pub(super) burst: u32,
    /// The most that the gateway's cost may be of the floor's.
    pub(super) ratio: Option<f64>,
}

impl Plan {
    /// All scenes that were asked for.
    pub(super) fn all(options: &FloorOptions) -> Vec<Plan> {
        options.regimes.iter().flat_map(|regime| Plan::of(*regime, options)).collect()
    }

    fn of(regime: Regime, options: &FloorOptions) -> Vec<Plan> {
        let one = |subscribers, rate, burst, ratio| Plan { regime, subscribers, rate, burst, ratio };
        match regime {
            Regime::Alone => vec![one(1000, 60, 1, Some(options.alone_ratio))],
            Regime::Batched => vec![one(200, RATE, 1, Some(options.batched_ratio))],
            Regime::Bursts => vec![one(200, 1200, 8, None)],
            Regime::Growth => {
                let sizes = options.sizes.iter();
                sizes.map(|size| one(*size, (options.deliveries / size).clamp(1, RATE), 1, None)).collect()
            }
        }
    }

    /// What is said in so many seconds.
    pub(super) fn schedule(&self, seconds: u32) -> Schedule {
        let step = Duration::from_secs_f64(f64::from(self.burst) / f64::from(self.rate));
        Schedule { step, burst: self.burst, total: u64::from(self.rate) * u64::from(seconds) }
    }

    /// For a line of the report.
    pub(super) fn name(&self) -> String {
        let regime = format!("{:?}", self.regime).to_lowercase();
        let burst = if self.burst > 1 { format!(" by {}", self.burst) } else { String::new() };
        format!("{regime} {} × {}/s{burst}", self.subscribers, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Scenario};
    use clap::Parser as _;

    #[test]
    fn growth_asks_for_as_many_deliveries_at_every_step() {
        let cli = Cli::try_parse_from(["loadtest", "floor", "--regimes", "growth"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        let steps: Vec<_> = Plan::all(&options).iter().map(|plan| (plan.subscribers, plan.rate)).collect();
        assert_eq!(steps, [(10, 6000), (100, 600), (1000, 60), (5000, 12)]);
    }

    #[test]
    fn a_schedule_holds_whole_bursts() {
        let cli = Cli::try_parse_from(["loadtest", "floor"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        for plan in Plan::all(&options) {
            let schedule = plan.schedule(5);
            assert_eq!(schedule.total % u64::from(schedule.burst), 0, "{}", plan.name());
            let due = schedule.due(schedule.total).as_secs_f64();
            assert!((due - 5.0).abs() < 0.001, "{}: {due}", plan.name());
        }
    }
}
