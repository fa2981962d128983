//! I3: between joins and resets, each connection sees contiguous numbers, and whoever is there at the end has seen all of them.
//!
//! A change of epoch is contiguous only where the lineage says that nothing was lost there. One breach is one hole: after it the
//! connection is judged from where it is.

use std::collections::HashMap;
use std::time::Duration;

use super::ledger::{Connection, Ledger, Told};
use super::{Invariant, Terms, Verdict, Violation};
use crate::happening::{Entry, Epoch, Happening, Participant, Position, Seq, WallMs, What};

/// How old an entry has to be when a run rests, before who has not got it counts as deaf: more than a probe and a repair take.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// What a connection that is judged needs besides its own lines.
struct Judge<'a> {
    told: &'a Told<'a>,
    /// Digests of the final log, to see that somebody holds an entry under an epoch that never had it.
    log: HashMap<Seq, &'a Entry>,
    /// The furthest each participant got so far, in order of time.
    reached: HashMap<Participant, Position>,
}

pub fn check(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        let log = told.log.iter().flat_map(|log| &log.entries).map(|entry| (entry.at.seq, entry)).collect();
        whole(told, verdict);
        let mut judge = Judge { told, log, reached: HashMap::new() };
        for connection in &told.connections {
            let at = judge.connection(connection, verdict);
            if let (Some(at), Some((mono, wall))) = (at, ledger.settled) {
                let is_open = connection.closed().is_none_or(|closed| closed > mono);
                let is_there = connection.welcomed().is_some_and(|welcomed| welcomed < mono);
                if is_open && is_there {
                    judge.rest(connection, at, WallMs(wall.0.saturating_sub(margin(terms))), verdict);
                }
            }
        }
    }
}

/// The final log is a reader too: it has no hole, and goes as far as it says.
fn whole(told: &Told<'_>, verdict: &mut Verdict) {
    let Some(log) = told.log else { return };
    let numbers: Vec<Seq> = log.entries.iter().map(|entry| entry.at.seq).collect();
    let hole = numbers.windows(2).find(|pair| pair[1].0 != pair[0].0 + 1).map(|pair| pair[0]);
    let last = numbers.last().copied().unwrap_or_default();
    let Some(after) = hole.or((last != log.head).then_some(last)) else { return };
    verdict.counts.silent_gaps += 1;
    verdict.violations.push(Violation {
        invariant: Invariant::I3,
        detail: format!("the final log has a hole after {}", after.0),
        at: None,
        session: Some(told.session),
        participant: None,
    });
}

fn margin(terms: &Terms) -> u64 {
    u64::try_from((ON_ITS_WAY + terms.slack).as_millis()).unwrap_or(u64::MAX)
}

impl Judge<'_> {
    /// Walks a connection; where it got to, if it was ever welcomed.
    fn connection(&mut self, connection: &Connection<'_>, verdict: &mut Verdict) -> Option<Position> {
        let mut at: Option<Position> = None;
        for line in &connection.lines {
            match &line.what {
                What::Welcome { epoch, head, recovered, resumed_from, .. } => {
                    let from = resumed_from.filter(|_| *recovered);
                    let start = Position { epoch: *epoch, seq: from.map_or(*head, |from| from.seq) };
                    let broken = from.and_then(|from| self.broken_resume(connection, from, *epoch, *head));
                    self.report(connection, line, broken, verdict);
                    at = Some(start);
                }
                What::Reset { epoch, head, .. } => at = Some(Position { epoch: *epoch, seq: *head }),
                What::Status { begins: Some(begins), .. } => {
                    let broken = at.and_then(|at| self.broken_turn(at, *begins));
                    self.report(connection, line, broken, verdict);
                    at = Some(*begins);
                }
                What::Receive(entry) => {
                    self.receive(connection, line, (at, entry), verdict);
                    at = Some(entry.at);
                }
                _ => {}
            }
            if let Some(at) = at {
                self.reached.insert(connection.who.participant, at);
            }
        }
        at
    }

    fn broken_resume(
        &self,
        connection: &Connection<'_>,
        from: Position,
        epoch: Epoch,
        head: Seq,
    ) -> Option<String> {
        if self.told.lineage.continues(from, epoch) == Some(false) {
            return Some(format!("recovered from {} over a break of history", from.seq.0));
        }
        if from.seq > head {
            return Some(format!("recovered from {}, beyond the head {}", from.seq.0, head.0));
        }
        let reached = self.reached.get(&connection.who.participant)?;
        (reached.epoch == from.epoch && from.seq > reached.seq)
            .then(|| format!("resumed from {}, though the last that came was {}", from.seq.0, reached.seq.0))
    }

    fn broken_turn(&self, at: Position, begins: Position) -> Option<String> {
        if begins.seq != at.seq {
            return Some(format!("at {}, an epoch began after {}", at.seq.0, begins.seq.0));
        }
        (self.told.lineage.continues(at, begins.epoch) == Some(false))
            .then(|| format!("an epoch that lacks what was seen up to {} began without a reset", at.seq.0))
    }

    fn receive(
        &self,
        connection: &Connection<'_>,
        line: &Happening,
        (at, entry): (Option<Position>, &Entry),
        verdict: &mut Verdict,
    ) {
        let (seq, epoch) = (entry.at.seq, entry.at.epoch);
        let broken = match at {
            None => Some(format!("entry {} came before `welcome`", seq.0)),
            Some(at) if seq.0 > at.seq.0 + 1 => {
                verdict.counts.silent_gaps += 1;
                Some(format!("{} follows {}", seq.0, at.seq.0))
            }
            Some(at) if seq <= at.seq => {
                verdict.counts.reordered += 1;
                Some(format!("{} follows {}", seq.0, at.seq.0))
            }
            Some(at) if epoch != at.epoch => Some(format!("entry {} is of an epoch nobody announced", seq.0)),
            Some(_) => self.hidden_break(entry),
        };
        self.report(connection, line, broken, verdict);
    }

    /// An entry of the final log, held under an epoch that was cut off before it: the reader passed the cut and was not told.
    fn hidden_break(&self, entry: &Entry) -> Option<String> {
        let is_cut = self.told.lineage.holds(entry.at) == Some(false);
        let is_same = self.log.get(&entry.at.seq).is_some_and(|kept| kept.frame == entry.frame);
        (is_cut && is_same)
            .then(|| format!("entry {} came after a break of history without a reset", entry.at.seq.0))
    }

    /// What a connection lacks that is open when the run rests.
    fn rest(&self, connection: &Connection<'_>, at: Position, before: WallMs, verdict: &mut Verdict) {
        let last = connection.lines.last();
        let Some(log) = self.told.log else {
            let detail = "the session is gone, and a connection of it was left hanging".to_owned();
            return self.report(connection, last.expect("it was welcomed"), Some(detail), verdict);
        };
        if self.told.lineage.holds(at) == Some(false) {
            let detail =
                format!("open at the end, at {} of a history the log lost, and was not told", at.seq.0);
            return self.report(connection, last.expect("it was welcomed"), Some(detail), verdict);
        }
        let due = log.entries.iter().rev().find(|entry| entry.ts < before).map(|entry| entry.at.seq);
        if let Some(due) = due.filter(|due| at.seq < *due) {
            verdict.counts.silent_gaps += 1;
            let detail = format!("open at the end, but got no further than {} of {}", at.seq.0, due.0);
            self.report(connection, last.expect("it was welcomed"), Some(detail), verdict);
        }
    }

    fn report(
        &self,
        connection: &Connection<'_>,
        line: &Happening,
        broken: Option<String>,
        verdict: &mut Verdict,
    ) {
        let Some(detail) = broken else { return };
        verdict.violations.push(Violation {
            invariant: Invariant::I3,
            detail: format!("connection {}: {detail}", connection.who.connection),
            at: Some(line.mono_us),
            session: Some(self.told.session),
            participant: Some(connection.who.participant),
        });
    }
}
