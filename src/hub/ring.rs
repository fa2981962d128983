//! A room's newest entries: what a resume and a slow reader are served from without asking Redis.

use std::collections::VecDeque;

use crate::model::entry::{Entry, Epoch, Position, Seq};

/// Entries kept. A resume after a second of network trouble in a busy room needs some hundreds.
pub const RING_ENTRIES: usize = 256;
/// Bytes of records kept, so that a room of large messages does not hold 16 MiB.
pub const RING_BYTES: usize = 1024 * 1024;

/// The newest entries of a room. Contiguous; empty after a reset.
#[derive(Debug, Default)]
pub struct Ring {
    items: VecDeque<(Epoch, Entry)>,
    bytes: usize,
    end: Option<Position>,
}

/// What the ring has for a listener.
#[derive(Debug)]
pub enum Pull {
    /// These entries come next, each with its epoch.
    Entries(Vec<(Epoch, Entry)>),
    /// The listener has everything.
    UpToDate,
    /// The log has to say: the next entry is older than the ring, or the ring cannot tell whether the listener saw what is before it.
    AskLog,
}

impl Ring {
    /// The room's position; `None` before it has one.
    #[must_use]
    pub fn end(&self) -> Option<Position> {
        self.end
    }

    /// Appends the entry after the last.
    pub(super) fn push(&mut self, epoch: Epoch, entry: Entry) {
        self.end = Some(Position { epoch, seq: entry.seq });
        self.bytes += entry.record.stored().len();
        self.items.push_back((epoch, entry));
        while self.items.len() > RING_ENTRIES || self.bytes > RING_BYTES {
            let Some((_, old)) = self.items.pop_front() else { break };
            self.bytes -= old.record.stored().len();
        }
    }

    /// Starts again at a position, holding nothing.
    pub(super) fn restart(&mut self, at: Position) {
        *self = Self { end: Some(at), ..Self::default() };
    }

    /// A new epoch began after the last entry.
    pub(super) fn adopt(&mut self, epoch: Epoch) {
        if let Some(end) = &mut self.end {
            end.epoch = epoch;
        }
    }

    /// The entries after `cursor` up to `last`: as many as reach `budget` bytes of records, and at least one. They are shared and not
    /// encoded here, because the shard waits for the ring's lock.
    #[must_use]
    pub fn after(&self, cursor: Position, budget: usize, last: Option<Seq>) -> Pull {
        let Some(end) = self.end else { return Pull::UpToDate };
        if !self.knows(cursor, end) {
            return Pull::AskLog;
        }
        if cursor.seq >= end.seq {
            return Pull::UpToDate;
        }
        let Some((_, oldest)) = self.items.front() else { return Pull::AskLog };
        if cursor.seq.next() < oldest.seq {
            return Pull::AskLog;
        }
        let skip = usize::try_from(cursor.seq.next().0 - oldest.seq.0).unwrap_or(usize::MAX);
        let mut bytes = 0;
        let mut wanted = |(_, entry): &(Epoch, Entry)| {
            let room = bytes < budget.max(1) && last.is_none_or(|last| entry.seq <= last);
            bytes += entry.record.stored().len();
            room
        };
        let told = self.told_until(cursor, end);
        let under = |(index, (epoch, entry)): (usize, &(Epoch, Entry))| {
            (if index < told { cursor.epoch } else { *epoch }, entry.clone())
        };
        let items = self.items.iter().enumerate().skip(skip);
        let entries: Vec<_> = items.take_while(|(_, item)| wanted(item)).map(under).collect();
        if entries.is_empty() { Pull::UpToDate } else { Pull::Entries(entries) }
    }

    /// Up to which item a listener at `cursor` has been told of the epoch, or of a later one: `welcome` names the newest, which all before it is
    /// part of, and nobody is sent back to an older one.
    fn told_until(&self, cursor: Position, end: Position) -> usize {
        let begins = self.items.iter().position(|(epoch, _)| *epoch == cursor.epoch);
        begins.unwrap_or(if cursor.epoch == end.epoch { self.items.len() } else { 0 })
    }

    /// Whether a cursor is on the past of this room. A number alone does not say so: after a lost tail it means another entry.
    fn knows(&self, cursor: Position, end: Position) -> bool {
        let under = |seq: Seq| {
            let (_, oldest) = self.items.front()?;
            let index = usize::try_from(seq.0.checked_sub(oldest.seq.0)?).ok()?;
            self.items.get(index).map(|(epoch, _)| *epoch)
        };
        // The second: it was told of the epoch that begins with the next entry.
        let of_an_entry =
            || [cursor.seq, cursor.seq.next()].into_iter().filter_map(under).any(|e| e == cursor.epoch);
        cursor.epoch == end.epoch || of_an_entry()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{EntryKind, Record};
    use crate::model::time::ClusterMs;

    fn entry(seq: u64) -> Entry {
        let record = Record::new(EntryKind::Chat, None, None, r#"{"text":"x"}"#);
        Entry { seq: Seq(seq), ts: ClusterMs(1), record }
    }

    fn ring(epoch: Epoch, entries: u64) -> Ring {
        let mut ring = Ring::default();
        ring.restart(Position { epoch, seq: Seq::ZERO });
        (1..=entries).for_each(|seq| ring.push(epoch, entry(seq)));
        ring
    }

    fn seqs(pull: Pull) -> Vec<u64> {
        let Pull::Entries(entries) = pull else { panic!("entries, not {pull:?}") };
        entries.iter().map(|(_, entry)| entry.seq.0).collect()
    }

    #[test]
    fn it_serves_what_it_holds_and_says_what_it_does_not() {
        let epoch = Epoch::new_random();
        let ring = ring(epoch, 300);
        let at = |seq| Position { epoch, seq: Seq(seq) };
        assert!(matches!(ring.after(at(300), 1, None), Pull::UpToDate));
        assert!(matches!(ring.after(at(301), 1, None), Pull::UpToDate));
        assert!(matches!(ring.after(at(43), 1, None), Pull::AskLog));
        assert_eq!(seqs(ring.after(at(44), usize::MAX, None)), (45..=300).collect::<Vec<_>>());
        assert_eq!(seqs(ring.after(at(44), 0, None)), [45], "at least one");
        let size = entry(1).record.stored().len();
        assert_eq!(
            seqs(ring.after(at(44), size + 1, None)),
            [45, 46],
            "with the one that reaches the budget"
        );
        let up_to = ring.after(at(44), usize::MAX, Some(Seq(50)));
        assert_eq!(
            seqs(up_to),
            [45, 46, 47, 48, 49, 50],
            "who is about to end gets nothing after its last entry"
        );
        assert!(matches!(ring.after(at(50), usize::MAX, Some(Seq(50))), Pull::UpToDate));
    }

    #[test]
    fn who_was_welcomed_to_the_newest_epoch_is_not_sent_back_to_an_older_one() {
        let (old, new) = (Epoch::new_random(), Epoch::new_random());
        let mut ring = ring(old, 5);
        ring.adopt(new);
        let under = |ring: &Ring, epoch, seq| {
            let cursor = Position { epoch, seq: Seq(seq) };
            let Pull::Entries(entries) = ring.after(cursor, usize::MAX, None) else { panic!("entries") };
            entries.into_iter().map(|(epoch, entry)| (epoch, entry.seq.0)).collect::<Vec<_>>()
        };
        // A resume from before the turn, welcomed after it: before anything was said under the new epoch, and when something was.
        assert_eq!(under(&ring, new, 3), [(new, 4), (new, 5)]);
        ring.push(new, entry(6));
        assert_eq!(under(&ring, new, 3), [(new, 4), (new, 5), (new, 6)]);
        assert_eq!(under(&ring, old, 4), [(old, 5), (new, 6)], "who was there is told where it begins");
    }

    #[test]
    fn a_number_of_another_epoch_is_for_the_log_to_judge() {
        let (lost, old, new) = (Epoch::new_random(), Epoch::new_random(), Epoch::new_random());
        let mut ring = ring(old, 5);
        let ask = |ring: &Ring, epoch, seq| ring.after(Position { epoch, seq: Seq(seq) }, usize::MAX, None);
        assert!(matches!(ask(&ring, lost, 3), Pull::AskLog), "it saw another third entry");
        assert!(matches!(ask(&ring, lost, 9), Pull::AskLog), "it is ahead, on a branch that is no more");
        assert!(matches!(ask(&ring, old, 9), Pull::UpToDate), "its join overtook the announcements");
        ring.adopt(new);
        ring.push(new, entry(6));
        assert!(matches!(ask(&ring, old, 5), Pull::Entries(_)));
        assert!(
            matches!(ask(&ring, new, 5), Pull::Entries(_)),
            "told of the epoch, not yet of its first entry"
        );
        assert!(matches!(ask(&ring, old, 6), Pull::AskLog), "it saw a sixth entry that was lost");
        assert!(
            matches!(ask(&ring, new, 2), Pull::Entries(_)),
            "the log of the newest epoch begins with older ones"
        );
    }
}
