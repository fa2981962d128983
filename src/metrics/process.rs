//! The lines that are read off at each scrape: the build, the runtime, the process.
//!
//! Responsible for writing them in the text exposition format (version 0.0.4) after the exporter's page. Written by hand,
//! as the facade's counters are whole numbers, so that CPU and busy time would tick in seconds. A value the system does
//! not tell is written as `NaN`: the set of series stays the same everywhere.

use std::fmt::Write;

use tokio::runtime::Handle;

use super::label::{BackendKind, DurabilityLevel, Label};
use super::register::{Kind, Metric};

/// What `build_info` says of a node.
#[derive(Debug, Clone, Copy)]
pub struct Build {
    /// The release, as in `Cargo.toml`.
    pub version: &'static str,
    /// The commit it was built from, or `unknown`.
    pub revision: &'static str,
    /// The backend it runs on.
    pub backend: BackendKind,
}

const BUILD_INFO: &str = "watchparty_build_info";

/// Name, help, kind of every line but `build_info`, in the order of [`values`].
const ROWS: [(&str, &str, Kind); 12] = [
    ("watchparty_runtime_workers", "Worker threads of the runtime that serves clients.", Kind::Gauge),
    ("watchparty_runtime_tasks", "Tasks alive in the runtime.", Kind::Gauge),
    ("watchparty_runtime_queue_depth", "Tasks waiting in the runtime's global queue.", Kind::Gauge),
    ("watchparty_runtime_busy_seconds_total", "Time all workers together were busy.", Kind::Counter),
    ("process_cpu_seconds_total", "Total user and system CPU time spent.", Kind::Counter),
    ("process_open_fds", "Open file descriptors.", Kind::Gauge),
    ("process_max_fds", "File descriptors that may be open.", Kind::Gauge),
    ("process_resident_memory_bytes", "Resident memory.", Kind::Gauge),
    ("process_virtual_memory_bytes", "Virtual memory.", Kind::Gauge),
    ("process_virtual_memory_max_bytes", "Virtual memory that may be had.", Kind::Gauge),
    ("process_start_time_seconds", "Start of the process, in seconds since the Unix epoch.", Kind::Gauge),
    ("process_threads", "Threads of the operating system.", Kind::Gauge),
];

/// The rows of the catalogue that belong to this file.
pub(super) fn catalogue() -> impl Iterator<Item = Metric> {
    let free = |label| (label, Vec::new());
    let labels =
        vec![free("version"), free("revision"), free(BackendKind::NAME), free(DurabilityLevel::NAME)];
    let build = Metric { name: BUILD_INFO, help: BUILD_HELP, kind: Kind::Gauge, labels };
    let rest = ROWS.iter().map(|&(name, help, kind)| Metric { name, help, kind, labels: Vec::new() });
    std::iter::once(build).chain(rest)
}

const BUILD_HELP: &str = "Always 1; what runs here stands in the labels.";

/// Appends all lines of this file to a page.
pub(super) fn write(page: &mut String, build: &Build, durability: DurabilityLevel, runtime: &Handle) {
    head(page, BUILD_INFO, BUILD_HELP, Kind::Gauge);
    let (version, revision) = (escaped(build.version), escaped(build.revision));
    let (backend, durability) = (build.backend.value(), durability.value());
    // Writing into a String cannot fail, here and below.
    let _ = writeln!(
        page,
        "{BUILD_INFO}{{version=\"{version}\",revision=\"{revision}\",backend=\"{backend}\",durability=\"{durability}\"}} 1"
    );
    for ((name, help, kind), value) in ROWS.into_iter().zip(values(runtime)) {
        head(page, name, help, kind);
        let _ = match value {
            value if value == f64::INFINITY => writeln!(page, "{name} +Inf"),
            value => writeln!(page, "{name} {value}"),
        };
    }
}

fn head(page: &mut String, name: &str, help: &str, kind: Kind) {
    let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
    let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

/// A text between the quotes of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The values of [`ROWS`], in order.
fn values(runtime: &Handle) -> [f64; 12] {
    let tokio = runtime.metrics();
    let workers = tokio.num_workers();
    let busy: f64 = (0..workers).map(|worker| tokio.worker_total_busy_duration(worker).as_secs_f64()).sum();
    let process = metrics_process::collector::collect();
    [
        workers as f64,
        tokio.num_alive_tasks() as f64,
        tokio.global_queue_depth() as f64,
        busy,
        process.cpu_seconds_total.unwrap_or(f64::NAN),
        told(process.open_fds),
        limit(process.max_fds),
        told(process.resident_memory_bytes),
        told(process.virtual_memory_bytes),
        limit(process.virtual_memory_max_bytes),
        told(process.start_time_seconds),
        told(process.threads),
    ]
}

fn told(value: Option<u64>) -> f64 {
    value.map_or(f64::NAN, |value| value as f64)
}

/// The collector says 0 for "no limit"; a rule that divides by it must see infinity, not zero.
fn limit(value: Option<u64>) -> f64 {
    if value == Some(0) { f64::INFINITY } else { told(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_is_infinite_and_unknown_is_no_number() {
        assert_eq!(limit(Some(0)), f64::INFINITY);
        assert_eq!(limit(Some(1024)), 1024.0);
        assert!(limit(None).is_nan() && told(None).is_nan());
        assert_eq!(told(Some(0)), 0.0);
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
