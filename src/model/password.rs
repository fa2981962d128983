//! The password of a session, as far as it can be judged without hashing it.
//!
//! Responsible for its bounds and for never being shown. Not responsible for hashing (`auth::password`).
//! A type of its own so that an unchecked text, or one bcrypt would cut, cannot reach the hash at all.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

/// Fewest bytes a password may have (PROTOCOL).
pub const PASSWORD_MIN_BYTES: usize = 6;
/// Most bytes a password may have: bcrypt reads 72 with the closing NUL, and drops what follows in silence.
pub const PASSWORD_MAX_BYTES: usize = 71;

/// A password of 6-71 bytes of UTF-8 without NUL. Not printable, not comparable, wiped when dropped.
#[derive(Clone)]
pub struct Password(SecretString);

/// Why a text is no [`Password`]; the words are shown to the caller beside the field and never repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Under 6 or over 71 bytes.
    #[error("must have 6-71 bytes of UTF-8")]
    Length,
    /// Holds a NUL, where bcrypt stops reading.
    #[error("must not contain NUL")]
    Nul,
}

impl Password {
    /// Takes the text as it is: nothing is trimmed, as white space is part of a password.
    ///
    /// # Errors
    /// [`InvalidPassword`] outside 6-71 bytes or with a NUL.
    pub fn new(text: String) -> Result<Self, InvalidPassword> {
        // Wrapped first, so that a refused password is wiped too.
        let secret = SecretString::from(text);
        let exposed = secret.expose_secret();
        if !(PASSWORD_MIN_BYTES..=PASSWORD_MAX_BYTES).contains(&exposed.len()) {
            return Err(InvalidPassword::Length);
        }
        if exposed.contains('\0') {
            return Err(InvalidPassword::Nul);
        }
        Ok(Self(secret))
    }

    /// The text, for the hash alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_a6_six_to_seventy_one_bytes() {
        for length in [0, 5, 72, 200] {
            assert_eq!(Password::new("x".repeat(length)).unwrap_err(), InvalidPassword::Length, "{length}");
        }
        for length in [6, 71] {
            assert_eq!(Password::new("x".repeat(length)).unwrap().expose().len(), length);
        }
        assert_eq!(Password::new("🎬🍿".into()).unwrap().expose(), "🎬🍿");
        assert_eq!(Password::new("🎬".into()).unwrap_err(), InvalidPassword::Length, "four bytes");
        assert_eq!(Password::new("pass\0word".into()).unwrap_err(), InvalidPassword::Nul);
    }

    #[test]
    fn never_printed_not_even_by_its_errors() {
        let password = Password::new("canary-0815".into()).unwrap();
        assert_eq!(format!("{password:?}"), "Password(redacted)");
        let error = serde_json::from_str::<Password>("\"cana\"").unwrap_err().to_string();
        assert!(!error.contains("cana"), "{error}");
    }
}
