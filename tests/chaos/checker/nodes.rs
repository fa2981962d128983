//! I12 and I13: what nodes say of themselves. Slow connections cost a node no more than their outboxes may hold, and `/health/ready` is not
//! 200 where nothing could be delivered for longer than a probe takes.

use std::collections::BTreeMap;

use super::faults::later;
use super::ledger::Ledger;
use super::{Invariant, Terms, Verdict, Violation};
use crate::happening::{MonoUs, Node, What};

pub fn check(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    memory(ledger, terms, verdict);
    readiness(ledger, terms, verdict);
}

fn memory(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    let mut first: BTreeMap<Node, u64> = BTreeMap::new();
    for line in &ledger.lines {
        match &line.what {
            What::NodeDown { node } => {
                first.remove(node);
            }
            What::Memory { node, resident_bytes, outbox_bytes, connections, slow } => {
                let others = u64::from(connections.saturating_sub(*slow));
                let bound = u64::from(*slow) * terms.outbox_bytes + others * terms.passing_bytes;
                let base = *first.entry(*node).or_insert(*resident_bytes);
                let grown = resident_bytes.saturating_sub(base);
                if *outbox_bytes > bound {
                    let detail =
                        format!("{outbox_bytes} bytes wait in outboxes, of {bound} for {slow} slow readers");
                    report(*node, line.mono_us, (Invariant::I12, detail), verdict);
                } else if grown > bound + terms.growth_bytes {
                    let detail = format!("grew by {grown} bytes, with {bound} for outboxes");
                    report(*node, line.mono_us, (Invariant::I12, detail), verdict);
                }
            }
            _ => {}
        }
    }
}

fn readiness(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    for fault in &ledger.faults {
        let due = later(fault.began, fault.readiness_due() + terms.slack);
        let until = fault.until(ledger.end);
        for line in &ledger.lines {
            let What::Ready { node, status: Some(200) } = line.what else { continue };
            if fault.deaf.contains(&node) && line.mono_us > due && line.mono_us < until {
                let detail = format!("ready during {:?}, when nothing could be delivered", fault.kind);
                report(node, line.mono_us, (Invariant::I13, detail), verdict);
                break;
            }
        }
    }
}

fn report(node: Node, at: MonoUs, (invariant, detail): (Invariant, String), verdict: &mut Verdict) {
    let detail = format!("node {}: {detail}", node.0);
    verdict.violations.push(Violation { invariant, detail, at: Some(at), session: None, participant: None });
}
