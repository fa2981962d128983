//! `sync`: virtual players, each with a clock, a network and a player as bad as real ones, and exactly how far each is from where the film should be.
//!
//! Responsible for the rounds and their figures. Who does what is in `script`, a viewer in `viewer` (its parts are those of the SDK: `clock`,
//! `line`, `drift`, `follow`; `media` is its player, `delay` its network), its socket in `live`, the verdict on them in `judge`, what they all came to in `total`. The truth is one
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
mod total;
#[cfg(test)]
mod vectors;
mod viewer;

use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::api::Api;
use crate::cli::SyncOptions;
use crate::engine::lock;
use crate::engine::room::Room;
use crate::report::figures::{Judged, Run};
use crate::scenario::Setting;
use crate::target::Target;
use live::{Marks, Shared};
use script::{Cast, LATE};
use total::{Ended, Total};
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

/// The parts of a report with rounds of so many people, by name.
pub(crate) fn parts(players: &[u32]) -> Vec<String> {
    players.iter().map(|people| part(*people as usize)).collect()
}

fn part(people: usize) -> String {
    format!("players{people}")
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
        let cut = match round((&target, &setting), people, &plan).await {
            Ok(mut ended) => {
                let cut = ended.cut.take();
                total.add(ended, &mut run);
                cut
            }
            Err(_) if setting.stop.asked() => break,
            // What came of the rounds before is not lost with a gateway that is gone.
            Err(error) if !target.runs() => Some(format!("{error:#}")),
            Err(error) => return Err(error.context(format!("with {people} players"))),
        };
        if let Some(why) = cut {
            if !setting.stop.asked() {
                let found = format!("with {people} players: {why}");
                total.sayings.push(found.clone());
                run.verdict.objectives.push(Judged::count("the film is played to its end", found, false));
            }
            break;
        }
    }
    setting.progress.finish();
    run.verdict.objectives.extend(super::ended(&target));
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
        marks: Mutex::new(Marks::nothing()),
        live: AtomicUsize::new(0),
        quiet: AtomicBool::new(true),
    });
    let began = shared.time.now();
    let mut cast = Cast::new(shared.clone(), (target.clone(), setting), host, plan)?;
    let played = cast.perform(people, plan).await;
    let seconds = (shared.time.now() - began) / 1000.0;
    // A wall clock that was set in the middle would be the cluster's and not ours.
    let moved = wall()? - shared.time.now();
    anyhow::ensure!(moved.abs() < 2.0, "this machine's clock was set by {moved:.1} ms in the round");
    let killed = cast.killed;
    let lived = cast.end().await?;
    let truth = std::mem::take(&mut *lock(&shared.truth));
    let found = judge::judge(&truth, &lived, people, killed);
    let marks = std::mem::replace(&mut *lock(&shared.marks), Marks::nothing());
    let marks = total::counted(marks, &lived, shared.room.head());
    let cut = played.err().map(|error| format!("{error:#}"));
    Ok(Ended { people, found, marks, seconds, cut })
}
