//! Entries as the bytes that listeners are given: encoded once for each framing that anybody on this node listens in, and put one behind
//! another, so that a batch is one write.
//!
//! Whoever listens compressed shares one compressed run too, so an entry is compressed once; without such a listener, never.
//!
//! Responsible for the frames and for what a run says of itself. Not responsible for who gets it (`outbox`), nor for when (`shard`).

use bytes::{Bytes, BytesMut};

use crate::model::entry::{Entry, Epoch, Position, Seq};
use crate::protocol::deflate::Window;
use crate::protocol::framing::Framing;
use crate::protocol::outbound::{self, Status};

/// Entries that follow one another, encoded for one kind of sink.
#[derive(Debug, Clone)]
pub struct Run {
    /// The epoch before its first frame: a listener whose cursor has another one was not told of it yet.
    pub begin: Epoch,
    /// The position after it.
    pub end: Position,
    /// Its first entry.
    pub first: Seq,
    /// The frames.
    pub bytes: Bytes,
    /// The same for a peer with a small window ([`Window::NARROW`] or more), where that is not the same bytes: what was compressed but is
    /// too long for that window is plain.
    pub narrow: Option<Bytes>,
}

/// Encodes entries for one kind of sink, and tells of an epoch where one begins.
#[derive(Debug)]
pub struct Encoder {
    framing: Framing,
    begin: Epoch,
    at: Position,
    first: Option<Seq>,
    out: BytesMut,
    narrow: Option<BytesMut>,
    entry: BytesMut,
}

impl Encoder {
    /// Starts after a position.
    #[must_use]
    pub fn new(framing: Framing, at: Position) -> Self {
        let (out, entry) = (BytesMut::new(), BytesMut::new());
        Self { framing, begin: at.epoch, at, first: None, out, narrow: None, entry }
    }

    /// Encodes entries that follow `at`, each with its epoch; `None` for none.
    #[must_use]
    pub fn run(framing: Framing, at: Position, entries: &[(Epoch, Entry)]) -> Option<Run> {
        let mut encoder = Self::new(framing, at);
        entries.iter().for_each(|(epoch, entry)| encoder.push(*epoch, entry));
        encoder.finish()
    }

    /// Adds the next entry, which was appended under `epoch`.
    pub fn push(&mut self, epoch: Epoch, entry: &Entry) {
        if epoch != self.at.epoch {
            let status = Status::new_epoch(epoch, self.at.seq).encode();
            self.put("status", Position { epoch, ..self.at }, &status);
        }
        self.at = Position { epoch, seq: entry.seq };
        self.first.get_or_insert(entry.seq);
        let mut payload = std::mem::take(&mut self.entry);
        payload.clear();
        outbound::put_entry(entry, &mut payload);
        self.put(entry.record.kind().as_str(), self.at, &payload);
        self.entry = payload;
    }

    /// Puts one frame, after which a reader is at `at`.
    fn put(&mut self, event: &str, at: Position, payload: &[u8]) {
        let id = (self.framing == Framing::EventStream).then(|| at.to_string());
        let before = self.out.len();
        let compressed = self.framing.encode(event, id.as_deref(), payload, &mut self.out);
        if compressed && !Window::NARROW.holds(payload.len()) {
            let narrow = self.narrow.get_or_insert_with(|| BytesMut::from(&self.out[..before]));
            Framing::WebSocket.encode(event, None, payload, narrow);
        } else if let Some(narrow) = &mut self.narrow {
            narrow.extend_from_slice(&self.out[before..]);
        }
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// What was added; `None` for nothing.
    #[must_use]
    pub fn finish(self) -> Option<Run> {
        let Self { begin, at: end, first, out, narrow, .. } = self;
        first.map(|first| Run {
            begin,
            end,
            first,
            bytes: out.freeze(),
            narrow: narrow.map(BytesMut::freeze),
        })
    }
}

/// A run for each framing that somebody listens in.
#[derive(Debug, Default)]
pub(super) struct Runs([Option<Run>; Framing::ALL.len()]);

impl Runs {
    /// The run for a framing; `None` when nobody listened in it as the run was begun.
    pub(super) fn get(&self, framing: Framing) -> Option<&Run> {
        self.0[framing as usize].as_ref()
    }

    /// The same run whatever the framing.
    #[cfg(feature = "sabotage")]
    pub(super) fn same(run: &Run) -> Self {
        Self(Framing::ALL.map(|_| Some(run.clone())))
    }
}

/// An encoder for each framing that somebody listens in.
#[derive(Debug, Default)]
pub(super) struct Encoders([Option<Encoder>; Framing::ALL.len()]);

impl Encoders {
    /// Adds the next entry, which comes after `before`, in the framings that are wanted.
    pub(super) fn push(
        &mut self,
        wanted: impl Fn(Framing) -> bool,
        before: Position,
        epoch: Epoch,
        entry: &Entry,
    ) {
        for framing in Framing::ALL.into_iter().filter(|framing| wanted(*framing)) {
            let encoder = self.0[framing as usize].get_or_insert_with(|| Encoder::new(framing, before));
            encoder.push(epoch, entry);
        }
    }

    /// Whether a buffer has reached so many bytes.
    pub(super) fn reach(&self, bytes: usize) -> bool {
        self.0.iter().flatten().any(|encoder| encoder.len() >= bytes)
    }

    /// What was added since this was asked last.
    pub(super) fn take(&mut self) -> Runs {
        Runs(std::mem::take(&mut self.0).map(|encoder| encoder.and_then(Encoder::finish)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{EntryKind, Record};
    use crate::model::time::ClusterMs;
    use crate::protocol::deflate;

    fn entry(seq: u64) -> Entry {
        long_entry(seq, 1)
    }

    fn long_entry(seq: u64, length: usize) -> Entry {
        let record =
            Record::new(EntryKind::Chat, None, None, &format!(r#"{{"text":"{}"}}"#, "x".repeat(length)));
        Entry { seq: Seq(seq), ts: ClusterMs(1), record }
    }

    /// The first bytes of the frames, and their payloads, inflated where they say so.
    fn read(mut bytes: &[u8]) -> (Vec<u8>, Vec<String>) {
        let (mut firsts, mut payloads) = (Vec::new(), Vec::new());
        while let [first, length, rest @ ..] = bytes {
            let (length, rest) = match *length {
                126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
                short => (usize::from(short), rest),
            };
            let (payload, rest) = rest.split_at(length);
            let payload = match first & 0x40 {
                0 => payload.to_vec(),
                _ => deflate::inflate(payload, 1 << 20).expect("a whole message"),
            };
            payloads.push(String::from_utf8(payload).expect("a text"));
            firsts.push(*first);
            bytes = rest;
        }
        (firsts, payloads)
    }

    #[test]
    fn a_reader_that_passes_an_epochs_beginning_is_told() {
        let (old, new) = (Epoch::new_random(), Epoch::new_random());
        let cursor = Position { epoch: old, seq: Seq(1) };
        let run =
            Encoder::run(Framing::EventStream, cursor, &[(old, entry(2)), (new, entry(3))]).expect("a run");
        assert_eq!((run.begin, run.first), (old, Seq(2)));
        let text = std::str::from_utf8(&run.bytes).unwrap();
        let data = format!(r#"{{"type":"status","data":{{"backend":"up","epoch":"{new}","head":2}}}}"#);
        let status = format!("event: status\nid: {new}:2\ndata: {data}\n");
        let (before, after) = text.split_once(&status).expect("the boundary is there");
        assert!(before.contains(r#""seq":2"#) && after.contains(r#""seq":3"#), "{text}");
        assert_eq!(run.end, Position { epoch: new, seq: Seq(3) });
    }

    #[test]
    fn long_entries_are_compressed_and_are_the_same_entries() {
        let epoch = Epoch::new_random();
        let before = Position { epoch, seq: Seq(4) };
        let entries: Vec<_> =
            [(5, 10), (6, 2000), (7, 10)].map(|(seq, size)| (epoch, long_entry(seq, size))).into();
        let plain = Encoder::run(Framing::WebSocket, before, &entries).expect("a run");
        let deflated = Encoder::run(Framing::Deflated, before, &entries).expect("a run");
        let ((firsts, said), (_, expected)) = (read(&deflated.bytes), read(&plain.bytes));
        assert_eq!((firsts, said), (vec![0x81, 0xc1, 0x81], expected));
        assert!(deflated.bytes.len() + 1500 < plain.bytes.len());
        assert!(deflated.narrow.is_none(), "a window of 4 KiB holds all of it");
        assert_eq!((deflated.begin, deflated.first, deflated.end), (plain.begin, plain.first, plain.end));
    }

    #[test]
    fn who_cannot_look_back_so_far_gets_the_longest_entries_plain() {
        let epoch = Epoch::new_random();
        let before = Position { epoch, seq: Seq(4) };
        let entries: Vec<_> = [(5, 2000), (6, 5000), (7, 2000), (8, 10)]
            .map(|(seq, size)| (epoch, long_entry(seq, size)))
            .into();
        let plain = Encoder::run(Framing::WebSocket, before, &entries).expect("a run");
        let run = Encoder::run(Framing::Deflated, before, &entries).expect("a run");
        let (narrow, expected) = (read(run.narrow.as_ref().expect("another run")), read(&plain.bytes).1);
        assert_eq!(narrow, (vec![0xc1, 0x81, 0xc1, 0x81], expected.clone()));
        assert_eq!(read(&run.bytes), (vec![0xc1, 0xc1, 0xc1, 0x81], expected));
    }

    #[test]
    fn each_framing_that_is_wanted_is_encoded_and_no_other() {
        let epoch = Epoch::new_random();
        let before = Position { epoch, seq: Seq(4) };
        let mut encoders = Encoders::default();
        encoders.push(|framing| framing == Framing::WebSocket, before, epoch, &entry(5));
        assert!(encoders.reach(1) && !encoders.reach(1 << 20));
        let runs = encoders.take();
        assert_eq!(runs.get(Framing::WebSocket).map(|run| (run.first, run.end.seq)), Some((Seq(5), Seq(5))));
        assert!(runs.get(Framing::EventStream).is_none());
        assert!(encoders.take().get(Framing::WebSocket).is_none(), "taken once");
    }
}
