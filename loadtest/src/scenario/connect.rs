//! `connect`: connections that do nothing, opened in steps. How fast they are accepted, what each costs in memory, and whether all stay.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::cli::load::Knobs;
use crate::engine::crowd::{Arrival, arrive};
use crate::engine::scene::{Plan, Scene, Stage};
use crate::engine::sums::ENOUGH;
use crate::report::figures::{Judged, Own, Step, Unit};
use crate::report::progress::{Extent, Phase};

use super::Outcome;

/// Runs it.
pub(super) async fn play(stage: &Stage, knobs: &Knobs) -> anyhow::Result<Outcome> {
    let plan = Plan { rooms: knobs.sessions, people: knobs.connections, speakers: 0, spare: 0 };
    let mut scene = Scene::set(stage, knobs, plan).await?;
    let mut rates = Vec::new();
    for number in 1..=knobs.steps {
        if stage.stop.asked() {
            break;
        }
        let step = step(&mut scene, knobs, number).await;
        rates.extend(step.connects_per_s);
        scene.steps.push(step);
    }
    let flat = hold(&mut scene, knobs).await;
    let accepted = Own {
        name: "connect.rate".to_owned(),
        what: "connections accepted a second, the slowest step".to_owned(),
        value: rates.iter().copied().fold(f64::INFINITY, f64::min),
        unit: Unit::Rate,
    };
    let open = scene.hall.open.load(Ordering::Relaxed);
    let mut outcome = Outcome::from(scene.finish());
    outcome.own.push(flat);
    if accepted.value.is_finite() {
        outcome.own.push(accepted);
    }
    outcome.judged.push(Judged::count(
        "every connection is open at the end",
        format!("{open} of {}", knobs.connections),
        open == u64::from(knobs.connections) || stage.stop.asked(),
    ));
    Ok(outcome)
}

/// Opens the connections of one step, and looks at what they cost.
#[expect(clippy::cast_precision_loss, reason = "connections are far fewer than 2^52")]
async fn step(scene: &mut Scene, knobs: &Knobs, number: u32) -> Step {
    let at = |number: u32| scene.people.len() * number as usize / knobs.steps as usize;
    let people = scene.people[at(number - 1)..at(number)].to_vec();
    scene.phase(Phase::Connect, Extent::Count(at(number) as u64));
    let (began, before) = (Instant::now(), scene.hall.welcomed.load(Ordering::Relaxed));
    let how = Arrival { over: knobs.ramp, attempts: 1, storm: false };
    arrive(&scene.hall, &scene.lanes, &people, how).await;
    let (took, welcomed) = (began.elapsed(), scene.hall.welcomed.load(Ordering::Relaxed) - before);
    scene.settled().await;
    let connections = scene.hall.open.load(Ordering::Relaxed);
    let resident =
        |mark: &Option<crate::engine::watch::Mark>| mark.as_ref().and_then(|mark| mark.load.resident);
    let (empty, full) = (resident(&scene.marks.empty), resident(&scene.marks.full));
    let each = |(empty, full): (u64, u64)| (full as f64 - empty as f64) / connections.max(1) as f64;
    Step {
        name: format!("{connections} connections"),
        value: connections as f64,
        connections,
        connects_per_s: Some(welcomed as f64 / took.as_secs_f64().max(1e-3)),
        server_rss_bytes: full,
        rss_per_connection_bytes: empty.zip(full).filter(|_| connections >= ENOUGH).map(each),
        ..Step::default()
    }
}

/// Holds them all, and says how much memory grew meanwhile.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
async fn hold(scene: &mut Scene, knobs: &Knobs) -> Own {
    scene.phase(Phase::Run, Extent::Time(knobs.duration));
    scene.marks.running = Some(scene.watch.mark().await);
    scene.hall.stop.pause(knobs.duration).await;
    let (before, after) = (scene.marks.running.as_ref(), scene.watch.mark().await);
    let before = before.and_then(|mark| mark.load.resident).unwrap_or(0);
    let growth = after.load.resident.unwrap_or(before) as f64 - before as f64;
    scene.marks.ran = Some(after.clone());
    scene.marks.drained = Some(after);
    Own {
        name: "hold.growth".to_owned(),
        what: "how much more the gateway had resident after the connections were held".to_owned(),
        value: growth,
        unit: Unit::Bytes,
    }
}
