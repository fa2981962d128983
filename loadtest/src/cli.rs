//! What can be asked for on the command line: the scenarios that exist, and their knobs.
//!
//! Responsible for names, defaults and bounds. Not responsible for what a scenario does (`scenario`).

pub(crate) mod profile;
pub(crate) mod report;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound_and_bounded() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["loadtest", "slow", "--subscribers", "50"]).expect("parses");
        let Scenario::Slow(options) = cli.scenario;
        assert_eq!((options.subscribers, options.rounds), (50, 6));
        assert!(Cli::try_parse_from(["loadtest", "slow", "--subscribers", "0"]).is_err());
        assert!(Cli::try_parse_from(["loadtest"]).is_err(), "no arguments: help");
    }
}
