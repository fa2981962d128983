//! Registration: from a name, a help text and label enums to a handle, and to the row of the catalogue.
//!
//! Responsible for the two never differing: whoever makes a handle writes its row. Not responsible for which metrics
//! there are (`table`). It runs twice: first into the void, for the catalogue, whose bucket bounds the exporter has to
//! know before it exists; then into the exporter. Handles are kept and never looked up, which alone makes every series
//! exist from the first scrape.

use std::marker::PhantomData;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Level, Metadata, Recorder, Unit};

use super::label::Label;

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only goes up; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts samples under these bounds (seconds), and all of them.
    Histogram(&'static [f64]),
}

/// One metric: what the documentation, the dashboard and the rules may name.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The whole name, prefix included.
    pub name: &'static str,
    /// One line of explanation.
    pub help: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// Each label with all its values. An empty list of values: free within one process (`build_info`'s version).
    pub labels: Vec<(&'static str, Vec<&'static str>)>,
}

impl Metric {
    /// How many series it has on the page: for a histogram one per bound, `+Inf`, `_sum` and `_count`.
    #[must_use]
    pub fn series(&self) -> usize {
        let each = match self.kind {
            Kind::Counter | Kind::Gauge => 1,
            Kind::Histogram(bounds) => bounds.len() + 3,
        };
        self.labels.iter().map(|(_, values)| values.len().max(1)).product::<usize>() * each
    }
}

/// A metric with one label: a handle for each value.
pub struct Family<L, H> {
    handles: Vec<H>,
    label: PhantomData<L>,
}

impl<L: Label, H> Family<L, H> {
    fn new(handle: impl FnMut(L) -> H) -> Self {
        Self { handles: L::ALL.iter().copied().map(handle).collect(), label: PhantomData }
    }

    /// The handle of one value; an array access.
    #[must_use]
    pub fn get(&self, value: L) -> &H {
        &self.handles[value.index()]
    }
}

/// A metric with two labels.
pub type Grid<A, B, H> = Family<A, Family<B, H>>;

/// Where a name and its help meet: the two that every metric has.
#[derive(Clone, Copy)]
pub(super) struct Name(pub(super) &'static str, pub(super) &'static str);

/// Hands out handles of a recorder and keeps the catalogue.
pub(super) struct Registrar<'a> {
    recorder: &'a dyn Recorder,
    catalogue: Vec<Metric>,
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

impl<'a> Registrar<'a> {
    pub(super) fn new(recorder: &'a dyn Recorder) -> Self {
        Self { recorder, catalogue: Vec::new() }
    }

    pub(super) fn into_catalogue(self) -> Vec<Metric> {
        self.catalogue
    }

    pub(super) fn counter(&mut self, name: Name) -> Counter {
        self.enter(name, Kind::Counter, Vec::new());
        self.recorder.register_counter(&Key::from_static_name(name.0), &METADATA)
    }

    pub(super) fn gauge(&mut self, name: Name) -> Gauge {
        self.enter(name, Kind::Gauge, Vec::new());
        self.recorder.register_gauge(&Key::from_static_name(name.0), &METADATA)
    }

    pub(super) fn histogram(&mut self, name: Name, bounds: &'static [f64]) -> Histogram {
        self.enter(name, Kind::Histogram(bounds), Vec::new());
        self.recorder.register_histogram(&Key::from_static_name(name.0), &METADATA)
    }

    pub(super) fn counters<L: Label>(&mut self, name: Name) -> Family<L, Counter> {
        self.enter(name, Kind::Counter, vec![row::<L>()]);
        Family::new(|value| self.recorder.register_counter(&key(name, &[pair(value)]), &METADATA))
    }

    pub(super) fn gauges<L: Label>(&mut self, name: Name) -> Family<L, Gauge> {
        self.enter(name, Kind::Gauge, vec![row::<L>()]);
        Family::new(|value| self.recorder.register_gauge(&key(name, &[pair(value)]), &METADATA))
    }

    pub(super) fn histograms<L: Label>(
        &mut self,
        name: Name,
        bounds: &'static [f64],
    ) -> Family<L, Histogram> {
        self.enter(name, Kind::Histogram(bounds), vec![row::<L>()]);
        Family::new(|value| self.recorder.register_histogram(&key(name, &[pair(value)]), &METADATA))
    }

    pub(super) fn counter_grid<A: Label, B: Label>(&mut self, name: Name) -> Grid<A, B, Counter> {
        self.enter(name, Kind::Counter, vec![row::<A>(), row::<B>()]);
        Family::new(|first: A| {
            Family::new(|second: B| {
                self.recorder.register_counter(&key(name, &[pair(first), pair(second)]), &METADATA)
            })
        })
    }

    fn enter(&mut self, Name(name, help): Name, kind: Kind, labels: Vec<(&'static str, Vec<&'static str>)>) {
        // The unit is in the name already; given here it would change nothing, as the exporter's suffixes stay off.
        let (text, unit): (_, Option<Unit>) = (help.into(), None);
        match kind {
            Kind::Counter => self.recorder.describe_counter(KeyName::from_const_str(name), unit, text),
            Kind::Gauge => self.recorder.describe_gauge(KeyName::from_const_str(name), unit, text),
            Kind::Histogram(_) => self.recorder.describe_histogram(KeyName::from_const_str(name), unit, text),
        }
        self.catalogue.push(Metric { name, help, kind, labels });
    }
}

fn row<L: Label>() -> (&'static str, Vec<&'static str>) {
    (L::NAME, L::ALL.iter().map(|value| value.value()).collect())
}

fn pair<L: Label>(value: L) -> metrics::Label {
    metrics::Label::from_static_parts(L::NAME, value.value())
}

fn key(name: Name, labels: &[metrics::Label]) -> Key {
    Key::from_parts(name.0, labels.to_vec())
}
