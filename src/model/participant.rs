//! What a participant shows to the others: role, display name, colour.
//!
//! Responsible for which values these may have. Not responsible for who holds a seat (backend) or what a role may do
//! (permission). Shaped as newtypes that can only be made by checking, so that whatever holds one need not check again.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::visible;

/// Characters a display name may have at most, after trimming (PROTOCOL, `display_name` 1-40).
pub const DISPLAY_NAME_MAX_CHARS: usize = 40;

/// Where a participant starts: what the token says. The session's own state decides on every message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads the session; exactly one at a time.
    Host,
    /// Everyone else.
    Member,
}

impl Role {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Member => "member",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        match text {
            "host" => Ok(Self::Host),
            "member" => Ok(Self::Member),
            _ => Err(InvalidRole),
        }
    }
}

/// A word that is neither `host` nor `member`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be host or member")]
pub struct InvalidRole;

/// The name the others see: 1-40 characters after trimming, one of them visible, and none that only hides or turns others ([`visible`]).
///
/// Right-to-left scripts need no control for it: each character has its own direction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct DisplayName(String);

/// Why a text is no [`DisplayName`]; the words are shown to the caller beside the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDisplayName {
    /// Nothing left after trimming, or over the bound.
    #[error("must have 1-40 characters")]
    Length,
    /// A C0 or C1 control, DEL included.
    #[error("must not contain control characters")]
    Control,
    /// Nothing to be seen, or characters that are not.
    #[error("must have a visible character, and no invisible or direction-changing ones")]
    Invisible,
}

impl DisplayName {
    /// Trims white space at both ends, then checks.
    ///
    /// # Errors
    /// [`InvalidDisplayName`] if the rest is empty, over 40 characters (Unicode scalar values), holds a control or hides something.
    pub fn new(text: &str) -> Result<Self, InvalidDisplayName> {
        let name = Self::kept(text)?;
        let shown = visible::has_visible(&name.0) && visible::is_plain(&name.0);
        if shown { Ok(name) } else { Err(InvalidDisplayName::Invisible) }
    }

    /// A name that was accepted before: in a seat, or in a token. What may be seen of it was judged then, perhaps by another version, and
    /// whoever has it is not shut out over it.
    fn kept(text: &str) -> Result<Self, InvalidDisplayName> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.chars().nth(DISPLAY_NAME_MAX_CHARS).is_some() {
            return Err(InvalidDisplayName::Length);
        }
        if trimmed.chars().any(char::is_control) {
            return Err(InvalidDisplayName::Control);
        }
        Ok(Self(trimmed.to_owned()))
    }

    /// The name, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::kept(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The colour others see beside the name, `#rrggbb` in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Color([u8; 3]);

/// A text that is not `#rrggbb` in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be #rrggbb in lower case")]
pub struct InvalidColor;

impl std::str::FromStr for Color {
    type Err = InvalidColor;

    fn from_str(text: &str) -> Result<Self, InvalidColor> {
        let digits: &[u8; 6] =
            text.strip_prefix('#').and_then(|hex| hex.as_bytes().try_into().ok()).ok_or(InvalidColor)?;
        let mut channels = [0; 3];
        for (channel, pair) in channels.iter_mut().zip(digits.chunks_exact(2)) {
            *channel = lower_hex(pair[0])? << 4 | lower_hex(pair[1])?;
        }
        Ok(Self(channels))
    }
}

/// One lower-case hex digit.
const fn lower_hex(byte: u8) -> Result<u8, InvalidColor> {
    match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(InvalidColor),
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl Serialize for Color {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Color {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_lower_case_words() {
        for (role, word) in [(Role::Host, "host"), (Role::Member, "member")] {
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{word}\""));
            assert_eq!(serde_json::from_str::<Role>(&format!("\"{word}\"")).unwrap(), role);
            assert_eq!(word.parse(), Ok(role));
            assert_eq!(role.to_string(), word);
        }
        assert!(serde_json::from_str::<Role>("\"Host\"").is_err());
        assert_eq!("admin".parse::<Role>(), Err(InvalidRole));
    }

    #[test]
    fn names_are_trimmed_then_counted_in_characters() {
        assert_eq!(DisplayName::new("  Ada \u{3000}").unwrap().as_str(), "Ada");
        assert_eq!(DisplayName::new(&"é".repeat(40)).unwrap().as_str().len(), 80);
        assert_eq!(DisplayName::new(&"🎬".repeat(41)), Err(InvalidDisplayName::Length));
        assert_eq!(DisplayName::new(" \t\n "), Err(InvalidDisplayName::Length));
        assert_eq!(DisplayName::new(""), Err(InvalidDisplayName::Length));
    }

    #[test]
    fn controls_are_refused() {
        for text in ["a\0b", "a\nb", "a\u{7f}b", "a\u{85}b", "a\u{1b}[31mb"] {
            assert_eq!(DisplayName::new(text), Err(InvalidDisplayName::Control), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_seen_as_it_is() {
        for text in
            ["\u{200b}\u{200b}", "\u{feff}", "\u{2800}", "Ada\u{200b}", "\u{202e}adA", "\u{2066}\u{2066}"]
        {
            assert_eq!(DisplayName::new(text), Err(InvalidDisplayName::Invisible), "{text:?}");
            assert!(
                serde_json::from_str::<DisplayName>(&format!("\"{text}\"")).is_ok(),
                "one that was accepted stays"
            );
        }
        assert_eq!(
            DisplayName::new("\u{5e2}\u{5d3}\u{5d4} \u{1f469}\u{200d}\u{1f680}")
                .unwrap()
                .as_str()
                .chars()
                .count(),
            7
        );
    }

    #[test]
    fn names_are_checked_when_read_from_json() {
        assert_eq!(serde_json::from_str::<DisplayName>("\" Ada \"").unwrap().as_str(), "Ada");
        assert!(serde_json::from_str::<DisplayName>("\"a\\u0000\"").is_err());
        assert!(serde_json::from_str::<DisplayName>("7").is_err());
        assert_eq!(serde_json::to_string(&DisplayName::new("Ada").unwrap()).unwrap(), "\"Ada\"");
    }

    #[test]
    fn colours_have_one_spelling() {
        for text in ["#000000", "#ffffff", "#0a1b2c"] {
            assert_eq!(text.parse::<Color>().unwrap().to_string(), text);
            let json = format!("\"{text}\"");
            let color: Color = serde_json::from_str(&json).unwrap();
            assert_eq!(serde_json::to_string(&color).unwrap(), json);
        }
        for text in ["", "#", "000000", "#00000", "#0000000", "#FFFFFF", "#00000g", "red", "#+1+1+1", "#é000"]
        {
            assert_eq!(text.parse::<Color>(), Err(InvalidColor), "{text:?}");
        }
    }
}
