//! What happens between nodes and Redis: cut, silent, one-way, late, or only the half that listens.

use std::time::Duration;

use super::{Inject, Scene};
use crate::happening::FaultKind;
use crate::support::chaos_proxy::{ChaosProxy, Direction};
use crate::support::wait::{self, let_pass};

fn link(scene: &Scene, at: usize) -> &ChaosProxy {
    &scene.world.places[at].link
}

/// Breaks a node's link in a way, for a while.
pub(super) async fn broken(scene: &mut Scene, kind: FaultKind, seconds: u64, way: fn(&ChaosProxy)) {
    let at = scene.any_node();
    let fault = scene.silences(kind, &[at]);
    way(link(scene, at));
    scene.for_a_while(seconds).await;
    link(scene, at).heal();
    scene.heals(fault);
    scene.world.all_ready().await;
}

/// F8
pub(super) const CUT: Inject = |scene| {
    Box::pin(async move {
        for seconds in scene.scale.pick(vec![1, 5], vec![1, 5, 30]) {
            broken(scene, FaultKind::LinkCut, seconds, ChaosProxy::cut).await;
            scene.breathe().await;
        }
    })
};

/// F9
pub(super) const SILENT: Inject = |scene| {
    Box::pin(async move {
        broken(scene, FaultKind::LinkSilent, scene.scale.pick(8, 30), ChaosProxy::blackhole).await;
    })
};

/// F10
pub(super) const ONE_WAY: Inject = |scene| {
    Box::pin(async move {
        for seconds in scene.scale.pick(vec![4], vec![2, 10]) {
            broken(scene, FaultKind::LinkHalfOpen, seconds, |link| link.half_open(Direction::Down)).await;
            scene.breathe().await;
        }
    })
};

/// F11
pub(super) const LISTENER: Inject = |scene| {
    Box::pin(async move {
        let seconds = scene.scale.pick(6, 12);
        broken(scene, FaultKind::SubscriberCut, seconds, ChaosProxy::deafen_listeners).await;
        scene.breathe().await;
        broken(scene, FaultKind::SubscriberCut, seconds, ChaosProxy::cut_listeners).await;
    })
};

/// How long replies are swallowed before their link is closed: long enough that a call is under way, too short for anybody to notice.
const SWALLOWED: Duration = Duration::from_millis(200);

/// F12: replies swallowed and their link closed, so that what ran is sent again; then closed within a call, right behind it, and within its reply.
pub(super) const REPLY_LOST: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(8, 12) {
            let at = scene.any_node();
            let fault = scene.breaks(FaultKind::RepliesLost, &[at]);
            link(scene, at).half_open(Direction::Down);
            let_pass(SWALLOWED).await;
            // Whoever lost bytes is reset by that.
            link(scene, at).heal();
            scene.heals(fault);
            scene.breathe().await;
        }
        for _ in 0..scene.scale.pick(16, 60) {
            let (at, bytes) = (scene.any_node(), 1 + scene.rng.u64(..1500));
            let direction = if scene.rng.bool() { Direction::Up } else { Direction::Down };
            let fault = scene.breaks(FaultKind::RepliesLost, &[at]);
            let accepted = link(scene, at).accepted();
            link(scene, at).close_after(direction, bytes);
            let link = link(scene, at);
            // The probes alone carry enough bytes for that, sooner or later.
            wait::until("the fault to happen", || {
                std::future::ready((link.accepted() > accepted).then_some(()))
            })
            .await;
            link.heal();
            scene.heals(fault);
        }
        scene.world.all_ready().await;
    })
};

/// F13
pub(super) const LATE: Inject = |scene| {
    Box::pin(async move {
        for base in [50, 200] {
            let fault = scene.breaks(FaultKind::LinkDelayed, &[]);
            for place in &scene.world.places {
                place.link.delay(Duration::from_millis(base), Duration::from_millis(base / 2));
            }
            scene.for_a_while(scene.scale.pick(4, 12)).await;
            scene.world.heal_network();
            scene.heals(fault);
        }
        scene.world.all_ready().await;
    })
};
