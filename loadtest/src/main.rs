//! Load for a WatchParty gateway: arguments, runtime, exit codes; nothing else.
//!
//! Exit: 0 objectives met, 99 missed (as k6 does), 2 wrong usage, 1 could not run or the run is void, 130 interrupted.

mod accounting;
mod api;
mod cli;
mod engine;
mod frames;
mod histogram;
mod message;
mod mint;
#[allow(dead_code, reason = "what scenarios fill; they come to it one by one")]
mod report;
mod scenario;
mod target;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use tokio::task::JoinSet;

use cli::{Cli, Scenario};
use engine::stop::{INTERRUPTED, Stop};
use report::figures::{Outcome, Run};
use report::progress::{Progress, Show};
use scenario::Setting;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread for the scenario itself; those that read and the one that keeps the time are its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(&cli.scenario)) {
        Ok(run) => ExitCode::from(match run.verdict.outcome {
            Outcome::Pass => 0,
            Outcome::Missed => 99,
            Outcome::Void => 1,
            Outcome::Interrupted => INTERRUPTED,
        }),
        Err(error) => failed(&error),
    }
}

async fn run(scenario: &Scenario) -> anyhow::Result<Run> {
    let (stop, mut signals) = (Stop::default(), JoinSet::new());
    stop.on_signals(&mut signals)?;
    let progress = Arc::new(Progress::new(Show::choose(false, false, std::env::var_os("CI").is_some())));
    let setting = Setting { host: report::figures::Host::read(), progress, stop };
    let (mut run, own) = match scenario.kind() {
        Ok((kind, options)) => (scenario::run(kind, options, setting).await?, kind.objectives()),
        Err(options) => (scenario::slow::run(options, setting).await?, scenario::slow::OBJECTIVES),
    };
    let objectives = own.iter().map(|objective| objective.parse()).collect::<Result<Vec<_>, String>>();
    let objectives = objectives.map_err(anyhow::Error::msg)?;
    report::verdict::judge(&mut run, &objectives);
    println!("{}", report::text::text(&run));
    Ok(run)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("loadtest: {error:#}");
    ExitCode::FAILURE
}
