//! How long things took: to notice a fault, to deliver again after it, to come back. Figures for the table; nothing here is a breach.

use std::time::Duration;

use super::Verdict;
use super::faults::{Fault, between};
use super::ledger::{Ledger, Told};
use crate::happening::{MonoUs, Node, What};

pub fn measure(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for fault in &ledger.faults {
        verdict.counts.notice.0.extend(notice(ledger, fault));
        for told in &ledger.sessions {
            heal(told, fault, verdict);
        }
    }
    for told in &ledger.sessions {
        resume(told, verdict);
    }
    let counts = &mut verdict.counts;
    for spread in [&mut counts.notice, &mut counts.heal, &mut counts.resume] {
        spread.0.sort_unstable();
    }
}

/// The first sign on a node that can deliver nothing: to its clients, or to whoever asks whether it is ready.
fn notice(ledger: &Ledger<'_>, fault: &Fault) -> Option<Duration> {
    let until = fault.until(ledger.end);
    let during = |at: MonoUs| at >= fault.began && at <= until;
    let by_asking = ledger.lines.iter().filter_map(|line| match line.what {
        What::Ready { node, status } if status != Some(200) && fault.deaf.contains(&node) => {
            Some(line.mono_us)
        }
        _ => None,
    });
    let connections = ledger.sessions.iter().flat_map(|told| &told.connections);
    let on_deaf =
        connections.filter(|connection| connection.node.is_some_and(|node| fault.deaf.contains(&node)));
    let by_telling = on_deaf.flat_map(|connection| &connection.lines).filter_map(|line| match line.what {
        What::Status { degraded: true, .. } => Some(line.mono_us),
        _ => None,
    });
    by_asking.chain(by_telling).filter(|at| during(*at)).min().map(|at| between(fault.began, at))
}

/// For each participant who was connected to a node the fault hit: how long after its end the next entry came.
fn heal(told: &Told<'_>, fault: &Fault, verdict: &mut Verdict) {
    let Some(ended) = fault.ended else { return };
    let hit = if fault.deaf.is_empty() { &fault.nodes } else { &fault.deaf };
    let is_hit = |node: Option<Node>| hit.is_empty() || node.is_some_and(|node| hit.contains(&node));
    for connections in told.by_participant().values() {
        let was_hit = connections.iter().any(|connection| {
            is_hit(connection.node)
                && connection.welcomed().is_some_and(|welcomed| welcomed < fault.began)
                && connection.closed().is_none_or(|closed| closed > fault.began)
        });
        if !was_hit {
            continue;
        }
        let lines = connections.iter().flat_map(|connection| &connection.lines);
        let received = lines.filter(|line| matches!(line.what, What::Receive(_)) && line.mono_us >= ended);
        verdict.counts.heal.0.extend(received.map(|line| between(ended, line.mono_us)).min());
    }
}

/// From the end of a connection to the next `welcome` of its participant.
fn resume(told: &Told<'_>, verdict: &mut Verdict) {
    for connections in told.by_participant().values() {
        for pair in connections.windows(2) {
            let (Some(closed), Some(welcomed)) = (pair[0].closed(), pair[1].welcomed()) else { continue };
            if welcomed >= closed {
                verdict.counts.resume.0.push(between(closed, welcomed));
            }
        }
    }
}
