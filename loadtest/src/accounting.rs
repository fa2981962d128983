//! What one receiver got, exactly: how much is missing, how much came twice, how much out of order, how much was never sent.
//!
//! Responsible for two kinds of rows of numbers per receiver, the log's `seq` and each author's `n`. Pure, so that its verdicts can be
//! tested; a load test that miscounts is worse than none. Not responsible for when things came (`histogram`).
//!
//! A lost entry shows in both rows, in the log's and in its author's, so of the two sums the larger counts, never both.

use std::collections::BTreeSet;

/// Holes remembered for one row. Beyond it a receiver is broken anyway, and counting goes on without telling late from repeated.
const HOLES_MAX: usize = 100_000;

/// One row of numbers that should come as 1 more each time.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    highest: u64,
    holes: BTreeSet<u64>,
    /// Came, but after a higher one.
    pub(crate) reordered: u64,
    /// Came before.
    pub(crate) duplicated: u64,
    /// Came for the first time.
    pub(crate) taken: u64,
    /// Leaps over numbers that had not come.
    pub(crate) gaps: u64,
}

impl Row {
    /// A row of which everything up to `from` is the past.
    pub(crate) fn after(from: u64) -> Self {
        Self { highest: from, holes: BTreeSet::new(), reordered: 0, duplicated: 0, taken: 0, gaps: 0 }
    }

    /// The next number came; whether for the first time.
    pub(crate) fn take(&mut self, number: u64) -> bool {
        if number > self.highest {
            if number > self.highest + 1 {
                self.gaps += 1;
                let room = HOLES_MAX - self.holes.len().min(HOLES_MAX);
                self.holes.extend((self.highest + 1..number).take(room));
            }
            self.highest = number;
        } else if self.holes.remove(&number) {
            self.reordered += 1;
        } else {
            self.duplicated += 1;
            return false;
        }
        self.taken += 1;
        true
    }

    /// The row goes on after `from`, and what is missing until there was told to be.
    pub(crate) fn leap(&mut self, from: u64) {
        self.holes.clear();
        self.highest = from;
    }

    /// The highest number that came.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether a number came, or is the past.
    pub(crate) fn has(&self, number: u64) -> bool {
        number <= self.highest && !self.holes.contains(&number)
    }

    /// Numbers that have not come, if `last` was the last.
    pub(crate) fn missing(&self, last: u64) -> u64 {
        self.holes.len() as u64 + last.saturating_sub(self.highest)
    }

    /// Numbers above the last that was sent: nobody can have said them.
    pub(crate) fn phantom(&self, last: u64) -> u64 {
        self.highest.saturating_sub(last)
    }
}

/// What receivers did not get right. All zero is the promise kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Acked and never received.
    pub(crate) missing: u64,
    /// Received more than once.
    pub(crate) duplicated: u64,
    /// Received after a later one.
    pub(crate) reordered: u64,
    /// Received and never sent.
    pub(crate) phantom: u64,
    /// `reset` frames.
    pub(crate) resets: u64,
}

impl Faults {
    /// Adds what a row shows when `last` was the last number.
    pub(crate) fn add(&mut self, row: &Row, last: u64) {
        self.missing += row.missing(last);
        self.duplicated += row.duplicated;
        self.reordered += row.reordered;
        self.phantom += row.phantom(last);
    }

    /// Adds what another receiver found.
    pub(crate) fn sum(&mut self, other: Self) {
        self.missing += other.missing;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.phantom += other.phantom;
        self.resets += other.resets;
    }

    /// Of two looks at the same receiver, the worse of each.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        Self {
            missing: self.missing.max(other.missing),
            duplicated: self.duplicated.max(other.duplicated),
            reordered: self.reordered.max(other.reordered),
            phantom: self.phantom.max(other.phantom),
            resets: self.resets.max(other.resets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(from: u64, numbers: &[u64], last: u64) -> Faults {
        let mut row = Row::after(from);
        numbers.iter().for_each(|number| {
            row.take(*number);
        });
        let mut faults = Faults::default();
        faults.add(&row, last);
        faults
    }

    #[test]
    fn a_whole_row_has_no_fault() {
        assert_eq!(faults(3, &[4, 5, 6], 6), Faults::default());
        assert_eq!(faults(0, &[], 0), Faults::default());
    }

    #[test]
    fn each_fault_is_counted_as_what_it_is_and_once() {
        assert_eq!(faults(0, &[1, 2, 5], 5), Faults { missing: 2, ..Faults::default() });
        assert_eq!(faults(0, &[1, 2], 5), Faults { missing: 3, ..Faults::default() });
        assert_eq!(faults(0, &[], 5), Faults { missing: 5, ..Faults::default() });
        assert_eq!(faults(0, &[1, 3, 2], 3), Faults { reordered: 1, ..Faults::default() });
        assert_eq!(faults(0, &[1, 2, 2, 3], 3), Faults { duplicated: 1, ..Faults::default() });
        assert_eq!(faults(0, &[1, 3, 2, 2], 3), Faults { reordered: 1, duplicated: 1, ..Faults::default() });
        assert_eq!(faults(2, &[1, 2, 3], 3), Faults { duplicated: 2, ..Faults::default() }, "the past again");
        assert_eq!(faults(0, &[1, 2, 3], 2), Faults { phantom: 1, ..Faults::default() });
    }

    #[test]
    fn a_leap_does_not_fill_memory() {
        let mut row = Row::after(0);
        assert!(row.take(u64::MAX / 2));
        assert_eq!((row.holes.len(), row.gaps), (HOLES_MAX, 1));
    }

    #[test]
    fn a_told_leap_is_no_loss() {
        let mut row = Row::after(0);
        row.take(3);
        row.leap(10);
        assert!(row.take(11) && !row.take(11));
        assert_eq!([row.has(11), row.has(12)], [true, false]);
        assert_eq!((row.missing(11), row.duplicated, row.taken, row.gaps), (0, 1, 2, 1));
    }

    #[test]
    fn of_two_looks_the_worse_counts_and_sums_add() {
        let one = Faults { missing: 2, duplicated: 1, ..Faults::default() };
        let other = Faults { missing: 1, reordered: 4, ..Faults::default() };
        let worse = Faults { missing: 2, duplicated: 1, reordered: 4, ..Faults::default() };
        assert_eq!(one.or_worse(other), worse);
        let mut sum = one;
        sum.sum(other);
        assert_eq!(sum, Faults { missing: 3, duplicated: 1, reordered: 4, ..Faults::default() });
    }

    #[test]
    fn any_shuffle_with_losses_and_repetitions_adds_up() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let last = random.u64(1..60);
            let mut numbers: Vec<u64> = (1..=last).filter(|_| random.u8(..) > 40).collect();
            let kept = numbers.len() as u64;
            let twice: Vec<u64> = numbers.iter().copied().filter(|_| random.u8(..) > 220).collect();
            numbers.extend(&twice);
            random.shuffle(&mut numbers);
            let faults = faults(0, &numbers, last);
            assert_eq!((faults.missing, faults.duplicated), (last - kept, twice.len() as u64), "{numbers:?}");
            // In order at least until the first that is lower than one before it.
            let sorted = numbers.is_sorted_by(|a, b| a <= b);
            assert!(!sorted || faults.reordered == 0, "{numbers:?}");
        }
    }
}
