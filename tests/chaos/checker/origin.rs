//! I6: nothing is received that was never sent. Every message has its `send`, with the same content and before it came; everybody who
//! joined had a connection.

use std::collections::{HashMap, HashSet};

use super::ledger::{Ledger, Told};
use super::{Invariant, Verdict, Violation};
use crate::happening::{Change, Digest, Entry, Kind, MonoUs, Participant, Repetition, What};

/// One time that something was sent: since when, as what, with which words.
type Sending = (MonoUs, Kind, Option<Digest>);

/// What was sent in a session, and since when.
struct Sent {
    numbered: HashMap<(Participant, u64), Vec<Sending>>,
    keyed: HashMap<(Participant, Digest), MonoUs>,
    people: HashSet<Participant>,
}

impl Sent {
    fn of(told: &Told<'_>) -> Self {
        let mut sent = Sent {
            numbered: HashMap::new(),
            keyed: HashMap::new(),
            people: told.connections.iter().map(|connection| connection.who.participant).collect(),
        };
        for ((author, op), operation) in &told.operations {
            match op {
                Repetition::N(n) => {
                    sent.numbered.insert((*author, *n), operation.sends.clone());
                }
                Repetition::Key(_) => {
                    for (at, _, payload) in &operation.sends {
                        let Some(payload) = payload else { continue };
                        let first = sent.keyed.entry((*author, *payload)).or_insert(*at);
                        *first = (*at).min(*first);
                    }
                }
            }
        }
        sent
    }

    /// Whether an entry that was seen at `seen` (none: at the very end) has its origin.
    fn explains(&self, entry: &Entry, seen: Option<MonoUs>) -> bool {
        let in_time = |at: &MonoUs| seen.is_none_or(|seen| *at <= seen);
        if let Some(Change::Joined { participant }) = entry.change {
            return self.people.contains(&participant);
        }
        match (entry.author, entry.n, entry.payload) {
            (Some(author), Some(n), payload) => {
                let attempts = self.numbered.get(&(author, n));
                let is_it = |(at, kind, sent): &(MonoUs, Kind, Option<Digest>)| {
                    in_time(at) && *sent == payload && (payload.is_none() || *kind == entry.kind)
                };
                attempts.is_some_and(|attempts| attempts.iter().any(is_it))
            }
            (Some(author), None, Some(payload)) => self.keyed.get(&(author, payload)).is_some_and(in_time),
            // What the gateway says of itself.
            _ => true,
        }
    }
}

pub fn check(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        let sent = Sent::of(told);
        let mut found: HashSet<Digest> = HashSet::new();
        let in_log = told.log.iter().flat_map(|log| &log.entries).map(|entry| (entry, None));
        let received = told.connections.iter().flat_map(|connection| &connection.lines).filter_map(|line| {
            let What::Receive(entry) = &line.what else { return None };
            Some((entry, Some(line.mono_us)))
        });
        for (entry, seen) in in_log.chain(received) {
            // One phantom is one breach, however many saw it.
            if sent.explains(entry, seen) || !found.insert(entry.frame) {
                continue;
            }
            verdict.counts.phantoms += 1;
            verdict.violations.push(Violation {
                invariant: Invariant::I6,
                detail: format!(
                    "entry {} ({:?}, n {:?}) was never sent",
                    entry.at.seq.0, entry.kind, entry.n
                ),
                at: seen,
                session: Some(told.session),
                participant: entry.author,
            });
        }
    }
}
