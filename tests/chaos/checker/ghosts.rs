//! I10: nobody is listed later than their lease and ten seconds after their death, and they are seen to leave by then.
//!
//! While nothing can be written nobody can be seen to leave, so a fault that makes nodes deaf lengthens the time by as long as it lasts.
//! Where nobody was connected, nobody had to be told.

use std::collections::HashMap;
use std::time::Duration;

use super::faults::{between, later};
use super::ledger::{Ledger, Told};
use super::{Invariant, Terms, Verdict, Violation};
use crate::happening::{Change, LeftBecause, MonoUs, Participant, WallMs, What};

/// Beats and their delays: what the promise adds to the lease.
const GRACE: Duration = Duration::from_secs(10);

struct Death {
    who: Participant,
    mono: MonoUs,
    wall: WallMs,
    /// Until when they may be listed.
    due: MonoUs,
}

pub fn check(ledger: &Ledger<'_>, terms: &Terms, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        for death in deaths(ledger, told, terms) {
            listed(told, &death, verdict);
            left(ledger, told, &death, verdict);
        }
    }
}

/// Those who died and never came again.
fn deaths(ledger: &Ledger<'_>, told: &Told<'_>, terms: &Terms) -> Vec<Death> {
    let mut opened: HashMap<Participant, MonoUs> = HashMap::new();
    for line in told.lines().filter(|line| matches!(line.what, What::Open { .. })) {
        let Some(who) = line.who else { continue };
        let last = opened.entry(who.participant).or_insert(line.mono_us);
        *last = line.mono_us.max(*last);
    }
    let died = told.lines().filter_map(|line| {
        let What::Died { silently } = line.what else { return None };
        let who = line.who?.participant;
        let is_final = opened.get(&who).is_none_or(|opened| *opened <= line.mono_us);
        let silence = if silently { terms.silence } else { Duration::ZERO };
        let due = due(ledger, line.mono_us, terms.lease + GRACE + silence + terms.slack);
        is_final.then_some(Death { who, mono: line.mono_us, wall: line.wall_ms, due })
    });
    died.collect()
}

/// That long after a death, not counting the time in which nothing could be written.
fn due(ledger: &Ledger<'_>, died: MonoUs, allowed: Duration) -> MonoUs {
    let mut due = later(died, allowed);
    let mut deaf: Vec<_> = ledger.faults.iter().filter(|fault| !fault.deaf.is_empty()).collect();
    deaf.sort_by_key(|fault| fault.began);
    for fault in deaf {
        let until = fault.until(ledger.end);
        if fault.began < due && until > died {
            due = later(due, between(fault.began.max(died), until));
        }
    }
    due
}

fn listed(told: &Told<'_>, death: &Death, verdict: &mut Verdict) {
    let lists = told.lines().filter_map(|line| match &line.what {
        What::Roster { listed, .. } if listed.contains(&death.who) => Some(line.mono_us),
        _ => None,
    });
    let Some(last) = lists.filter(|at| *at > death.mono).max() else { return };
    verdict.counts.ghost = verdict.counts.ghost.max(between(death.mono, last));
    if last > death.due {
        let detail = format!("listed {:.1} s after their death", between(death.mono, last).as_secs_f64());
        report(told, death, (Some(last), detail), verdict);
    }
}

fn left(ledger: &Ledger<'_>, told: &Told<'_>, death: &Death, verdict: &mut Verdict) {
    let Some(log) = told.log else { return };
    let of_them = log.entries.iter().rev().find_map(|entry| match entry.change {
        Some(Change::Left { participant, because, .. }) if participant == death.who => {
            Some((entry.ts, Some(because)))
        }
        Some(Change::Joined { participant }) if participant == death.who => Some((entry.ts, None)),
        _ => None,
    });
    let late = match of_them {
        None => return,
        Some((ts, Some(because))) => {
            let ghost = Duration::from_millis(ts.0.saturating_sub(death.wall.0));
            if because == LeftBecause::Timeout {
                verdict.counts.ghost = verdict.counts.ghost.max(ghost);
            }
            later(death.mono, ghost) > death.due
        }
        Some((_, None)) => ledger.end > death.due,
    };
    let somebody_was_there = told.connections.iter().any(|connection| {
        connection.who.participant != death.who
            && connection.welcomed().is_some_and(|welcomed| welcomed <= death.mono)
            && connection.closed().is_none_or(|closed| closed >= death.due)
    });
    if late && somebody_was_there {
        let detail = "not seen to leave in time after their death".to_owned();
        report(told, death, (None, detail), verdict);
    }
}

fn report(told: &Told<'_>, death: &Death, (at, detail): (Option<MonoUs>, String), verdict: &mut Verdict) {
    verdict.violations.push(Violation {
        invariant: Invariant::I10,
        detail,
        at,
        session: Some(told.session),
        participant: Some(death.who),
    });
}
