//! Objectives: `deliver.p99<50ms`, as they are written and what they ask.
//!
//! Responsible for the grammar, `[part.]figure operator value`, and for mistakes that say what to write instead. Not responsible for what
//! figures there are (`known`) nor for the verdict of a run (`verdict`).

mod value;

use std::fmt;
use std::str::FromStr;

use super::amount;
use super::figures::{Judged, Run, Unit};
use super::known::{self, Figure};

/// What every run is held to, whatever else is asked: nothing lost, nothing twice, nothing out of order, nothing made up, no silent hole, and
/// nothing left without an answer and nobody left outside: only what was acknowledged is owed, and only to those who are there, so a gateway
/// that says nothing or drops everybody would owe nothing.
pub(crate) const PROMISE: [&str; 7] =
    ["missing==0", "duplicated==0", "reordered==0", "phantom==0", "gaps==0", "unanswered==0", "absent==0"];

/// One objective.
#[derive(Debug, Clone)]
pub(crate) struct Objective {
    text: String,
    part: Option<String>,
    name: String,
    figure: Figure,
    operator: Operator,
    wanted: f64,
    share: bool,
}

/// How what was found is compared with what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    AtMost,
    Below,
    AtLeast,
    Above,
}

/// Longer ones first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equal),
    ("!=", Operator::Unequal),
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("<", Operator::Below),
    (">", Operator::Above),
];

impl Operator {
    #[expect(
        clippy::float_cmp,
        reason = "an objective that asks for equality means it: counts are whole numbers"
    )]
    fn holds(self, found: f64, wanted: f64) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Unequal => found != wanted,
            Self::AtMost => found <= wanted,
            Self::Below => found < wanted,
            Self::AtLeast => found >= wanted,
            Self::Above => found > wanted,
        }
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, operator, wanted) = cut(text)?;
        let (part, figure_name, figure) = figure(name).ok_or_else(|| unknown(name))?;
        let (wanted, share) = value::read(name, &figure, wanted)?;
        let (part, name) = (part.map(str::to_owned), figure_name.to_owned());
        Ok(Self { text: text.to_owned(), part, name, figure, operator, wanted, share })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Objective {
    /// Whether this takes the place of another: it is about the same figure of the same part.
    pub(crate) fn replaces(&self, other: &Self) -> bool {
        self.part == other.part && self.name == other.name
    }

    /// The part of a run it is about, if it is not about all of it.
    pub(crate) fn part(&self) -> Option<&str> {
        self.part.as_deref()
    }

    /// Whether it asks for what is counted exactly, and so holds or not however the generator fared: all counts but those of its own doing.
    fn is_counted(&self, run: &Run) -> bool {
        let unit = match &self.figure {
            Figure::Own(name) => run.own.iter().find(|own| own.name == *name).map(|own| own.unit),
            figure => figure.unit(),
        };
        unit == Some(Unit::Count) && !matches!(self.name.as_str(), "sent" | "unsaid")
    }

    /// What became of it. What was not measured is not met: an objective asks for a figure, not for its absence.
    pub(crate) fn judge(&self, run: &Run) -> Judged {
        let figures = match &self.part {
            None => Some(&run.total),
            Some(part) => run.parts.iter().find(|known| known.name == *part).map(|part| &part.figures),
        };
        let counted = self.is_counted(run);
        let judged = |found, met| Judged { objective: self.text.clone(), found, met, counted };
        let Some(figures) = figures else {
            let part = self.part.as_deref().unwrap_or_default();
            return judged(format!("no part `{part}` in this run"), false);
        };
        let found = if self.share { self.figure.share(figures) } else { self.figure.value(run, figures) };
        match found {
            None => judged("not measured".to_owned(), false),
            Some((found, unit)) => judged(show(found, unit), self.operator.holds(found, self.wanted)),
        }
    }
}

/// What a run is judged by: the promise, what the scenario asks, or the profile in its place, and what the command line asks; later ones take
/// the place of earlier ones about the same figure.
pub(crate) fn all(own: &[Objective], asked: &[Objective]) -> Vec<Objective> {
    let mut all: Vec<Objective> = PROMISE.iter().filter_map(|promise| promise.parse().ok()).collect();
    for level in [own, asked] {
        all.retain(|earlier| !level.iter().any(|later| later.replaces(earlier)));
        all.extend(level.iter().cloned());
    }
    all
}

/// A value with its unit, as tables show it.
pub(crate) fn show(value: f64, unit: Unit) -> String {
    match unit {
        #[expect(
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            reason = "counts are whole and not negative"
        )]
        Unit::Count => amount::count(value.round().max(0.0) as u64),
        Unit::Micros => amount::micros(value),
        Unit::Bytes => amount::bytes(value),
        Unit::Share => amount::share(value),
        Unit::Ratio => format!("{} ×", amount::figures(value)),
        Unit::Cores => amount::cores(value),
        Unit::Rate => format!("{}/s", amount::rate(value)),
    }
}

fn cut(text: &str) -> Result<(&str, Operator, &str), String> {
    let at = text.find(['<', '>', '=', '!']).ok_or_else(|| {
        format!("`{text}` compares nothing: write a figure, one of == != < <= > >=, and a value, as in deliver.p99<50ms")
    })?;
    let (name, rest) = text.split_at(at);
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)));
    let (operator, value) =
        found.ok_or_else(|| format!("`{text}`: equality is written ==, as in {}==0", name.trim()))?;
    Ok((name.trim(), operator, value.trim()))
}

/// The figure of a name, with the part of the run it is asked of.
fn figure(name: &str) -> Option<(Option<&str>, &str, Figure)> {
    if let Some(figure) = Figure::named(name) {
        return Some((None, name, figure));
    }
    let (part, rest) = name.split_once('.')?;
    // The scenario's own figures are the whole run's.
    let figure = Figure::named(rest).filter(|figure| !matches!(figure, Figure::Own(_)))?;
    (!part.is_empty()).then_some((Some(part), rest, figure))
}

fn unknown(name: &str) -> String {
    let names = known::names();
    let near =
        names.iter().map(|known| (distance(name, known), known)).min().filter(|(edits, _)| *edits <= 3);
    let meant = near.map_or_else(
        || {
            format!(
                "; there are {}, closes.CODE, and own.NAME for what only one scenario has",
                names.join(", ")
            )
        },
        |(_, known)| format!("; did you mean {known}?"),
    );
    format!("there is no figure `{name}`{meant}")
}

/// How many letters have to be put in, taken out or changed to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        row[0] = left;
        for (j, against) in other.iter().enumerate() {
            let above = row[j + 1];
            left = (corner + usize::from(letter != *against)).min(above + 1).min(left + 1);
            corner = above;
            row[j + 1] = left;
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
