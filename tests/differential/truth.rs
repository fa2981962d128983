//! What really happened to a log, as an oracle for what it says of its past: which epoch each entry was written under, and what a reader at a
//! position had seen.
//!
//! Responsible for telling whether `History::continuity` answers rightly for every position ever shown: a reader may go on exactly if what
//! they saw is the beginning of what there is. It does not know lineages; it keeps whole pasts, which a sequence's length affords.

use std::collections::BTreeMap;

use watchparty::model::entry::{Epoch, Position, Seq};
use watchparty::model::history::{Continuity, History, LINEAGE_KEPT};

/// Under which epoch each entry was written, the first one first. Two entries of one number differ in it, as a lost tail is written again
/// under another epoch.
type Past = Vec<Epoch>;

/// Every past that was ever shown.
#[derive(Default)]
pub(crate) struct Truth {
    past: Past,
    /// The epochs that the log went through, without those that were lost.
    epochs: Vec<Epoch>,
    /// By epoch and number, what a reader there had seen.
    seen: BTreeMap<(String, Seq), (Position, Past)>,
}

impl Truth {
    /// The store went back to what this history tells.
    pub(crate) fn lost(&mut self, survived: Option<&History>) {
        let Some(history) = survived else {
            // The session itself is gone, and begins anew if it is created again.
            (self.past, self.epochs) = Default::default();
            return;
        };
        self.past.truncate(usize::try_from(history.head.0).expect("short"));
        let at = self.epochs.iter().position(|epoch| *epoch == history.epoch).expect("an epoch it had");
        self.epochs.truncate(at + 1);
    }

    /// The log is now as this history tells; entries that are new were written under its epoch.
    pub(crate) fn goes_on(&mut self, history: &History) {
        if self.epochs.last() != Some(&history.epoch) {
            self.epochs.push(history.epoch);
        }
        let known = self.past.len() as u64;
        for seq in known..=history.head.0 {
            if seq > known {
                self.past.push(history.epoch);
            }
            let at = Position { epoch: history.epoch, seq: Seq(seq) };
            self.seen.entry((at.epoch.to_string(), at.seq)).or_insert_with(|| (at, self.past.clone()));
        }
    }

    /// Asks the history about every position ever shown.
    pub(crate) fn holds_for(&self, history: &History) -> Result<(), String> {
        for (at, past) in self.seen.values() {
            let known = self.epochs.iter().rev().take(LINEAGE_KEPT + 1).any(|epoch| *epoch == at.epoch);
            let expected = match (known, self.past.starts_with(past)) {
                (false, _) => Continuity::UnknownEpoch,
                (true, false) => Continuity::Diverged,
                (true, true) if at.seq.next() < history.first => Continuity::Trimmed,
                (true, true) => Continuity::Holds,
            };
            let told = history.continuity(*at);
            if told != expected {
                return Err(format!(
                    "a reader at {at} is told {told:?}, not {expected:?}: they saw {past:?}, there is {:?}, and {history:?}",
                    self.past
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(epoch: Epoch, head: u64, lineage: &[(Epoch, u64)]) -> History {
        let lineage = lineage.iter().map(|(epoch, last)| (*epoch, Seq(*last))).collect();
        History { epoch, head: Seq(head), first: Seq(1), lineage }
    }

    #[test]
    fn a_past_that_is_told_wrong_is_seen() {
        let (old, new) = (Epoch::new_random(), Epoch::new_random());
        let mut truth = Truth::default();
        truth.goes_on(&told(old, 10, &[]));
        truth.lost(Some(&told(old, 5, &[])));
        truth.goes_on(&told(new, 12, &[(old, 5)]));
        truth.holds_for(&told(new, 12, &[(old, 5)])).unwrap();
        let wrong = [
            ("five entries that were lost count as seen", told(new, 12, &[(old, 10)])),
            ("two that are there count as lost", told(new, 12, &[(old, 3)])),
            ("the old epoch is forgotten at once", told(new, 12, &[])),
            ("nothing happened", told(old, 12, &[])),
        ];
        for (what, history) in wrong {
            assert!(truth.holds_for(&history).is_err(), "{what}");
        }
    }
}
