//! What travels on the channels: the text that scripts publish and every node reads.
//!
//! ```text
//! w1 e <epoch> <first seq> <ts> <count> <length>:<record><length>:<record>…    entries were appended
//! w1 r <participant or *> <frame>                                              a frame to pass on
//! w1 t <participant> <generation>                                              a seat was taken over
//! w1 m <marker>                                                                a node's own probe
//! ```
//!
//! `w1` is the version: a reader of another one refuses the text and its rooms resync from the log, which is what a rolling upgrade
//! needs. Lengths, not separators, part what people wrote. Reading is strict; what is not exactly this is nobody's message.

use bytes::Bytes;

use crate::backend::log::{Announcement, Relay};
use crate::model::entry::{Epoch, Seq};
use crate::model::id::ParticipantId;
use crate::model::record::Record;
use crate::model::seat::Generation;
use crate::model::time::ClusterMs;

/// Numbers are Lua's: whole up to 2^53.
const NUMBER_MAX: u64 = 1 << 53;
/// Digits of [`NUMBER_MAX`].
const DIGITS_MAX: usize = 16;

/// One message of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    Entries(Announcement),
    Relay(Relay),
    TakenOver(ParticipantId, Generation),
    Marker(u64),
}

/// The message of a frame to pass on.
pub(super) fn relay(relay: &Relay) -> Vec<u8> {
    let mut text = match relay.to {
        Some(to) => format!("w1 r {to} "),
        None => String::from("w1 r * "),
    }
    .into_bytes();
    text.extend_from_slice(&relay.frame);
    text
}

/// Reads a message; `None` for anything that is not one.
pub(super) fn read(text: Bytes) -> Option<Notice> {
    let mut rest = Rest(text);
    if rest.word()? != "w1" {
        return None;
    }
    match &rest.word()?[..] {
        b"e" => entries(rest).map(Notice::Entries),
        b"r" => {
            let to = rest.word()?;
            let to = if to == "*" { None } else { Some(participant(&to)?) };
            Some(Notice::Relay(Relay { to, frame: rest.0 }))
        }
        b"t" => {
            let who = participant(&rest.word()?)?;
            Some(Notice::TakenOver(who, Generation(number(&rest.0)?)))
        }
        b"m" => number(&rest.0).map(Notice::Marker),
        _ => None,
    }
}

fn entries(mut rest: Rest) -> Option<Announcement> {
    let epoch = Epoch::parse(std::str::from_utf8(&rest.word()?).ok()?)?;
    let first = number(&rest.word()?).filter(|first| *first > 0)?;
    let ts = number(&rest.word()?)?;
    let count = number(&rest.word()?)?;
    let mut records = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(number(&rest.until(b':')?)?).ok()?;
        records.push(Record::from_stored(rest.take(length)?)?);
    }
    rest.0.is_empty().then_some(Announcement { epoch, first: Seq(first), ts: ClusterMs(ts), records })
}

fn participant(text: &[u8]) -> Option<ParticipantId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A whole number in its one spelling.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let plain = (1..=DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !plain || (text.len() > 1 && text.starts_with(b"0")) {
        return None;
    }
    let number = text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    (number <= NUMBER_MAX).then_some(number)
}

/// What is left to read. Everything taken from it shares the message's memory.
struct Rest(Bytes);

impl Rest {
    fn until(&mut self, mark: u8) -> Option<Bytes> {
        let at = self.0.iter().position(|byte| *byte == mark)?;
        let taken = self.0.split_to(at);
        let _ = self.0.split_to(1);
        Some(taken)
    }

    fn word(&mut self) -> Option<Bytes> {
        self.until(b' ')
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::EntryKind;
    use proptest::prelude::*;

    /// As `fence.lua` writes it.
    fn written(announcement: &Announcement) -> Vec<u8> {
        let Announcement { epoch, first, ts, records } = announcement;
        let mut text = format!("w1 e {epoch} {first} {} {} ", ts.0, records.len()).into_bytes();
        for record in records {
            text.extend_from_slice(format!("{}:", record.stored().len()).as_bytes());
            text.extend_from_slice(record.stored());
        }
        text
    }

    fn record(text: &str) -> Record {
        let data = serde_json::to_string(text).unwrap();
        Record::new(EntryKind::Chat, Some(ParticipantId::new_random()), Some(1), &data)
    }

    fn reads(text: &[u8]) -> Option<Notice> {
        read(Bytes::copy_from_slice(text))
    }

    proptest! {
        #[test]
        fn entries_read_back_whole(texts in prop::collection::vec(".*", 0..6), first in 1u64..NUMBER_MAX, ts in 0u64..NUMBER_MAX) {
            let records = texts.iter().map(|text| record(text)).collect();
            let announcement = Announcement { epoch: Epoch::new_random(), first: Seq(first), ts: ClusterMs(ts), records };
            let text = written(&announcement);
            prop_assert_eq!(reads(&text), Some(Notice::Entries(announcement)));
            prop_assert_eq!(reads(&text[..text.len() - 1]), None);
            let longer = [&text[..], b"x"].concat();
            prop_assert_eq!(reads(&longer), None);
        }

        #[test]
        fn frames_read_back_whole(frame in prop::collection::vec(any::<u8>(), 0..100), direct in any::<bool>()) {
            let sent = Relay { to: direct.then(ParticipantId::new_random), frame: Bytes::from(frame) };
            prop_assert_eq!(reads(&relay(&sent)), Some(Notice::Relay(sent)));
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = reads(&noise);
            let _ = reads(&[b"w1 e ", &noise[..]].concat());
        }
    }

    #[test]
    fn an_epoch_alone_is_an_announcement() {
        let epoch = Epoch::new_random();
        let expected = Announcement { epoch, first: Seq(6), ts: ClusterMs(7), records: Vec::new() };
        assert_eq!(reads(format!("w1 e {epoch} 6 7 0 ").as_bytes()), Some(Notice::Entries(expected)));
    }

    #[test]
    fn nonsense_is_nobodys_message() {
        let epoch = Epoch::new_random();
        let who = ParticipantId::new_random();
        let nonsense = [
            String::new(),
            "hello".into(),
            "w2 m 1".into(),
            "w1 x 1".into(),
            "w1 m ".into(),
            "w1 m 01".into(),
            "w1 m +1".into(),
            "w1 m 9007199254740993".into(),
            "w1 e".into(),
            format!("w1 e {epoch} five 7 0 "),
            format!("w1 e {epoch} 0 7 0 "),
            format!("w1 e {epoch} 5 7 1 "),
            format!("w1 e {epoch} 5 7 1 4:chat"),
            format!("w1 e {epoch} 5 7 1 99999999999999:x"),
            "w1 e nobody 5 7 0 ".into(),
            format!("w1 t {who} x"),
            "w1 t nobody 1".into(),
            "w1 r nobody {}".into(),
        ];
        for text in nonsense {
            assert_eq!(reads(text.as_bytes()), None, "{text}");
        }
        assert_eq!(reads(format!("w1 t {who} 3").as_bytes()), Some(Notice::TakenOver(who, Generation(3))));
        assert_eq!(reads(b"w1 m 0"), Some(Notice::Marker(0)));
    }
}
