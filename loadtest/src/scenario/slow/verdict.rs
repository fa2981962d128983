//! What is made of the rounds of `slow`: a line for each, medians and their ratios, and the objectives that only it can judge.
//!
//! The noise is what rounds without anybody slow differ by among themselves: a difference within it is none.

use super::{Beside, Round};
use crate::histogram::median;
use crate::report::amount;
use crate::report::figures::{Judged, Own, Unit};
use crate::scenario::Outcome;

/// The gateway's `OUTBOX_BYTES`, and one buffer that may be added when it is almost reached.
const BOUND: f64 = 256.0 * 1024.0 + 64.0 * 1024.0;

/// What a table of rounds has no column for.
pub(super) fn note(round: &Round) -> String {
    format!("at most {} waiting{}", amount::bytes(round.waiting), fate(round))
}

/// One round in a line.
pub(super) fn line(number: usize, round: &Round) -> String {
    let at = |part| amount::micros(delivered(round, part));
    let cpu = round.sums.server.cpu_per_delivery_us.unwrap_or(f64::NAN);
    format!(
        "round {number}, beside {}: p50 {}, p99 {}, longest {}; {cpu:.2} µs of CPU a delivery, {}",
        round.beside.name(),
        at(0.5),
        at(0.99),
        at(1.0),
        note(round),
    )
}

fn fate(round: &Round) -> String {
    let Some(fate) = round.fate else { return String::new() };
    let whole = if fate.whole { "whole" } else { "NOT WHOLE" };
    let end = fate.closed.map_or("still served".to_owned(), |code| format!("ended, {code}"));
    format!("; slow reader: {} entries, {whole}, {end}", fate.entries)
}

/// Adds medians, ratios and the verdict.
pub(super) fn judge(rounds: &[Round], outcome: &mut Outcome) {
    let p99 = |kind| of(rounds, kind, |round| delivered(round, 0.99));
    let p50 = |kind| of(rounds, kind, |round| delivered(round, 0.5));
    let calm = p99(Beside::Nobody);
    let mut tell = |name: String, what: String, value: f64, unit| {
        if value.is_finite() {
            outcome.own.push(Own { name, what, value, unit });
        }
    };
    for kind in Beside::ALL {
        let name = kind.name();
        tell(
            format!("{name}.p99"),
            format!("publish to delivery at p99 beside {name}, median of rounds"),
            median(&p99(kind)),
            Unit::Micros,
        );
        let waiting = highest(&of(rounds, kind, |round| round.waiting));
        tell(
            format!("{name}.waiting"),
            format!("the most that waited in the gateway beside {name}"),
            waiting,
            Unit::Bytes,
        );
    }
    tell(
        "noise".to_owned(),
        "p99 of rounds beside nobody, highest against lowest".to_owned(),
        highest(&calm) / lowest(&calm),
        Unit::Ratio,
    );
    for kind in [Beside::Stalled, Beside::Trickle] {
        let name = kind.name();
        let ratios = [("p50", ratio(&p50(kind), &p50(Beside::Nobody))), ("p99", ratio(&p99(kind), &calm))];
        for (which, value) in ratios {
            tell(
                format!("{name}.{which}_ratio"),
                format!("{which} beside {name} against beside nobody, paired by cycle"),
                value,
                Unit::Ratio,
            );
        }
    }
    outcome.judged.extend(objectives(rounds, &calm));
}

fn objectives(rounds: &[Round], calm: &[f64]) -> Vec<Judged> {
    let noise = highest(calm);
    let within = |kind: Beside, what: &str| {
        let found = median(&of(rounds, kind, |round| delivered(round, 0.99)));
        let objective = format!("beside {what}, p99 within the noise ({})", amount::micros(noise));
        Judged { objective, found: amount::micros(found), met: found <= noise, counted: false }
    };
    let fates = |kind: Beside| {
        rounds
            .iter()
            .filter(move |round| round.beside == kind)
            .filter_map(|round| round.fate)
            .collect::<Vec<_>>()
    };
    let (stalled, trickle) = (fates(Beside::Stalled), fates(Beside::Trickle));
    let ended = stalled.iter().filter(|fate| fate.closed.is_some()).count();
    let served = trickle.iter().filter(|fate| fate.closed.is_none()).count();
    let whole = stalled.iter().chain(&trickle).filter(|fate| fate.whole).count();
    let all = |objective: &str, found: usize, of: usize| {
        Judged::count(objective, format!("{found} of {of}"), found == of)
    };
    let waiting = highest(&rounds.iter().map(|round| round.waiting).collect::<Vec<_>>());
    vec![
        within(Beside::Stalled, "a stalled reader"),
        within(Beside::Trickle, "a reader of 10 KB/s"),
        Judged {
            objective: format!("what waits is within the outbox' bound ({})", amount::bytes(BOUND)),
            found: amount::bytes(waiting),
            met: waiting <= BOUND,
            counted: true,
        },
        all("a stalled reader is ended", ended, stalled.len()),
        all("a reader of 10 KB/s is not", served, trickle.len()),
        all("each got what it got whole", whole, stalled.len() + trickle.len()),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "times are far below 2^52 microseconds")]
fn delivered(round: &Round, part: f64) -> f64 {
    round.sums.times.deliver.at(part).map_or(f64::NAN, |micros| micros as f64)
}

fn of(rounds: &[Round], kind: Beside, figure: impl Fn(&Round) -> f64) -> Vec<f64> {
    rounds.iter().filter(|round| round.beside == kind).map(figure).collect()
}

/// The median of the ratios of what was measured in the same cycle.
fn ratio(these: &[f64], those: &[f64]) -> f64 {
    median(&these.iter().zip(those).map(|(this, that)| this / that).collect::<Vec<_>>())
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN, f64::max)
}

fn lowest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MAX, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sums::Sums;
    use crate::scenario::slow::reader::Fate;

    fn round(beside: Beside, micros: u64, closed: Option<u16>) -> Round {
        let mut sums = Sums::new();
        sums.times.deliver.took(micros);
        let fate = (beside != Beside::Nobody).then_some(Fate { entries: 5, whole: true, closed });
        Round { beside, sums, waiting: 1024.0, fate }
    }

    fn unmet(rounds: &[Round]) -> Vec<String> {
        let calm = of(rounds, Beside::Nobody, |round| delivered(round, 0.99));
        objectives(rounds, &calm)
            .into_iter()
            .filter(|judged| !judged.met)
            .map(|judged| judged.objective)
            .collect()
    }

    #[test]
    fn a_gateway_that_ends_who_reads_nothing_and_spares_the_others_passes() {
        let mut rounds = vec![
            round(Beside::Nobody, 1000, None),
            round(Beside::Stalled, 900, Some(4408)),
            round(Beside::Trickle, 950, None),
        ];
        assert!(unmet(&rounds).is_empty(), "{:?}", unmet(&rounds));
        assert!(line(2, &rounds[1]).ends_with("5 entries, whole, ended, 4408"));
        rounds[1] = round(Beside::Stalled, 5000, None);
        assert_eq!(unmet(&rounds).len(), 2, "late, and not ended");
        rounds[2].waiting = BOUND * 2.0;
        assert_eq!(unmet(&rounds).len(), 3);
    }
}
