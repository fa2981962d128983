//! Nodes die, stop in good order, and freeze.

use std::collections::HashSet;
use std::time::Duration;

use super::{Inject, Scene};
use crate::happening::{Change, Entry, FaultKind, Happening, LeftBecause, MonoUs, What};
use crate::support::wait;

/// F1: a random node, again and again.
pub(super) const KILL: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(2, 4) {
            kill_one(scene).await;
            scene.for_a_while(scene.scale.pick(2, 7)).await;
        }
    })
};

/// Kills a node and starts it again.
pub(super) async fn kill_one(scene: &mut Scene) {
    let at = scene.any_node();
    let fault = scene.breaks(FaultKind::NodeKilled, &[at]);
    scene.world.kill(at);
    scene.for_a_while(1).await;
    scene.world.revive(at).await;
    scene.heals(fault);
    scene.world.all_ready().await;
}

/// F2: all nodes, one after another, as a rolling restart does it.
pub(super) const STOP: Inject = |scene| {
    Box::pin(async move {
        for at in 0..scene.world.places.len() {
            let fault = scene.breaks(FaultKind::NodeStopped, &[at]);
            if let Some(wrong) = scene.world.stop(at).await {
                scene.seen.findings.push(wrong);
            }
            scene.world.revive(at).await;
            scene.heals(fault);
            scene.world.all_ready().await;
            scene.breathe().await;
        }
        let spread = scene.journal.look(drain_spreads);
        let window = scene.scale.pick(2.0, 5.0);
        let told: Vec<String> = spread
            .iter()
            .map(|(count, spread)| format!("{count} closes over {:.1} s", spread.as_secs_f64()))
            .collect();
        scene.seen.remarks.push(told.join(", "));
        for (count, spread) in spread {
            // The slots of few connections do not reach the end of the window.
            if count >= 20 && spread.as_secs_f64() < 0.8 * window {
                scene
                    .seen
                    .findings
                    .push(format!("{count} closes within {spread:?} of a window of {window} s"));
            }
        }
    })
};

/// Of each node that was stopped: how many connections it closed with 1012, and the time from the first of them to the last.
fn drain_spreads(lines: &[Happening]) -> Vec<(usize, Duration)> {
    let mut spreads: Vec<Vec<MonoUs>> = Vec::new();
    for line in lines {
        match &line.what {
            What::FaultBegan { kind: FaultKind::NodeStopped, .. } => spreads.push(Vec::new()),
            What::Closed { code: Some(1012), .. } => {
                spreads.last_mut().into_iter().for_each(|closes| closes.push(line.mono_us));
            }
            _ => {}
        }
    }
    let spread = |closes: Vec<MonoUs>| {
        let ends = closes.first().zip(closes.last()).map_or(0, |(first, last)| last.0 - first.0);
        (closes.len(), Duration::from_micros(ends))
    };
    spreads.into_iter().map(spread).collect()
}

/// F3: a node that neither lives nor dies, for longer than a lease.
pub(super) const FREEZE: Inject = |scene| {
    Box::pin(async move {
        for seconds in scene.scale.pick(vec![16], vec![30, 60]) {
            freeze_one(scene, seconds).await;
            scene.breathe().await;
        }
        let timeouts = scene.journal.look(|lines| {
            let left = lines.iter().filter_map(|line| match line.what {
                What::Receive(Entry {
                    at, change: Some(Change::Left { because, participant, .. }), ..
                }) => (because == LeftBecause::Timeout).then_some((at, participant.0)),
                _ => None,
            });
            left.collect::<HashSet<_>>().len()
        });
        // Nobody, if the node was not frozen for longer than a lease.
        scene.seen.must_have_happened("left by timeout", timeouts);
    })
};

/// Freezes a node for a while.
pub(super) async fn freeze_one(scene: &mut Scene, seconds: u64) {
    let at = scene.any_node();
    // A frozen node answers no probe at all: there is no readiness that could lie.
    let fault = scene.breaks(FaultKind::NodeFrozen, &[at]);
    scene.world.places[at].node.freeze();
    scene.for_a_while(seconds).await;
    scene.world.places[at].node.thaw();
    scene.heals(fault);
    scene.world.all_ready().await;
}

/// F34: one of three nodes dies with many idle connections.
pub(super) const STORM: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::NodeKilled, &[0]);
        scene.world.kill(0);
        let since = tokio::time::Instant::now();
        let crowd = &scene.crowd;
        wait::until_within(Duration::from_secs(60), "the loss to be noticed", || async {
            let away = crowd.faces.iter().any(|face| !face.standing.is_seated());
            away.then_some(())
        })
        .await;
        crowd.all_seated().await;
        scene.seen.remarks.push(format!(
            "{} people back after {:.1} s",
            crowd.faces.len(),
            since.elapsed().as_secs_f64()
        ));
        scene.world.revive(0).await;
        scene.world.all_ready().await;
        scene.heals(fault);
    })
};
