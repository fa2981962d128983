//! Figures by their names: what an objective, a comparison and a table may ask for, its unit, and whether less of it is better.
//!
//! One table, so that a figure has one name everywhere. Not responsible for what is asked of a figure (`objective`).

use super::figures::{Figures, Latency, Run, Unit};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Less is.
    Less,
    /// More is.
    More,
    /// It is what was asked for, or neither.
    Neither,
}

/// A figure that every run may have.
#[derive(Debug)]
pub(crate) struct Known {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: Unit,
    /// Which way is better.
    pub(crate) better: Better,
    read: fn(&Figures) -> Option<f64>,
    whole: Option<fn(&Figures) -> u64>,
}

/// A kind of time, and how to find it.
type Kind = (&'static str, fn(&Figures) -> Option<&Latency>);
/// One statistic of times, and how to read it.
type Statistic = (&'static str, fn(&Latency) -> f64);

/// One figure that was asked for by name.
#[derive(Debug, Clone)]
pub(crate) enum Figure {
    /// One of the table.
    Known(&'static Known),
    /// A time: which kind (index in `KINDS`), which statistic (index in `STATISTICS`).
    Time(usize, usize),
    /// Connections that ended with this code.
    Closed(String),
    /// One of the scenario's own.
    Own(String),
}

macro_rules! known {
    ($($name:literal $unit:ident $better:ident $read:expr $(, of $whole:expr)?;)*) => {
        &[$(Known { name: $name, unit: Unit::$unit, better: Better::$better, read: $read, whole: known!(@ $($whole)?) }),*]
    };
    (@ $whole:expr) => { Some($whole) };
    (@) => { None };
}

/// Every figure but times, in the order tables show them.
pub(crate) const KNOWN: &[Known] = known! {
    "connections" Count Neither |f| whole(f.counts.connections);
    "connect.errors" Count Less |f| whole(f.counts.connect_errors), of |f| f.counts.attempts;
    "sent" Count Neither |f| whole(f.counts.sent);
    "acked" Count Neither |f| whole(f.counts.acked), of |f| f.counts.sent;
    "refused" Count Less |f| whole(f.counts.refused), of |f| f.counts.sent;
    "unanswered" Count Less |f| whole(f.counts.unanswered), of |f| f.counts.sent;
    "unsaid" Count Neither |f| whole(f.counts.unsaid);
    "expected" Count Neither |f| whole(f.counts.expected);
    "delivered" Count Neither |f| whole(f.counts.delivered), of |f| f.counts.expected;
    "missing" Count Less |f| whole(f.counts.missing), of |f| f.counts.expected;
    "duplicated" Count Less |f| whole(f.counts.duplicated), of |f| f.counts.expected;
    "reordered" Count Less |f| whole(f.counts.reordered), of |f| f.counts.expected;
    "phantom" Count Less |f| whole(f.counts.phantom), of |f| f.counts.expected;
    "gaps" Count Less |f| whole(f.counts.gaps);
    "resets" Count Less |f| whole(f.counts.resets);
    "recovered" Count Neither |f| whole(f.counts.recovered);
    "absent" Count Less |f| whole(f.counts.absent);
    "closes" Count Neither |f| whole(f.counts.closes.values().sum()), of |f| f.counts.connections;
    "sent.rate" Rate More |f| each_second(f, f.counts.sent);
    "deliver.rate" Rate More |f| each_second(f, f.counts.delivered);
    "server.cpu" Cores Less |f| f.server.cpu;
    "server.cpu_per_delivery" Micros Less |f| f.server.cpu_per_delivery_us;
    "server.rss" Bytes Less |f| f.server.rss_peak_bytes.and_then(whole);
    "server.rss_growth" Bytes Less growth;
    "server.rss_per_connection" Bytes Less |f| f.server.rss_per_connection_bytes;
    "generator.cpu" Cores Neither |f| f.generator.cpu;
};

/// Every kind of time.
pub(crate) const KINDS: &[Kind] = &[
    ("connect", |f| f.latency.connect.as_ref()),
    ("ack", |f| f.latency.ack.as_ref()),
    ("deliver", |f| f.latency.deliver.as_ref()),
    ("recovery", |f| f.latency.recovery.as_ref()),
    ("lateness", |f| f.latency.lateness.as_ref()),
];

/// What is told of each kind.
#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 microseconds")]
pub(crate) const STATISTICS: &[Statistic] = &[
    ("p50", |times| times.p50_us as f64),
    ("p90", |times| times.p90_us as f64),
    ("p95", |times| times.p95_us as f64),
    ("p99", |times| times.p99_us as f64),
    ("p99.9", |times| times.p999_us as f64),
    ("max", |times| times.max_us as f64),
    ("mean", |times| times.mean_us),
];

impl Figure {
    /// The figure of this name, if there is one.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some(known) = KNOWN.iter().find(|known| known.name == name) {
            return Some(Self::Known(known));
        }
        let (head, rest) = name.split_once('.')?;
        match head {
            "closes" => {
                (rest == "lost" || rest.parse::<u16>().is_ok()).then(|| Self::Closed(rest.to_owned()))
            }
            "own" => (!rest.is_empty()).then(|| Self::Own(rest.to_owned())),
            _ => {
                let kind = KINDS.iter().position(|(kind, _)| *kind == head)?;
                let statistic = STATISTICS.iter().position(|(statistic, _)| *statistic == rest)?;
                Some(Self::Time(kind, statistic))
            }
        }
    }

    /// Its unit; none for one that only the run knows.
    pub(crate) fn unit(&self) -> Option<Unit> {
        match self {
            Self::Known(known) => Some(known.unit),
            Self::Time(..) => Some(Unit::Micros),
            Self::Closed(_) => Some(Unit::Count),
            Self::Own(_) => None,
        }
    }

    /// Whether it can be told as a share of a whole.
    pub(crate) fn has_share(&self) -> bool {
        matches!(self, Self::Known(Known { whole: Some(_), .. }))
    }

    /// Its value in a part of a run; none if it was not measured.
    pub(crate) fn value(&self, run: &Run, figures: &Figures) -> Option<(f64, Unit)> {
        match self {
            Self::Known(known) => Some(((known.read)(figures)?, known.unit)),
            Self::Time(kind, statistic) => {
                let times = (KINDS.get(*kind)?.1)(figures)?;
                Some(((STATISTICS.get(*statistic)?.1)(times), Unit::Micros))
            }
            Self::Closed(code) => {
                Some((whole(figures.counts.closes.get(code).copied().unwrap_or(0))?, Unit::Count))
            }
            Self::Own(name) => {
                let own = run.own.iter().find(|own| own.name == *name)?;
                Some((own.value, own.unit))
            }
        }
    }

    /// Its value as a share of what it is part of; none if there was none of that.
    pub(crate) fn share(&self, figures: &Figures) -> Option<(f64, Unit)> {
        let Self::Known(Known { read, whole: Some(of), .. }) = self else { return None };
        let of = of(figures);
        (of > 0).then_some(())?;
        Some((read(figures)? / whole(of)?, Unit::Share))
    }
}

/// All names, for whoever mistyped one.
pub(crate) fn names() -> Vec<String> {
    let times =
        KINDS.iter().flat_map(|(kind, _)| STATISTICS.iter().map(move |(name, _)| format!("{kind}.{name}")));
    KNOWN.iter().map(|known| known.name.to_owned()).chain(times).collect()
}

/// How long the phase was that is measured.
pub(crate) fn measured_s(figures: &Figures) -> Option<f64> {
    let seconds: f64 =
        figures.phases.iter().filter(|phase| phase.name == "run").map(|phase| phase.seconds).sum();
    (seconds > 0.0).then_some(seconds)
}

/// Counts are exact because they hold everything that was said, in the warm-up too; so a rate is over the time of both.
/// None where nothing was said: that is no rate of 0.
fn each_second(figures: &Figures, count: u64) -> Option<f64> {
    let said = |name: &str| matches!(name, "warm up" | "run");
    let seconds: f64 =
        figures.phases.iter().filter(|phase| said(&phase.name)).map(|phase| phase.seconds).sum();
    (figures.counts.sent > 0 && seconds > 0.0).then_some(())?;
    Some(whole(count)? / seconds)
}

/// What stayed: the end against the start, less than nothing when memory was given back.
fn growth(figures: &Figures) -> Option<f64> {
    Some(whole(figures.server.rss_end_bytes?)? - whole(figures.server.rss_start_bytes?)?)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::unnecessary_wraps,
    reason = "counts are far below 2^52; the table wants options"
)]
fn whole(count: u64) -> Option<f64> {
    Some(count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_figure_and_no_name_stands_twice() {
        let names = names();
        for name in &names {
            let figure = Figure::named(name).unwrap_or_else(|| panic!("{name}"));
            assert!(figure.unit().is_some(), "{name}");
        }
        let mut once = names.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), names.len());
        for none in ["", "deliver", "deliver.p98", "closes.soon", "own.", "delivery.p99"] {
            assert!(Figure::named(none).is_none(), "{none}");
        }
    }
}
