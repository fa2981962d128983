//! I5: an author's numbers rise in the order of the log, in the final one and in what each connection saw between two beginnings.
//!
//! Only the first of two entries with the same number counts: that there is a second one is I1's or I7's matter, and on a connection I3's.

use std::collections::{HashMap, HashSet};

use super::ledger::{Ledger, Told};
use super::{Invariant, Verdict, Violation};
use crate::happening::{Entry, MonoUs, Participant, What};

/// What one reader has seen so far.
#[derive(Default)]
struct Seen {
    highest: HashMap<Participant, u64>,
    numbers: HashSet<(Participant, u64)>,
}

impl Seen {
    /// The highest number before, when this entry's is a lower one that was not there yet.
    fn goes_back(&mut self, entry: &Entry) -> Option<u64> {
        let (author, n) = (entry.author?, entry.n?);
        if !self.numbers.insert((author, n)) {
            return None;
        }
        let highest = self.highest.entry(author).or_insert(n);
        let before = *highest;
        *highest = before.max(n);
        (n < before).then_some(before)
    }
}

pub fn check(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        let mut seen = Seen::default();
        for entry in told.log.iter().flat_map(|log| &log.entries) {
            report(told, &mut seen, (entry, None), verdict);
        }
        for connection in &told.connections {
            let mut seen = Seen::default();
            for line in &connection.lines {
                match &line.what {
                    What::Welcome { .. } | What::Reset { .. } => seen = Seen::default(),
                    What::Receive(entry) => report(told, &mut seen, (entry, Some(line.mono_us)), verdict),
                    _ => {}
                }
            }
        }
    }
}

fn report(told: &Told<'_>, seen: &mut Seen, (entry, at): (&Entry, Option<MonoUs>), verdict: &mut Verdict) {
    let Some(before) = seen.goes_back(entry) else { return };
    verdict.counts.reordered += 1;
    verdict.violations.push(Violation {
        invariant: Invariant::I5,
        detail: format!("number {} at {} comes after {before}", entry.n.unwrap_or_default(), entry.at.seq.0),
        at,
        session: Some(told.session),
        participant: entry.author,
    });
}
