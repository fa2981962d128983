//! F40: everything that may cost nothing, in an order and at times the seed decides.
//!
//! Faults that may cost acked entries (F17, F18) are left to rows of their own: here nothing at all may be lost.

use tokio::time::Instant;

use super::{Inject, Scene, links, nodes, stores};
use crate::happening::FaultKind;
use crate::support::chaos_proxy::{ChaosProxy, Direction};

/// Kinds of faults in the mix.
const KINDS: u8 = 10;

/// F40
pub(super) const EVERYTHING: Inject = |scene| {
    Box::pin(async move {
        let end = Instant::now() + scene.mix;
        let mut faults = 0;
        while Instant::now() < end {
            one(scene).await;
            faults += 1;
            scene.for_a_while(1).await;
        }
        scene.seen.remarks.push(format!("{faults} faults"));
    })
};

async fn one(scene: &mut Scene) {
    let seconds = 1 + scene.rng.u64(..6);
    match scene.rng.u8(..KINDS) {
        0 => nodes::kill_one(scene).await,
        1 => nodes::freeze_one(scene, seconds).await,
        2 => links::broken(scene, FaultKind::LinkCut, seconds, ChaosProxy::cut).await,
        3 => links::broken(scene, FaultKind::LinkSilent, seconds, ChaosProxy::blackhole).await,
        4 => {
            links::broken(scene, FaultKind::LinkHalfOpen, seconds, |link| link.half_open(Direction::Down))
                .await;
        }
        5 => links::broken(scene, FaultKind::SubscriberCut, seconds, ChaosProxy::deafen_listeners).await,
        6 => links::broken(scene, FaultKind::SubscriberCut, seconds, ChaosProxy::cut_listeners).await,
        7 => drop(stores::kill_listeners(scene).await),
        8 => stores::crash(scene).await,
        _ => stores::freeze(scene, seconds).await,
    }
}
