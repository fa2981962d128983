//! Load for a WatchParty gateway: arguments, runtime, exit codes; nothing else.
//!
//! Exit: 0 objectives met, 99 missed (as k6 does), 2 wrong usage, 1 could not run or the run is void.

mod accounting;
mod api;
mod cli;
mod client;
mod floor;
mod frames;
mod gateway;
mod histogram;
mod message;
mod publisher;
#[allow(dead_code, reason = "what scenarios fill; they come to it one by one")]
mod report;
mod scenario;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Scenario};
use scenario::Verdict;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One thread: a generator that used every core would measure how it steals them from the server.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = match cli.scenario {
        Scenario::Slow(options) => runtime.block_on(scenario::slow::run(&options)),
        Scenario::Floor(options) => runtime.block_on(floor::run(&options)),
        Scenario::FloorServer => {
            return floor::serve().map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
        }
    };
    match outcome {
        Ok(Verdict::Pass) => ExitCode::SUCCESS,
        Ok(Verdict::Missed) => ExitCode::from(99),
        Ok(Verdict::Void) => ExitCode::FAILURE,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("loadtest: {error:#}");
    ExitCode::FAILURE
}
