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
mod report;
mod scenario;
mod target;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::task::JoinSet;

use cli::Asked;
use cli::line::CommandLine;
use engine::stop::Stop;
use report::compare;
use report::conclude::Conclusion;
use report::exit::Exit;
use report::figures::Host;
use report::progress::{Progress, Show};
use report::publish::{self, Out};
use scenario::Setting;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    let line = CommandLine::read(&args).unwrap_or_else(|error| error.exit());
    // One thread for the scenario itself; those that read and the one that keeps the time are its own.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let ended = match line.cli.scenario.asked() {
        Asked::FloorServer => floor::serve().map(|()| Exit::Met),
        Asked::Compare(files) => compared(&files.one, &files.other),
        asked => runtime.block_on(run(&asked, &line)),
    };
    ended.map_or_else(|error| failed(&error), ExitCode::from)
}

async fn run(asked: &Asked<'_>, line: &CommandLine) -> anyhow::Result<Exit> {
    let (stop, mut signals) = (Stop::default(), JoinSet::new());
    stop.on_signals(&mut signals)?;
    let conclusion = conclusion(line)?;
    let options = &line.cli.report;
    let show = Show::choose(options.quiet, options.json, std::env::var_os("CI").is_some());
    let setting = Setting { host: Host::read(), progress: Arc::new(Progress::new(show)), stop };
    let interrupted = setting.stop.clone();
    let (ran, own) = match asked {
        Asked::Load(kind, options) => (scenario::run(*kind, options, setting).await, kind.objectives()),
        Asked::Slow(options) => (scenario::slow::run(options, setting).await, scenario::slow::OBJECTIVES),
        Asked::Sync(options) => {
            (scenario::sync::run(options, setting).await, scenario::sync::objectives(options))
        }
        Asked::Floor(options) => return Ok(floor::run(options, conclusion.out.as_ref()).await?.into()),
        Asked::Compare(_) | Asked::FloorServer => return Ok(Exit::Met),
    };
    match ran {
        Ok(mut run) => conclusion.draw(&mut run, own),
        // Before there was anything to report of.
        Err(error) if interrupted.asked() => {
            eprintln!("loadtest: {error:#}");
            Ok(Exit::Interrupted)
        }
        Err(error) => Err(error),
    }
}

/// What is asked of the report; the place it goes to is tried before anything runs.
fn conclusion(line: &CommandLine) -> anyhow::Result<Conclusion> {
    let options = &line.cli.report;
    Ok(Conclusion {
        profile: line.profile.as_ref().map(|profile| profile.name.clone()),
        command: line.words.clone(),
        of_profile: line.profile.as_ref().map(|profile| profile.objectives.clone()),
        asked: options.slo.clone(),
        out: options.out.as_deref().map(Out::open).transpose()?,
        json: options.json,
    })
}

fn compared(one: &std::path::Path, other: &std::path::Path) -> anyhow::Result<Exit> {
    publish::print(&compare::text(&compare::read(one)?, &compare::read(other)?))?;
    Ok(Exit::Met)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("loadtest: {error:#}");
    Exit::CouldNot.into()
}
