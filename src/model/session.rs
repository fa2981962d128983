//! A session: the durable record that people create and join.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{ParticipantId, SessionId};
use super::time::ClusterMs;
use super::visible;

/// Characters a session's name has at least, after trimming.
pub const NAME_MIN: usize = 3;
/// Characters a session's name has at most, after trimming.
pub const NAME_MAX: usize = 50;
/// Participants a session admits when its creator names no number.
pub const CAPACITY_DEFAULT: u32 = 10;

/// A session's name: 3-50 characters after trimming, none of them a control character, one of them visible, and none that only hides or
/// turns others ([`visible`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SessionName(String);

/// Why a text is no session name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSessionName {
    /// Its length, or a control in it.
    #[error("must have 3 to 50 characters and no control characters")]
    Text,
    /// Nothing to be seen, or characters that are not.
    #[error("must have a visible character, and no invisible or direction-changing ones")]
    Invisible,
}

impl SessionName {
    /// Trims and checks.
    ///
    /// # Errors
    /// [`BadSessionName`] when the rule above is broken.
    pub fn parse(text: &str) -> Result<Self, BadSessionName> {
        let name = Self::kept(text)?;
        let shown = visible::has_visible(&name.0) && visible::is_plain(&name.0);
        if shown { Ok(name) } else { Err(BadSessionName::Invisible) }
    }

    /// The name of a session that is there: what may be seen of it was judged when it was given, perhaps by another version.
    ///
    /// # Errors
    /// [`BadSessionName::Text`].
    pub fn kept(text: &str) -> Result<Self, BadSessionName> {
        let text = text.trim();
        let length = text.chars().count();
        let fits = (NAME_MIN..=NAME_MAX).contains(&length) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned())).ok_or(BadSessionName::Text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who may move the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Control {
    /// Every participant.
    #[default]
    Everyone,
    /// The host alone.
    Host,
}

impl Control {
    /// The wire form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Host => "host",
        }
    }

    /// Reads the wire form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Everyone, Self::Host].into_iter().find(|control| control.as_str() == text)
    }
}

/// What a creator asks for; the store adds the times and the first version.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id, drawn by the caller.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// bcrypt text of its password.
    pub password_hash: String,
    /// The creator, who is host from the start, before anyone is connected.
    pub host: ParticipantId,
    /// How many seats it has.
    pub capacity: u32,
    /// How long it lives after the last join, entry or beat.
    pub ttl: Duration,
}

/// The durable record of a session, without its password hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// Who is host. Kept when the session empties.
    pub host: ParticipantId,
    /// Seats.
    pub capacity: u32,
    /// Whether new participants are refused.
    pub locked: bool,
    /// Who may move the film.
    pub control: Control,
    /// When it was created.
    pub created_at: ClusterMs,
    /// When it dies if nothing happens from now on.
    pub expires_at: ClusterMs,
    /// Counts changes of name, password, capacity, lock, control and host: a permission decided on one version cannot land on another.
    pub version: u64,
}

/// A change of a session's record; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionPatch {
    /// A new name.
    pub name: Option<SessionName>,
    /// bcrypt text of a new password.
    pub password_hash: Option<String>,
    /// Lock or unlock.
    pub locked: Option<bool>,
    /// Another number of seats. Who is seated stays, even above it.
    pub capacity: Option<u32>,
    /// Another rule for the film.
    pub control: Option<Control>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_three_to_fifty_characters() {
        for good in ["abc", "  Movie night  ", &"é".repeat(50), "\u{1f3ac}\u{1f37f}\u{1f389}"] {
            assert!(SessionName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "  ab  ", &"é".repeat(51), "tab\there", "nul\0here", "line\nbreak"] {
            assert_eq!(SessionName::parse(bad), Err(BadSessionName::Text), "{bad:?}");
        }
        for hidden in [
            "\u{200b}\u{200b}\u{200b}",
            "\u{2800}\u{2800}\u{2800}",
            "Movie\u{202e}night",
            "Movie night\u{feff}",
        ] {
            assert_eq!(SessionName::parse(hidden), Err(BadSessionName::Invisible), "{hidden:?}");
            assert!(SessionName::kept(hidden).is_ok(), "a session that has it stays readable");
        }
        assert_eq!(SessionName::parse("  Movie night  ").unwrap().as_str(), "Movie night");
    }
}
