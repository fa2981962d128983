//! Lines: one an event, for people or machines, written by one thread so that no worker waits for a pipe.
//!
//! Responsible for the pipeline (filter, flood limit, format, bounded queue, writer) and for the two shapes in which
//! what identifies people may stand in a line: [`id::LogId`] and [`address::Truncated`]. What is logged, and that no
//! line holds a payload, a name or a secret, is the business of whoever logs. Spans go into lines and, where a collector
//! is named, into [`traces`].

pub mod address;
pub mod flood;
pub mod id;
pub mod traces;

use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use crate::config::logs::{LogFilter, LogFormat, LogsConfig};
use flood::{Flood, FloodFilter};
use traces::Traces;

/// Lines that may wait for the writer; more are dropped and counted. At some 300 bytes a line this is a few MiB, and
/// seconds of the loudest node.
const QUEUED_LINES: usize = 16_384;

/// How often held-back lines are summed up; the limit of [`flood`] is per this period.
const FLOOD_PERIOD: Duration = Duration::from_secs(1);

/// Why lines cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Somebody in this process was here first.
    #[error("another subscriber already receives the lines of this process")]
    AlreadyStarted,
    /// The thread that sums up held-back lines could not be started.
    #[error("no thread could be started for the lines")]
    Thread(#[source] std::io::Error),
}

/// How many lines were dropped because the writer was behind. Cheap to clone; for `log_lines_dropped_total`.
#[derive(Clone, Debug)]
pub struct DroppedLines(ErrorCounter);

impl DroppedLines {
    /// Lines dropped since the start.
    pub fn count(&self) -> u64 {
        u64::try_from(self.0.dropped_lines()).unwrap_or(u64::MAX)
    }
}

/// The running pipeline. Drop it last: what is still queued is written then, for at most about a second.
#[must_use = "lines end when this is dropped"]
pub struct Telemetry {
    dropped: DroppedLines,
    // Fields drop in this order: the last spans may be told of in a line, and the last summary must find its writer alive.
    _traces: Option<Traces>,
    _summaries: Summaries,
    _writer: WorkerGuard,
}

impl Telemetry {
    /// The counter of dropped lines.
    pub fn dropped_lines(&self) -> DroppedLines {
        self.dropped.clone()
    }
}

/// Makes `out` the place where every line of this process goes, in colour where `colour` says that people look.
///
/// # Errors
/// [`TelemetryError`], when lines go somewhere else already or no thread is to be had.
pub fn start(
    logs: &LogsConfig,
    out: impl Write + Send + 'static,
    colour: bool,
) -> Result<Telemetry, TelemetryError> {
    let (writer, guard) = queue(out);
    let dropped = DroppedLines(writer.error_counter());
    let flood = Flood::default();
    let lines = subscriber(logs, writer, colour, flood.filter());
    let traces = logs.traces_to.as_ref().map(|collector| Traces::start(collector, logs.traces_sampled));
    let everything = lines.with(traces.as_ref().map(Traces::layer));
    tracing::subscriber::set_global_default(everything).map_err(|_| TelemetryError::AlreadyStarted)?;
    let summaries = Summaries::start(flood).map_err(TelemetryError::Thread)?;
    Ok(Telemetry { dropped, _traces: traces, _summaries: summaries, _writer: guard })
}

/// The bounded queue and its one writer thread; a full queue drops and counts.
fn queue(out: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .buffered_lines_limit(QUEUED_LINES)
        .lossy(true)
        .thread_name("watchparty-log")
        .finish(out)
}

/// Filter, flood limit and format over `writer`.
fn subscriber<W>(
    logs: &LogsConfig,
    writer: W,
    colour: bool,
    flood: FloodFilter,
) -> impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // The level decides first, so the flood limit only ever counts lines that would be written.
    let filter = targets(&logs.filter).and(flood);
    Registry::default().with(format_layer(logs.format, writer, colour).with_filter(filter))
}

fn targets(filter: &LogFilter) -> Targets {
    Targets::new().with_default(filter.rest).with_targets(filter.targets.iter().cloned())
}

fn format_layer<S, W>(format: LogFormat, writer: W, colour: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        // One object a line with the event's own fields on top; the span that holds it as one member.
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => layer.with_ansi(colour).boxed(),
    }
}

/// The thread that sums up what the flood limit held back, each period and once more at the end.
struct Summaries {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Summaries {
    fn start(flood: Flood) -> std::io::Result<Self> {
        // Nothing is ever sent: the sender's end is the signal.
        let (stop, stopped) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name("watchparty-flood".to_owned()).spawn(move || {
            while stopped.recv_timeout(FLOOD_PERIOD) == Err(RecvTimeoutError::Timeout) {
                flood.end_period();
            }
            flood.end_period();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Summaries {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the panic hook; dropping must go on to the writer.
            let _reported = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
