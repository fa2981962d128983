//! I9 and I11: who sits. Seats never exceed what the session allows, somebody who sits is host, and who was kicked gets nothing after
//! the entry that says so.
//!
//! Seats are counted along the final log, from its first entry on. A promotion may stand in the entry after the join that made
//! it due, so a missing host counts from the entry after that on.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::{Connection, Ledger, Told};
use super::{FinalLog, Invariant, Verdict, Violation};
use crate::happening::{Change, Kind, LeftBecause, MonoUs, Participant, Seq, What};

pub fn check(ledger: &Ledger<'_>, verdict: &mut Verdict) {
    for told in &ledger.sessions {
        // Without its first entry a log does not say who sat before.
        if let Some(log) =
            told.log.filter(|log| log.entries.first().is_none_or(|first| first.at.seq == Seq(1)))
        {
            seats(told, log, verdict);
        }
        rosters(told, verdict);
        let bars = told.log.map(bars).unwrap_or_default();
        for connection in &told.connections {
            kicked(told, connection, &bars, verdict);
        }
    }
}

fn seats(told: &Told<'_>, log: &FinalLog, verdict: &mut Verdict) {
    let mut seated: BTreeSet<Participant> = BTreeSet::new();
    let (mut host, mut allowed) = (log.host, log.max_participants);
    let mut is_headless = false;
    for entry in &log.entries {
        if is_headless && entry.kind != Kind::HostChanged {
            let detail = format!("before entry {} somebody sits and nobody is host", entry.at.seq.0);
            report(told, Invariant::I9, (None, None, detail), verdict);
        }
        match entry.change {
            Some(Change::Joined { participant }) => {
                seated.insert(participant);
                if seated.len() > allowed as usize {
                    let detail = format!("{} sit after entry {}, of {allowed}", seated.len(), entry.at.seq.0);
                    report(told, Invariant::I9, (Some(participant), None, detail), verdict);
                }
            }
            Some(Change::Left { participant, host: next, .. }) => {
                seated.remove(&participant);
                host = next;
            }
            Some(Change::Host { host: next }) => host = next,
            Some(Change::Capacity { max_participants }) => allowed = max_participants,
            None => {}
        }
        is_headless = !seated.is_empty() && !seated.contains(&host);
    }
    if is_headless {
        let detail = "at the end somebody sits and nobody is host".to_owned();
        report(told, Invariant::I9, (None, None, detail), verdict);
    }
}

fn rosters(told: &Told<'_>, verdict: &mut Verdict) {
    let Some(log) = told.log else { return };
    let raised = log.entries.iter().filter_map(|entry| match entry.change {
        Some(Change::Capacity { max_participants }) => Some(max_participants),
        _ => None,
    });
    let allowed = raised.chain([log.max_participants]).max().unwrap_or_default();
    for line in told.lines() {
        let What::Roster { listed, total, .. } = &line.what else { continue };
        let distinct = listed.iter().collect::<BTreeSet<_>>().len();
        if *total > allowed || distinct < listed.len() {
            let detail = format!("a list of {total} participants, {distinct} of them distinct, of {allowed}");
            report(told, Invariant::I9, (None, Some(line.mono_us), detail), verdict);
        }
    }
}

/// For each who was kicked: after which entry they are out, and until which.
fn bars(log: &FinalLog) -> BTreeMap<Participant, Vec<(Seq, Seq)>> {
    let mut bars: BTreeMap<Participant, Vec<(Seq, Seq)>> = BTreeMap::new();
    for entry in &log.entries {
        match entry.change {
            Some(Change::Left { participant, because: LeftBecause::Kicked, .. }) => {
                bars.entry(participant).or_default().push((entry.at.seq, Seq(u64::MAX)));
            }
            Some(Change::Joined { participant }) => {
                if let Some((_, until)) = bars.get_mut(&participant).and_then(|bars| bars.last_mut()) {
                    *until = (*until).min(entry.at.seq);
                }
            }
            _ => {}
        }
    }
    bars
}

fn kicked(
    told: &Told<'_>,
    connection: &Connection<'_>,
    bars: &BTreeMap<Participant, Vec<(Seq, Seq)>>,
    verdict: &mut Verdict,
) {
    let me = connection.who.participant;
    let mut saw_it = false;
    for line in &connection.lines {
        let What::Receive(entry) = &line.what else { continue };
        // A lost branch's numbers are no place of the final log.
        let is_kept = told.lineage.holds(entry.at) != Some(false);
        let is_barred = |(after, until): &(Seq, Seq)| entry.at.seq > *after && entry.at.seq < *until;
        if saw_it || (is_kept && bars.get(&me).is_some_and(|bars| bars.iter().any(is_barred))) {
            let detail = format!("entry {} went to somebody who was kicked before it", entry.at.seq.0);
            return report(told, Invariant::I11, (Some(me), Some(line.mono_us), detail), verdict);
        }
        saw_it = matches!(entry.change,
            Some(Change::Left { participant, because: LeftBecause::Kicked, .. }) if participant == me);
    }
}

fn report(
    told: &Told<'_>,
    invariant: Invariant,
    (participant, at, detail): (Option<Participant>, Option<MonoUs>, String),
    verdict: &mut Verdict,
) {
    verdict.violations.push(Violation { invariant, detail, at, session: Some(told.session), participant });
}
