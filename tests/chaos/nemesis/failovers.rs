//! What happens to a primary that sentinels watch: replaced in good order, killed while its replicas lag, cut off and back. And to a cluster:
//! a primary is killed, slots move.
//!
//! Each remark is the time without writes: the longest in which nobody was acked anything, from the beginning of the fault on.

use std::time::Duration;

use super::{Inject, Scene};
use crate::happening::{FaultKind, Happening, MonoUs, What};
use crate::support::redis_cluster::PRIMARIES;

/// How long replicas hear nothing before the primary dies.
const BEHIND: Duration = Duration::from_secs(2);

/// F23
pub(super) const PLANNED: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(2, 4) {
            let fault = scene.breaks(FaultKind::FailoverClean, &[]);
            let (sentinels, primary) = scene.world.watched();
            let old = *primary;
            *primary = sentinels.fail_over(old).await;
            scene.heals(fault);
            settle(scene).await;
        }
    })
};

/// F24
pub(super) const KILLED_BEHIND: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(1, 3) {
            let fault = scene.breaks(FaultKind::FailoverLossy, &[]);
            let (sentinels, primary) = scene.world.watched();
            let old = *primary;
            sentinels.servers[old].way.deafen_replicas();
            crate::support::wait::let_pass(BEHIND).await;
            sentinels.servers[old].server.kill9();
            *primary = sentinels.promoted(old).await;
            sentinels.servers[old].way.heal();
            sentinels.servers[old].server.restart().await;
            scene.heals(fault);
            settle(scene).await;
        }
    })
};

/// F25: nobody reaches it, and it lives on: when it is back it believes for a while that it is the primary.
pub(super) const CUT_OFF: Inject = |scene| {
    Box::pin(async move {
        for _ in 0..scene.scale.pick(1, 3) {
            let fault = scene.breaks(FaultKind::FailoverLossy, &[]);
            let (sentinels, primary) = scene.world.watched();
            let old = *primary;
            sentinels.servers[old].way.blackhole();
            *primary = sentinels.promoted(old).await;
            sentinels.servers[old].way.heal();
            scene.heals(fault);
            settle(scene).await;
        }
    })
};

/// F27
pub(super) const CLUSTER_KILLED: Inject = |scene| {
    Box::pin(async move {
        for at in 0..scene.scale.pick(1, PRIMARIES) {
            let fault = scene.breaks(FaultKind::FailoverLossy, &[]);
            let cluster = scene.world.cluster();
            cluster.servers[at].kill9();
            cluster.replaced(at).await;
            cluster.servers[at].restart().await;
            scene.heals(fault);
            scene.world.all_ready().await;
            let cluster = scene.world.cluster();
            // The one that took its place has to have a replica again before the next dies.
            cluster.followed(PRIMARIES + at).await;
            scene.breathe().await;
            let pause = scene.journal.look(longest_pause);
            scene.seen.remarks.push(format!("{:.1} s without acks anywhere", pause.as_secs_f64()));
        }
    })
};

/// F28
pub(super) const SLOTS_MOVED: Inject = |scene| {
    Box::pin(async move {
        let sessions: Vec<String> = scene.crowd.sessions.iter().map(|session| session.id.clone()).collect();
        let mut moved = 0;
        for session in sessions {
            for _ in 0..2 {
                let fault = scene.breaks(FaultKind::SlotMoved, &[]);
                let cluster = scene.world.cluster();
                let slot = cluster.slot_of(&session).await;
                let from = cluster.owner_of(slot).await;
                let to = (from + 1) % PRIMARIES;
                cluster.begin_move(slot, from, to).await;
                moved += cluster.move_keys(slot, from, to).await;
                cluster.end_move(slot, from, to).await;
                scene.heals(fault);
                scene.for_a_while(1).await;
            }
        }
        scene.world.all_ready().await;
        scene.seen.must_have_happened("keys moved", moved);
    })
};

/// Waits until every node delivers again, and then until the others follow, so that the next failover has two to choose from.
async fn settle(scene: &mut Scene) {
    scene.world.all_ready().await;
    let (sentinels, primary) = scene.world.watched();
    sentinels.follow(*primary).await;
    scene.breathe().await;
    let pause = scene.journal.look(longest_pause);
    scene.seen.remarks.push(format!("{:.1} s without acks", pause.as_secs_f64()));
}

/// The longest time between two acks of anybody, from the last beginning of a fault on.
fn longest_pause(lines: &[Happening]) -> Duration {
    let begun = lines.iter().rposition(|line| matches!(line.what, What::FaultBegan { .. })).unwrap_or(0);
    let counts = |line: &&Happening| matches!(line.what, What::Ack { .. } | What::FaultBegan { .. });
    let times: Vec<MonoUs> = lines[begun..].iter().filter(counts).map(|line| line.mono_us).collect();
    let longest = times.windows(2).map(|pair| pair[1].0 - pair[0].0).max();
    Duration::from_micros(longest.unwrap_or(0))
}
