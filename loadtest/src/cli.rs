//! What can be asked for on the command line: the scenarios that exist, and their knobs.
//!
//! Responsible for names, defaults and bounds. Not responsible for what a scenario does (`scenario`).

pub(crate) mod profile;
pub(crate) mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Load for a WatchParty gateway on this machine.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to run.
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// One reader that reads nothing, or 10 KB a second, among many: what the others notice, round against round
    Slow(SlowOptions),
    /// What a delivery costs the gateway and a server of a few dozen lines that does nothing else, round against round
    Floor(FloorOptions),
    /// That server
    #[command(hide = true)]
    FloorServer,
}

/// The gateway under test.
#[derive(Debug, Args)]
pub(crate) struct GatewayOptions {
    /// The gateway's binary; by default the `watchparty` beside this program
    #[arg(long)]
    pub(crate) gateway: Option<PathBuf>,
}

/// Knobs of `slow`.
#[derive(Debug, Args)]
pub(crate) struct SlowOptions {
    #[command(flatten)]
    pub(crate) gateway: GatewayOptions,
    /// Listeners that read as fast as they are sent to
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=900))]
    pub(crate) subscribers: u32,
    /// Messages a second, published on schedule whatever the server does
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(64..=60_000))]
    pub(crate) payload: u32,
    /// Rounds of each kind; the three kinds alternate
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds a round publishes
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Seconds a reader may take nothing before the gateway ends it (its OUTBOX_BEHIND)
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) behind: u32,
}

impl SlowOptions {
    /// How long a round publishes.
    pub(crate) fn round(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// A way of asking for deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Regime {
    /// 1000 subscribers, 60 messages a second: each goes out alone
    Alone,
    /// 200 subscribers, 6000 messages a second: more than a core can send one by one, so each server batches until its core is full
    Batched,
    /// 200 subscribers, 150 times 8 messages a second in one write: batches of known size on a server that is not full
    Bursts,
    /// More and more subscribers for as many deliveries a second
    Growth,
}

/// Knobs of `floor`.
#[derive(Debug, Args)]
pub(crate) struct FloorOptions {
    #[command(flatten)]
    pub(crate) gateway: GatewayOptions,
    /// Which regimes, with commas between
    #[arg(long, value_delimiter = ',', default_value = "alone,batched,bursts,growth")]
    pub(crate) regimes: Vec<Regime>,
    /// Pairs of rounds of each, after one of each that warms up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds a round publishes
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) seconds: u32,
    /// Bytes of a message's body
    #[arg(long, default_value_t = 128, value_parser = clap::value_parser!(u32).range(64..=4096))]
    pub(crate) payload: u32,
    /// Subscribers of growth's steps, with commas between
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,5000",
        value_parser = clap::value_parser!(u32).range(1..=9000))]
    pub(crate) sizes: Vec<u32>,
    /// Deliveries a second of growth's steps, as far as 6000 messages a second reach
    #[arg(long, default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    pub(crate) deliveries: u32,
    /// Objective: the gateway's CPU time per delivery by the floor's, alone
    #[arg(long, default_value_t = 1.15)]
    pub(crate) alone_ratio: f64,
    /// Objective: the same, batched
    #[arg(long, default_value_t = 1.3)]
    pub(crate) batched_ratio: f64,
    /// Objective: how far a delivery's cost may differ between growth's steps, as a part of the least
    #[arg(long, default_value_t = 0.15)]
    pub(crate) growth_spread: f64,
    /// Leave it to the kernel which process runs where; else servers have the first core and the generator the second
    #[arg(long)]
    pub(crate) unpinned: bool,
    /// Where to write all figures as JSON
    #[arg(long)]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound_and_bounded() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["loadtest", "slow", "--subscribers", "50"]).expect("parses");
        let Scenario::Slow(options) = cli.scenario else { panic!("not slow") };
        assert_eq!((options.subscribers, options.rounds), (50, 6));
        let cli = Cli::try_parse_from(["loadtest", "floor", "--regimes", "alone,growth"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        assert_eq!((options.regimes.len(), options.sizes.len()), (2, 4));
        assert!(Cli::try_parse_from(["loadtest", "floor", "--sizes", "0"]).is_err());
        assert!(Cli::try_parse_from(["loadtest", "slow", "--subscribers", "0"]).is_err());
        assert!(Cli::try_parse_from(["loadtest"]).is_err(), "no arguments: help");
    }
}
