//! `report.html`: a run as one page that needs nothing else, not even a script, and can be mailed.
//!
//! Responsible for the order: the verdict, what matters most in large letters, pictures, tables, and last what it takes to do it again.

mod axis;
mod chart;
mod charts;
mod drift;
mod markup;
mod tables;

use super::figures::{Outcome, Run};
use super::{amount, text, verdict};
use markup::Markup;

/// Figures shown in large letters, in this order, if they were measured.
const TILES: [(&str, &str); 10] = [
    ("own.drift.p50", "p50, drift"),
    ("own.drift.p99", "p99, drift"),
    ("deliver.p50", "p50, publish to delivery"),
    ("deliver.p99", "p99, publish to delivery"),
    ("recovery.p99", "p99, recovery"),
    ("connect.p99", "p99, connect"),
    ("deliver.rate", "deliveries"),
    ("server.cpu_per_delivery", "gateway CPU a delivery"),
    ("server.rss_per_connection", "gateway memory a connection"),
    ("server.rss", "gateway memory at most"),
];

/// The page.
pub(crate) fn page(run: &Run) -> String {
    let mut page = Markup::document();
    page.element("html", &[("lang", "en")], |page| {
        page.element("head", &[], |page| head(page, run));
        page.element("body", &[], |page| page.element("main", &[], |page| body(page, run)));
    });
    page.finish()
}

fn head(page: &mut Markup, run: &Run) {
    page.element("meta", &[("charset", "utf-8")], |_| {});
    page.element("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")], |_| {});
    // Nothing is loaded from anywhere, and this holds a browser to it.
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    page.element("meta", &[("http-equiv", "Content-Security-Policy"), ("content", policy)], |_| {});
    page.leaf("title", &[], &format!("{}: {}", run.scenario, verdict::headline(run)));
    page.style(include_str!("style.css"));
}

fn body(page: &mut Markup, run: &Run) {
    header(page, run);
    tiles(page, run);
    tables::objectives(page, run);
    page.leaf("h2", &[], "What was counted");
    let counted = text::counted(&run.total.counts);
    page.element("div", &[], |page| counted.iter().for_each(|line| page.leaf("p", &[], line)));
    drift::histogram(page, run);
    page.leaf("h2", &[], "Over the run");
    page.element("div", &[("class", "charts")], |page| charts::all(page, &run.total));
    if run.total.phases.iter().any(|phase| phase.name == "run") {
        page.leaf("p", &[("class", "note")], "Tinted: the time that was measured.");
    }
    tables::times(page, &run.total);
    tables::parts(page, run);
    tables::steps(page, run);
    tables::own(page, run);
    costs(page, run);
    tables::facts(page, run);
    page.leaf("h2", &[], "To do it again");
    page.leaf("pre", &[], &text::command(run));
    let about = format!("Written by loadtest {} from run.json, schema {}.", run.loadtest, run.schema);
    page.leaf("footer", &[], &about);
}

fn header(page: &mut Markup, run: &Run) {
    let class = match run.verdict.outcome {
        Outcome::Pass => "pass",
        Outcome::Missed => "missed",
        Outcome::Void => "void",
        Outcome::Interrupted => "interrupted",
    };
    page.element("header", &[("class", class)], |page| {
        page.leaf("p", &[("class", "verdict")], &verdict::headline(run));
        let profile = run.profile.as_ref().filter(|profile| **profile != run.scenario);
        let profile = profile.map_or(String::new(), |profile| format!(" ({profile})"));
        let people = amount::count(run.total.counts.connections);
        page.leaf("h1", &[], &format!("{}{profile}: {people} connections", run.scenario));
        let revision = run.server.build.get("revision").map_or("unknown", String::as_str);
        page.leaf("p", &[("class", "soft")], &format!("{}, gateway revision {revision}", run.started_at));
        verdict::notes(run)
            .iter()
            .for_each(|note| page.leaf("p", &[("class", "note")], &format!("Note: {note}.")));
    });
}

fn tiles(page: &mut Markup, run: &Run) {
    page.element("dl", &[("class", "tiles")], |page| {
        for (name, what) in TILES {
            let value = text::named(run, &run.total, name);
            if value != "-" {
                page.element("div", &[], |page| {
                    page.leaf("dt", &[], what);
                    page.leaf("dd", &[], &value);
                });
            }
        }
    });
}

fn costs(page: &mut Markup, run: &Run) {
    let sides = [("Gateway", &run.total.server), ("Generator", &run.total.generator)];
    let known: Vec<_> = sides
        .iter()
        .map(|(name, cost)| (name, text::cost_words(cost)))
        .filter(|(_, w)| !w.is_empty())
        .collect();
    if !known.is_empty() {
        page.leaf("h2", &[], "What it cost");
        known.iter().for_each(|(name, words)| page.leaf("p", &[], &format!("{name}: {}.", words.join(", "))));
    }
}

#[cfg(test)]
mod tests;
