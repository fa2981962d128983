//! The verbs of the command line: what is asked for, answered on stdout, refused on stderr, with an exit code.
//!
//! One verb, one file. Serving is `main`'s, as it alone needs a runtime for long. Exit codes: 0 done, 1 failed,
//! 2 settings or usage (clap's own code for a wrong argument is 2 as well).

mod check_config;
mod doctor;
mod gen_token;
mod healthcheck;

use std::io::Write;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;

use crate::config::build::{REVISION, VERSION};
use crate::config::identity::random_secret;
use crate::config::mistake::Mistakes;
use crate::config::source::EnvSource;

pub use check_config::CheckConfig;
pub use doctor::Doctor;
pub use gen_token::GenToken;
pub use healthcheck::Healthcheck;

/// It was tried and did not work.
pub const EXIT_FAILED: u8 = 1;
/// The settings or the arguments are wrong.
pub const EXIT_USAGE: u8 = 2;

/// A pub/sub gateway for people who watch together.
#[derive(Debug, Parser)]
#[command(name = "watchparty", version = version())]
pub struct Args {
    /// What to do; without one, the gateway serves.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve until SIGTERM or SIGINT drains it (the default)
    Serve,
    /// Say every mistake in the settings
    CheckConfig(CheckConfig),
    /// Print a new secret for JWT_SECRET: 48 random bytes as base64url
    GenSecret,
    /// Print a token signed with JWT_SECRET, for support and tests
    GenToken(GenToken),
    /// Ask a running gateway whether it lives or is ready
    Healthcheck(Healthcheck),
    /// Look at settings, machine and Redis, or with --url at a running gateway, and say what is wrong
    Doctor(Doctor),
}

/// Where a verb speaks: results go out, complaints go to err.
pub struct Output<'a> {
    /// For results.
    pub out: &'a mut dyn Write,
    /// For complaints.
    pub err: &'a mut dyn Write,
}

/// Why a verb did not do what was asked.
#[derive(Debug, thiserror::Error)]
enum VerbError {
    /// The settings do not stand.
    #[error("{0}")]
    Settings(#[from] Mistakes),
    /// One setting or argument stands in the way of this verb.
    #[error("{0}")]
    Usage(&'static str),
    /// It was tried and failed; the text holds nothing secret.
    #[error("{0}")]
    Failed(String),
    /// Nobody reads what is written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

impl VerbError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Usage(_) => EXIT_USAGE,
            Self::Failed(_) | Self::Output(_) => EXIT_FAILED,
        }
    }
}

/// Version and revision, for `--version`. Leaked on purpose, once: clap wants text that lives as long as the process.
fn version() -> &'static str {
    format!("{VERSION} ({REVISION})").leak()
}

/// Does what one verb asks, with the settings of `source` where it needs them.
pub fn run(verb: &Verb, source: Result<EnvSource, Mistakes>, output: &mut Output<'_>) -> ExitCode {
    let done = match verb {
        // Serving is started by `main`, which never sends it here; asked all the same, it is a usage mistake.
        Verb::Serve => Err(VerbError::Usage("serve is not a verb that answers and ends")),
        Verb::GenSecret => gen_secret(output.out),
        Verb::CheckConfig(check) => {
            source.map_err(VerbError::from).and_then(|source| check.run(&source, output))
        }
        Verb::GenToken(token) => {
            source.map_err(VerbError::from).and_then(|source| token.run(&source, output.out))
        }
        Verb::Doctor(doctor) => {
            source.map_err(VerbError::from).and_then(|source| doctor.run(&source, output))
        }
        // Health has two exit codes only: a gateway whose settings do not stand is not up.
        Verb::Healthcheck(check) => source
            .map_err(VerbError::from)
            .and_then(|source| check.run(&source, output.out))
            .map_err(|error| VerbError::Failed(error.to_string())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where stderr is gone too, the exit code is all that is left to say it with.
            let _nobody_listens = writeln!(output.err, "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn gen_secret(out: &mut dyn Write) -> Result<(), VerbError> {
    let secret =
        random_secret().ok_or_else(|| VerbError::Failed("the system gives no random bytes".to_owned()))?;
    Ok(writeln!(out, "{}", URL_SAFE_NO_PAD.encode(secret.expose_secret()))?)
}

#[cfg(test)]
mod tests;
