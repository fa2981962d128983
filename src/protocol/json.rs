//! What JSON we accept from strangers: bounded depth, no duplicate member, numbers that every client can hold.
//!
//! serde's derived readers check the members they know; this walk checks what they skip, bodies of the application included,
//! because those are passed on to other people's parsers as they came.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Arrays and objects within each other, the outermost included. Playback and chat need 4; more is nobody's message.
pub const DEPTH_MAX: u8 = 16;

/// The largest whole number that JavaScript holds exactly (ECMA-262, `Number.MAX_SAFE_INTEGER`).
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Why a text was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Not JSON, or deeper than [`DEPTH_MAX`].
    NotJson,
    /// An object has a member twice.
    Duplicate,
    /// A number beyond ±[`NUMBER_MAX`].
    Number,
}

/// Checks one JSON text.
///
/// # Errors
/// The first [`Flaw`] met.
pub fn check(text: &str) -> Result<(), Flaw> {
    let flaw = Cell::new(Flaw::NotJson);
    let mut reader = serde_json::Deserializer::from_str(text);
    Walk { depth: 0, flaw: &flaw }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|_| flaw.get())
}

#[derive(Clone, Copy)]
struct Walk<'f> {
    depth: u8,
    flaw: &'f Cell<Flaw>,
}

impl Walk<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn refuse<E: Error>(self, flaw: Flaw) -> E {
        self.flaw.set(flaw);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if number > NUMBER_MAX { Err(self.refuse(Flaw::Number)) } else { Ok(()) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > NUMBER_MAX { Err(self.refuse(Flaw::Number)) } else { Ok(()) }
    }

    #[expect(clippy::cast_precision_loss, reason = "the bound itself is exact in a double")]
    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        if number.abs() > NUMBER_MAX as f64 { Err(self.refuse(Flaw::Number)) } else { Ok(()) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(self.refuse(Flaw::Duplicate));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_can_read_passes() {
        for text in ["{}", r#"{"a":[1,-2.5,null,true,"x"],"b":{"a":9007199254740991}}"#, "[]", "7"] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        assert_eq!(check(&format!("{}{}", "[".repeat(16), "]".repeat(16))), Ok(()));
    }

    #[test]
    fn each_flaw_is_named() {
        for (text, flaw) in [
            ("", Flaw::NotJson),
            ("{", Flaw::NotJson),
            ("{} {}", Flaw::NotJson),
            (r#"{"a":1,"a":1}"#, Flaw::Duplicate),
            (r#"[{"x":{"a":1,"\u0061":2}}]"#, Flaw::Duplicate),
            ("9007199254740992", Flaw::Number),
            ("-9007199254740992", Flaw::Number),
            ("1e300", Flaw::Number),
        ] {
            assert_eq!(check(text), Err(flaw), "{text}");
        }
        assert_eq!(check(&"[".repeat(65_536)), Err(Flaw::NotJson));
        assert_eq!(check(&format!("{}{}", "[".repeat(17), "]".repeat(17))), Err(Flaw::NotJson));
    }
}
