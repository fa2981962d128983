//! The settings and the machine: what a start would say, without starting.

use super::{Findings, State};
use crate::config::source::Source;
use crate::config::{Config, Environment};
use crate::server;

/// Notes what stands in the way of a start; the settings, if they stand.
pub(super) fn look(source: &dyn Source, findings: &mut Findings) -> Option<Config> {
    let (config, warnings) = match Config::read(source) {
        Ok(read) => read,
        Err(mistakes) => {
            for mistake in mistakes.iter() {
                findings.note("settings", State::Wrong, mistake.to_string());
            }
            return None;
        }
    };
    for warning in &warnings {
        findings.note("settings", State::Look, warning.to_string());
    }
    if config.environment == Environment::Development {
        findings.note("settings", State::Look, "ENVIRONMENT is development: weak settings are let through");
    }
    if warnings.is_empty() {
        findings.note("settings", State::Ok, "all are sound");
    }
    files(config.connections.max, findings);
    Some(config)
}

fn files(wanted: usize, findings: &mut Findings) {
    match server::connections_carried() {
        Some(carried) if carried < wanted => findings.note(
            "file limit",
            State::Look,
            format!("it carries {carried} connections, and CONNECTIONS_MAX={wanted} will be lowered to that"),
        ),
        Some(carried) => findings.note(
            "file limit",
            State::Ok,
            format!("it carries {carried} connections, CONNECTIONS_MAX={wanted}"),
        ),
        None => findings.note("file limit", State::Ok, format!("none, CONNECTIONS_MAX={wanted}")),
    }
}
