//! The page as Prometheus would read it: the set of series, its size, and the format.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram};

use super::label::{BackendKind, EntryResult, Origin, Route, StatusClass};
use super::register::Family;
use super::*;

/// Counted by OPERATIONS, "Metrics"; the table there says the same.
const SERIES: usize = 631;

/// Uses a handle as the gateway would, each value of each label once.
pub(super) trait Touch {
    fn touch(&self);
}

impl Touch for Counter {
    fn touch(&self) {
        self.increment(3);
    }
}

impl Touch for Gauge {
    fn touch(&self) {
        self.increment(2.5);
    }
}

impl Touch for Histogram {
    fn touch(&self) {
        self.record(Duration::from_micros(75));
        self.record(7.5);
        self.record(1e9);
    }
}

impl<L: Label, H: Touch> Touch for Family<L, H> {
    fn touch(&self) {
        for value in L::ALL {
            self.get(*value).touch();
        }
    }
}

fn node() -> Metrics {
    let build = Build { version: "1.2.3", revision: "abc\"def", backend: BackendKind::Memory };
    Metrics::new(build, Handle::current())
}

fn touch_all(metrics: &Metrics) {
    metrics.sockets.touch_all();
    metrics.fan_out.touch_all();
    metrics.sessions.touch_all();
    metrics.access.touch_all();
    metrics.http.touch_all();
    metrics.backend.touch_all();
    metrics.node.touch_all();
}

/// One family as its HELP and TYPE lines announce it.
struct Announced {
    kind: String,
    samples: usize,
}

/// Reads a page strictly: gives the families and, by series, the values; panics at anything Prometheus might not like.
fn parse(page: &str) -> (BTreeMap<String, Announced>, BTreeMap<String, f64>) {
    let (mut families, mut series) = (BTreeMap::new(), BTreeMap::new());
    let mut helped = BTreeSet::new();
    let mut current = String::new();
    assert!(page.ends_with('\n') && page.is_ascii());
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(helped.insert(name.to_owned()), "HELP twice: {name}");
            assert!(text.ends_with('.') && text.len() > 10, "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert!(helped.contains(name), "TYPE before HELP: {name}");
            current = name.to_owned();
            let announced = Announced { kind: kind.to_owned(), samples: 0 };
            assert!(families.insert(current.clone(), announced).is_none(), "TYPE twice: {name}");
        } else {
            let (key, value) = line.rsplit_once(' ').unwrap();
            let family = families.get_mut(&current).unwrap();
            check_sample(&current, &family.kind, key);
            family.samples += 1;
            let value = if value == "+Inf" { f64::INFINITY } else { value.parse().unwrap() };
            assert!(series.insert(key.to_owned(), value).is_none(), "series twice: {key}");
        }
    }
    (families, series)
}

/// That a sample belongs to its family and is spelled as the format asks.
fn check_sample(family: &str, kind: &str, key: &str) {
    let (name, labels) = key.split_once('{').map_or((key, ""), |(name, labels)| (name, labels));
    let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} under {family}"));
    let allowed: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
    assert!(allowed.contains(&suffix), "{key} in a {kind}");
    assert_eq!(suffix == "_bucket", labels.contains("le=\""), "{key}");
    assert!(labels.is_empty() || labels.ends_with("\"}"), "{key}");
    assert!(!labels.contains("quantile="), "a summary: {key}");
}

fn names(page: &str) -> BTreeSet<String> {
    parse(page).1.into_keys().collect()
}

#[tokio::test]
async fn the_set_of_series_at_start_is_the_set_after_every_handle_was_used() {
    let metrics = node();
    let at_start = names(&metrics.render());
    assert_eq!(at_start.len(), SERIES);
    const { assert!(SERIES <= 700, "the bound of OPERATIONS") };

    touch_all(&metrics);
    metrics.run_upkeep();
    touch_all(&metrics);
    let after = names(&metrics.render());
    assert_eq!(at_start, after);
}

#[tokio::test]
async fn everything_is_zero_at_start_and_counts_after() {
    let metrics = node();
    let ours = |key: &String| key.starts_with("watchparty_") && !key.contains("_runtime_");
    for (key, value) in parse(&metrics.render()).1.into_iter().filter(|(key, _)| ours(key)) {
        assert_eq!(value, if key.contains("build_info") { 1.0 } else { 0.0 }, "{key}");
    }

    metrics.sessions.entries.get(EntryResult::Gap).increment(2);
    metrics.http.requests.get(Route::Ws).get(StatusClass::of(101)).increment(1);
    metrics.sockets.connections.set(7.0);
    metrics.fan_out.delivery_lag.get(Origin::Remote).record(Duration::from_millis(100));
    let (_, series) = parse(&metrics.render());
    assert_eq!(series["watchparty_entries_total{result=\"gap\"}"], 2.0);
    assert_eq!(series["watchparty_http_requests_total{route=\"ws\",class=\"2xx\"}"], 1.0);
    assert_eq!(series["watchparty_connections"], 7.0);
    let lag =
        |le| series[&format!("watchparty_delivery_lag_seconds_bucket{{origin=\"remote\",le=\"{le}\"}}")];
    assert_eq!((lag("0.05"), lag("0.1"), lag("+Inf")), (0.0, 1.0, 1.0), "the objective's bound is inclusive");
}

#[tokio::test]
async fn the_page_holds_the_catalogue_and_nothing_else() {
    let (families, _) = parse(&node().render());
    let catalogue = catalogue();
    assert_eq!(catalogue.iter().map(Metric::series).sum::<usize>(), SERIES);
    assert_eq!(catalogue.len(), families.len());
    for metric in &catalogue {
        let family = &families[metric.name];
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        assert_eq!(family.kind, kind, "{}", metric.name);
        assert_eq!(family.samples, metric.series(), "{}", metric.name);
    }
}

#[test]
fn names_follow_the_rules_of_prometheus() {
    for Metric { name, kind, labels, .. } in catalogue() {
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(name.starts_with("watchparty_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        for unit in ["_ms", "_millis", "_us", "_minutes", "_kb", "_percent"] {
            assert!(!name.contains(unit), "{name}: not a base unit");
        }
        if let Kind::Histogram(bounds) = kind {
            assert!(name.ends_with("_seconds"), "{name}");
            assert!(bounds.is_sorted_by(|low, high| low < high), "{name}");
        }
        for (label, _) in labels {
            assert!(
                !["le", "quantile", "job", "instance"].contains(&label),
                "{name}: {label} is Prometheus' own"
            );
        }
    }
}

#[tokio::test]
async fn two_nodes_in_one_process_count_apart() {
    let (one, two) = (Arc::new(node()), Arc::new(node()));
    one.sockets.opened.increment(5);
    let opened = |metrics: &Metrics| parse(&metrics.render()).1["watchparty_connections_opened_total"];
    assert_eq!((opened(&one), opened(&two)), (5.0, 0.0));
}

#[tokio::test]
async fn build_info_names_the_build_and_learns_the_durability() {
    let metrics = node();
    let line = |level| {
        format!(
            "watchparty_build_info{{version=\"1.2.3\",revision=\"abc\\\"def\",backend=\"memory\",durability=\"{level}\"}} 1\n"
        )
    };
    assert!(metrics.render().contains(&line("unknown")));
    metrics.set_durability(DurabilityLevel::Fsync);
    let page = metrics.render();
    assert!(page.contains(&line("fsync")) && !page.contains("durability=\"unknown\""));
}

#[tokio::test]
async fn the_runtime_and_the_process_are_read_off_at_each_scrape() {
    let (_, series) = parse(&node().render());
    assert_eq!(series["watchparty_runtime_workers"], 1.0, "the test's own current-thread runtime");
    for name in
        ["process_open_fds", "process_threads", "process_resident_memory_bytes", "process_start_time_seconds"]
    {
        assert!(series[name] >= 1.0, "{name}: {}", series[name]);
    }
}
