//! I1 and I7: what became of each operation. An acked one is in the final log once, at the place the ack named; one whose outcome nobody
//! knew is there at most once; one that was refused every time is not there.
//!
//! Loss is excused by a fault at its level, and then only if somebody was told: the author by a `gap` or by the `last_n` of a `welcome`,
//! or a reader by a `reset`. A gateway that takes an ack back without such a fault has broken its word, even if the author sends again.

use std::collections::HashMap;

use super::faults::needs_fault;
use super::ledger::{Ledger, Operation, Told};
use super::{Invariant, Terms, Verdict, Violation};
use crate::happening::{Digest, Entry, MonoUs, Participant, Position, Repetition, Seq, What};

/// A session's operations, and what the judgement of each needs.
struct Judge<'a> {
    ledger: &'a Ledger<'a>,
    told: &'a Told<'a>,
    terms: &'a Terms,
    /// Where the final log has each numbered message, and each keyed one by what it says.
    numbered: HashMap<(Participant, u64), Vec<Seq>>,
    keyed: HashMap<(Participant, Digest), Vec<Seq>>,
    by_seq: HashMap<Seq, &'a Entry>,
    /// For each author: what they were told of their last number, and since when it counts.
    last_n: HashMap<Participant, Vec<(MonoUs, u64)>>,
    /// When somebody in the session was told that history broke, or that there is no session any more.
    breaks: Vec<MonoUs>,
}

pub fn check(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        let judge = Judge::new(ledger, told, terms);
        for ((author, op), operation) in &told.operations {
            judge.operation(*author, *op, operation, verdict);
        }
    }
}

impl<'a> Judge<'a> {
    fn new(ledger: &'a Ledger<'a>, told: &'a Told<'a>, terms: &'a Terms) -> Self {
        let mut judge = Judge {
            ledger,
            told,
            terms,
            numbered: HashMap::new(),
            keyed: HashMap::new(),
            by_seq: HashMap::new(),
            last_n: HashMap::new(),
            breaks: Vec::new(),
        };
        for entry in told.log.iter().flat_map(|log| &log.entries) {
            judge.by_seq.insert(entry.at.seq, entry);
            match (entry.author, entry.n, entry.payload) {
                (Some(author), Some(n), _) => {
                    judge.numbered.entry((author, n)).or_default().push(entry.at.seq)
                }
                (Some(author), None, Some(payload)) => {
                    judge.keyed.entry((author, payload)).or_default().push(entry.at.seq);
                }
                _ => {}
            }
        }
        judge.hear();
        judge
    }

    /// Collects what the session's people were told of losses.
    fn hear(&mut self) {
        for ((author, _), operation) in &self.told.operations {
            self.last_n.entry(*author).or_default().extend(operation.gap);
        }
        for connection in &self.told.connections {
            let opened = connection.lines.first().map_or(MonoUs::default(), |line| line.mono_us);
            for line in &connection.lines {
                match &line.what {
                    What::Welcome { last_n, reason, .. } => {
                        let author = connection.who.participant;
                        self.last_n.entry(author).or_default().push((opened, *last_n));
                        self.breaks
                            .extend(reason.filter(|reason| needs_fault(*reason)).map(|_| line.mono_us));
                    }
                    What::Reset { reason, .. } if needs_fault(*reason) => self.breaks.push(line.mono_us),
                    What::Closed { code: Some(4404), .. } => self.breaks.push(line.mono_us),
                    _ => {}
                }
            }
        }
    }

    fn places(&self, author: Participant, op: Repetition, operation: &Operation) -> Vec<Seq> {
        match op {
            Repetition::N(n) => self.numbered.get(&(author, n)).cloned().unwrap_or_default(),
            Repetition::Key(_) => {
                let mut payloads: Vec<Digest> =
                    operation.sends.iter().filter_map(|(.., payload)| *payload).collect();
                payloads.sort_unstable();
                payloads.dedup();
                payloads
                    .iter()
                    .filter_map(|payload| self.keyed.get(&(author, *payload)))
                    .flatten()
                    .copied()
                    .collect()
            }
        }
    }

    fn operation(&self, author: Participant, op: Repetition, operation: &Operation, verdict: &mut Verdict) {
        let places = self.places(author, op, operation);
        let Some((acked, ..)) = operation.acks.first().copied() else {
            return self.unacked(author, op, operation, &places, verdict);
        };
        verdict.counts.acked += 1;
        if places.len() > 1 {
            verdict.counts.duplicated += places.len() as u64 - 1;
            let detail = format!("{op:?} was acked and is in the log {} times: {places:?}", places.len());
            return self.breach(Invariant::I1, (author, acked), detail, verdict);
        }
        let excused = self.ledger.faults.iter().any(|fault| fault.excuses_loss_of(acked, self.terms));
        let taken_back = self.taken_back(author, op, acked);
        let Some(place) = places.first() else {
            return self.missing(author, (op, operation), (excused, taken_back), verdict);
        };
        if taken_back && excused {
            verdict.counts.told_lost += 1;
            verdict.counts.sent_again += 1;
        } else if taken_back {
            let detail = format!("{op:?} was acked, and then its author was told that it never came");
            self.breach(Invariant::I1, (author, acked), detail, verdict);
        } else if let Some(named) = self.misplaced(operation, *place).filter(|_| !excused) {
            let detail = format!("{op:?} was acked at {}, where the log has something else", named.seq.0);
            self.breach(Invariant::I1, (author, acked), detail, verdict);
        }
    }

    /// An acked operation that the final log does not have.
    fn missing(
        &self,
        author: Participant,
        (op, operation): (Repetition, &Operation),
        (excused, taken_back): (bool, bool),
        verdict: &mut Verdict,
    ) {
        let acked = operation.acks[0].0;
        let oldest = self.told.log.and_then(|log| log.entries.first()).map_or(Seq(1), |entry| entry.at.seq);
        if operation
            .acks
            .iter()
            .all(|(_, at, _)| at.seq < oldest && self.told.lineage.holds(*at) == Some(true))
        {
            verdict.counts.unverifiable += 1;
            return;
        }
        let survived = operation.acks.iter().any(|(_, at, _)| self.told.lineage.holds(*at) == Some(true));
        let is_told = taken_back || self.breaks.iter().any(|told| *told >= acked);
        if excused && is_told && !survived {
            verdict.counts.told_lost += 1;
            return;
        }
        verdict.counts.lost += 1;
        let why = match (excused, survived) {
            (_, true) => "though the log goes that far",
            (true, false) => "and nobody was told",
            (false, false) => "and no fault excuses it",
        };
        let detail =
            format!("{op:?} was acked at {} and is not in the log, {why}", operation.acks[0].1.seq.0);
        self.breach(Invariant::I1, (author, acked), detail, verdict);
    }

    /// Whether the author was told, by an answer to something later, that the log does not reach to this number.
    fn taken_back(&self, author: Participant, op: Repetition, acked: MonoUs) -> bool {
        let Repetition::N(n) = op else { return false };
        let heard = self.last_n.get(&author);
        heard.is_some_and(|heard| heard.iter().any(|(since, last)| *since > acked && *last < n))
    }

    /// The place of an ack that holds something else. Of a duplicate the place may be an older one.
    fn misplaced(&self, operation: &Operation, place: Seq) -> Option<Position> {
        let plain = operation.acks.iter().filter(|(.., duplicate)| !duplicate);
        let mut named = plain.map(|(_, at, _)| *at);
        named.find(|at| at.seq != place || self.told.lineage.holds(*at) == Some(false))
    }

    fn unacked(
        &self,
        author: Participant,
        op: Repetition,
        operation: &Operation,
        places: &[Seq],
        verdict: &mut Verdict,
    ) {
        let sent = operation.sends.first().map_or(MonoUs::default(), |(sent, ..)| *sent);
        if places.len() > 1 {
            verdict.counts.duplicated += places.len() as u64 - 1;
            let detail =
                format!("the outcome of {op:?} was unknown, and it is in the log {} times", places.len());
            self.breach(Invariant::I7, (author, sent), detail, verdict);
        } else if !places.is_empty() && operation.refusals == operation.sends.len() {
            let detail = format!("{op:?} was refused each time it was sent, and is in the log");
            self.breach(Invariant::I7, (author, sent), detail, verdict);
        }
    }

    fn breach(
        &self,
        invariant: Invariant,
        about: (Participant, MonoUs),
        detail: String,
        verdict: &mut Verdict,
    ) {
        let (participant, at) = about;
        let session = Some(self.told.session);
        let violation =
            Violation { invariant, detail, at: Some(at), session, participant: Some(participant) };
        verdict.violations.push(violation);
    }
}
