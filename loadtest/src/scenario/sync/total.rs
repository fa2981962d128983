//! What rounds came to: counts, quantiles and shares for the report, of each round and of all.
//!
//! Pure. Objectives are about the round in which a figure was worst: fifty players must not be hidden behind two, nor two behind fifty.

use super::Ms;
use super::judge::{Found, Frames};
use super::live::{Lived, Marks};
use crate::accounting::Faults;
use crate::report::figures::{Drift, Figures, Latencies, Latency, Own, Part, PhaseSpan, Run, Unit};
use crate::report::progress::Phase;

/// What a round came to.
pub(super) struct Ended {
    pub(super) people: usize,
    pub(super) found: Found,
    pub(super) marks: Marks,
    pub(super) seconds: f64,
    /// Why it was not played to its end.
    pub(super) cut: Option<String>,
}

/// Adds what everybody got.
pub(super) fn counted(mut marks: Marks, lived: &[Lived], head: u64) -> Marks {
    let talked = lived.first().map_or((0, 0), |one| one.talked);
    let counts = &mut marks.counts;
    counts.connections = lived.len() as u64;
    counts.unanswered = counts.sent.saturating_sub(counts.acked + counts.refused);
    counts.absent = lived.iter().filter(|one| !one.received.present).count() as u64;
    let mut faults = Faults::default();
    for one in lived {
        faults.sum(one.received.faults(head, std::iter::once(talked)));
        counts.delivered += one.received.delivered();
        counts.gaps += one.received.gaps();
    }
    counts.missing = faults.missing;
    counts.duplicated = faults.duplicated;
    counts.reordered = faults.reordered;
    counts.phantom = faults.phantom;
    counts.resets = faults.resets;
    counts.expected = counts.delivered + counts.missing;
    marks
}

/// All rounds.
pub(super) struct Total {
    drifts: Vec<Ms>,
    late: Vec<Ms>,
    killed: Option<(Vec<Ms>, Vec<Ms>)>,
    frames: Frames,
    /// Of the round in which each was worst.
    worst: (f64, f64),
    marks: Marks,
    seconds: f64,
    /// What went wrong, in words.
    pub(super) sayings: Vec<String>,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            drifts: Vec::new(),
            late: Vec::new(),
            killed: None,
            frames: Frames::default(),
            worst: (0.0, 0.0),
            marks: Marks::nothing(),
            seconds: 0.0,
            sayings: Vec::new(),
        }
    }
}

impl Total {
    /// One more.
    pub(super) fn add(&mut self, ended: Ended, run: &mut Run) {
        let Ended { people, found, marks, seconds, .. } = ended;
        let name = super::part(people);
        let figures = figures(&found.drifts, &marks, (self.seconds, seconds));
        if let Some(drift) = &figures.drift {
            let farthest = found.farthest.map(|farthest| format!(", {farthest}")).unwrap_or_default();
            run.own.extend(of_drift(&format!("{name}."), &format!("{people} players: "), drift, &farthest));
            self.worst.0 = self.worst.0.max(f64::from(drift.p50_us));
            self.worst.1 = self.worst.1.max(f64::from(drift.p99_us));
        }
        run.own.extend(of_frames(&format!("{name}."), &format!("{people} players: "), found.frames));
        run.own.extend(worst(&format!("{name}.late.worst"), "until a late joiner was in step", &found.late));
        run.parts.push(Part { name, note: String::new(), figures });
        self.seconds += seconds;
        self.drifts.extend(found.drifts);
        self.late.extend(found.late);
        self.frames.players += found.frames.players;
        self.frames.soon += found.frames.soon;
        self.frames.near += found.frames.near;
        self.frames.same += found.frames.same;
        if !found.back.is_empty() {
            self.killed = Some((found.back, found.killed));
        }
        self.marks.lateness.add(&marks.lateness);
        self.marks.connect.add(&marks.connect);
        self.marks.recovery.add(&marks.recovery);
        self.marks.counts.add(&marks.counts);
        self.sayings.extend(marks.sayings);
        self.sayings.dedup();
    }

    /// Puts what all came to into the run.
    pub(super) fn tell(&self, run: &mut Run) {
        run.total = figures(&self.drifts, &self.marks, (0.0, self.seconds));
        let own = |name: &str, what: &str, value: f64, unit: Unit| Own {
            name: name.to_owned(),
            what: what.to_owned(),
            value,
            unit,
        };
        if !self.drifts.is_empty() {
            let of =
                |what: &str| format!("drift while the film plays, {what}, of the round where it was most");
            run.own.push(own("drift.p50", &of("p50"), self.worst.0, Unit::Micros));
            run.own.push(own("drift.p99", &of("p99"), self.worst.1, Unit::Micros));
        }
        run.own.extend(of_frames("", "", self.frames));
        run.own.extend(worst(
            "late.worst",
            "until a late joiner was within 100 ms to stay, at worst",
            &self.late,
        ));
        if let Some((back, drifts)) = &self.killed {
            run.own.extend(worst(
                "killed.back.worst",
                "from the kill of a node to the welcome elsewhere, at worst",
                back,
            ));
            if let Some(drift) = Drift::of(drifts) {
                let what = "drift of everybody in the ten seconds after the kill, p99";
                run.own.push(own("killed.drift.p99", what, f64::from(drift.p99_us), Unit::Micros));
            }
        }
    }
}

fn figures(drifts: &[Ms], marks: &Marks, (from_s, seconds): (f64, f64)) -> Figures {
    Figures {
        phases: vec![PhaseSpan { name: Phase::Run.name().to_owned(), from_s, seconds }],
        counts: marks.counts.clone(),
        latency: Latencies {
            connect: Latency::of(marks.connect.inner()),
            recovery: Latency::of(marks.recovery.inner()),
            lateness: Latency::of(marks.lateness.inner()),
            ..Latencies::default()
        },
        drift: Drift::of(drifts),
        ..Figures::default()
    }
}

fn of_drift(name: &str, what: &str, drift: &Drift, farthest: &str) -> Vec<Own> {
    let value = |of: &str, micros: u32, more: &str| Own {
        name: format!("{name}drift.{of}"),
        what: format!("{what}drift, {of}{more}"),
        value: f64::from(micros),
        unit: Unit::Micros,
    };
    vec![value("p50", drift.p50_us, ""), value("p99", drift.p99_us, ""), value("max", drift.max_us, farthest)]
}

#[expect(clippy::cast_precision_loss, reason = "players and pauses")]
fn of_frames(name: &str, what: &str, frames: Frames) -> Vec<Own> {
    if frames.players == 0 {
        return Vec::new();
    }
    let share = |of: &str, says: &str, count: u64| Own {
        name: format!("{name}pause.{of}"),
        what: format!("{what}{says}"),
        value: count as f64 / frames.players as f64,
        unit: Unit::Share,
    };
    vec![
        share("soon", "on the frame of a pause or the one beside it after half a second", frames.soon),
        share("near", "on the frame of a pause or the one beside it at its end", frames.near),
        share("same", "exactly on the frame of a pause at its end", frames.same),
    ]
}

/// The worst of some times; none of none.
fn worst(name: &str, what: &str, times: &[Ms]) -> Option<Own> {
    let worst = times.iter().copied().fold(f64::MIN, f64::max);
    // One that never came about is as long as can be told.
    let value = worst.min(3_600_000.0) * 1000.0;
    (!times.is_empty()).then(|| Own {
        name: name.to_owned(),
        what: what.to_owned(),
        value,
        unit: Unit::Micros,
    })
}
