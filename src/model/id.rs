//! The ids of the domain, each its own type, so that a session can never be passed where a participant belongs.
//!
//! Responsible for making them and for reading them strictly: an id has exactly one spelling, because ids become
//! parts of Redis keys and of log lines, where two spellings of one id would be two things.
//! Not responsible for who may use which id. Shaped as one macro over [`Uuid`], as all of them behave alike;
//! [`ConnectionId`] stands apart, as it never leaves its node.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Length of the one accepted spelling, 8-4-4-4-12 hex digits (RFC 9562, section 4).
const TEXT_LENGTH: usize = 36;

/// A text that is not one of our ids. It never repeats the text, which may come from anyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a lower-case hyphenated UUID")]
pub struct InvalidId;

/// Reads the one spelling we accept: 36 characters, lower case, hyphenated, not nil.
fn parse_strict(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != TEXT_LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(InvalidId);
    }
    // At 36 bytes the hyphenated form is the only one this parser accepts (simple is 32, braced 38, URN 45).
    let uuid = Uuid::try_parse(text).map_err(|_| InvalidId)?;
    if uuid.is_nil() { Err(InvalidId) } else { Ok(uuid) }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh random id (UUID version 4: 122 random bits from the operating system).
            #[must_use]
            pub fn new_random() -> Self {
                Self(Uuid::new_v4())
            }

            /// The 16 bytes of the id, for hashing and for compact keys.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse_strict(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self.0.as_hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.as_hyphenated().encode_lower(&mut buffer))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdText).map(Self)
            }
        }
    };
}

/// Reads an id from a string in place, borrowed or not, without a copy.
struct IdText;

impl de::Visitor<'_> for IdText {
    type Value = Uuid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a lower-case hyphenated UUID")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Uuid, E> {
        parse_strict(text).map_err(E::custom)
    }
}

uuid_id! {
    /// A session: the durable record people create and join.
    SessionId
}

uuid_id! {
    /// A participant: an identity inside one session, the subject of its tokens.
    ParticipantId
}

uuid_id! {
    /// A node: one process of the gateway, named afresh at each start.
    NodeId
}

uuid_id! {
    /// A token, its `jti` (RFC 7519, section 4.1.7): tells two tokens of one participant apart in a trace.
    TokenId
}

/// A connection: one WebSocket on this node. A plain count, unique in the life of the process and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";

    #[test]
    fn the_one_spelling_survives_parse_display_and_json() {
        let id: SessionId = GOOD.parse().unwrap();
        assert_eq!(id.to_string(), GOOD);
        assert_eq!(format!("{id:?}"), format!("SessionId({GOOD})"));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{GOOD}\""));
        assert_eq!(serde_json::from_str::<SessionId>(&json).unwrap(), id);
        // An escaped string cannot be borrowed from its input: it must be read all the same.
        let escaped = format!("\"\\u0038{}\"", &GOOD[1..]);
        assert_eq!(serde_json::from_str::<SessionId>(&escaped).unwrap(), id);
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let refused = [
            "",
            "8F14E45F-CEEA-467F-A9D1-0C5A3B1F7E42",
            "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e4F",
            "8f14e45fceea467fa9d10c5a3b1f7e42",
            "{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}",
            "urn:uuid:8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42",
            " 8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42",
            "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e4",
            "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e4g",
            "8f14e45f-ceea-467fa9d1--0c5a3b1f7e42",
            "8f14e45f_ceea_467f_a9d1_0c5a3b1f7e42",
            "8f14e45f-ceea-467f-a9d1-0c5a3b1f7é2",
            "00000000-0000-0000-0000-000000000000",
            "../../etc/passwd/../../../etc/passwd",
        ];
        for text in refused {
            assert_eq!(text.parse::<ParticipantId>(), Err(InvalidId), "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<NodeId>(&json).is_err(), "{json}");
        }
        for json in ["1", "null", "[1]", "{}"] {
            assert!(serde_json::from_str::<SessionId>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn random_ids_differ_and_parse_again() {
        let (one, two) = (NodeId::new_random(), NodeId::new_random());
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse::<NodeId>(), Ok(one));
    }

    #[test]
    fn a_connection_prints_as_its_number() {
        assert_eq!(ConnectionId(42).to_string(), "42");
    }
}
