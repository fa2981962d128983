//! Numbers: everything the gateway counts, under the names of OPERATIONS, "Metrics".
//!
//! Responsible for every series existing from the first scrape, and no other ever: handles are made once, at start,
//! into one struct that is handed down in an `Arc`. Nothing is global, so two servers fit into one test. Not responsible
//! for serving the page (`http`) nor for the rules over it (`ops`).
//!
//! [`label`] has the words, [`bucket`] the bounds, [`table`] the metrics, [`process`] the lines read off at each scrape.

pub mod bucket;
pub mod label;
pub mod process;
pub mod register;
pub mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metrics::NoopRecorder;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;

use label::{DurabilityLevel, Label};
use process::Build;
use register::{Kind, Metric, Registrar};
use table::{Access, Backend, FanOut, Http, Node, Sessions, Sockets};

/// How often [`Metrics::run_upkeep`] must run: until then each sample of a histogram is kept as it came, 24 bytes each.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The `Content-Type` of the page: the text exposition format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All handles of one node, and the page made of them.
pub struct Metrics {
    /// Connections and their frames.
    pub sockets: Sockets,
    /// Rooms, and entries on their way to the sockets.
    pub fan_out: FanOut,
    /// Sessions, participants and what they publish.
    pub sessions: Sessions,
    /// Who may come in.
    pub access: Access,
    /// HTTP.
    pub http: Http,
    /// The backend and the way to it.
    pub backend: Backend,
    /// The node as a whole.
    pub node: Node,
    scrape: Scrape,
}

/// What a page needs besides the handles.
struct Scrape {
    exporter: PrometheusHandle,
    build: Build,
    /// Index into [`DurabilityLevel::ALL`]: known only once the backend was seen, and Redis may be set otherwise later.
    durability: AtomicUsize,
    runtime: Handle,
}

impl Metrics {
    /// Registers every series, at zero. `runtime` is the one that serves clients, whichever renders the page.
    #[must_use]
    pub fn new(build: Build, runtime: Handle) -> Self {
        let exporter = exporter().build_recorder();
        let scrape = Scrape { exporter: exporter.handle(), build, durability: AtomicUsize::new(0), runtime };
        Self::register(&mut Registrar::new(&exporter), scrape)
    }

    fn register(registrar: &mut Registrar<'_>, scrape: Scrape) -> Self {
        Self {
            sockets: Sockets::register(registrar),
            fan_out: FanOut::register(registrar),
            sessions: Sessions::register(registrar),
            access: Access::register(registrar),
            http: Http::register(registrar),
            backend: Backend::register(registrar),
            node: Node::register(registrar),
            scrape,
        }
    }

    /// Says what an ack means now; until then `build_info` says `unknown`.
    pub fn set_durability(&self, level: DurabilityLevel) {
        self.scrape.durability.store(level.index(), Ordering::Relaxed);
    }

    /// The page, in the text exposition format; serve it as [`CONTENT_TYPE`].
    #[must_use]
    pub fn render(&self) -> String {
        let Scrape { exporter, build, durability, runtime } = &self.scrape;
        let mut page = exporter.render();
        let durability = DurabilityLevel::ALL[durability.load(Ordering::Relaxed)];
        process::write(&mut page, build, durability, runtime);
        page
    }

    /// Moves samples into their buckets. A tracked task calls it every [`UPKEEP_INTERVAL`], as the exporter starts none:
    /// without it samples would pile up until the next scrape, for ever if nobody scrapes.
    pub fn run_upkeep(&self) {
        self.scrape.exporter.run_upkeep();
    }
}

/// Every metric with its labels, `runtime_*`, `process_*` and `build_info` included.
#[must_use]
pub fn catalogue() -> Vec<Metric> {
    let mut all = counted();
    all.extend(process::catalogue());
    all
}

/// The metrics that have handles, registered into the void.
fn counted() -> Vec<Metric> {
    let mut registrar = Registrar::new(&NoopRecorder);
    Sockets::register(&mut registrar);
    FanOut::register(&mut registrar);
    Sessions::register(&mut registrar);
    Access::register(&mut registrar);
    Http::register(&mut registrar);
    Backend::register(&mut registrar);
    Node::register(&mut registrar);
    registrar.into_catalogue()
}

/// An exporter that knows the bounds of every histogram; one it did not know would become a summary.
fn exporter() -> PrometheusBuilder {
    counted().into_iter().fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(bounds) => builder
            .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
            .expect("only an empty list of bounds is refused, and none of ours is empty"),
        Kind::Counter | Kind::Gauge => builder,
    })
}

#[cfg(test)]
mod tests;
