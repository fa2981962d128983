//! I4: no message twice at the application's callback. And, for I3 and I6, none swallowed or invented on the way to it: what a client
//! received for the first time it hands on, and nothing else.
//!
//! Only participants who have a callback are judged: a run of bare sockets writes no `deliver`.

use std::collections::{HashMap, HashSet};

use super::ledger::{Ledger, Told};
use super::{Invariant, Verdict, Violation};
use crate::happening::{Digest, MonoUs, Participant, What};

/// What names a message to an application: its author and number, or its author and content.
type Name = (Participant, Result<u64, Digest>);

fn name(author: Option<Participant>, n: Option<u64>, payload: Option<Digest>) -> Option<Name> {
    // Without a payload it is a verb of the session: an application gets those as state.
    let payload = payload?;
    Some((author?, n.ok_or(payload)))
}

pub fn check(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        for (participant, connections) in told.by_participant() {
            let mut delivered: HashMap<Name, u32> = HashMap::new();
            let mut received: Vec<(Name, MonoUs)> = Vec::new();
            let mut seen: HashSet<Name> = HashSet::new();
            for line in connections.iter().flat_map(|connection| &connection.lines) {
                match &line.what {
                    What::Receive(entry) => {
                        let name = name(entry.author, entry.n, entry.payload);
                        received.extend(name.map(|name| (name, line.mono_us)));
                        seen.extend(name);
                    }
                    What::Deliver { author, n, payload, .. } => {
                        let Some(name) = name(*author, *n, *payload) else { continue };
                        if !seen.contains(&name) {
                            verdict.counts.phantoms += 1;
                            let detail = format!("{name:?} came to the callback and was not received");
                            report(told, Invariant::I6, (participant, line.mono_us, detail), verdict);
                        }
                        let times = delivered.entry(name).or_default();
                        *times += 1;
                        if *times == 2 {
                            verdict.counts.duplicated += 1;
                            let detail = format!("{name:?} came to the callback twice");
                            report(told, Invariant::I4, (participant, line.mono_us, detail), verdict);
                        }
                    }
                    _ => {}
                }
            }
            if !delivered.is_empty() {
                swallowed(told, participant, (&delivered, received), verdict);
            }
        }
    }
}

fn swallowed(
    told: &Told<'_>,
    participant: Participant,
    (delivered, received): (&HashMap<Name, u32>, Vec<(Name, MonoUs)>),
    verdict: &mut Verdict,
) {
    let mut found = HashSet::new();
    for (name, at) in received {
        if !delivered.contains_key(&name) && found.insert(name) {
            verdict.counts.silent_gaps += 1;
            let detail = format!("{name:?} was received and never came to the callback");
            report(told, Invariant::I3, (participant, at, detail), verdict);
        }
    }
}

fn report(
    told: &Told<'_>,
    invariant: Invariant,
    (participant, at, detail): (Participant, MonoUs, String),
    verdict: &mut Verdict,
) {
    let session = Some(told.session);
    verdict.violations.push(Violation {
        invariant,
        detail,
        at: Some(at),
        session,
        participant: Some(participant),
    });
}
