//! Drift as text: a row for each round, and the shape of all of it as bars.

use std::fmt::Write as _;

use super::amount;
use super::figures::{Drift, Run};
use super::table::Table;

/// The longest bar.
const BAR: f64 = 48.0;

/// The table and the bars; empty for a run without players.
pub(super) fn text(run: &Run) -> String {
    let Some(total) = &run.total.drift else { return String::new() };
    let mut table = Table::new(["drift", "samples", "p50", "p95", "p99", "max"]);
    let parts = run.parts.iter().filter_map(|part| Some((part.name.as_str(), part.figures.drift.as_ref()?)));
    for (name, drift) in parts.chain([("all", total)]) {
        let at = |micros: u32| amount::micros(f64::from(micros));
        table.row([
            name.to_owned(),
            amount::count(drift.count),
            at(drift.p50_us),
            at(drift.p95_us),
            at(drift.p99_us),
            at(drift.max_us),
        ]);
    }
    format!("{table}\n{}", bars(total))
}

/// From what is most behind to what is most ahead; bars nothing is in are left out at both ends.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "for people"
)]
fn bars(drift: &Drift) -> String {
    let most = drift.bins.iter().copied().max().unwrap_or(0).max(1);
    let used = |bar: &usize| drift.bins[*bar] > 0;
    let bars = 0..drift.bins.len();
    let (Some(first), Some(last)) = (bars.clone().find(used), bars.clone().rfind(used)) else {
        return String::new();
    };
    let mut out = String::new();
    for bar in first..=last {
        let count = drift.bins[bar];
        let share = count as f64 / drift.count as f64;
        let length = (count as f64 / most as f64 * BAR).ceil() as usize;
        let _ =
            writeln!(out, "{:>14}  {:<6} {}", label(drift, bar), amount::share(share), "█".repeat(length));
    }
    out
}

/// What a bar holds: `-20…-10 ms`.
pub(super) fn label(drift: &Drift, bar: usize) -> String {
    let (from, to) = (drift.begins_ms(bar), drift.begins_ms(bar + 1));
    match bar {
        0 => format!("below {to} ms"),
        bar if bar + 1 == drift.bins.len() => format!("above {from} ms"),
        _ => format!("{from}…{to} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn rounds_are_rows_and_bars_are_as_long_as_they_are_many() {
        let mut run = sample::run();
        assert_eq!(text(&run), "");
        run.total.drift = Drift::of(&[-15.0, 3.0, 4.0, 5.0, 6.0]);
        let said = text(&run);
        assert!(said.contains("all") && said.contains("15.0 ms"), "{said}");
        let bar = |label: &str| {
            let line = said.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{said}"));
            line.matches('█').count()
        };
        assert_eq!((bar("-20…-10 ms"), bar("-10…0 ms"), bar(" 0…10 ms")), (12, 0, 48));
        assert!(!said.contains("10…20 ms"), "nothing is there");
    }
}
