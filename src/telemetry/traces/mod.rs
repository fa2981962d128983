//! Traces: spans of requests, publishes and repairs, for a collector that the settings name; without one nothing here runs.
//!
//! Responsible for which spans go out (ours, by layer; some of them, by chance or as the caller says), for what is told of a request, and for
//! their end. Not responsible for the wire (`collector`), nor for where spans begin. A span never holds what a line must not, and none is per
//! delivery. Code above asks for nothing but [`begin`] and [`answered`], which cost one look while there is no collector.

mod collector;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Status, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider,
};
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::logs::Collector;
use collector::Exporter;

/// Spans that may wait; more are lost. At some hundred bytes each, a megabyte.
const QUEUED: usize = 4096;
/// Spans in one call, which then is some 100 KiB.
const TOGETHER: usize = 512;
/// How long a span waits for others.
const WAITS: Duration = Duration::from_secs(5);
/// How long the last ones may take when the process ends; then they are lost.
const LAST: Duration = Duration::from_secs(2);
/// Spans of ours are of modules below this one.
const OURS: &str = "watchparty";

/// Whether a collector is named: who has nothing to tell looks here and goes on.
static EXPORTED: AtomicBool = AtomicBool::new(false);

/// The export as it runs, on a thread of its own. Dropped, it sends what is left.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// Starts it. Whether there is a collector shows with the first spans.
    pub(super) fn start(collector: &Collector, sampled: f64) -> Self {
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", OURS),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ]);
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUED)
            .with_max_export_batch_size(TOGETHER)
            .with_scheduled_delay(WAITS)
            .build();
        let exporter = Exporter::to(collector.clone());
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(sampled))))
            .with_resource(resource.build())
            .with_span_processor(processor)
            .build();
        EXPORTED.store(true, Ordering::Relaxed);
        Self { provider }
    }

    /// What sees the spans. Lines are not taken for parts of them, so what is logged stays where it is.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let ours = filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with(OURS));
        let tracer: SdkTracer = self.provider.tracer(OURS);
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours.with_max_level_hint(LevelFilter::DEBUG))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        EXPORTED.store(false, Ordering::Relaxed);
        if let Err(error) = self.provider.shutdown_with_timeout(LAST) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Whether spans go anywhere but into lines.
#[must_use]
pub fn are_exported() -> bool {
    EXPORTED.load(Ordering::Relaxed)
}

/// A request's span begins: below the one that its caller names (`traceparent`), if it names one, and with the fields `otel.kind` and
/// `trace_id` filled in, so that lines tell which trace they belong to.
pub fn begin<'a>(span: &Span, traceparent: impl FnOnce() -> Option<&'a str>) {
    if !are_exported() {
        return;
    }
    span.record("otel.kind", "server");
    if let Some(parent) = traceparent() {
        let carrier = HashMap::from([("traceparent".to_owned(), parent.to_owned())]);
        // Without a layer, or begun already: it is nobody's child then.
        let _began =
            span.set_parent(TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier));
    }
    let context = span.context();
    let trace = context.span().span_context().clone();
    if trace.is_sampled() {
        span.record("trace_id", tracing::field::display(trace.trace_id()));
    }
}

/// What came of a request: the pattern of its route and never its path, which names a session.
pub fn answered(span: &Span, method: &str, route: Option<&str>, status: u16) {
    if !are_exported() {
        return;
    }
    if let Some(route) = route {
        span.context().span().update_name(format!("{method} {route}"));
        span.set_attribute("http.route", route.to_owned());
    }
    span.set_attribute("http.request.method", method.to_owned());
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set_status(Status::error(""));
    }
}
