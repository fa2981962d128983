//! `sync`: virtual players, each with a clock, a network and a player as bad as real ones, and exactly how far each is from where the film should be.
//!
//! Responsible for the rounds and their figures. Who does what is in `script`, a viewer in `viewer` (its parts are those of the SDK: `clock`,
//! `line`, `drift`, `follow`; `media` is its player, `delay` its network), its socket in `live`, the verdict on them in `judge`. The truth is one
//! clock, this program's, on which the gateways' cluster time is told too: all of them are on one machine.

mod clock;
mod delay;
mod drift;
mod follow;
mod judge;
mod line;
mod live;
mod media;
mod script;
#[cfg(test)]
mod vectors;
mod viewer;

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::accounting::Faults;
use crate::api::Api;
use crate::cli::SyncOptions;
use crate::engine::lock;
use crate::engine::room::Room;
use crate::histogram::Times;
use crate::report::figures::{Counts, Drift, Figures, Latencies, Latency, Own, Part, PhaseSpan, Run, Unit};
use crate::report::progress::{Extent, Phase};
use crate::scenario::Setting;
use crate::target::Target;
use judge::Found;
use live::{Lived, Marks, Shared};
use script::{Cast, LATE};
use viewer::Bounds;

/// Milliseconds, of whichever clock or film a name says.
type Ms = f64;

/// What a run must hold to, unless the command line says something else.
pub(crate) const OBJECTIVES: &[&str] = &[
    "own.drift.p50<50ms",
    "own.drift.p99<150ms",
    "own.pause.near>=99%",
    "own.late.worst<2500ms",
    "resets==0",
    "refused==0",
    "connect.errors==0",
];
/// What it must hold to when a node is killed in it.
pub(crate) const OBJECTIVES_KILLED: &[&str] = &[
    "own.drift.p50<50ms",
    "own.drift.p99<150ms",
    "own.pause.near>=99%",
    "own.late.worst<2500ms",
    "own.killed.back.worst<2s",
    "own.killed.drift.p99<150ms",
    "resets==0",
    "refused==0",
    "connect.errors==0",
];

/// Time as it is: this machine's wall clock when the run began, and from then on its monotonic one.
#[derive(Debug, Clone, Copy)]
struct TrueTime {
    began: Instant,
    wall: Ms,
}

impl TrueTime {
    fn begin() -> anyhow::Result<Self> {
        Ok(Self { began: Instant::now(), wall: wall()? })
    }

    fn now(self) -> Ms {
        self.wall + self.began.elapsed().as_secs_f64() * 1000.0
    }

    fn instant(self, at: Ms) -> Instant {
        live::after(self.began, at - self.wall)
    }
}

fn wall() -> anyhow::Result<Ms> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1000.0)
}

/// How a round goes.
#[derive(Debug, Clone, Copy)]
struct SyncPlan {
    bounds: Bounds,
    /// How long the film is left alone after each command.
    hold: Duration,
    seed: u64,
    /// Whether a node is killed at the end.
    kill: bool,
}

/// Which objectives a run of these options has.
pub(crate) fn objectives(options: &SyncOptions) -> &'static [&'static str] {
    if kills(options) { OBJECTIVES_KILLED } else { OBJECTIVES }
}

fn kills(options: &SyncOptions) -> bool {
    options.target.nodes > 1
}

/// Runs it all.
///
/// # Errors
/// It could not be run.
pub(crate) async fn run(options: &SyncOptions, setting: Setting) -> anyhow::Result<Run> {
    fastrand::seed(options.seed);
    let mut run = Run::begin("sync", options.seed, setting.host.clone());
    tell(options, &mut run);
    let target = Arc::new(Target::reach(&options.target).await?);
    run.server = target.server.clone();
    let mut total = Total::default();
    let rounds = options.players.len();
    for (at, people) in options.players.iter().enumerate() {
        let people = *people as usize;
        setting.progress.part(&format!("{people} players"), at + 1, rounds);
        let plan = SyncPlan {
            bounds: Bounds {
                round_trip: options.round_trip.as_secs_f64() * 1000.0,
                jitter: options.jitter.as_secs_f64() * 1000.0,
            },
            hold: options.hold,
            seed: options.seed.wrapping_mul(100).wrapping_add(at as u64),
            kill: kills(options) && at + 1 == rounds,
        };
        setting.progress.phase(Phase::Run, Extent::Time(length(&plan)));
        match round((&target, &setting), people, &plan).await {
            Ok(ended) => total.add(ended, &mut run),
            Err(_) if setting.stop.asked() => break,
            Err(error) => return Err(error.context(format!("with {people} players"))),
        }
    }
    setting.progress.finish();
    anyhow::ensure!(kills(options) || target.runs(), "a gateway ended while it was under load");
    total.tell(&mut run);
    total.sayings.iter().for_each(|what| setting.progress.say(what));
    run.interrupted = setting.stop.asked();
    Ok(run)
}

fn tell(options: &SyncOptions, run: &mut Run) {
    let players: Vec<String> = options.players.iter().map(u32::to_string).collect();
    run.knob("players", players.join(","));
    run.knob("nodes", options.target.nodes);
    run.knob("hold", crate::cli::load::text(options.hold));
    run.knob("round-trip", crate::cli::load::text(options.round_trip));
    run.knob("jitter", crate::cli::load::text(options.jitter));
}

/// About how long a round takes, for whoever waits for it.
fn length(plan: &SyncPlan) -> Duration {
    plan.hold * 7 + Duration::from_secs(if plan.kill { 50 } else { 30 })
}

/// What a round came to.
struct Ended {
    people: usize,
    found: Found,
    marks: Marks,
    seconds: f64,
}

async fn round(
    (target, setting): (&Arc<Target>, &Setting),
    people: usize,
    plan: &SyncPlan,
) -> anyhow::Result<Ended> {
    let host = Api(target.gateways[0]).create(u32::try_from(people + LATE + 1)?).await?;
    let shared = Arc::new(Shared {
        run: fastrand::u32(..),
        time: TrueTime::begin()?,
        gateways: target.gateways.clone(),
        room: Arc::new(Room::new(host.session.clone(), 0, 1)),
        truth: Mutex::default(),
        marks: Mutex::new(nothing()),
        live: AtomicUsize::new(0),
        quiet: AtomicBool::new(true),
    });
    let began = shared.time.now();
    let mut cast = Cast::new(shared.clone(), (target.clone(), setting.stop.clone()), host, plan)?;
    let happened = cast.perform(people, plan).await?;
    let seconds = (shared.time.now() - began) / 1000.0;
    // A wall clock that was set in the middle would be the cluster's and not ours.
    let moved = wall()? - shared.time.now();
    anyhow::ensure!(moved.abs() < 2.0, "this machine's clock was set by {moved:.1} ms in the round");
    let lived = cast.end().await?;
    let truth = std::mem::take(&mut *lock(&shared.truth));
    let found = judge::judge(&truth, &lived, people, happened.killed);
    let marks = std::mem::replace(&mut *lock(&shared.marks), nothing());
    let marks = counted(marks, &lived, shared.room.head());
    Ok(Ended { people, found, marks, seconds })
}

fn nothing() -> Marks {
    let times = Times::new;
    Marks {
        lateness: times(),
        connect: times(),
        recovery: times(),
        counts: Counts::default(),
        sayings: Vec::new(),
    }
}

/// Adds what everybody got.
fn counted(mut marks: Marks, lived: &[Lived], head: u64) -> Marks {
    let talked = lived.first().map_or((0, 0), |one| one.talked);
    let counts = &mut marks.counts;
    counts.connections = lived.len() as u64;
    counts.acked = counts.sent - counts.refused;
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
struct Total {
    drifts: Vec<Ms>,
    late: Vec<Ms>,
    killed: Option<(Vec<Ms>, Vec<Ms>)>,
    frames: judge::Frames,
    /// Of the round in which each was worst.
    worst: (f64, f64),
    marks: Marks,
    seconds: f64,
    sayings: Vec<String>,
}

impl Default for Total {
    fn default() -> Self {
        Self {
            drifts: Vec::new(),
            late: Vec::new(),
            killed: None,
            frames: judge::Frames::default(),
            worst: (0.0, 0.0),
            marks: nothing(),
            seconds: 0.0,
            sayings: Vec::new(),
        }
    }
}

impl Total {
    fn add(&mut self, ended: Ended, run: &mut Run) {
        let Ended { people, found, marks, seconds } = ended;
        let name = format!("players{people}");
        let figures = figures(&found.drifts, &marks, (self.seconds, seconds));
        if let Some(drift) = &figures.drift {
            run.own.extend(of_drift(&format!("{name}."), &format!("{people} players: "), drift));
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

    fn tell(&self, run: &mut Run) {
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

fn of_drift(name: &str, what: &str, drift: &Drift) -> Vec<Own> {
    let value = |of: &str, micros: u32| Own {
        name: format!("{name}drift.{of}"),
        what: format!("{what}drift, {of}"),
        value: f64::from(micros),
        unit: Unit::Micros,
    };
    vec![value("p50", drift.p50_us), value("p99", drift.p99_us), value("max", drift.max_us)]
}

#[expect(clippy::cast_precision_loss, reason = "players and pauses")]
fn of_frames(name: &str, what: &str, frames: judge::Frames) -> Vec<Own> {
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
