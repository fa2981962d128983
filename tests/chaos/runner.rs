//! Plays rows of the matrix, one after another, and holds each to its promise.
//!
//! A row: a world and a crowd are gathered, the machine is measured, the nemesis breaks and heals, everybody settles, the logs are read, the checker
//! judges. A row that fails, or a harness that panics in it, does not end the run; the run fails at its end. Not responsible for what is
//! played (`nemesis::ROWS`) nor for how results are shown (`table`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::checker::{self, Level, Terms, Verdict};
use crate::happening::{Happening, MonoUs, Repetition, What, Who};
use crate::journal::Journal;
use crate::nemesis::{ROWS, Row, Scale, Scene, Seen};
use crate::support::redis_server::Aof;
use crate::support::wait::let_pass;
use crate::table;
use crate::watching::Watch;
use crate::workload::{Crowd, Shape};
use crate::world::{World, WorldOptions};

/// The seed of the smoke run; the full run takes another each time.
const SEED: u64 = 0x5eed;

/// How long everybody gets to settle on a machine that answers at once.
const SETTLE: Duration = Duration::from_secs(60);

/// What a run is: from the environment, so that a line of a shell replays it.
pub(crate) struct Plan {
    /// `CHAOS=full`; smoke otherwise.
    pub(crate) scale: Scale,
    /// `CHAOS_SEED`
    pub(crate) seed: u64,
    /// `CHAOS_ROWS=F1,F17`; all of the scale otherwise.
    pub(crate) rows: Vec<&'static Row>,
    /// `CHAOS_RATE`: messages a second in the full run.
    pub(crate) rate: u32,
    /// `CHAOS_MIX`: seconds of F40.
    pub(crate) mix: Duration,
    /// `CHAOS_KEEP`: histories of rows that hold are kept too.
    pub(crate) keep: bool,
    /// `CHAOS_DOC`: a Markdown file whose marked region gets the table.
    pub(crate) doc: Option<PathBuf>,
    /// `CHAOS_BRIEF`: one whose region gets the counts alone.
    pub(crate) brief: Option<PathBuf>,
    named: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test run, not of a gateway")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = variable(name)?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

impl Plan {
    fn from_environment() -> Plan {
        let scale = if variable("CHAOS").as_deref() == Some("full") { Scale::Full } else { Scale::Smoke };
        let named = variable("CHAOS_ROWS");
        let names: Vec<&str> = named.iter().flat_map(|named| named.split(',')).collect();
        if let Some(unknown) = names.iter().find(|name| ROWS.iter().all(|row| row.id != **name)) {
            panic!("CHAOS_ROWS names {unknown}, which is no row");
        }
        let wanted = |row: &&Row| match names.is_empty() {
            true => row.smoke || scale == Scale::Full,
            false => names.contains(&row.id),
        };
        let rows = ROWS.iter().filter(wanted).collect();
        let mix = number("CHAOS_MIX").unwrap_or_else(|| scale.pick(20, 180));
        Plan {
            scale,
            seed: number("CHAOS_SEED").unwrap_or_else(|| scale.pick(SEED, fastrand::u64(..1 << 32))),
            rows,
            rate: number("CHAOS_RATE").unwrap_or(1000),
            mix: Duration::from_secs(mix),
            keep: variable("CHAOS_KEEP").is_some(),
            doc: variable("CHAOS_DOC").map(PathBuf::from),
            brief: variable("CHAOS_BRIEF").map(PathBuf::from),
            named,
        }
    }

    /// The line that plays the same again, or one row of it.
    pub(crate) fn replay(&self, row: Option<&str>) -> String {
        let scale = self.scale.pick("smoke", "full");
        let rows = row.or(self.named.as_deref()).unwrap_or_default();
        let (seed, rate, mix) = (self.seed, self.rate, self.mix.as_secs());
        format!(
            "make chaos CHAOS={scale} CHAOS_SEED={seed} CHAOS_RATE={rate} CHAOS_MIX={mix} CHAOS_ROWS={rows}"
        )
    }

    /// Whether it is the whole matrix at its full load.
    pub(crate) fn is_whole(&self) -> bool {
        self.scale == Scale::Full && self.named.is_none()
    }

    fn shape(&self, row: &Row) -> Shape {
        (row.shape)(self.scale.pick(Shape::small(), Shape::full(self.rate)), self.scale)
    }
}

/// What came of a row.
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// What the row itself saw; among its findings are panics and clients that did not settle.
    pub(crate) seen: Seen,
    pub(crate) took: Duration,
    /// Round trip of a publish before the fault, the slowest in a hundred.
    pub(crate) baseline: Duration,
}

impl Outcome {
    /// Whether the row holds.
    pub(crate) fn holds(&self) -> bool {
        self.verdict.violations.is_empty() && self.seen.findings.is_empty()
    }

    /// How it ended, in the words of the table. A row that broke nothing holds nothing.
    pub(crate) fn word(&self) -> &'static str {
        match (self.holds(), self.seen.skipped) {
            (false, _) => "does not hold",
            (true, true) => "skipped",
            (true, false) => "holds",
        }
    }

    fn broken(why: String, took: Duration) -> Outcome {
        let seen = Seen { findings: vec![format!("the harness gave up: {why}")], ..Seen::default() };
        Outcome { verdict: Verdict::default(), seen, took, baseline: Duration::ZERO }
    }
}

#[test]
fn a_row_that_was_skipped_does_not_say_that_it_holds() {
    let mut outcome = Outcome::broken("no reason".to_owned(), Duration::ZERO);
    outcome.seen.skipped = true;
    assert_eq!(outcome.word(), "does not hold", "what was found stays found");
    outcome.seen.findings.clear();
    assert_eq!(outcome.word(), "skipped");
    outcome.seen.skipped = false;
    assert_eq!(outcome.word(), "holds");
}

#[test]
fn the_fault_matrix_holds() {
    let plan = Plan::from_environment();
    println!("chaos: seed {}, {} rows; again: {}", plan.seed, plan.rows.len(), plan.replay(None));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let results = runtime.block_on(play(&plan));
    let page = table::markdown(&plan, &results);
    println!("{page}");
    table::publish(&plan, &page).expect("the table can be written");
    let failed: Vec<&str> =
        results.iter().filter(|(_, outcome)| !outcome.holds()).map(|(row, _)| row.id).collect();
    assert!(
        failed.is_empty(),
        "rows that do not hold: {failed:?}; again: {}",
        plan.replay(Some(&failed.join(",")))
    );
}

async fn play(plan: &Plan) -> Vec<(&'static Row, Outcome)> {
    let directory = table::directory();
    std::fs::create_dir_all(&directory).expect("a directory below target");
    let mut results = Vec::new();
    for row in &plan.rows {
        let row: &'static Row = row;
        let (begun, journal) = (Instant::now(), Journal::begin(row.id));
        let mut task = JoinSet::new();
        task.spawn(play_row(row, Setting::of(plan, row), journal.clone()));
        let ended = task.join_next().await.expect("one task");
        let outcome = ended.unwrap_or_else(|error| Outcome::broken(error.to_string(), begun.elapsed()));
        if plan.keep || !outcome.holds() {
            let path = directory.join(format!("{}.jsonl", row.id));
            journal.save(&path).expect("a history can be written");
        }
        table::tell(plan, row, &outcome);
        results.push((row, outcome));
    }
    results
}

/// What a row is played with.
pub(crate) struct Setting {
    shape: Shape,
    options: WorldOptions,
    scale: Scale,
    seed: u64,
    mix: Duration,
}

impl Setting {
    fn of(plan: &Plan, row: &Row) -> Setting {
        // A row's seed does not depend on which others are played.
        let seed =
            row.id.bytes().fold(plan.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let (shape, options) = (plan.shape(row), (row.world)(plan.scale));
        Setting { shape, options, scale: plan.scale, seed, mix: plan.mix }
    }

    /// The small run, with nodes that are broken on purpose.
    #[cfg(feature = "sabotage")]
    pub(crate) fn sabotaged(row: &Row, sabotage: &str) -> Setting {
        let scale = Scale::Smoke;
        let options = (row.world)(scale).with("WATCHPARTY_SABOTAGE", sabotage);
        Setting { shape: (row.shape)(Shape::small(), scale), options, scale, seed: SEED, mix: Duration::ZERO }
    }

    fn lease(&self) -> Duration {
        let set = self.options.settings.iter().find(|(name, _)| *name == "PARTICIPANT_LEASE");
        Duration::from_secs(set.map_or(30, |(_, seconds)| seconds.parse().expect("seconds")))
    }

    fn level(&self) -> Level {
        let asked = self.options.settings.iter().find(|(name, _)| *name == "DURABILITY");
        match asked.map(|(_, level)| level.as_str()) {
            Some("replicated") => Level::Replicated,
            Some(other) => panic!("no row runs at the level {other}"),
            None if self.options.redis.aof == Aof::Off => Level::Memory,
            None => Level::Aof,
        }
    }

    fn terms(&self, baseline: Duration) -> Terms {
        Terms {
            level: self.level(),
            lease: self.lease(),
            // PING_INTERVAL and PONG_TIMEOUT.
            silence: Duration::from_secs(35),
            kept: 100_000,
            // OUTBOX_BYTES, and what one pull may put on top of it.
            outbox_bytes: 2 * 256 * 1024,
            passing_bytes: 256 * 1024,
            // The log's ring, the load's own rise and the allocator's habits; not a reader's backlog, which is megabytes for each.
            growth_bytes: 64 * 1024 * 1024,
            slack: slack(baseline),
        }
    }
}

/// What deadlines grow by: a machine on which an ack takes a second is forty times slower than one on which promises were made.
fn slack(baseline: Duration) -> Duration {
    (baseline * 10).clamp(Duration::from_millis(500), Duration::from_secs(20))
}

pub(crate) async fn play_row(row: &'static Row, setting: Setting, journal: Journal) -> Outcome {
    let begun = Instant::now();
    let world = World::start(&setting.options, &journal).await;
    let crowd = Crowd::gather(world.addresses(), &setting.shape, &journal, setting.seed).await;
    let watch = Watch::over(world.places.iter().map(|place| place.node.addr()).collect(), journal.clone());
    // The load alone, for a measure of the machine and a log worth losing.
    let_pass(setting.scale.pick(Duration::from_secs(2), Duration::from_secs(4))).await;
    let baseline = journal.look(slowest_ack);
    let (rng, scale, mix) = (fastrand::Rng::with_seed(setting.seed ^ 1), setting.scale, setting.mix);
    let mut scene =
        Scene { disk: None, world, crowd, journal: journal.clone(), rng, scale, seen: Seen::default(), mix };
    (row.inject)(&mut scene).await;
    scene.world.heal_network();
    scene.world.all_ready().await;
    // Everything works: what is said now is the first thing some of them hear.
    let_pass(setting.scale.pick(Duration::from_secs(1), Duration::from_secs(3))).await;
    let unsettled = scene.crowd.settle(SETTLE + slack(baseline) * 3).await;
    journal.note(What::Settled);
    scene.seen.findings.extend(unsettled);
    drop(watch);
    let logs = scene.crowd.read_logs(&scene.world).await;
    scene.crowd.disperse().await;
    scene.seen.findings.extend(scene.world.panics());
    let terms = setting.terms(baseline);
    let judge = move || journal.look(|lines| checker::check(lines, &logs, &terms));
    let verdict = tokio::task::spawn_blocking(judge).await;
    let verdict = verdict.expect("the checker ends, it does not panic");
    (row.afterwards)(&mut scene.seen, &verdict.counts);
    Outcome { verdict, seen: scene.seen, took: begun.elapsed(), baseline }
}

/// The time from a message to its ack that one in a hundred exceeds.
fn slowest_ack(lines: &[Happening]) -> Duration {
    let mut sent: HashMap<(Who, Repetition), MonoUs> = HashMap::new();
    let mut waits = Vec::new();
    for line in lines {
        match (line.who, &line.what) {
            (Some(who), What::Send { op, .. }) => drop(sent.insert((who, *op), line.mono_us)),
            (Some(who), What::Ack { op, .. }) => {
                waits.extend(sent.remove(&(who, *op)).map(|since| line.mono_us.0 - since.0));
            }
            _ => {}
        }
    }
    waits.sort_unstable();
    let at = (waits.len() * 99 / 100).min(waits.len().saturating_sub(1));
    Duration::from_micros(waits.get(at).copied().unwrap_or(0))
}
