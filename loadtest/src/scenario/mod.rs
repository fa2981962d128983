//! What can be run: each scenario sets a scene, lets something happen in it and says what it came to. The report does the rest.
//!
//! Here is the table of them, with the knobs that are their own, and how a run is put together from what they came to.

mod change;
mod connect;
mod flow;
mod mixed;
pub(crate) mod slow;
mod smoke;
pub(crate) mod sync;

use std::sync::Arc;
use std::time::Duration;

use crate::cli::load::{Knobs, LoadOptions};
use crate::engine::scene::{Done, Stage};
use crate::engine::stop::Stop;
use crate::engine::sums::Sums;
use crate::report::figures::{Host, Judged, Own, Part, Run};
use crate::report::progress::Progress;
use crate::target::Target;

/// Scenarios by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Connections that do nothing.
    Connect,
    /// One speaks, many listen.
    Fanout,
    /// Many sessions of a few.
    Rooms,
    /// Everybody alone.
    Echo,
    /// People come and go.
    Churn,
    /// Connections are cut.
    Recover,
    /// All at once.
    Storm,
    /// Some of all, for long.
    Soak,
    /// Everything people say.
    Mixed,
    /// A few of these in a quarter of a minute.
    Smoke,
}

impl Kind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Fanout => "fanout",
            Self::Rooms => "rooms",
            Self::Echo => "echo",
            Self::Churn => "churn",
            Self::Recover => "recover",
            Self::Storm => "storm",
            Self::Soak => "soak",
            Self::Mixed => "mixed",
            Self::Smoke => "smoke",
        }
    }

    /// The parts that a report of it has, by name.
    pub(crate) fn parts(self) -> Vec<&'static str> {
        match self {
            Self::Smoke => smoke::PARTS.iter().map(|part| part.name()).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether it does not read an option, so that giving it would change nothing.
    pub(crate) fn ignores(self, option: &str) -> bool {
        match option {
            "steps" => self != Self::Connect,
            "turnover" => !matches!(self, Self::Churn | Self::Recover | Self::Soak | Self::Smoke),
            // Nobody says anything in it.
            "rate" | "payload" | "warm-up" => self == Self::Connect,
            _ => false,
        }
    }

    /// Its own knobs.
    pub(crate) fn knobs(self) -> Knobs {
        let seconds = Duration::from_secs;
        let base = Knobs::default();
        match self {
            Self::Connect => {
                let (ramp, duration) = (seconds(0), seconds(5));
                Knobs { connections: 2000, sessions: 200, rate: 0.0, steps: 4, ramp, duration, ..base }
            }
            Self::Fanout => Knobs { connections: 1000, sessions: 1, rate: 60.0, ..base },
            Self::Rooms => Knobs { connections: 1000, sessions: 100, rate: 1000.0, ..base },
            Self::Echo => Knobs { connections: 100, sessions: 100, rate: 500.0, ..base },
            Self::Churn => Knobs {
                connections: 100,
                sessions: 10,
                rate: 200.0,
                turnover: 20.0,
                duration: seconds(20),
                ..base
            },
            Self::Recover => Knobs {
                connections: 200,
                sessions: 20,
                rate: 200.0,
                turnover: 20.0,
                duration: seconds(20),
                ..base
            },
            Self::Storm => Knobs { connections: 1000, sessions: 100, rate: 100.0, ramp: seconds(0), ..base },
            Self::Soak => Knobs {
                connections: 500,
                sessions: 50,
                rate: 200.0,
                turnover: 5.0,
                duration: seconds(600),
                ..base
            },
            Self::Mixed => {
                Knobs { connections: 200, sessions: 20, rate: 400.0, duration: seconds(20), ..base }
            }
            Self::Smoke => Knobs {
                connections: 100,
                sessions: 20,
                rate: 200.0,
                duration: seconds(2),
                ramp: seconds(0),
                warm_up: Duration::from_millis(500),
                turnover: 20.0,
                ..base
            },
        }
    }

    /// What it must hold to, unless the command line says something else.
    pub(crate) fn objectives(self) -> &'static [&'static str] {
        match self {
            Self::Connect => &["connect.errors==0", "closes==0"],
            // Cuts are this program's own and no closes: one that is counted is the gateway's.
            Self::Recover | Self::Storm | Self::Soak => {
                &["resets==0", "refused==0", "connect.errors==0", "closes==0", "recovered>0"]
            }
            _ => &["resets==0", "refused==0", "connect.errors==0", "closes==0"],
        }
    }
}

/// What a run came to before it is a report.
pub(crate) struct Outcome {
    /// All of it.
    pub(crate) total: Sums,
    /// Its parts.
    pub(crate) parts: Vec<Part>,
    /// Figures of this scenario only.
    pub(crate) own: Vec<Own>,
    /// Objectives that only the scenario can judge.
    pub(crate) judged: Vec<Judged>,
    /// Why figures say nothing about the gateway.
    pub(crate) void: Vec<String>,
    /// What went wrong, in words.
    pub(crate) sayings: Vec<String>,
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        let Done { sums, own, void, sayings } = done;
        Self { total: sums, parts: Vec::new(), own, judged: Vec::new(), void, sayings }
    }
}

/// What a run needs besides its knobs.
pub(crate) struct Setting {
    /// The machine.
    pub(crate) host: Host,
    /// Tells what goes on.
    pub(crate) progress: Arc<Progress>,
    /// Whether to stop.
    pub(crate) stop: Stop,
}

/// Runs a scenario, and gives what is known of it, also when somebody stopped it.
///
/// # Errors
/// It could not be run.
pub(crate) async fn run(kind: Kind, options: &LoadOptions, setting: Setting) -> anyhow::Result<Run> {
    let knobs = options.over(&kind.knobs());
    fastrand::seed(knobs.seed);
    let mut run = Run::begin(kind.name(), knobs.seed, setting.host.clone());
    knobs.tell(&mut run);
    let stage = stage(options, &setting).await?;
    run.server = stage.target.server.clone();
    let outcome = match kind {
        Kind::Connect => connect::play(&stage, &knobs).await?,
        Kind::Fanout | Kind::Rooms | Kind::Echo => flow::play(kind, &stage, &knobs).await?.into(),
        Kind::Churn | Kind::Recover | Kind::Storm | Kind::Soak => change::play(kind, &stage, &knobs).await?,
        Kind::Mixed => mixed::play(&stage, &knobs).await?,
        Kind::Smoke => smoke::play(&stage, &knobs).await?,
    };
    Ok(told(run, survived(outcome, &stage), &setting))
}

/// Reaches the gateways.
async fn stage(options: &LoadOptions, setting: &Setting) -> anyhow::Result<Stage> {
    let target = Arc::new(Target::reach(&options.target).await?);
    #[expect(clippy::cast_precision_loss, reason = "cores of a machine")]
    let cores = setting.host.cores as f64;
    Ok(Stage { target, progress: setting.progress.clone(), stop: setting.stop.clone(), cores })
}

/// A gateway that ended under load is a miss, told with all that was found until then.
fn survived(mut outcome: Outcome, stage: &Stage) -> Outcome {
    if let Some(judged) = ended(&stage.target) {
        outcome.sayings.push(judged.found.clone());
        outcome.judged.push(judged);
    }
    outcome
}

fn ended(target: &Target) -> Option<Judged> {
    let found = format!("the gateway ended after {:.1} s", target.ended()?.as_secs_f64());
    Some(Judged::count("the gateway runs to the end", found, false))
}

/// Puts what it came to into the run.
fn told(mut run: Run, outcome: Outcome, setting: &Setting) -> Run {
    setting.progress.finish();
    outcome.sayings.iter().for_each(|what| setting.progress.say(what));
    run.total = outcome.total.figures();
    run.parts = outcome.parts;
    run.own = outcome.own;
    run.verdict.objectives = outcome.judged;
    run.verdict.void = outcome.void;
    run.interrupted = setting.stop.asked();
    run
}
