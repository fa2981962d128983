//! One slow reader among many: rounds without one, with one that reads nothing and with one that reads 10 KB a second, in turn.
//!
//! Responsible for the scene and the rounds. What is made of their figures is in `verdict`, the slow readers themselves in `reader`. The kinds
//! alternate in one run against one process, because figures of two runs on a shared machine differ more than what is looked for.

mod reader;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use crate::cli::SlowOptions;
use crate::cli::load::Knobs;
use crate::engine::scene::{Plan, Scene, Stage};
use crate::engine::sums::Sums;
use crate::report::figures::{Part, Run};
use crate::report::progress::Progress;
use crate::scenario::{Outcome, Setting, stage, survived, told};
use reader::{Fate, SlowReader};

/// Messages flow again before a round is measured, so that what the last one left behind is in none.
const AGAIN: Duration = Duration::from_millis(500);

/// What stands beside the others in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nobody.
    Nobody,
    /// Somebody who reads nothing.
    Stalled,
    /// Somebody who reads 10 KB a second.
    Trickle,
}

impl Beside {
    /// All kinds, in the order of the first cycle.
    pub(crate) const ALL: [Self; 3] = [Self::Nobody, Self::Stalled, Self::Trickle];

    /// That of a round, of which the first is 0. Each kind comes first as often as last: a machine that warms or tires favours none.
    fn of(round: usize) -> Self {
        let (cycle, turn) = (round / Self::ALL.len(), round % Self::ALL.len());
        Self::ALL[(cycle + turn) % Self::ALL.len()]
    }

    /// In a word.
    fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Stalled => "stalled",
            Self::Trickle => "trickle",
        }
    }
}

/// The figures of a round.
#[derive(Debug)]
pub(crate) struct Round {
    /// Of which kind.
    pub(crate) beside: Beside,
    /// Times and costs.
    pub(crate) sums: Sums,
    /// The most that waited in the server for anybody.
    pub(crate) waiting: f64,
    /// What became of the slow reader.
    pub(crate) fate: Option<Fate>,
}

/// The scenario's own knobs.
pub(crate) fn knobs() -> Knobs {
    Knobs {
        connections: 200,
        sessions: 1,
        rate: 100.0,
        payload: 1024,
        warm_up: Duration::from_secs(5),
        ..Knobs::default()
    }
}

/// What it must hold to, unless the command line says something else.
pub(crate) const OBJECTIVES: &[&str] =
    &["missing==0", "duplicated==0", "reordered==0", "phantom==0", "resets==0"];

/// Runs it all, and gives what is known of it, also when somebody stopped it.
///
/// # Errors
/// It could not be run.
pub(crate) async fn run(options: &SlowOptions, setting: Setting) -> anyhow::Result<Run> {
    let mut load = options.load.clone();
    if load.target.url.is_empty() {
        load.target.settings.push(("OUTBOX_BEHIND".to_owned(), options.behind.to_string()));
    }
    let knobs = load.over(&knobs());
    fastrand::seed(knobs.seed);
    let mut run = Run::begin("slow", knobs.seed, setting.host.clone());
    knobs.tell(&mut run);
    run.knob("rounds", options.rounds);
    run.knob("behind", options.behind);
    let stage = stage(&load, &setting).await?;
    run.server = stage.target.server.clone();
    let outcome = play(&stage, &knobs, options.rounds).await?;
    Ok(told(run, survived(outcome, &stage), &setting))
}

async fn play(stage: &Stage, knobs: &Knobs, cycles: u32) -> anyhow::Result<Outcome> {
    // Each round brings somebody new, and a seat is held for half a minute after its holder went.
    let plan = Plan { rooms: 1, people: knobs.connections + 1, speakers: 1, spare: 3 * cycles };
    let mut scene = Scene::set(stage, knobs, plan).await?;
    scene.arrive().await;
    let mut rounds = Vec::new();
    let turns = cycles as usize * Beside::ALL.len();
    for number in 0..turns {
        if stage.stop.asked() {
            break;
        }
        let beside = Beside::of(number);
        stage.progress.part(beside.name(), number + 1, turns);
        match round(&mut scene, beside, number).await {
            Ok(round) => rounds.push(round),
            // What came of the rounds before is not lost with a gateway that is gone.
            Err(error) if !stage.target.runs() => {
                stage.progress.say(&format!("round {}: {error:#}", number + 1));
                break;
            }
            Err(error) => return Err(error),
        }
        scene.knobs.warm_up = AGAIN;
        told_of(&stage.progress, &rounds);
    }
    let mut outcome = Outcome::from(scene.finish());
    outcome.parts = rounds.iter().zip(1..).map(|(round, number)| part(round, number)).collect();
    verdict::judge(&rounds, &mut outcome);
    let counts = std::mem::take(&mut outcome.total.counts);
    outcome.total = Sums::new();
    rounds.into_iter().for_each(|round| outcome.total.add(round.sums));
    outcome.total.counts = counts;
    Ok(outcome)
}

async fn round(scene: &mut Scene, beside: Beside, number: usize) -> anyhow::Result<Round> {
    let slow = match beside {
        Beside::Nobody => None,
        Beside::Stalled => Some(seat(scene, number, None).await?),
        Beside::Trickle => Some(seat(scene, number, Some(reader::TRICKLE)).await?),
    };
    let score = scene.score();
    scene.perform(vec![score], std::future::ready(())).await;
    scene.drain().await;
    let (sums, waiting) = scene.round();
    let fate = match slow {
        Some(slow) => Some(slow.fate().await?),
        None => None,
    };
    Ok(Round { beside, sums, waiting, fate })
}

async fn seat(scene: &Scene, number: usize, rate: Option<u32>) -> anyhow::Result<SlowReader> {
    let who = Arc::new(scene.listener(number).await?);
    SlowReader::seat(scene.hall.clock.run, who, rate).await
}

fn told_of(progress: &Progress, rounds: &[Round]) {
    if let Some(round) = rounds.last() {
        progress.say(&verdict::line(rounds.len(), round));
    }
}

/// The parts of a report of so many rounds of each kind, by name.
pub(crate) fn parts(cycles: u32) -> Vec<String> {
    (0..cycles as usize * Beside::ALL.len()).map(|at| name(at + 1, Beside::of(at))).collect()
}

fn name(number: usize, beside: Beside) -> String {
    format!("round{number:02}_{}", beside.name())
}

fn part(round: &Round, number: usize) -> Part {
    Part { name: name(number, round.beside), note: verdict::note(round), figures: round.sums.figures() }
}
