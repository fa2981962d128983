//! The `watchparty` binary: arguments, settings, lines, runtime, exit code; nothing else.

use std::io::{IsTerminal, stderr, stdout};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Parser;
use watchparty::cli::{self, Args, Verb};
use watchparty::config::Config;
use watchparty::config::mistake::{Mistakes, Warning};
use watchparty::config::source::EnvSource;
use watchparty::{server, telemetry};

fn main() -> ExitCode {
    // 1. What is asked for: everything but serving is answered and done.
    match Args::parse().verb.unwrap_or(Verb::Serve) {
        Verb::Serve => serve(),
        verb => {
            cli::run(&verb, EnvSource::load(), &mut cli::Output { out: &mut stdout(), err: &mut stderr() })
        }
    }
}

fn serve() -> ExitCode {
    #[cfg(feature = "sabotage")]
    sabotaged();
    // 2. Settings, before any port is bound.
    let (config, warnings) = match settings() {
        Ok(read) => read,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::from(cli::EXIT_USAGE);
        }
    };
    match start(config, &warnings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(cli::EXIT_FAILED)
        }
    }
}

/// In a test build only: what is to be broken, if anything.
#[cfg(feature = "sabotage")]
fn sabotaged() {
    #[expect(clippy::disallowed_methods, reason = "it is no setting: a release must not know of it")]
    if let Ok(name) = std::env::var("WATCHPARTY_SABOTAGE") {
        assert!(watchparty::sabotage::choose(&name), "WATCHPARTY_SABOTAGE={name} names no break");
    }
}

fn settings() -> Result<(Config, Vec<Warning>), Mistakes> {
    Config::read(&EnvSource::load()?)
}

fn start(config: Config, warnings: &[Warning]) -> anyhow::Result<()> {
    // 3. Lines; dropped last, so that the end is written too.
    let lines = telemetry::start(&config.logs, stdout(), stdout().is_terminal())?;
    for warning in warnings {
        tracing::warn!(setting = warning.name(), %warning, "questionable setting");
    }
    // 4. Cryptography, before anything could ask for TLS.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.install_default().map_err(|_| anyhow!("another provider of cryptography is installed"))?;
    // 5. The runtime, and in it everything else.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(config.server.worker_threads).enable_all().build();
    let runtime = runtime.context("the runtime does not start")?;
    Ok(runtime.block_on(server::run(config, lines.dropped_lines()))?)
}
