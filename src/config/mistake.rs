//! What is wrong with the settings, and what is merely odd, in words that hold no value.
//!
//! A mistake is built from the name of a variable and a text written in this crate; there is no way to put a value
//! in, because a password can stand in any variable. All mistakes of one start come together, sorted.

use std::fmt;

/// One thing that keeps the gateway from starting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    name: String,
    text: String,
}

impl Mistake {
    /// A mistake in the variable `name`; `text` must hold nothing that was read from outside.
    pub(super) fn new(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into() }
    }

    /// The variable it is about.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.text)
    }
}

/// Every mistake of one reading, sorted by variable, one line each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Sorts them, so that two starts with the same settings say the same.
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort();
        mistakes.dedup();
        Self(mistakes)
    }

    /// Warnings held to be mistakes: `check-config --strict`.
    pub fn from_warnings(warnings: &[Warning]) -> Self {
        Self::new(warnings.iter().map(|Warning(mistake)| mistake.clone()).collect())
    }

    /// The mistakes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{mistake}")?;
        }
        Ok(())
    }
}

/// Something that works but is probably not meant. Same shape as a mistake, so `--strict` can make it one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning(pub(super) Mistake);

impl Warning {
    /// The variable it is about.
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
