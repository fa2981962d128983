//! I2: same lineage and seq, same bytes at every receiver. The final log is one receiver more.
//!
//! A number that was used again after a lost tail is another place (`lineage`), so two readers may hold different bytes under it, but
//! never under one epoch.

use std::collections::HashMap;

use super::ledger::{Ledger, Told};
use super::{Invariant, Verdict, Violation};
use crate::happening::{Digest, Position, What};

pub fn check(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        one(told, verdict);
    }
}

fn one(told: &Told<'_>, verdict: &mut Verdict) {
    // What stands at a place, and whether its breach was told already.
    let mut places: HashMap<Position, (Digest, bool)> = HashMap::new();
    for entry in told.log.iter().flat_map(|log| &log.entries) {
        places.insert(told.lineage.origin(entry.at), (entry.frame, false));
    }
    for connection in &told.connections {
        for line in &connection.lines {
            let What::Receive(entry) = &line.what else { continue };
            let place = told.lineage.origin(entry.at);
            let (frame, is_told) = places.entry(place).or_insert((entry.frame, false));
            if *frame != entry.frame && !*is_told {
                *is_told = true;
                verdict.violations.push(Violation {
                    invariant: Invariant::I2,
                    detail: format!("entry {} of epoch {} has two contents", place.seq.0, place.epoch.0),
                    at: Some(line.mono_us),
                    session: Some(told.session),
                    participant: Some(connection.who.participant),
                });
            }
        }
    }
}
