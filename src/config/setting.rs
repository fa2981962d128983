//! What one setting is: its name, form, default and meaning, as data.
//!
//! Every topic file declares its settings as constants beside the struct they fill, so a name, its default and its
//! reason stand in one place. The reader, `check-config --print`, `.env.example` and the tests that compare docs
//! and chart with the code all read these rows; nothing about a setting is written twice.

use std::fmt;
use std::time::Duration;

use super::Environment;

/// One variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The variable, as it is spelled everywhere.
    pub name: &'static str,
    /// What holds when it is unset.
    pub preset: Preset,
    /// What fits.
    pub form: Form,
    /// One line for people.
    pub meaning: &'static str,
    /// Whether the value is a secret: it may come as `NAME_FILE`, and it is never printed.
    pub secret: bool,
}

impl Setting {
    /// A setting whose value may be shown.
    pub(super) const fn open(name: &'static str, preset: Preset, form: Form, meaning: &'static str) -> Self {
        Self { name, preset, form, meaning, secret: false }
    }

    /// A secret.
    pub(super) const fn secret(
        name: &'static str,
        preset: Preset,
        form: Form,
        meaning: &'static str,
    ) -> Self {
        Self { name, preset, form, meaning, secret: true }
    }

    /// The variable that names a file holding this secret.
    pub fn file_name(&self) -> String {
        format!("{}_FILE", self.name)
    }
}

/// The value of a setting nobody set.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// There is none.
    Unset,
    /// This text, read as if it had been given.
    Text(&'static str),
    /// One text for each environment.
    Split {
        /// The text in development.
        development: &'static str,
        /// The text in production.
        production: &'static str,
    },
    /// Worked out from the machine or from other settings; the words say how.
    Derived(&'static str),
}

impl Preset {
    /// The text to read in `environment`, where the default is a text.
    pub fn text(&self, environment: Environment) -> Option<&'static str> {
        match *self {
            Self::Unset | Self::Derived(_) => None,
            Self::Text(text) => Some(text),
            Self::Split { development, production } => {
                Some(if environment.is_production() { production } else { development })
            }
        }
    }
}

/// What a value must look like. `Display` is the expectation a mistake states.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// A whole number in a range, both ends included.
    Count {
        /// Smallest.
        min: u64,
        /// Largest; [`Form::UNBOUNDED`] where only the machine sets one.
        max: u64,
    },
    /// Time: whole seconds, or with `ms`, `s`, `m`, `h`.
    Span {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// Memory: bytes, or with `KiB`, `MiB`.
    Bytes {
        /// Smallest, in bytes.
        min: u64,
        /// Largest, in bytes; [`Form::UNBOUNDED`] where only the machine sets one.
        max: u64,
    },
    /// `30/m:60` or `off`.
    Rate,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything else, in words that follow "expected".
    Other(&'static str),
}

impl Form {
    /// The bound of a count that has none of its own: the counters behind it are 32 bits wide.
    pub const UNBOUNDED: u64 = u32::MAX as u64;

    /// A count from `min` up to what 32 bits hold.
    pub(super) const fn at_least(min: u64) -> Self {
        Self::Count { min, max: Self::UNBOUNDED }
    }

    /// A span given in seconds.
    pub(super) const fn seconds(min: u64, max: u64) -> Self {
        Self::Span { min: Duration::from_secs(min), max: Duration::from_secs(max) }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count { min, max: Self::UNBOUNDED } => write!(f, "a whole number of at least {min}"),
            Self::Count { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Span { min, max } => write!(
                f,
                "a duration from {} to {} s: whole seconds, or with ms, s, m or h",
                min.as_secs(),
                max.as_secs()
            ),
            Self::Bytes { min, max: Self::UNBOUNDED } => {
                write!(f, "at least {min} bytes: a whole number, or with KiB or MiB")
            }
            Self::Bytes { min, max } => {
                write!(f, "{min} to {max} bytes: a whole number, or with KiB or MiB")
            }
            Self::Rate => f.write_str("a rate such as 30/m (per s, m or h), 30/m:60 with a burst, or off"),
            Self::Flag => f.write_str("true or false"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Other(words) => f.write_str(words),
        }
    }
}
