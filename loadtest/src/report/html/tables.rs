//! The page's tables: objectives, times, counts, parts, steps, and what the run depends on.

use super::markup::Markup;
use crate::report::figures::{Figures, Part, Run};
use crate::report::known::KINDS;
use crate::report::table::shown;
use crate::report::{amount, objective, text};

/// A table: its head, and rows whose first cell names them. Columns with nothing in them are left out.
pub(super) fn table(page: &mut Markup, class: &str, head: &[&str], rows: &[Vec<String>]) {
    let columns = shown(rows.first().map_or(0, Vec::len), rows);
    page.element("div", &[("class", "scroll")], |page| {
        page.element("table", &[("class", class)], |page| {
            if !head.is_empty() {
                page.element("thead", &[], |page| {
                    let names = columns.iter().filter_map(|column| head.get(*column));
                    page.element("tr", &[], |page| names.for_each(|name| heading(page, name)));
                });
            }
            page.element("tbody", &[], |page| rows.iter().for_each(|row| cells(page, row, &columns)));
        });
    });
}

fn heading(page: &mut Markup, name: &str) {
    page.leaf("th", &[("scope", "col")], name);
}

fn cells(page: &mut Markup, row: &[String], columns: &[usize]) {
    page.element("tr", &[], |page| {
        for column in columns {
            let cell = row.get(*column).map_or("", String::as_str);
            match column {
                0 => page.leaf("th", &[("scope", "row")], cell),
                _ => page.leaf("td", &[], cell),
            }
        }
    });
}

/// What was asked of the run and what was found. Words and a sign, so that colour is not needed.
pub(super) fn objectives(page: &mut Markup, run: &Run) {
    if run.verdict.objectives.is_empty() {
        return;
    }
    page.leaf("h2", &[], "Objectives");
    page.element("div", &[("class", "scroll")], |page| {
        page.element("table", &[("class", "words")], |page| {
            page.element("thead", &[], |page| {
                page.element("tr", &[], |page| {
                    ["", "objective", "found"]
                        .iter()
                        .for_each(|name| page.leaf("th", &[("scope", "col")], name));
                });
            });
            page.element("tbody", &[], |page| {
                for judged in &run.verdict.objectives {
                    let (class, word) = if judged.met { ("met", "✓ met") } else { ("unmet", "✗ missed") };
                    page.element("tr", &[], |page| {
                        page.leaf("td", &[("class", class)], word);
                        // What a scenario judges itself is a sentence.
                        let tag = if judged.objective.contains(' ') { "span" } else { "code" };
                        page.element("td", &[], |page| page.leaf(tag, &[], &judged.objective));
                        page.leaf("td", &[], &judged.found);
                    });
                }
            });
        });
    });
}

/// How long things took.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn times(page: &mut Markup, figures: &Figures) {
    let at = |micros: u64| amount::micros(micros as f64);
    let rows: Vec<Vec<String>> = KINDS
        .iter()
        .filter_map(|(name, read)| Some((*name, read(figures)?)))
        .map(|(name, times)| {
            let spread =
                [times.p50_us, times.p90_us, times.p95_us, times.p99_us, times.p999_us, times.max_us];
            let mut row = vec![name.to_owned(), amount::count(times.count)];
            row.extend(spread.map(at));
            row.push(amount::micros(times.mean_us));
            row
        })
        .collect();
    if !rows.is_empty() {
        page.leaf("h2", &[], "Times");
        table(page, "", &["", "count", "p50", "p90", "p95", "p99", "p99.9", "max", "mean"], &rows);
        let note = "Times count from when a message was meant to leave. Lateness is the generator's own.";
        page.leaf("p", &[("class", "note")], note);
    }
}

/// Its parts or rounds.
pub(super) fn parts(page: &mut Markup, run: &Run) {
    let row = |part: &Part| {
        let counts = &part.figures.counts;
        let figure = |name| text::named(run, &part.figures, name);
        vec![
            part.name.clone(),
            amount::count(counts.connections),
            amount::count(counts.delivered),
            amount::count(counts.missing + counts.duplicated + counts.reordered + counts.phantom),
            figure("deliver.p50"),
            figure("deliver.p99"),
            figure("server.cpu_per_delivery"),
            part.note.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = run.parts.iter().map(row).collect();
    if !rows.is_empty() {
        page.leaf("h2", &[], "Parts");
        let head = ["", "connections", "delivered", "faults", "p50", "p99", "CPU a delivery", "note"];
        let noted = run.parts.iter().any(|part| !part.note.is_empty());
        table(page, if noted { "noted" } else { "" }, &head, &rows);
    }
}

/// The steps of its ramp.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn steps(page: &mut Markup, run: &Run) {
    let maybe = |value: Option<f64>, show: fn(f64) -> String| value.map_or("-".to_owned(), show);
    let rows: Vec<Vec<String>> = run
        .total
        .steps
        .iter()
        .map(|step| {
            let times = step.deliver.as_ref();
            vec![
                step.name.clone(),
                maybe(step.connects_per_s, amount::rate),
                amount::rate(step.deliveries_per_s),
                amount::count(step.faults),
                maybe(times.map(|times| times.p50_us as f64), amount::micros),
                maybe(times.map(|times| times.p99_us as f64), amount::micros),
                maybe(step.cpu_per_delivery_us, amount::micros),
                maybe(step.server_rss_bytes.map(|bytes| bytes as f64), amount::bytes),
                maybe(step.rss_per_connection_bytes, amount::bytes),
            ]
        })
        .collect();
    if !rows.is_empty() {
        page.leaf("h2", &[], "Steps");
        let head = [
            "",
            "connects/s",
            "deliveries/s",
            "faults",
            "p50",
            "p99",
            "CPU a delivery",
            "resident",
            "a connection",
        ];
        table(page, "", &head, &rows);
    }
}

/// Figures of this scenario only.
pub(super) fn own(page: &mut Markup, run: &Run) {
    let row = |own: &crate::report::figures::Own| {
        vec![own.what.clone(), objective::show(own.value, own.unit), own.name.clone()]
    };
    let rows: Vec<Vec<String>> = run.own.iter().map(row).collect();
    if !rows.is_empty() {
        page.leaf("h2", &[], "Of this scenario");
        table(page, "", &["", "value", "name"], &rows);
    }
}

/// The machine, the gateway, the knobs.
pub(super) fn facts(page: &mut Markup, run: &Run) {
    let pair = |name: &str, value: String| vec![name.to_owned(), value];
    let host = &run.host;
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let machine = vec![
        pair("processor", host.cpu.clone()),
        pair("cores", host.cores.to_string()),
        pair("memory", amount::bytes(host.memory_bytes as f64)),
        pair("kernel", host.kernel.clone()),
        pair("open files", amount::count(host.open_files)),
        pair("load average at the start", amount::figures(host.load_average)),
        pair(
            "generator",
            format!("{} ({})", run.loadtest, if host.optimised { "release" } else { "debug build" }),
        ),
        pair("seed", run.seed.to_string()),
    ];
    let mut gateway = vec![pair("at", run.server.urls.join(", "))];
    gateway.push(pair(
        "started by",
        if run.server.started_here { "this program" } else { "somebody else" }.to_owned(),
    ));
    let map = |map: &std::collections::BTreeMap<String, String>| {
        map.iter().map(|(name, value)| pair(name, value.clone())).collect::<Vec<_>>()
    };
    gateway.extend(map(&run.server.build));
    page.element("div", &[("class", "facts")], |page| {
        for (title, rows) in [
            ("Machine", machine),
            ("Gateway", gateway),
            ("Knobs", map(&run.knobs)),
            ("Settings", map(&run.server.settings)),
        ] {
            if !rows.is_empty() {
                page.element("section", &[], |page| {
                    page.leaf("h2", &[], title);
                    table(page, "words", &[], &rows);
                });
            }
        }
    });
}
