//! Two runs beside each other: each figure both have, and how many times the first the second is.
//!
//! Says what differs, not whether that matters: two runs on a shared machine differ by themselves, so what is published is the median of
//! several. Differences of place and knobs are told first, because they explain most others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::figures::{Figures, Outcome, Run, SCHEMA};
use super::known::{Better, Figure, KINDS, KNOWN};
use super::objective::show;
use super::table::Table;
use super::verdict;

/// What is told of each kind of time.
const TIMES: [&str; 4] = ["p50", "p99", "p99.9", "max"];
/// A difference of less than this part is not called better or worse.
const ALIKE: f64 = 0.05;

/// Reads a `run.json`.
///
/// # Errors
/// It cannot be read, is not one, or is of another schema.
pub(crate) fn read(path: &Path) -> anyhow::Result<Run> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<Run> {
    let value: serde_json::Value = serde_json::from_str(text).context("this is not JSON")?;
    let schema = value.get("schema").and_then(serde_json::Value::as_u64);
    let schema = schema.context("this is no run.json: it has no `schema`")?;
    anyhow::ensure!(
        schema == u64::from(SCHEMA),
        "this run is of schema {schema} and this program compares schema {SCHEMA}: run it again, or compare with the program that wrote it"
    );
    serde_json::from_value(value).context("this is no whole run.json")
}

/// The comparison, as text.
pub(crate) fn text(one: &Run, other: &Run) -> String {
    let mut out = format!("A: {}, {}: {}\n", one.scenario, one.started_at, verdict::headline(one));
    let _ = writeln!(out, "B: {}, {}: {}", other.scenario, other.started_at, verdict::headline(other));
    for warning in warnings(one, other) {
        let _ = writeln!(out, "warning: {warning}");
    }
    out.push('\n');
    let mut table = Table::new(["figure", "A", "B", "B / A", ""]);
    let judged = comparable(one, other);
    compare((one, &one.total), (other, &other.total), ("", judged), &mut table);
    for part in &one.parts {
        if let Some(same) = other.parts.iter().find(|same| same.name == part.name) {
            let prefix = format!("{}.", part.name);
            compare((one, &part.figures), (other, &same.figures), (&prefix, judged), &mut table);
        }
    }
    let _ = write!(out, "{table}");
    out
}

/// Whether one may be called better: both measured the gateway, with the same scenario.
fn comparable(one: &Run, other: &Run) -> bool {
    let says = |run: &Run| !matches!(run.verdict.outcome, Outcome::Void | Outcome::Interrupted);
    one.scenario == other.scenario
        && says(one)
        && says(other)
        && one.verdict.void.is_empty()
        && other.verdict.void.is_empty()
}

/// What makes the two incomparable, or less comparable than they look.
fn warnings(one: &Run, other: &Run) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut differs = |what: &str, a: String, b: String| {
        if a != b {
            warnings.push(format!("{what} differs: {} and {}", named(&a), named(&b)));
        }
    };
    differs("the scenario", one.scenario.clone(), other.scenario.clone());
    let (a, b) = (&one.host, &other.host);
    differs("the processor", a.cpu.clone(), b.cpu.clone());
    differs("the number of cores", a.cores.to_string(), b.cores.to_string());
    differs("the kernel", a.kernel.clone(), b.kernel.clone());
    differs("the generator's build", optimised(a.optimised), optimised(b.optimised));
    differs("the generator's version", one.loadtest.clone(), other.loadtest.clone());
    for (what, a, b) in [
        ("knob", &one.knobs, &other.knobs),
        ("setting", &one.server.settings, &other.server.settings),
        ("the gateway's", &one.server.build, &other.server.build),
    ] {
        for (name, a, b) in different(a, b) {
            differs(&format!("{what} {name}"), a, b);
        }
    }
    warnings
}

fn named(value: &str) -> &str {
    if value.is_empty() { "none" } else { value }
}

fn optimised(optimised: bool) -> String {
    if optimised { "release" } else { "debug" }.to_owned()
}

/// Names that do not have the same value in both.
fn different(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<(String, String, String)> {
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    let value = |map: &BTreeMap<String, String>, name: &str| map.get(name).cloned().unwrap_or_default();
    names
        .into_iter()
        .map(|name| (name.clone(), value(a, name), value(b, name)))
        .filter(|(_, a, b)| a != b)
        .collect()
}

/// Adds the figures both have, in words too if they may be judged; those that are zero in both say nothing.
fn compare(
    one: (&Run, &Figures),
    other: (&Run, &Figures),
    (prefix, judged): (&str, bool),
    table: &mut Table,
) {
    let times = KINDS.iter().flat_map(|(kind, _)| TIMES.iter().map(move |which| format!("{kind}.{which}")));
    let own = one.0.own.iter().filter(|_| prefix.is_empty()).map(|own| format!("own.{}", own.name));
    for name in KNOWN.iter().map(|known| known.name.to_owned()).chain(times).chain(own) {
        let Some(figure) = Figure::named(&name) else { continue };
        let (Some((a, unit)), Some((b, _))) = (figure.value(one.0, one.1), figure.value(other.0, other.1))
        else {
            continue;
        };
        if a != 0.0 || b != 0.0 {
            let better = match &figure {
                Figure::Known(known) => known.better,
                Figure::Time(..) | Figure::Closed(_) => Better::Less,
                Figure::Own(_) => Better::Neither,
            };
            table.row([
                format!("{prefix}{name}"),
                show(a, unit),
                show(b, unit),
                ratio(a, b),
                if judged { word(a, b, better) } else { "" }.to_owned(),
            ]);
        }
    }
}

fn ratio(a: f64, b: f64) -> String {
    if a == 0.0 { "-".to_owned() } else { format!("{:.2} ×", b / a) }
}

fn word(a: f64, b: f64, better: Better) -> &'static str {
    let alike = (b - a).abs() <= ALIKE * a.abs();
    match (better, alike, b < a) {
        (Better::Neither, ..) | (_, true, _) => "",
        (Better::Less, _, true) | (Better::More, _, false) => "better",
        _ => "worse",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rows(one: &Run, other: &Run) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        text(one, other).replace('\u{a0}', "").lines().map(words).collect()
    }

    #[test]
    fn a_run_against_itself_differs_in_nothing() {
        let run = sample::run();
        let rows = rows(&run, &run);
        assert_eq!(rows[0], "A: fanout, 2026-11-22T13:05:09Z: MISSED: 2 of 3 objectives");
        assert!(rows.contains(&"deliver.p99 3.40 ms 3.40 ms 1.00 ×".to_owned()), "{rows:#?}");
        assert!(
            !rows
                .iter()
                .any(|row| row.contains("warning") || row.contains("better") || row.contains("worse"))
        );
        assert!(!rows.iter().any(|row| row.starts_with("missing")), "nothing in both says nothing");
    }

    #[test]
    fn what_differs_is_told_with_its_ratio() {
        let (one, mut other) = (sample::run(), sample::run());
        other.total.latency.deliver.as_mut().expect("measured").p99_us = 6800;
        other.total.server.cpu_per_delivery_us = Some(2.1);
        other.total.counts.missing = 3;
        other.parts[0].figures.server.cpu = Some(0.84);
        let rows = rows(&one, &other);
        for row in [
            "deliver.p99 3.40 ms 6.80 ms 2.00 × worse",
            "server.cpu_per_delivery 4.20 µs 2.10 µs 0.50 × better",
            "missing 0 3 - worse",
            "fanout.server.cpu 0.42 cores 0.84 cores 2.00 × worse",
        ] {
            assert!(rows.contains(&row.to_owned()), "no `{row}` in {rows:#?}");
        }
    }

    #[test]
    fn nothing_is_called_better_than_a_void_run_or_another_scenario() {
        let changes: [fn(&mut Run); 2] =
            [|run| run.verdict.outcome = Outcome::Void, |run| "rooms".clone_into(&mut run.scenario)];
        for change in changes {
            let (one, mut other) = (sample::run(), sample::run());
            other.total.latency.deliver.as_mut().expect("measured").p99_us = 6800;
            change(&mut other);
            let rows = rows(&one, &other);
            assert!(rows.contains(&"deliver.p99 3.40 ms 6.80 ms 2.00 ×".to_owned()), "{rows:#?}");
        }
    }

    #[test]
    fn another_place_and_other_knobs_are_warned_of() {
        let (one, mut other) = (sample::run(), sample::run());
        "Another Processor".clone_into(&mut other.host.cpu);
        other.knobs.insert("rate".to_owned(), "6000".to_owned());
        other.knobs.remove("payload");
        other.server.build.insert("revision".to_owned(), "beef".to_owned());
        let warnings = warnings(&one, &other);
        assert_eq!(
            warnings,
            [
                "the processor differs: Some Processor <fast> @ 2.5 GHz and Another Processor",
                "knob payload differs: 128 and none",
                "knob rate differs: 60 and 6000",
                "the gateway's revision differs: 30172ab and beef",
            ]
        );
    }

    #[test]
    fn other_schemas_and_other_files_are_refused_with_the_reason() {
        let refused = |text: &str| format!("{:#}", parse(text).expect_err("refused"));
        let other =
            serde_json::to_string(&sample::run()).expect("JSON").replace("\"schema\":1", "\"schema\":2");
        assert!(
            refused(&other).contains("of schema 2 and this program compares schema 1"),
            "{}",
            refused(&other)
        );
        assert!(refused("{}").contains("no `schema`"));
        assert!(refused("nonsense").contains("not JSON"));
        assert!(refused(r#"{"schema":1}"#).contains("no whole run.json: missing field"));
    }
}
