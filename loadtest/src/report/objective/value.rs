//! What an objective wants: a number, and a unit that fits the figure.
//!
//! A time without a unit is refused, not guessed: `deliver.p99<50` might mean either of two things a thousandfold apart.

use crate::report::figures::Unit;
use crate::report::known::Figure;

const TIMES: &[(&str, f64)] = &[("us", 1.0), ("µs", 1.0), ("μs", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 60e6)];
const SIZES: &[(&str, f64)] =
    &[("", 1.0), ("B", 1.0), ("KiB", 1024.0), ("MiB", 1024.0 * 1024.0), ("GiB", 1024.0 * 1024.0 * 1024.0)];
const COUNTS: &[(&str, f64)] = &[("", 1.0)];
const CORES: &[(&str, f64)] = &[("", 1.0), ("cores", 1.0)];
const RATES: &[(&str, f64)] = &[("", 1.0), ("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)];
const RATIOS: &[(&str, f64)] = &[("", 1.0), ("x", 1.0), ("×", 1.0)];

/// Reads `50ms` for this figure: the value in the figure's unit, and whether it is a share of the whole.
pub(super) fn read(name: &str, figure: &Figure, text: &str) -> Result<(f64, bool), String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '-').unwrap_or(text.len());
    let (digits, unit) = (&text[..end], text[end..].trim());
    let number: f64 =
        digits.parse().map_err(|_| format!("`{name}`: `{text}` does not begin with a number"))?;
    let own = matches!(figure, Figure::Own(_));
    if unit == "%" && (figure.has_share() || own) {
        // What a scenario states itself is a value like any other, shares too.
        return Ok((number / 100.0, !own));
    }
    let known = units(figure);
    if let Some((_, factor)) = known.iter().find(|(known, _)| *known == unit) {
        return Ok((number * factor, false));
    }
    // Nothing is nothing in any unit.
    if number == 0.0 && unit.is_empty() {
        return Ok((0.0, false));
    }
    Err(wrong_unit(name, figure, unit))
}

fn units(figure: &Figure) -> Vec<(&'static str, f64)> {
    match figure.unit() {
        Some(Unit::Micros) => TIMES.to_vec(),
        Some(Unit::Bytes) => SIZES.to_vec(),
        Some(Unit::Count | Unit::Share) => COUNTS.to_vec(),
        Some(Unit::Cores) => CORES.to_vec(),
        Some(Unit::Rate) => RATES.to_vec(),
        Some(Unit::Ratio) => RATIOS.to_vec(),
        // Only the run knows its unit.
        None => [RATIOS, TIMES, SIZES, CORES, RATES].concat(),
    }
}

fn wrong_unit(name: &str, figure: &Figure, unit: &str) -> String {
    let what = match figure.unit() {
        Some(Unit::Micros) => "a time: give it us, ms, s or m, as in 50ms",
        Some(Unit::Bytes) => "an amount of memory: give it B, KiB, MiB or GiB, as in 4KiB",
        Some(Unit::Count) if figure.has_share() => "a count: give it no unit, or % for a share",
        Some(Unit::Count | Unit::Share) => "a count: give it no unit",
        Some(Unit::Cores) => "a number of cores: give it no unit, or `cores`",
        Some(Unit::Rate) => "a rate: give it no unit, /s, k/s or M/s",
        Some(Unit::Ratio) => "a ratio: give it no unit, or x",
        None => "in a unit that is not known here",
    };
    let got = if unit.is_empty() { "no unit".to_owned() } else { format!("`{unit}`") };
    format!("`{name}` is {what} (found {got})")
}
