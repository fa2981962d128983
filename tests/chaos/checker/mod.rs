//! The offline checker: was the promise kept? A pure function of a run's history and of the logs as they were read at its end.
//!
//! It knows nothing of the gateway's code and asks nobody: a run can be judged again from its files. Each invariant of FAULTS section 2 lives in
//! one file of its group; `ledger` puts the history in the order they read it; `lineage` says which numbers belong together;
//! `faults` says what each fault excuses. Level and fault excuse loss and resets only: nothing excuses silence.
#![allow(unreachable_pub, reason = "visibility ends at the test binary")]

mod callback;
mod continuity;
mod faults;
mod ghosts;
mod ledger;
mod lineage;
mod nodes;
mod operations;
mod order;
mod origin;
mod resets;
mod sameness;
mod seats;
#[cfg(test)]
mod tests;
mod timing;

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::Ledger;

use crate::happening::{Entry, Epoch, Happening, MonoUs, Participant, Reason, Seq, Session};

/// What an ack survives, weakest first; `welcome.durability`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Memory,
    Aof,
    Fsync,
    Replicated,
}

/// What the run was set up with, so that no bound is guessed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub level: Level,
    /// `PARTICIPANT_LEASE`
    pub lease: Duration,
    /// After which a silent connection is given up: ping interval and pong timeout.
    pub silence: Duration,
    /// Entries that can be resumed at least.
    pub kept: u64,
    /// Bytes a slow connection's outbox may hold, with the one buffer by which it may be exceeded.
    pub outbox_bytes: u64,
    /// Bytes any other connection's outbox may hold in passing.
    pub passing_bytes: u64,
    /// Bytes a node may grow by beyond its outboxes, from its first sample on.
    pub growth_bytes: u64,
    /// What every deadline grows by on this machine, measured before the run.
    pub slack: Duration,
}

/// A session's log when the run was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalLog {
    /// The epoch it was read under.
    pub epoch: Epoch,
    /// Its last number; 0 when it is empty.
    pub head: Seq,
    /// Older epochs, oldest first, each with the last number that the next one took over. A later loss is not worked into it: who went on
    /// from 8 when everything was there did no wrong, even if 8 was lost afterwards.
    pub lineage: Vec<(Epoch, Seq)>,
    /// What it still holds, in its order.
    pub entries: Vec<Entry>,
    /// Who was host before the first entry, and how many may sit.
    pub host: Participant,
    pub max_participants: u32,
}

/// Every session's log; none for a session that is not there any more.
pub type FinalLogs = BTreeMap<Session, Option<FinalLog>>;

/// The rules of FAULTS section 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// An acked operation is exactly once in the final log, or was told lost where that is allowed.
    I1,
    /// Same lineage and seq, same bytes.
    I2,
    /// Between joins and resets, each connection sees contiguous numbers.
    I3,
    /// No (participant, n) twice at the callback.
    I4,
    /// n rises per participant, in log order.
    I5,
    /// Nothing is received that was never sent.
    I6,
    /// An operation with unknown outcome occurs zero times or once.
    I7,
    /// Every reset has a fault that allows it.
    I8,
    /// Capacity, and exactly one host.
    I9,
    /// Nobody is listed long after their death.
    I10,
    /// Who was kicked receives nothing after.
    I11,
    /// Memory of slow connections is bounded.
    I12,
    /// Readiness tells the truth.
    I13,
}

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub invariant: Invariant,
    /// One sentence for a person.
    pub detail: String,
    /// When; none for what only the final log shows.
    pub at: Option<MonoUs>,
    pub session: Option<Session>,
    pub participant: Option<Participant>,
}

/// Durations of one kind, sorted when the verdict is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread(pub Vec<Duration>);

impl Spread {
    /// The value that `share` (0 to 1) of them do not exceed; none without any.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.0.len() as f64).ceil().max(1.0) as usize;
        self.0.get(rank - 1).copied()
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }
}

/// What the table of a run shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations that were acked.
    pub acked: u64,
    /// Of those: not in the final log, and nobody was told.
    pub lost: u64,
    /// Of those: somebody was told that the log lost them; `sent_again` of them are there all the same.
    pub told_lost: u64,
    pub sent_again: u64,
    /// Entries of an operation beyond its first, in the final log or at a callback.
    pub duplicated: u64,
    /// Numbers that went back, in a log or on a connection.
    pub reordered: u64,
    /// Holes without a `reset`.
    pub silent_gaps: u64,
    /// Entries nobody sent.
    pub phantoms: u64,
    /// `reset`, and `welcome` that did not recover, by reason.
    pub resets: BTreeMap<Reason, u64>,
    /// From the beginning of a fault to the first sign of it: `status` degraded, or a readiness that is not 200.
    pub notice: Spread,
    /// From the end of a fault to the first entry, for each participant it hit.
    pub heal: Spread,
    /// From the end of a connection to the next `welcome` of its participant.
    pub resume: Spread,
    /// How long the dead were listed at most.
    pub ghost: Duration,
    /// Acked operations whose place had been trimmed when the log was read: they prove nothing, so a run should have none.
    pub unverifiable: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    pub counts: Counts,
}

/// Judges a run. `history` may come from many files: it is put in the order of its clock first, lines of one instant stay as they are.
pub fn check(history: &[Happening], logs: &FinalLogs, terms: &Terms) -> Verdict {
    let ledger = Ledger::new(history, logs);
    let mut verdict = Verdict::default();
    operations::check(&ledger, terms, &mut verdict);
    sameness::check(&ledger, &mut verdict);
    continuity::check(&ledger, terms, &mut verdict);
    callback::check(&ledger, &mut verdict);
    order::check(&ledger, &mut verdict);
    origin::check(&ledger, &mut verdict);
    resets::check(&ledger, terms, &mut verdict);
    seats::check(&ledger, &mut verdict);
    ghosts::check(&ledger, terms, &mut verdict);
    nodes::check(&ledger, terms, &mut verdict);
    timing::measure(&ledger, &mut verdict);
    verdict
}
