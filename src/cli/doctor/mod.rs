//! `doctor`: looks at what a gateway will stand on, or from outside at one that runs, and says each finding in a line.
//!
//! Without `--url` it looks at this machine and its settings, and at the Redis they name (`host`, `store`). With `--url` it does
//! what two people would do through that address, proxies included, and takes it all away again (`journey`). It repairs nothing. Two
//! exit codes, as with health: 0 when nothing is wrong, 1 when something is; what is only to be looked at does not fail it.

mod host;
mod journey;
mod socket;
mod store;
mod wire;

use std::fmt;

use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::{Output, VerbError};
use crate::config::Config;
use crate::config::build::{REVISION, VERSION};
use crate::config::source::Source;
use crate::model::id::SessionId;
use crate::telemetry::id::LogIds;

/// What to look at.
#[derive(Debug, Default, clap::Args)]
pub struct Doctor {
    /// Do what two people would do through this address (http://host:port or https://host), instead of looking at this machine
    #[arg(long)]
    pub url: Option<String>,
    /// With --url https://…: trust the CAs of this PEM file instead of the system's
    #[arg(long, requires = "url")]
    pub ca: Option<std::path::PathBuf>,
    /// Print one JSON object instead of lines
    #[arg(long)]
    pub json: bool,
    /// Print only how this session's id stands in log lines (needs JWT_SECRET)
    #[arg(long, conflicts_with_all = ["url", "ca", "json"])]
    pub log_id: Option<SessionId>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Works, but is probably not meant; or cannot be seen.
    Look,
    /// Will not work, or will lose something.
    Wrong,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Look => "look",
            Self::Wrong => "WRONG",
        })
    }
}

/// One check: which, how it came out, and in words that hold no secret.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    text: String,
}

/// What was found, in order.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, check: &'static str, state: State, text: impl Into<String>) {
        self.0.push(Finding { check, state, text: text.into() });
    }

    fn count(&self, state: State) -> usize {
        self.0.iter().filter(|finding| finding.state == state).count()
    }

    fn lines(&self) -> String {
        let mut lines = String::new();
        for Finding { check, state, text } in &self.0 {
            lines += &format!("{state:<5}  {check:<18}  {text}\n");
        }
        let (ok, look, wrong) = (self.count(State::Ok), self.count(State::Look), self.count(State::Wrong));
        lines + &format!("{ok} ok, {look} to look at, {wrong} wrong\n")
    }

    fn json(&self) -> String {
        let report = serde_json::json!({
            "version": VERSION, "revision": REVISION, "ok": self.count(State::Ok), "look": self.count(State::Look),
            "wrong": self.count(State::Wrong), "findings": self.0,
        });
        format!("{report}\n")
    }
}

impl Doctor {
    pub(super) fn run(&self, source: &dyn Source, output: &mut Output<'_>) -> Result<(), VerbError> {
        if let Some(session) = self.log_id {
            return log_id(source, session, output);
        }
        let mut findings = Findings::default();
        // Redis and the gateway may both be behind TLS. An error means that a provider stands already.
        let _stands = rustls::crypto::aws_lc_rs::default_provider().install_default();
        match &self.url {
            Some(url) => journey::take(url, self.ca.as_deref(), &mut findings),
            None => {
                if let Some(config) = host::look(source, &mut findings) {
                    store::look(&config, &mut findings);
                }
            }
        }
        let report = if self.json { findings.json() } else { findings.lines() };
        output.out.write_all(report.as_bytes())?;
        match findings.count(State::Wrong) {
            0 => Ok(()),
            wrong => Err(VerbError::Failed(format!("doctor: {wrong} wrong"))),
        }
    }
}

fn log_id(source: &dyn Source, session: SessionId, output: &mut Output<'_>) -> Result<(), VerbError> {
    let identity = Config::read(source)?.0.identity;
    if identity.secret_is_random {
        return Err(VerbError::Usage(
            "JWT_SECRET: is unset, and the lines of a running gateway have another key",
        ));
    }
    let ids = LogIds::new(identity.secret.expose_secret());
    Ok(writeln!(output.out, "{}", ids.of(&session.to_string()))?)
}

#[cfg(test)]
mod tests;
