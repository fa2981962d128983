//! What nodes said of themselves: I12, I13.

use super::story::*;
use crate::checker::Invariant;
use crate::happening::*;

fn memory(resident_bytes: u64, outbox_bytes: u64) -> What {
    What::Memory { node: Node(0), resident_bytes, outbox_bytes, connections: 12, slow: 2 }
}

#[test]
fn i12_slow_readers_cost_their_outboxes() {
    // Two slow ones at 1000 bytes, ten others at 10.
    let mut story = Story::with(&[1]);
    story.line(None, memory(10_000, 0));
    story.line(None, memory(17_100, 2100));
    story.holds();
    let mut waiting = Story::with(&[1]);
    waiting.line(None, memory(10_000, 2101));
    waiting.breaks(Invariant::I12);
    story.line(None, memory(17_101, 0));
    story.breaks(Invariant::I12);
}

#[test]
fn i12_a_new_process_begins_anew() {
    let mut story = Story::with(&[1]);
    story.line(None, memory(10_000, 0));
    story.line(None, What::NodeDown { node: Node(0) });
    story.line(None, memory(40_000, 0));
    story.holds();
}

/// A fault of ten seconds, and what the node says that many seconds into it.
fn asked(kind: FaultKind, seconds: u64, status: Option<u16>) -> Story {
    let mut story = Story::with(&[1]);
    let id = story.fault(kind, &[0]);
    story.wait(seconds);
    story.line(None, What::Ready { node: Node(0), status });
    story.line(None, What::Ready { node: Node(1), status: Some(200) });
    story.wait(10 - seconds);
    story.line(None, What::FaultEnded { id });
    story.line(None, What::Ready { node: Node(0), status: Some(200) });
    story
}

#[test]
fn i13_a_deaf_node_is_not_ready() {
    asked(FaultKind::LinkCut, 2, Some(200)).holds();
    asked(FaultKind::LinkCut, 4, Some(503)).holds();
    asked(FaultKind::LinkCut, 4, None).holds();
    asked(FaultKind::LinkCut, 4, Some(200)).breaks(Invariant::I13);
    asked(FaultKind::LinkSilent, 5, Some(200)).holds();
    asked(FaultKind::LinkSilent, 7, Some(200)).breaks(Invariant::I13);
}
