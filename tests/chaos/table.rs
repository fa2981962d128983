//! Shows what came of a run: a line per row while it goes on, and a Markdown table of all of them.
//!
//! It computes nothing: numbers are the checker's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::checker::Spread;
use crate::nemesis::{Row, Scale};
use crate::runner::{Outcome, Plan};

/// Where the region of a document begins that is written by a run.
const BEGIN: &str = "<!-- matrix -->";
/// And where it ends.
const END: &str = "<!-- /matrix -->";

/// Violations shown of one row: the first tell as much as all.
const SHOWN: usize = 20;

/// Where histories and tables go.
pub(crate) fn directory() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    target.parent().unwrap_or(target).join("chaos")
}

/// Says how a row ended, at once: a run is long.
pub(crate) fn tell(plan: &Plan, row: &Row, outcome: &Outcome) {
    let how = if outcome.word() == "holds" { "holds".to_owned() } else { outcome.word().to_uppercase() };
    println!("chaos: {} {how} ({}) in {:.0} s", row.id, row.fault, outcome.took.as_secs_f64());
    println!("  {}", cells(row, outcome).join(" | "));
    for violation in outcome.verdict.violations.iter().take(SHOWN) {
        let at =
            violation.at.map_or("at the end".to_owned(), |at| format!("after {:.3} s", at.0 as f64 / 1e6));
        println!("  {:?} {at}: {}", violation.invariant, violation.detail);
    }
    if outcome.verdict.violations.len() > SHOWN {
        println!("  and {} more", outcome.verdict.violations.len() - SHOWN);
    }
    for finding in &outcome.seen.findings {
        println!("  {finding}");
    }
    if !outcome.holds() {
        println!("  again: {}", plan.replay(Some(row.id)));
        println!("  its history: {}", directory().join(format!("{}.jsonl", row.id)).display());
    }
}

/// The table, with what it was made on and the line that makes it again.
pub(crate) fn markdown(plan: &Plan, results: &[(&'static Row, Outcome)]) -> String {
    let mut page = format!("{}, on {}, seed {}.\n\n", date(), machine(), plan.seed);
    let kind = if cfg!(debug_assertions) { "debug" } else { "release" };
    let load = match plan.scale {
        Scale::Smoke => "the small load".to_owned(),
        Scale::Full => format!("20 sessions of 13 people, up to {} messages a second", plan.rate),
    };
    let _ = writeln!(
        page,
        "Three nodes ({kind} build), {load}, durability `aof`. Again: `{}`.\n",
        plan.replay(None)
    );
    let mut acks: Vec<Duration> = results.iter().map(|(_, outcome)| outcome.baseline).collect();
    acks.sort_unstable();
    if let (Some(best), Some(worst)) = (acks.first(), acks.last()) {
        let (best, worst) = (best.as_secs_f64() * 1e3, worst.as_secs_f64() * 1e3);
        let _ = writeln!(
            page,
            "Before its fault, a row's p99 from message to ack was {best:.0} to {worst:.0} ms.\n"
        );
    }
    page.push_str(
        "| | fault | acked | lost | told lost (sent again) | twice | reordered | silent gaps | phantoms | resets | \
         noticed after | heal to first entry (p50 / p99 / max) | back in (p99 / max) | ghosts (max) | remarks | |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (row, outcome) in results {
        let _ = writeln!(page, "| {} |", cells(row, outcome).join(" | "));
    }
    page
}

fn cells(row: &Row, outcome: &Outcome) -> Vec<String> {
    let counts = &outcome.verdict.counts;
    let resets: Vec<String> = counts
        .resets
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason:?}").to_lowercase())
        .collect();
    let told = match counts.told_lost {
        0 => "0".to_owned(),
        told => format!("{told} ({})", counts.sent_again),
    };
    let count = |count: u64| count.to_string();
    let heal = &counts.heal;
    vec![
        row.id.to_owned(),
        row.fault.to_owned(),
        count(counts.acked),
        count(counts.lost),
        told,
        count(counts.duplicated),
        count(counts.reordered),
        count(counts.silent_gaps),
        count(counts.phantoms),
        if resets.is_empty() { "0".to_owned() } else { resets.join(", ") },
        seconds(counts.notice.max()),
        format!(
            "{} / {} / {}",
            seconds(quantile(heal, 0.5)),
            seconds(quantile(heal, 0.99)),
            seconds(heal.max())
        ),
        format!("{} / {}", seconds(quantile(&counts.resume, 0.99)), seconds(counts.resume.max())),
        seconds(Some(counts.ghost).filter(|ghost| !ghost.is_zero())),
        outcome.seen.remarks.join("; "),
        if outcome.holds() { outcome.word().to_owned() } else { format!("**{}**", outcome.word()) },
    ]
}

fn quantile(spread: &Spread, share: f64) -> Option<Duration> {
    spread.quantile(share)
}

fn seconds(duration: Option<Duration>) -> String {
    duration.map_or("-".to_owned(), |duration| format!("{:.2} s", duration.as_secs_f64()))
}

/// Columns of the table that a reader in a hurry wants: the row, the fault, and what was counted.
const COUNTS: usize = 10;

/// The table with its counts alone.
fn brief(page: &str) -> String {
    let lines = page.lines().map(|line| match line.strip_prefix('|') {
        Some(row) => {
            let cells: Vec<&str> = row.split('|').take(COUNTS).collect();
            format!("|{}|\n", cells.join("|"))
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

/// Writes the table below target, and into the documents that ask for it.
pub(crate) fn publish(plan: &Plan, page: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(directory())?;
    std::fs::write(directory().join("table.md"), page)?;
    // A part of the matrix, or a small load, is no figure to publish.
    if !plan.is_whole() {
        return Ok(());
    }
    for (doc, page) in [(&plan.doc, page.to_owned()), (&plan.brief, brief(page))] {
        let Some(doc) = doc else { continue };
        let text = std::fs::read_to_string(doc)?;
        let region =
            text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
        let (before, after) =
            region.unwrap_or_else(|| panic!("{} has no region {BEGIN} … {END}", doc.display()));
        std::fs::write(doc, format!("{before}{BEGIN}\n{page}{END}{after}"))?;
    }
    Ok(())
}

fn date() -> String {
    let told = Command::new("date").args(["-u", "+%Y-%m-%d"]).output();
    told.map_or("on an unknown day".to_owned(), |told| {
        String::from_utf8_lossy(&told.stdout).trim().to_owned()
    })
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} cores of {}", model.map_or("an unnamed processor", |(_, name)| name.trim()))
}
