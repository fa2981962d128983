//! How the node fares, as told to people, balancers and orchestrators.

use std::time::Duration;

/// How the node fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthReport {
    /// Version of the build.
    pub version: &'static str,
    /// `memory` or `redis`.
    pub backend: &'static str,
    /// Since the process began to serve.
    pub uptime: Duration,
    /// Whether balancers may send traffic.
    pub ready: bool,
    /// Why not: `starting`, `draining`, `backend`.
    pub reasons: Vec<&'static str>,
    /// Whether the runtime still ticks.
    pub live: bool,
}
