//! What can be asked for on the command line: the scenarios that exist, and their knobs.
//!
//! Responsible for names and bounds. Not responsible for what a scenario does or runs with unless told (`scenario`).

mod floor;
pub(crate) mod line;
pub(crate) mod load;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod target;

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::scenario::Kind;
pub(crate) use floor::{FloorOptions, Regime};
use load::LoadOptions;
use report::{CompareOptions, ReportOptions};
use target::TargetOptions;

/// Load for a WatchParty gateway: one that runs, or one that is started for it.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// How its report is made.
    #[command(flatten)]
    pub(crate) report: ReportOptions,
    /// What to run.
    #[command(subcommand)]
    pub(crate) scenario: Scenario,
}

/// The scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum Scenario {
    /// A verdict in a quarter of a minute: fanout, rooms and recover, small and short, against a gateway that is started for it
    Smoke(LoadOptions),
    /// Connections that do nothing, opened in steps: how fast, how much memory each, and whether all stay
    Connect(LoadOptions),
    /// One speaks, many listen
    Fanout(LoadOptions),
    /// Many sessions of a few, who all may speak
    #[command(alias = "many-rooms")]
    Rooms(LoadOptions),
    /// Everybody alone in a session: the way to the log and back
    Echo(LoadOptions),
    /// People come and go while others talk
    Churn(LoadOptions),
    /// Connections are cut and take up where they were while others talk
    Recover(LoadOptions),
    /// All come at once, and half way all are cut at once
    Storm(LoadOptions),
    /// One reader that reads nothing, or 10 KB a second, among many: what the others notice, round against round
    #[command(alias = "slow-readers")]
    Slow(SlowOptions),
    /// Some of all for long, with an eye on memory
    Soak(LoadOptions),
    /// What people do in a watch party: the film, chat, events, notes, signals
    Mixed(LoadOptions),
    /// Virtual players on skewed clocks and slow networks follow a film: how far each is from where it should be
    Sync(SyncOptions),
    /// What a delivery costs the gateway and a server of a few dozen lines that does nothing else, round against round
    Floor(FloorOptions),
    /// Two runs beside each other: every figure both have, and B as so many times A
    Compare(CompareOptions),
    /// That server
    #[command(hide = true)]
    FloorServer,
}

/// What a subcommand asks for.
#[derive(Debug)]
pub(crate) enum Asked<'c> {
    /// A scenario of the usual shape.
    Load(Kind, &'c LoadOptions),
    /// Slow readers.
    Slow(&'c SlowOptions),
    /// Virtual players.
    Sync(&'c SyncOptions),
    /// The floor beside the gateway.
    Floor(&'c FloorOptions),
    /// Two runs.
    Compare(&'c CompareOptions),
    /// The floor itself.
    FloorServer,
}

impl Scenario {
    /// Which one, with its options.
    pub(crate) fn asked(&self) -> Asked<'_> {
        match self {
            Self::Smoke(options) => Asked::Load(Kind::Smoke, options),
            Self::Connect(options) => Asked::Load(Kind::Connect, options),
            Self::Fanout(options) => Asked::Load(Kind::Fanout, options),
            Self::Rooms(options) => Asked::Load(Kind::Rooms, options),
            Self::Echo(options) => Asked::Load(Kind::Echo, options),
            Self::Churn(options) => Asked::Load(Kind::Churn, options),
            Self::Recover(options) => Asked::Load(Kind::Recover, options),
            Self::Storm(options) => Asked::Load(Kind::Storm, options),
            Self::Soak(options) => Asked::Load(Kind::Soak, options),
            Self::Mixed(options) => Asked::Load(Kind::Mixed, options),
            Self::Slow(options) => Asked::Slow(options),
            Self::Sync(options) => Asked::Sync(options),
            Self::Floor(options) => Asked::Floor(options),
            Self::Compare(options) => Asked::Compare(options),
            Self::FloorServer => Asked::FloorServer,
        }
    }
}

/// Knobs of `slow`; `--duration` is that of a round.
#[derive(Debug, Args)]
pub(crate) struct SlowOptions {
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    /// Rounds of each kind; the three kinds alternate
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// Seconds a reader may take nothing before a gateway that is started here ends it (its OUTBOX_BEHIND)
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) behind: u32,
}

/// Knobs of `sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncOptions {
    #[command(flatten)]
    pub(crate) target: TargetOptions,
    /// People in a session; a round for each number
    #[arg(long, value_delimiter = ',', default_value = "2,10,50", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub(crate) players: Vec<u32>,
    /// How long the film is left alone after each command
    #[arg(long, default_value = "8s", value_parser = load::duration)]
    pub(crate) hold: Duration,
    /// The longest round trip of a player's network, without jitter; each has its own, and its own share each way
    #[arg(long, default_value = "100ms", value_parser = load::duration)]
    pub(crate) round_trip: Duration,
    /// The most that is added to a message on its way
    #[arg(long, default_value = "20ms", value_parser = load::duration)]
    pub(crate) jitter: Duration,
    /// Where randomness begins
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn knobs(words: &[&str]) -> Option<load::Knobs> {
        let cli = Cli::try_parse_from(["loadtest"].iter().chain(words)).ok()?;
        let Asked::Load(kind, options) = cli.scenario.asked() else { return None };
        Some(options.over(&kind.knobs()))
    }

    #[test]
    fn the_command_line_is_sound_and_bounded() {
        Cli::command().debug_assert();
        let fanout = knobs(&["fanout", "--connections", "50", "--duration", "30s"]).expect("parses");
        assert_eq!((fanout.connections, fanout.sessions, fanout.rate), (50, 1, 60.0));
        assert_eq!(fanout.duration, Duration::from_secs(30));
        assert!(knobs(&["fanout", "--connections", "0"]).is_none());
        assert!(Cli::try_parse_from(["loadtest"]).is_err(), "no arguments: help");
    }

    #[test]
    fn scenarios_have_the_names_of_the_issue_too() {
        assert_eq!(knobs(&["many-rooms"]), knobs(&["rooms"]));
        assert!(Cli::try_parse_from(["loadtest", "slow-readers", "--rounds", "1"]).is_ok());
    }

    #[test]
    fn the_floor_has_its_own_knobs() {
        let cli = Cli::try_parse_from(["loadtest", "floor", "--regimes", "alone,growth"]).expect("parses");
        let Scenario::Floor(options) = cli.scenario else { panic!("not floor") };
        assert_eq!((options.regimes.len(), options.sizes.len()), (2, 4));
        assert!(Cli::try_parse_from(["loadtest", "floor", "--sizes", "0"]).is_err());
    }

    #[test]
    fn players_are_numbers_of_two_or_more() {
        let asked = |words: &[&str]| Cli::try_parse_from(["loadtest", "sync"].iter().chain(words)).ok();
        let Some(Scenario::Sync(options)) = asked(&[]).map(|cli| cli.scenario) else { panic!("not sync") };
        assert_eq!((options.players, options.hold), (vec![2, 10, 50], Duration::from_secs(8)));
        assert!(asked(&["--players", "1"]).is_none() && asked(&["--jitter", "soon"]).is_none());
    }

    #[test]
    fn a_gateway_is_either_found_or_started() {
        let parses = |words: &[&str]| knobs(words).is_some();
        assert!(parses(&[
            "rooms",
            "--url",
            "http://127.0.0.1:1,http://127.0.0.1:2",
            "--mint",
            "--pid",
            "1,2"
        ]));
        assert!(parses(&["rooms", "--nodes", "2", "--redis-server", "--set", "WORKER_THREADS=1"]));
        assert!(!parses(&["rooms", "--nodes", "2", "--url", "http://127.0.0.1:1"]));
        assert!(!parses(&["rooms", "--mint"]) && !parses(&["rooms", "--set", "WORKER_THREADS"]));
    }
}
