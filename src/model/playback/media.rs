//! What is played, and the two units of a film: its own milliseconds and its speed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::model::time::ClusterMs;

/// Characters of a medium's source at most: the longest address that every browser takes.
pub const SRC_MAX: usize = 2048;
/// Characters of a title at most: it is shown in one line.
pub const TITLE_MAX: usize = 200;

/// A moment in a film: whole milliseconds from its beginning. No time of day, so it never mixes with [`ClusterMs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaMs(pub u64);

impl MediaMs {
    /// The beginning.
    pub const ZERO: Self = Self(0);
    /// The latest moment there is: the largest whole number that JavaScript holds exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// How many milliseconds lie between two moments, whichever is first.
    #[must_use]
    pub fn distance(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// Where the film is when it has run at `rate` since it was here at `anchor`; here, when that is yet to come.
    #[must_use]
    pub fn run(self, anchor: ClusterMs, now: ClusterMs, rate: RateMilli) -> Self {
        let ran = u128::from(now.0.saturating_sub(anchor.0)) * u128::from(rate.0) / 1000;
        let ran = u64::try_from(ran).unwrap_or(Self::MAX.0);
        Self(self.0.saturating_add(ran)).min(Self::MAX)
    }
}

/// A speed in thousandths of the normal one, 250 to 4000; a JSON number like `1` or `1.25` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateMilli(u16);

/// A number that is no speed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("0.25 to 4")]
pub struct BadRate;

impl RateMilli {
    /// As it was filmed.
    pub const NORMAL: Self = Self(1000);
    /// A quarter: below it browsers mute, or stop.
    pub const SLOWEST: Self = Self(250);
    /// Fourfold: above it browsers mute, or drop frames.
    pub const FASTEST: Self = Self(4000);

    /// Reads a factor, rounded to thousandths.
    ///
    /// # Errors
    /// [`BadRate`] beyond 0.25 to 4.
    pub fn from_factor(factor: f64) -> Result<Self, BadRate> {
        let milli = (factor * 1000.0).round();
        if !(f64::from(Self::SLOWEST.0)..=f64::from(Self::FASTEST.0)).contains(&milli) {
            return Err(BadRate);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, 250 to 4000")]
        Ok(Self(milli as u16))
    }
}

impl Serialize for RateMilli {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            return serializer.serialize_u16(self.0 / 1000);
        }
        serializer.serialize_f64(f64::from(self.0) / 1000.0)
    }
}

impl<'de> Deserialize<'de> for RateMilli {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_factor(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Where a medium comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// An `https` address that every browser loads for itself; nodes never do.
    Url,
    /// The film that ships with the page.
    Sample,
    /// Everybody opens their own copy; the source says which file it must be.
    File,
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it comes from.
    pub kind: MediaKind,
    /// Which one: 1 to [`SRC_MAX`] characters, by `kind`.
    pub src: String,
    /// What to call it, at most [`TITLE_MAX`] characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How long it is, when that is known; never zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<MediaMs>,
}

/// A rule of [`Media`] that was broken; the words are shown to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadMedia(&'static str);

impl Media {
    /// Checks the rules of the fields.
    ///
    /// # Errors
    /// [`BadMedia`], naming the field.
    pub fn check(&self) -> Result<(), BadMedia> {
        let length = self.src.chars().count();
        if length == 0 || length > SRC_MAX || self.src.chars().any(char::is_control) {
            return Err(BadMedia("src: 1 to 2048 characters, none of them a control character"));
        }
        if self.kind == MediaKind::Url && !is_https(&self.src) {
            return Err(BadMedia("src: an https address"));
        }
        let bad = |title: &String| title.chars().count() > TITLE_MAX || title.chars().any(char::is_control);
        if self.title.as_ref().is_some_and(bad) {
            return Err(BadMedia("title: at most 200 characters, none of them a control character"));
        }
        if self.duration_ms == Some(MediaMs::ZERO) {
            return Err(BadMedia("duration_ms: at least 1"));
        }
        Ok(())
    }

    /// The nearest moment that this medium has.
    #[must_use]
    pub fn within(&self, position: MediaMs) -> MediaMs {
        position.min(self.duration_ms.unwrap_or(MediaMs::MAX))
    }
}

/// Whether a text may be an `https` address: scheme and a host. What it leads to is between the browser and that host.
fn is_https(src: &str) -> bool {
    let rest = src.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).and(src.get(8..));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty()) && !src.contains(char::is_whitespace)
}
