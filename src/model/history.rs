//! May a reader at a position go on? The pure answer from what the log knows of its past.
//!
//! A log that lost its tail (a power cut, a failover) goes on under a new epoch and remembers, in its lineage, how far each
//! older epoch is still part of it. A reader within that is served; one beyond it saw entries that no longer exist.

use std::time::Duration;

use super::entry::{Epoch, Position, Seq};

/// How many older epochs a log remembers. Each stands for a restart or failover within a session's life.
pub const LINEAGE_KEPT: usize = 8;

/// What a log keeps: an entry is there while it is one of the newest `entries`, and while it is younger than `age`, unless the log takes
/// more than `bytes`: then the newest `entries` are all that is kept. Logs are trimmed in steps, so more may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The newest so many are kept however old they are.
    pub entries: usize,
    /// Younger ones are kept however many they are, so that a busy log covers the time somebody needs to come back.
    pub age: Duration,
    /// Bytes of one log, about, above which age keeps nothing: one flooded session must not fill the store.
    pub bytes: usize,
}

impl Retention {
    /// Keeps the newest so many, whatever their age.
    #[must_use]
    pub fn newest(entries: usize) -> Self {
        Self { entries, age: Duration::ZERO, bytes: usize::MAX }
    }
}

/// What a log knows of itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The branch it writes now.
    pub epoch: Epoch,
    /// The last entry's number; zero when there is none.
    pub head: Seq,
    /// The oldest entry it still holds; `head + 1` when it holds none.
    pub first: Seq,
    /// Older branches with the last number that survived of each, oldest first, at most [`LINEAGE_KEPT`].
    pub lineage: Vec<(Epoch, Seq)>,
}

/// Whether what a reader saw is a prefix of the log, and reachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuity {
    /// Every entry after the position can be read.
    Holds,
    /// The position is in this log's past, but entries after it have been trimmed.
    Trimmed,
    /// The reader saw entries that this log lost.
    Diverged,
    /// The epoch is none of this log's, or too old to be remembered.
    UnknownEpoch,
}

impl History {
    /// The position of the newest entry.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.head }
    }

    /// How far a branch is part of this log, if it is.
    #[must_use]
    pub fn reach(&self, epoch: Epoch) -> Option<Seq> {
        if epoch == self.epoch {
            return Some(self.head);
        }
        let from = self.lineage.iter().rposition(|(old, _)| *old == epoch)?;
        // A later restart may have lost more than the one that ended this branch.
        self.lineage.get(from..)?.iter().map(|(_, last)| *last).min()
    }

    /// Whether a reader at `position` can be continued without a gap.
    #[must_use]
    pub fn continuity(&self, position: Position) -> Continuity {
        match self.reach(position.epoch) {
            None => Continuity::UnknownEpoch,
            Some(reach) if position.seq > reach => Continuity::Diverged,
            Some(_) if position.seq.next() < self.first => Continuity::Trimmed,
            Some(_) => Continuity::Holds,
        }
    }

    /// The epoch under which a reader at `at` gets the next entry: the one they know, or a later one that begins there. Who was told of an epoch
    /// before they had all of its past is not sent back to an older one.
    #[must_use]
    pub fn epoch_of_next(&self, at: Position) -> Epoch {
        let age = |epoch: Epoch| self.lineage.iter().rposition(|(old, _)| *old == epoch);
        match self.epoch_after(at.seq) {
            Some(next)
                if at.epoch != self.epoch && age(next).is_none_or(|next| Some(next) > age(at.epoch)) =>
            {
                next
            }
            _ => at.epoch,
        }
    }

    /// The epoch that begins right after `seq`, if one does.
    fn epoch_after(&self, seq: Seq) -> Option<Epoch> {
        // Two restarts without an entry between them share a number: the newest one counts.
        let at = self.lineage.iter().rposition(|(_, last)| *last == seq)?;
        Some(self.lineage.get(at + 1).map_or(self.epoch, |(epoch, _)| *epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(head: u64, first: u64, lineage: &[(Epoch, u64)]) -> History {
        let lineage = lineage.iter().map(|(epoch, last)| (*epoch, Seq(*last))).collect();
        History { epoch: Epoch::new_random(), head: Seq(head), first: Seq(first), lineage }
    }

    #[test]
    fn a_lost_tail_is_seen_from_either_side() {
        let old = Epoch::new_random();
        // Ten entries were seen under `old`, five survived, six came after (Centrifugo's documented weakness).
        let log = history(11, 1, &[(old, 5)]);
        let at = |seq| log.continuity(Position { epoch: old, seq: Seq(seq) });
        assert_eq!(at(5), Continuity::Holds);
        assert_eq!(at(6), Continuity::Diverged);
        assert_eq!(at(10), Continuity::Diverged);
        assert_eq!(log.continuity(Position { epoch: log.epoch, seq: Seq(11) }), Continuity::Holds);
        assert_eq!(log.continuity(Position { epoch: log.epoch, seq: Seq(12) }), Continuity::Diverged);
    }

    #[test]
    fn a_trimmed_past_is_not_a_lost_one() {
        let log = history(2000, 1001, &[]);
        let at = |seq| log.continuity(Position { epoch: log.epoch, seq: Seq(seq) });
        assert_eq!(at(1000), Continuity::Holds);
        assert_eq!(at(999), Continuity::Trimmed);
    }

    #[test]
    fn strangers_are_unknown() {
        let log = history(3, 1, &[]);
        assert_eq!(
            log.continuity(Position { epoch: Epoch::new_random(), seq: Seq(0) }),
            Continuity::UnknownEpoch
        );
    }

    #[test]
    fn epochs_are_told_forwards_only() {
        let (a, b) = (Epoch::new_random(), Epoch::new_random());
        let log = history(9, 1, &[(a, 5), (b, 7)]);
        let next = |epoch, seq| log.epoch_of_next(Position { epoch, seq: Seq(seq) });
        assert_eq!([next(a, 4), next(a, 5), next(b, 7)], [a, b, log.epoch]);
        // Welcomed to a later epoch with some of its past still to come.
        assert_eq!([next(b, 5), next(b, 6)], [b, b]);
        assert_eq!([next(log.epoch, 5), next(log.epoch, 7)], [log.epoch, log.epoch]);
    }

    #[test]
    fn the_boundary_names_the_newest_epoch() {
        let (a, b) = (Epoch::new_random(), Epoch::new_random());
        let log = history(9, 1, &[(a, 5), (b, 5)]);
        assert_eq!(log.epoch_after(Seq(5)), Some(log.epoch));
        assert_eq!(log.epoch_after(Seq(6)), None);
        let log = history(9, 1, &[(a, 5), (b, 7)]);
        assert_eq!(log.epoch_after(Seq(5)), Some(b));
    }
}
