//! What changes while a run goes on: its phases, its seconds, the steps of its ramp, and what both processes cost.

use serde::{Deserialize, Serialize};

use super::Latency;

/// One phase and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseSpan {
    /// `connect`, `warm up`, `run` or `drain`.
    pub(crate) name: String,
    /// When it began, since the run (or the part) did.
    pub(crate) from_s: f64,
    /// How long it took.
    pub(crate) seconds: f64,
}

/// One second of a run; what could not be read is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// When, since the run (or the part) began.
    pub(crate) at_s: f64,
    /// Connections that are open.
    pub(crate) connections: u64,
    /// Messages sent a second.
    pub(crate) sent_per_s: f64,
    /// Deliveries a second.
    pub(crate) deliveries_per_s: f64,
    /// Publish to delivery in this second.
    pub(crate) p50_us: Option<u64>,
    /// See `p50_us`.
    pub(crate) p99_us: Option<u64>,
    /// Cores the gateway kept busy.
    pub(crate) server_cpu: Option<f64>,
    /// What the gateway has resident.
    pub(crate) server_rss_bytes: Option<u64>,
    /// Cores the generator kept busy.
    pub(crate) generator_cpu: Option<f64>,
}

/// What a process cost over the phase `run`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Seconds on a processor.
    pub(crate) cpu_s: Option<f64>,
    /// Cores it kept busy on average, and how many it may use at most.
    pub(crate) cpu: Option<f64>,
    /// See `cpu`.
    pub(crate) cores: Option<f64>,
    /// Processor time for each delivery, microseconds.
    pub(crate) cpu_per_delivery_us: Option<f64>,
    /// Resident before the first connection.
    pub(crate) rss_start_bytes: Option<u64>,
    /// The most that was resident.
    pub(crate) rss_peak_bytes: Option<u64>,
    /// Resident at the end.
    pub(crate) rss_end_bytes: Option<u64>,
    /// How much more was resident with all connections open than before the first, for each of them.
    pub(crate) rss_per_connection_bytes: Option<f64>,
}

/// One step of a ramp: what was asked for and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// What was asked for, for people: `2000 connections`.
    pub(crate) name: String,
    /// The same as a number, for the axis of a chart.
    pub(crate) value: f64,
    /// Connections that were open.
    pub(crate) connections: u64,
    /// Connections accepted a second while the step was climbed.
    pub(crate) connects_per_s: Option<f64>,
    /// Deliveries a second.
    pub(crate) deliveries_per_s: f64,
    /// Publish to delivery.
    pub(crate) deliver: Option<Latency>,
    /// Missing, duplicated, reordered and phantom deliveries together.
    pub(crate) faults: u64,
    /// Cores the gateway kept busy.
    pub(crate) server_cpu: Option<f64>,
    /// What the gateway had resident.
    pub(crate) server_rss_bytes: Option<u64>,
    /// Its processor time for each delivery.
    pub(crate) cpu_per_delivery_us: Option<f64>,
    /// Its memory for each connection.
    pub(crate) rss_per_connection_bytes: Option<f64>,
}
