//! What a run of `slow` says: a line for each round, medians and their ratios, and the verdict.
//!
//! The noise is what rounds without anybody slow differ by among themselves: a difference within it is none.

use std::time::Duration;

use super::{Beside, Outcome, Round};
use crate::histogram::median;
use crate::scenario::Verdict;

/// A generator whose messages leave later than this, at the 99th of a hundred, has measured itself.
const LATE: Duration = Duration::from_millis(10);
/// The gateway's `OUTBOX_BYTES`, and one buffer that may be added when it is almost reached.
const BOUND: f64 = 256.0 * 1024.0 + 64.0 * 1024.0;

/// Prints one round; the first line has the names.
pub(super) fn line(number: usize, round: &Round) {
    if number == 1 {
        println!(
            "{:>5}  {:8} {:>9} {:>9} {:>9} {:>10} {:>9} {:>10} {:>11}  slow reader",
            "round",
            "beside",
            "p50 ms",
            "p99 ms",
            "max ms",
            "deliveries",
            "CPU µs/d",
            "RSS + KiB",
            "waiting KiB"
        );
    }
    let deliveries = round.times.len();
    println!(
        "{number:>5}  {:8} {:>9.3} {:>9.3} {:>9.3} {deliveries:>10} {:>9.2} {:>10} {:>11.0}  {}",
        name(round.beside),
        millis(round.times.quantile(0.5)),
        millis(round.times.quantile(0.99)),
        millis(round.times.quantile(1.0)),
        cpu_each(round),
        round.grown / 1024,
        round.waiting / 1024.0,
        fate(round),
    );
}

/// Prints the sums, and judges.
pub(super) fn verdict(ran: &Outcome) -> Verdict {
    for kind in Beside::ALL {
        let p50 = of(ran, kind, |round| millis(round.times.quantile(0.5)));
        let p99 = of(ran, kind, |round| millis(round.times.quantile(0.99)));
        println!(
            "median, {:8} p50 {:.3} ms, p99 {:.3} ms ({:.3} to {:.3}), CPU {:.2} µs a delivery, at most {:.0} KiB waiting",
            name(kind),
            median(&p50),
            median(&p99),
            lowest(&p99),
            highest(&p99),
            median(&of(ran, kind, cpu_each)),
            highest(&of(ran, kind, |round| round.waiting)) / 1024.0,
        );
    }
    let calm = of(ran, Beside::Nobody, |round| millis(round.times.quantile(0.99)));
    println!("noise: p99 of rounds beside nobody differ by up to {:.2} ×", highest(&calm) / lowest(&calm));
    for kind in [Beside::Stalled, Beside::Trickle] {
        let p99 = of(ran, kind, |round| millis(round.times.quantile(0.99)));
        let p50 = of(ran, kind, |round| millis(round.times.quantile(0.5)));
        let calm50 = of(ran, Beside::Nobody, |round| millis(round.times.quantile(0.5)));
        println!(
            "beside {:8} against beside nobody, paired by cycle: p50 × {:.2}, p99 × {:.2}",
            name(kind),
            ratio(&p50, &calm50),
            ratio(&p99, &calm)
        );
    }
    println!(
        "server: {} KiB resident before the rounds, {} after",
        ran.resident.0 / 1024,
        ran.resident.1 / 1024
    );
    println!(
        "accounting: {:?}; messages left {:.3} ms late at p99",
        ran.faults,
        millis(ran.lateness.quantile(0.99))
    );
    judge(ran, &calm)
}

fn judge(ran: &Outcome, calm: &[f64]) -> Verdict {
    let p99 = |kind| of(ran, kind, |round| millis(round.times.quantile(0.99)));
    let fates =
        |kind: Beside| ran.rounds.iter().filter(move |round| round.beside == kind).filter_map(|r| r.fate);
    let objectives = [
        ("nothing missing, duplicated, reordered, phantom or reset", ran.faults == Default::default()),
        ("beside a stalled reader, p99 within the noise", median(&p99(Beside::Stalled)) <= highest(calm)),
        ("beside a reader of 10 KB/s, p99 within the noise", median(&p99(Beside::Trickle)) <= highest(calm)),
        ("what waits is within the outbox' bound", ran.rounds.iter().all(|round| round.waiting <= BOUND)),
        ("a stalled reader is ended", fates(Beside::Stalled).all(|fate| fate.closed.is_some())),
        ("a reader of 10 KB/s is not", fates(Beside::Trickle).all(|fate| fate.closed.is_none())),
        (
            "each got what it got whole",
            ran.rounds.iter().filter_map(|round| round.fate).all(|fate| fate.whole),
        ),
    ];
    let met = objectives.iter().filter(|(_, met)| *met).count();
    objectives.iter().filter(|(_, met)| !met).for_each(|(what, _)| println!("missed: {what}"));
    if ran.lateness.quantile(0.99) > LATE {
        println!("VOID: the generator was late");
        return Verdict::Void;
    }
    let pass = met == objectives.len();
    println!("{}: {met} of {} objectives", if pass { "PASS" } else { "MISSED" }, objectives.len());
    if pass { Verdict::Pass } else { Verdict::Missed }
}

fn name(beside: Beside) -> &'static str {
    match beside {
        Beside::Nobody => "nobody",
        Beside::Stalled => "stalled",
        Beside::Trickle => "10 KB/s",
    }
}

fn fate(round: &Round) -> String {
    let Some(fate) = round.fate else { return "-".to_owned() };
    let whole = if fate.whole { "whole" } else { "NOT WHOLE" };
    let end = fate.closed.map_or("still served".to_owned(), |code| format!("ended, {code}"));
    format!("{} entries, {whole}, {end}", fate.entries)
}

fn of(ran: &Outcome, kind: Beside, figure: impl Fn(&Round) -> f64) -> Vec<f64> {
    ran.rounds.iter().filter(|round| round.beside == kind).map(figure).collect()
}

/// The median of the ratios of what was measured in the same cycle.
fn ratio(these: &[f64], those: &[f64]) -> f64 {
    median(&these.iter().zip(those).map(|(this, that)| this / that).collect::<Vec<_>>())
}

#[expect(clippy::cast_precision_loss, reason = "a round has far fewer than 2^52 deliveries")]
fn cpu_each(round: &Round) -> f64 {
    round.cpu.as_secs_f64() * 1e6 / round.times.len().max(1) as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MAX, f64::min)
}
