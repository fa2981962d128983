//! What happens between clients and nodes: resets, and readers that are slow or do not read.

use std::time::Duration;

use super::{Inject, Scene};
use crate::asking::Question;
use crate::happening::{FaultKind, What};
use crate::journal;
use crate::support::chaos_proxy::{ChaosProxy, Direction};
use crate::support::wait::let_pass;

/// Bytes a second to a slow client: less than what is said.
const SLOW: u64 = 4_000;

/// What may wait for one connection: its outbox, and as much again that is being written (`OUTBOX_BYTES`, and a pull of half of it).
const WAITING_MAX: f64 = 2.0 * 256.0 * 1024.0;

fn door(scene: &Scene, at: usize) -> &ChaosProxy {
    scene.world.places[at].door.as_ref().expect("this row asks for doors")
}

/// F4: RSTs from a random node's clients, several a second.
pub(super) const RESETS: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::ClientsReset, &[]);
        let mut reset = 0;
        for _ in 0..scene.scale.pick(12, 40) {
            let at = scene.any_node();
            reset += door(scene, at).open();
            door(scene, at).reset_connections();
            let_pass(Duration::from_millis(200 + scene.rng.u64(..300))).await;
        }
        scene.heals(fault);
        scene.seen.must_have_happened("connections reset", reset);
    })
};

/// F6: the clients of one node read slowly, then not at all.
pub(super) const SLOW_READERS: Inject = |scene| {
    Box::pin(async move {
        let fault = scene.breaks(FaultKind::ReadersSlow, &[0]);
        door(scene, 0).rate(Direction::Down, SLOW);
        let slow = watch_outboxes(scene, scene.scale.pick(6, 15)).await;
        door(scene, 0).pause(Direction::Down, true);
        let stopped = watch_outboxes(scene, scene.scale.pick(8, 20)).await;
        door(scene, 0).heal();
        scene.heals(fault);
        scene.seen.must_have_happened("readers behind at once", slow.behind.max(stopped.behind));
        let waited = slow.waited.max(stopped.waited);
        scene.seen.remarks.push(format!("at most {:.0} KiB waited for one reader", waited / 1024.0));
        if waited > WAITING_MAX {
            scene.seen.findings.push(format!("I12: {waited} bytes wait for one reader"));
        }
    })
};

/// The most that was seen of a node's readers at one moment.
#[derive(Default)]
struct Most {
    /// Bytes that waited for a connection, on average.
    waited: f64,
    /// Connections past their outbox, which read the log at their own pace.
    behind: usize,
}

/// Looks at the node's outboxes for a while.
async fn watch_outboxes(scene: &Scene, seconds: u64) -> Most {
    let mut most = Most::default();
    for _ in 0..seconds {
        let_pass(Duration::from_secs(1)).await;
        let node = &scene.world.places[0].node;
        let Some(page) = Question::get(node.addr(), "/metrics", None).text(Duration::from_secs(5)).await
        else {
            continue;
        };
        let value = |name: &str| -> Option<f64> {
            page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.trim().parse().ok()
        };
        let outboxes = value("watchparty_outbox_bytes").expect("a series of every node");
        let connections = u32::try_from(door(scene, 0).open()).expect("some connections");
        scene.journal.note(What::Memory {
            node: journal::node(0),
            resident_bytes: node.resident_bytes(),
            outbox_bytes: outboxes as u64,
            connections,
            slow: connections,
        });
        most.waited = most.waited.max(outboxes / f64::from(connections.max(1)));
        let behind = value("watchparty_connections_behind").expect("a series of every node");
        most.behind = most.behind.max(behind as usize);
    }
    most
}
