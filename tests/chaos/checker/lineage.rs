//! Which numbers belong together. A log that lost its tail uses numbers again under a new epoch, and a log that lost nothing
//! goes on under a new epoch with the numbers it has; the lineage says which of the two it was.

use super::FinalLog;
use crate::happening::{Epoch, Position, Seq};

/// A log's epochs in order, each with the last number that the next one took over; the last one with its head.
#[derive(Default)]
pub struct Lineage(Vec<(Epoch, Seq)>);

impl Lineage {
    /// Of a final log; of none, nothing is known.
    pub fn of(log: Option<&FinalLog>) -> Self {
        let Some(log) = log else { return Lineage::default() };
        Lineage(log.lineage.iter().copied().chain([(log.epoch, log.head)]).collect())
    }

    fn index(&self, epoch: Epoch) -> Option<usize> {
        self.0.iter().rposition(|(known, _)| *known == epoch)
    }

    /// How far an epoch's numbers are the final log's own: a later restart can have lost more than the one that ended it.
    pub fn reach(&self, epoch: Epoch) -> Option<Seq> {
        self.0[self.index(epoch)?..].iter().map(|(_, last)| *last).min()
    }

    /// Whether the entry at a position is in the final log (or was, before it was trimmed). An unknown epoch says nothing.
    pub fn holds(&self, at: Position) -> Option<bool> {
        self.reach(at.epoch).map(|reach| at.seq <= reach)
    }

    /// The oldest epoch under which the same entry had the same number: what makes two positions one.
    pub fn origin(&self, at: Position) -> Position {
        let Some(mut index) = self.index(at.epoch) else { return at };
        while index > 0 && at.seq <= self.0[index - 1].1 {
            index -= 1;
        }
        Position { epoch: self.0[index].0, seq: at.seq }
    }

    /// Whether somebody at `from` misses nothing by going on in `to`. None when an epoch is unknown.
    pub fn continues(&self, from: Position, to: Epoch) -> Option<bool> {
        if from.epoch == to {
            return Some(true);
        }
        let (first, last) = (self.index(from.epoch)?, self.index(to)?);
        Some(first < last && self.0[first..last].iter().all(|(_, kept)| from.seq <= *kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(epoch: u128, seq: u64) -> Position {
        Position { epoch: Epoch(Uuid::from_u128(epoch)), seq: Seq(seq) }
    }

    /// Epoch 1 was cut after 8, epoch 2 after 5, epoch 3 is the last.
    fn lineage() -> Lineage {
        Lineage(vec![(at(1, 0).epoch, Seq(8)), (at(2, 0).epoch, Seq(5)), (at(3, 0).epoch, Seq(11))])
    }

    #[test]
    fn a_later_loss_shortens_an_earlier_branch() {
        let lineage = lineage();
        assert_eq!(lineage.reach(at(1, 0).epoch), Some(Seq(5)));
        assert_eq!(lineage.holds(at(1, 6)), Some(false));
        assert_eq!(lineage.holds(at(3, 11)), Some(true));
        assert_eq!(lineage.holds(at(9, 1)), None);
    }

    #[test]
    fn a_number_that_was_taken_over_is_one_and_one_used_again_is_another() {
        let lineage = lineage();
        assert_eq!(lineage.origin(at(3, 5)), at(1, 5));
        assert_eq!(lineage.origin(at(3, 6)), at(3, 6));
        assert_eq!(lineage.origin(at(2, 7)), at(1, 7), "lost later, and one entry all the same");
        assert_eq!(lineage.origin(at(2, 9)), at(2, 9));
    }

    #[test]
    fn going_on_is_judged_by_the_boundaries_on_the_way() {
        let lineage = lineage();
        assert_eq!(lineage.continues(at(1, 8), at(2, 0).epoch), Some(true));
        assert_eq!(lineage.continues(at(1, 8), at(3, 0).epoch), Some(false));
        assert_eq!(lineage.continues(at(3, 1), at(1, 0).epoch), Some(false), "never back");
        assert_eq!(lineage.continues(at(9, 1), at(1, 0).epoch), None);
    }
}
