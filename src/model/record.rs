//! What the log stores of an entry: its kind and the rest of its frame, already JSON.
//!
//! A record is encoded once, by the node that publishes. It is kept and announced as it is, and a receiving node makes the
//! frame by putting `type`, `seq` and `ts` in front, without reading the payload again: `<kind> <tail>`, where the tail is
//! `"from":…,"n":…,"data":…}`. One text form means that memory, Redis and every node agree on bytes.

use std::fmt::Write as _;

use bytes::Bytes;

use super::id::ParticipantId;

/// The durable entry types of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// Somebody said something.
    Chat,
    /// A message of the application built on the session.
    Event,
    /// The film's slot changed.
    Playback,
    /// A participant took a seat.
    ParticipantJoined,
    /// A participant's seat is free again.
    ParticipantLeft,
    /// A participant changed name or colour.
    ParticipantUpdated,
    /// The session has another host.
    HostChanged,
    /// The session's record changed.
    SessionUpdated,
    /// The session is over; nothing follows.
    SessionEnded,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Chat,
        Self::Event,
        Self::Playback,
        Self::ParticipantJoined,
        Self::ParticipantLeft,
        Self::ParticipantUpdated,
        Self::HostChanged,
        Self::SessionUpdated,
        Self::SessionEnded,
    ];

    /// The `type` on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Event => "event",
            Self::Playback => "playback",
            Self::ParticipantJoined => "participant.joined",
            Self::ParticipantLeft => "participant.left",
            Self::ParticipantUpdated => "participant.updated",
            Self::HostChanged => "host.changed",
            Self::SessionUpdated => "session.updated",
            Self::SessionEnded => "session.ended",
        }
    }

    /// The kind with this `type`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// `<kind> <tail>`: the stored form of an entry. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    kind: EntryKind,
    text: Bytes,
}

impl Record {
    /// Builds the record of a message. `from` is `None` when a node or a server key speaks; `data` is one JSON value.
    #[must_use]
    pub fn new(kind: EntryKind, from: Option<ParticipantId>, n: Option<u64>, data: &str) -> Self {
        let mut text = String::with_capacity(data.len() + 96);
        text.push_str(kind.as_str());
        text.push(' ');
        // Writing to a String cannot fail.
        let _ = match from {
            Some(from) => write!(text, "\"from\":\"{from}\""),
            None => write!(text, "\"from\":null"),
        };
        if let Some(n) = n {
            let _ = write!(text, ",\"n\":{n}");
        }
        let _ = write!(text, ",\"data\":{data}}}");
        Self { kind, text: Bytes::from(text) }
    }

    /// Reads what [`Self::stored`] gave; `None` when it is not one of ours (counted, and the room is resynced).
    #[must_use]
    pub fn from_stored(text: Bytes) -> Option<Self> {
        let read = std::str::from_utf8(&text).ok()?;
        let (kind, tail) = read.split_once(' ')?;
        let kind = EntryKind::parse(kind)?;
        (tail.starts_with("\"from\":") && tail.ends_with('}')).then_some(Self { kind, text })
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EntryKind {
        self.kind
    }

    /// The stored form, whole.
    #[must_use]
    pub fn stored(&self) -> &Bytes {
        &self.text
    }

    /// What follows `type`, `seq` and `ts` in the frame: `"from":…}`, the closing brace included.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        self.text.get(self.kind.as_str().len() + 1..).unwrap_or_default()
    }

    /// The `data` value as JSON text. It is found by its fixed place: `from` and `n` hold no quote that could hide it.
    #[must_use]
    pub fn data(&self) -> &str {
        let tail = std::str::from_utf8(self.tail()).unwrap_or_default();
        let start = tail.find("\"data\":").map_or(tail.len(), |at| at + "\"data\":".len());
        tail.get(start..tail.len().saturating_sub(1)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_whole() {
        let from = ParticipantId::new_random();
        let record = Record::new(EntryKind::Chat, Some(from), Some(17), r#"{"text":"\"data\":1"}"#);
        let again = Record::from_stored(record.stored().clone()).expect("reads");
        assert_eq!(again, record);
        assert_eq!(again.kind(), EntryKind::Chat);
        assert_eq!(again.data(), r#"{"text":"\"data\":1"}"#);
        assert_eq!(
            std::str::from_utf8(again.tail()).unwrap(),
            format!(r#""from":"{from}","n":17,"data":{{"text":"\"data\":1"}}}}"#)
        );
    }

    #[test]
    fn a_node_speaks_as_nobody() {
        let record = Record::new(EntryKind::SessionEnded, None, None, r#"{"reason":"ended"}"#);
        assert_eq!(record.stored(), r#"session.ended "from":null,"data":{"reason":"ended"}}"#);
    }

    #[test]
    fn nonsense_is_no_record() {
        for text in ["", "chat", "chat {}", "gossip \"from\":null,\"data\":{}}", "\u{fe}"] {
            assert_eq!(Record::from_stored(Bytes::copy_from_slice(text.as_bytes())), None, "{text}");
        }
    }
}
