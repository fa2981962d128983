//! What a row saw by itself, beside what the checker judges: remarks for the table, findings against the row, and whether it was played at all.
//!
//! A row whose fault did not happen has shown nothing, however green the checker is: [`Seen::must_have_happened`] is how every row says by what it
//! knows that its fault did. Nothing is waited for here, and no invariant is judged.

use crate::checker::Counts;

/// Of one row.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// What no invariant speaks of, for the table.
    pub(crate) remarks: Vec<String>,
    /// What is wrong: one of them, and the row does not hold.
    pub(crate) findings: Vec<String>,
    /// Nothing was broken, as this machine does not let it be: the row neither holds nor fails.
    pub(crate) skipped: bool,
}

/// What a row can only see when everything is counted.
pub(crate) type Afterwards = fn(&mut Seen, &Counts);

impl Seen {
    /// `count` of `what` came of the fault; with none of them there was no fault. One is enough: how many depends on the machine.
    pub(crate) fn must_have_happened(&mut self, what: &str, count: usize) {
        self.remarks.push(format!("{count} {what}"));
        if count == 0 {
            self.findings.push(format!("the fault did not happen: {count} {what}"));
        }
    }
}

/// F17: acked entries went with the end of the file. All publishers of the row live on and hold more than the cut can take, so everything
/// they were told is lost is in the log again (`DELIVERY`, promise 4).
pub(super) const LOST_AND_SENT_AGAIN: Afterwards = |seen, counts| {
    let lost = usize::try_from(counts.lost + counts.told_lost).unwrap_or(usize::MAX);
    seen.must_have_happened("acked entries lost", lost);
    if counts.sent_again != counts.told_lost {
        let (again, told) = (counts.sent_again, counts.told_lost);
        seen.findings.push(format!(
            "{again} of {told} acked entries whose loss was told are in the log again, and every publisher lives"
        ));
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    fn after_f17(lost: u64, told_lost: u64, sent_again: u64) -> Vec<String> {
        let mut seen = Seen::default();
        LOST_AND_SENT_AGAIN(&mut seen, &Counts { lost, told_lost, sent_again, ..Counts::default() });
        seen.findings
    }

    #[test]
    fn a_fault_that_did_not_happen_is_a_finding() {
        let mut seen = Seen::default();
        seen.must_have_happened("kicked", 1);
        assert!(seen.findings.is_empty(), "{seen:?}");
        seen.must_have_happened("kicked", 0);
        assert_eq!(seen.findings, ["the fault did not happen: 0 kicked"]);
        assert_eq!(seen.remarks, ["1 kicked", "0 kicked"]);
    }

    #[test]
    fn a_tail_without_acked_entries_shows_nothing() {
        assert_eq!(after_f17(0, 0, 0), ["the fault did not happen: 0 acked entries lost"]);
    }

    #[test]
    fn what_was_told_lost_has_to_be_sent_again() {
        assert!(after_f17(0, 3, 3).is_empty());
        let findings = after_f17(0, 3, 2);
        assert!(findings.len() == 1 && findings[0].starts_with("2 of 3 acked entries"), "{findings:?}");
    }
}
