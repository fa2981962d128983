//! What a session remembers of publishes, so that one sent again is recognised.
//!
//! Responsible for authors' own counts and for idempotency keys. Not responsible for what follows from a repetition (`publish`).
//! A count is one number for ever; where its entries are is remembered for the newest only, because a client keeps at most
//! 32 publishes unacked (`DELIVERY`, "Publishing").

use std::collections::{HashMap, VecDeque};

use crate::backend::log::{Dedup, IdempotencyKey};
use crate::model::entry::Seq;
use crate::model::id::ParticipantId;

/// Of how many publishes of each author the position is remembered: as many as a connection may have unacked.
pub(super) const POSITIONS_KEPT: usize = 32;

/// What a publish is, compared with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The next one.
    New,
    /// In the log already, there. A number older than the author's newest 32 gives the oldest place remembered.
    Before(Seq),
    /// Beyond the next one.
    Beyond {
        /// The author's last number, 0 for none.
        last_n: u64,
    },
}

/// Counts and keys of one session.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    /// By author; nobody counts like an author.
    counts: HashMap<Option<ParticipantId>, Count>,
    keys: HashMap<IdempotencyKey, Seq>,
}

/// One author's count.
#[derive(Debug, Clone, Default)]
struct Count {
    last_n: u64,
    /// Where the newest numbers are, the last one that of `last_n`.
    seqs: VecDeque<Seq>,
}

impl Repeats {
    /// Compares a publish with those before it. A number of 0, which no count has, is beyond.
    pub(super) fn seen(&self, author: Option<ParticipantId>, dedup: Dedup) -> Seen {
        match dedup {
            Dedup::None => Seen::New,
            Dedup::Key(key) => self.keys.get(&key).map_or(Seen::New, |seq| Seen::Before(*seq)),
            Dedup::Number(n) => {
                self.counts.get(&author).map_or(Count::default().seen(n), |count| count.seen(n))
            }
        }
    }

    /// Remembers where a new publish went.
    pub(super) fn remember(&mut self, author: Option<ParticipantId>, dedup: Dedup, seq: Seq) {
        match dedup {
            Dedup::None => {}
            Dedup::Number(n) => self.counts.entry(author).or_default().push(n, seq),
            Dedup::Key(key) => {
                self.keys.insert(key, seq);
            }
        }
    }

    /// The author's last number, 0 for none.
    pub(super) fn last_n(&self, author: ParticipantId) -> u64 {
        self.counts.get(&Some(author)).map_or(0, |count| count.last_n)
    }
}

impl Count {
    fn seen(&self, n: u64) -> Seen {
        if n == self.last_n + 1 {
            return Seen::New;
        }
        let place = |back: u64| {
            let back = usize::try_from(back).unwrap_or(usize::MAX);
            let at = self.seqs.len().saturating_sub(1).saturating_sub(back);
            self.seqs.get(at).copied()
        };
        let within = (1..=self.last_n).contains(&n).then(|| place(self.last_n - n)).flatten();
        within.map_or(Seen::Beyond { last_n: self.last_n }, Seen::Before)
    }

    fn push(&mut self, n: u64, seq: Seq) {
        self.last_n = n;
        self.seqs.push_back(seq);
        self.seqs.drain(..self.seqs.len().saturating_sub(POSITIONS_KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_remembers_its_newest_places_and_its_end_for_ever() {
        let author = Some(ParticipantId::new_random());
        let mut repeats = Repeats::default();
        for n in 1..=100 {
            assert_eq!(repeats.seen(author, Dedup::Number(n)), Seen::New);
            repeats.remember(author, Dedup::Number(n), Seq(n * 10));
        }
        assert_eq!(repeats.seen(author, Dedup::Number(100)), Seen::Before(Seq(1000)));
        assert_eq!(repeats.seen(author, Dedup::Number(69)), Seen::Before(Seq(690)));
        assert_eq!(
            repeats.seen(author, Dedup::Number(68)),
            Seen::Before(Seq(690)),
            "the oldest place remembered"
        );
        assert_eq!(repeats.seen(author, Dedup::Number(1)), Seen::Before(Seq(690)));
        assert_eq!(repeats.seen(author, Dedup::Number(102)), Seen::Beyond { last_n: 100 });
        assert_eq!(repeats.seen(author, Dedup::Number(0)), Seen::Beyond { last_n: 100 });
        assert_eq!(repeats.seen(None, Dedup::Number(1)), Seen::New, "nobody counts apart");
    }
}
