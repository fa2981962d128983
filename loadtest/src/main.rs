//! Load for a WatchParty gateway: arguments, runtime, exit codes; nothing else.
//!
//! Exit: 0 objectives met, 99 missed (as k6 does), 2 wrong usage, 1 could not run or the run is void, 130 interrupted.

mod accounting;
mod api;
mod cli;
mod engine;
mod floor;
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

use cli::{Asked, Cli};
use engine::stop::Stop;
use report::exit::Exit;
use report::figures::{Host, Outcome};
use report::progress::{Progress, Show};
use scenario::Setting;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread for the scenario itself; those that read and the one that keeps the time are its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let asked = cli.scenario.asked();
    if matches!(asked, Asked::FloorServer) {
        return floor::serve().map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
    }
    match runtime.block_on(run(&asked)) {
        Ok(outcome) => Exit::from(outcome).into(),
        Err(error) => failed(&error),
    }
}

async fn run(asked: &Asked<'_>) -> anyhow::Result<Outcome> {
    let (stop, mut signals) = (Stop::default(), JoinSet::new());
    stop.on_signals(&mut signals)?;
    let progress = Arc::new(Progress::new(Show::choose(false, false, std::env::var_os("CI").is_some())));
    let setting = Setting { host: Host::read(), progress, stop };
    let (mut run, own) = match asked {
        Asked::Load(kind, options) => (scenario::run(*kind, options, setting).await?, kind.objectives()),
        Asked::Slow(options) => (scenario::slow::run(options, setting).await?, scenario::slow::OBJECTIVES),
        Asked::Floor(options) => return floor::run(options).await,
        Asked::FloorServer => return Ok(Outcome::Pass),
    };
    let objectives = own.iter().map(|objective| objective.parse()).collect::<Result<Vec<_>, String>>();
    let objectives = objectives.map_err(anyhow::Error::msg)?;
    report::verdict::judge(&mut run, &objectives);
    println!("{}", report::text::text(&run));
    Ok(run.verdict.outcome)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("loadtest: {error:#}");
    ExitCode::FAILURE
}
