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
    /// Rooms, each with a publisher of its own.
    pub(super) rooms: u32,
    /// Sockets that get each message of a room, its publisher's own among them.
    pub(super) subscribers: u32,
    /// Messages a second in each room.
    pub(super) rate: u32,
    /// Messages in one write.
    pub(super) burst: u32,
    /// The most that the gateway's cost may be of the floor's.
    pub(super) ratio: Option<f64>,
    /// Whether receivers look for what came without ever sleeping ([`super::stage`] says why).
    pub(super) awake: bool,
    /// How often it is set up anew and measured.
    pub(super) passes: u32,
}

impl Plan {
    /// All scenes that were asked for.
    pub(super) fn all(options: &FloorOptions) -> Vec<Plan> {
        options.regimes.iter().flat_map(|regime| Plan::of(*regime, options)).collect()
    }

    fn of(regime: Regime, options: &FloorOptions) -> Vec<Plan> {
        let (rooms, awake, passes) = (1, false, 1);
        let one = |subscribers, rate, burst, ratio| Plan {
            regime,
            rooms,
            subscribers,
            rate,
            burst,
            ratio,
            awake,
            passes,
        };
        match regime {
            Regime::Alone => vec![one(1000, 60, 1, Some(options.alone_ratio))],
            Regime::Batched => vec![one(200, RATE, 1, Some(options.batched_ratio))],
            Regime::Bursts => vec![one(200, 1200, 8, None)],
            Regime::Growth => {
                let (all, awake, passes) = (options.connections, !options.asleep, options.passes);
                let rate = (options.deliveries / all).max(1);
                let sizes = options.sizes.iter().map(|size| (*size).min(all));
                sizes
                    .map(|size| Plan { rooms: all / size, awake, passes, ..one(size, rate, 1, None) })
                    .collect()
            }
        }
    }

    /// What is said in so many seconds.
    pub(super) fn schedule(&self, seconds: u32) -> Schedule {
        let step = Duration::from_secs_f64(f64::from(self.burst) / f64::from(self.rate));
        let each = u64::from(self.rate) * u64::from(seconds);
        Schedule {
            step,
            burst: self.burst,
            rooms: self.rooms,
            turns: each / u64::from(self.burst) * u64::from(self.rooms),
        }
    }

    /// Whether publishers listen on the socket that they speak on, and the floor answers them as the gateway does.
    pub(super) fn answered(&self) -> bool {
        self.regime == Regime::Growth
    }

    /// For a line of the report.
    pub(super) fn name(&self) -> String {
        let regime = format!("{:?}", self.regime).to_lowercase();
        let burst = if self.burst > 1 { format!(" by {}", self.burst) } else { String::new() };
        let rooms = if self.rooms > 1 { format!("{} × ", self.rooms) } else { String::new() };
        format!("{regime} {rooms}{} × {}/s{burst}", self.subscribers, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Scenario};
    use clap::Parser as _;

    #[test]
    fn growth_asks_the_same_of_as_many_sockets_at_every_step() {
        let cli = Cli::try_parse_from(["loadtest", "floor", "--regimes", "growth"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        let plans = Plan::all(&options);
        let steps: Vec<_> = plans.iter().map(|plan| (plan.rooms, plan.subscribers, plan.rate)).collect();
        assert_eq!(steps, [(500, 10, 12), (50, 100, 12), (5, 1000, 12), (1, 5000, 12)]);
        for plan in plans {
            let deliveries = plan.schedule(1).total() * u64::from(plan.subscribers);
            assert_eq!((deliveries, plan.awake, plan.answered()), (60_000, true, true), "{}", plan.name());
        }
    }

    #[test]
    fn a_schedule_holds_whole_bursts() {
        let cli = Cli::try_parse_from(["loadtest", "floor"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        for plan in Plan::all(&options) {
            let schedule = plan.schedule(5);
            let due = schedule.due(0, schedule.total() / u64::from(plan.rooms)).as_secs_f64();
            assert!((due - 5.0).abs() < 0.001, "{}: {due}", plan.name());
        }
    }
}
