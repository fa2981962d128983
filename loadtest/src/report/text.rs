//! A run as text, for whoever waits for it in a terminal: the verdict first, then what was asked, then what was found.

use std::fmt::Write as _;

use super::figures::{Cost, Counts, Figures, Run};
use super::table::Table;
use super::{amount, drift, known, objective, verdict};

/// The whole report.
pub(crate) fn text(run: &Run) -> String {
    let blocks = [
        verdict_block(run),
        scene(run),
        drift::text(run),
        times(&run.total),
        costs(&run.total),
        parts(run),
        steps(run),
        own(run),
        place(run),
    ];
    blocks.into_iter().filter(|block| !block.is_empty()).collect::<Vec<_>>().join("\n")
}

fn verdict_block(run: &Run) -> String {
    let mut out = verdict::headline(run) + "\n";
    let width =
        run.verdict.objectives.iter().map(|judged| judged.objective.chars().count()).max().unwrap_or(0);
    for judged in &run.verdict.objectives {
        let met = if judged.met { "met   " } else { "MISSED" };
        let _ = writeln!(out, "  {met}  {:width$}  {}", judged.objective, judged.found);
    }
    for note in verdict::notes(run) {
        let _ = writeln!(out, "  note    {note}");
    }
    out
}

fn scene(run: &Run) -> String {
    let counts = &run.total.counts;
    let mut out = format!("{}: {} connections", run.scenario, amount::count(counts.connections));
    if let Some(seconds) = known::measured_s(&run.total) {
        let _ = write!(out, ", measured for {} s", amount::figures((seconds * 10.0).round() / 10.0));
    }
    out.push('\n');
    for line in counted(counts) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// What was counted, in sentences; those about nothing are left out.
pub(crate) fn counted(counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    if counts.sent > 0 {
        lines.push(format!(
            "messages: {} sent, {} acknowledged, {} refused, {} without an answer",
            amount::count(counts.sent),
            amount::count(counts.acked),
            amount::count(counts.refused),
            amount::count(counts.unanswered)
        ));
        lines.push(format!(
            "deliveries: {} of {}; {} missing, {} duplicated, {} reordered, {} phantom; {} gaps, {} resets",
            amount::count(counts.delivered),
            amount::count(counts.expected),
            amount::count(counts.missing),
            amount::count(counts.duplicated),
            amount::count(counts.reordered),
            amount::count(counts.phantom),
            amount::count(counts.gaps),
            amount::count(counts.resets)
        ));
    }
    let mut connections = format!(
        "connections: {} attempts, {} failed, {} taken up again, {} absent at the end",
        amount::count(counts.attempts),
        amount::count(counts.connect_errors),
        amount::count(counts.recovered),
        amount::count(counts.absent)
    );
    let closes: Vec<String> =
        counts.closes.iter().map(|(code, n)| format!("{code} × {}", amount::count(*n))).collect();
    if !closes.is_empty() {
        let _ = write!(connections, "; ended: {}", closes.join(", "));
    }
    lines.push(connections);
    lines
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn times(figures: &Figures) -> String {
    let mut table = Table::new(["time", "count", "p50", "p90", "p95", "p99", "p99.9", "max", "mean"]);
    for (name, times) in known::KINDS.iter().filter_map(|(name, read)| Some((*name, read(figures)?))) {
        let at = |micros: u64| amount::micros(micros as f64);
        table.row([
            name.to_owned(),
            amount::count(times.count),
            at(times.p50_us),
            at(times.p90_us),
            at(times.p95_us),
            at(times.p99_us),
            at(times.p999_us),
            at(times.max_us),
            amount::micros(times.mean_us),
        ]);
    }
    if table.is_empty() { String::new() } else { table.to_string() }
}

fn costs(figures: &Figures) -> String {
    let mut out = String::new();
    for (name, cost) in [("gateway", &figures.server), ("generator", &figures.generator)] {
        let words = cost_words(cost);
        if !words.is_empty() {
            let _ = writeln!(out, "{name}: {}", words.join(", "));
        }
    }
    out
}

/// What a process cost, in words; what is not known is left out.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn cost_words(cost: &Cost) -> Vec<String> {
    let mut words = Vec::new();
    let of = cost.cores.map_or(String::new(), |cores| format!(" of {}", amount::figures(cores)));
    words.extend(cost.cpu.map(|cpu| format!("{}{of}", amount::cores(cpu))));
    words.extend(cost.cpu_per_delivery_us.map(|each| format!("{} CPU a delivery", amount::micros(each))));
    words.extend(cost.rss_peak_bytes.map(|rss| format!("{} resident at most", amount::bytes(rss as f64))));
    let change = cost.rss_start_bytes.zip(cost.rss_end_bytes);
    words.extend(change.map(|(start, end)| {
        format!("from {} to {}", amount::bytes(start as f64), amount::bytes(end as f64))
    }));
    words.extend(cost.rss_per_connection_bytes.map(|each| format!("{} a connection", amount::bytes(each))));
    words
}

fn parts(run: &Run) -> String {
    let mut table =
        Table::new(["part", "connections", "delivered", "missing", "p50", "p99", "CPU a delivery", "note"]);
    for part in &run.parts {
        let counts = &part.figures.counts;
        table.row([
            part.name.clone(),
            amount::count(counts.connections),
            amount::count(counts.delivered),
            amount::count(counts.missing),
            named(run, &part.figures, "deliver.p50"),
            named(run, &part.figures, "deliver.p99"),
            named(run, &part.figures, "server.cpu_per_delivery"),
            part.note.clone(),
        ]);
    }
    if table.is_empty() { String::new() } else { table.to_string() }
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn steps(run: &Run) -> String {
    let mut table = Table::new([
        "step",
        "accepted/s",
        "resident",
        "each",
        "deliveries/s",
        "faults",
        "p50",
        "p99",
        "CPU a delivery",
        "gateway",
    ]);
    for step in &run.total.steps {
        let time = |read: fn(&super::figures::Latency) -> u64| {
            step.deliver.as_ref().map_or("-".to_owned(), |times| amount::micros(read(times) as f64))
        };
        table.row([
            step.name.clone(),
            step.connects_per_s.map_or("-".to_owned(), amount::rate),
            step.server_rss_bytes.map_or("-".to_owned(), |rss| amount::bytes(rss as f64)),
            step.rss_per_connection_bytes.map_or("-".to_owned(), amount::bytes),
            amount::rate(step.deliveries_per_s),
            amount::count(step.faults),
            time(|times| times.p50_us),
            time(|times| times.p99_us),
            step.cpu_per_delivery_us.map_or("-".to_owned(), amount::micros),
            step.server_cpu.map_or("-".to_owned(), amount::cores),
        ]);
    }
    if table.is_empty() { String::new() } else { table.to_string() }
}

fn own(run: &Run) -> String {
    let mut out = String::new();
    for own in &run.own {
        let _ = writeln!(out, "{}: {} ({})", own.what, objective::show(own.value, own.unit), own.name);
    }
    out
}

/// Where it was and how to do it again.
fn place(run: &Run) -> String {
    let host = &run.host;
    let mut out = format!(
        "{}: {}, {} cores, {}, {} files, load average {} at the start\n",
        run.started_at,
        host.cpu,
        host.cores,
        host.kernel,
        host.open_files,
        amount::figures(host.load_average)
    );
    let build: Vec<String> = run.server.build.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let _ = writeln!(out, "gateway at {}: {}", run.server.urls.join(", "), build.join(", "));
    let _ = writeln!(out, "again: {}", command(run));
    out
}

/// The command of a run, quoted for a shell.
pub(crate) fn command(run: &Run) -> String {
    run.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A figure by its name, `-` if it was not measured.
pub(crate) fn named(run: &Run, figures: &Figures, name: &str) -> String {
    let value = known::Figure::named(name).and_then(|figure| figure.value(run, figures));
    value.map_or("-".to_owned(), |(value, unit)| objective::show(value, unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_verdict_comes_first_and_what_was_found_after_it() {
        let text = text(&sample::run()).replace('\u{a0}', " ");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "MISSED: 2 of 3 objectives");
        assert_eq!(lines[1], "  met     missing==0           0");
        assert_eq!(lines[3], "  MISSED  connect.errors<0.1%  0.20 %");
        for line in [
            "fanout: 1 001 connections, measured for 10 s",
            "messages: 600 sent, 600 acknowledged, 0 refused, 0 without an answer",
            "deliveries: 599 400 of 599 400; 0 missing, 0 duplicated, 0 reordered, 0 phantom; 0 gaps, 0 resets",
            "connections: 1 003 attempts, 2 failed, 7 taken up again, 0 absent at the end; ended: 4408 × 1, lost × 1",
            "gateway: 0.42 cores of 2, 4.20 µs CPU a delivery, 18.2 MiB resident at most, from 14.5 MiB to 18.2 MiB, 3.81 KiB a connection",
            "p99 beside a stalled reader, against beside nobody: 1.04 × (beside_stalled)",
            "again: loadtest fanout --connections 1000 --slo 'deliver.p99<50ms'",
        ] {
            assert!(lines.contains(&line), "no line `{line}` in\n{text}");
        }
        assert!(!text.contains("recovery"), "what was not measured has no row");
    }

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(quoted("it's <fine>"), r"'it'\''s <fine>'");
        assert_eq!([quoted(""), quoted("--rate=60")], ["''", "--rate=60"]);
    }
}
