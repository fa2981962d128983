//! I8: every `reset`, and every `welcome` that did not recover, has something that allows it: a fault that may lose what the reader had
//! seen, or, for `trimmed`, a distance that retention does not promise to bridge.

use std::collections::HashMap;

use super::faults::needs_fault;
use super::ledger::{Connection, Ledger, Told};
use super::{Invariant, Terms, Verdict, Violation};
use crate::happening::{MonoUs, Participant, Position, Reason, Seq, What};

/// Where a reader was, and when they got there.
type Reached = (Position, MonoUs);

pub fn check(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        let mut last: HashMap<Participant, Reached> = HashMap::new();
        for connection in &told.connections {
            let judge = Judge { ledger, told, terms, connection };
            let before = last.get(&connection.who.participant).copied();
            if let Some(reached) = judge.walk(before, verdict) {
                last.insert(connection.who.participant, reached);
            }
        }
    }
}

struct Judge<'a> {
    ledger: &'a Ledger<'a>,
    told: &'a Told<'a>,
    terms: &'a Terms,
    connection: &'a Connection<'a>,
}

impl Judge<'_> {
    /// Walks a connection whose participant was at `before`; where they are at its end.
    fn walk(&self, before: Option<Reached>, verdict: &mut Verdict) -> Option<Reached> {
        let mut at = before;
        for line in &self.connection.lines {
            let now = line.mono_us;
            match &line.what {
                What::Welcome { epoch, head, reason, resumed_from, .. } => {
                    let reached = before.map_or(MonoUs::default(), |(_, reached)| reached);
                    let from = resumed_from.map(|from| (from, reached));
                    if let Some(reason) = reason.filter(|reason| *reason != Reason::Fresh) {
                        self.judge(reason, (from, *head, now), verdict);
                    }
                    // Who goes on from somewhere got there when they did, not now.
                    let recovered = from.filter(|_| reason.is_none());
                    at = Some(recovered.unwrap_or((Position { epoch: *epoch, seq: *head }, now)));
                }
                What::Reset { reason, epoch, head } => {
                    self.judge(*reason, (at, *head, now), verdict);
                    at = Some((Position { epoch: *epoch, seq: *head }, now));
                }
                What::Status { begins: Some(begins), .. } => at = Some((*begins, now)),
                What::Receive(entry) => at = Some((entry.at, now)),
                _ => {}
            }
        }
        at
    }

    fn judge(
        &self,
        reason: Reason,
        (from, head, now): (Option<Reached>, Seq, MonoUs),
        verdict: &mut Verdict,
    ) {
        *verdict.counts.resets.entry(reason).or_default() += 1;
        let excused = from.is_some_and(|(from, reached)| {
            if needs_fault(reason) {
                self.ledger.faults.iter().any(|fault| fault.excuses_reset(reached, now, self.terms))
            } else {
                head.0.saturating_sub(from.seq.0) >= self.terms.kept
            }
        });
        if excused {
            return;
        }
        let at = from.map_or_else(|| "nowhere".to_owned(), |(from, _)| from.seq.0.to_string());
        verdict.violations.push(Violation {
            invariant: Invariant::I8,
            detail: format!("a reader at {at} was told `{reason:?}`, and nothing allows it"),
            at: Some(now),
            session: Some(self.told.session),
            participant: Some(self.connection.who.participant),
        });
    }
}
