//! Five builds broken on purpose, each of which the checker must catch, by the invariant that FAULTS names for it: *Teeth*.
//!
//! The rows are those of the matrix, played small. A green run of a broken build fails its test, and so does a run that is red for another
//! reason only. What is asserted beside the invariant is the damage that the break does: an ack without an entry is not a mere wrong number.

use crate::checker::{Counts, Invariant};
use crate::journal::Journal;
use crate::nemesis::ROWS;
use crate::runner::{Setting, play_row};
use crate::table;

/// Plays a row against nodes broken in this way. What the checker counted, if the invariant is among those it found broken.
async fn bites(row: &'static str, sabotage: &'static str, invariant: Invariant) -> Counts {
    let row = ROWS.iter().find(|each| each.id == row).expect("a row of the matrix");
    let journal = Journal::begin(row.id);
    let outcome = play_row(row, Setting::sabotaged(row, sabotage), journal.clone()).await;
    let caught: Vec<_> =
        outcome.verdict.violations.iter().filter(|violation| violation.invariant == invariant).collect();
    println!(
        "teeth: {sabotage} in {}, {:.0} s: {} times {invariant:?}",
        row.id,
        outcome.took.as_secs_f64(),
        caught.len()
    );
    caught.iter().take(3).for_each(|violation| println!("  {}", violation.detail));
    if caught.is_empty() {
        let path = table::directory().join(format!("teeth-{sabotage}-{}.jsonl", row.id));
        std::fs::create_dir_all(table::directory()).expect("a directory below target");
        journal.save(&path).expect("a history can be written");
        panic!(
            "{sabotage} went through {} unnoticed ({:?}); {}",
            row.id,
            outcome.verdict.violations,
            path.display()
        );
    }
    outcome.verdict.counts
}

#[tokio::test(flavor = "multi_thread")]
async fn no_backfill_is_caught_when_a_link_is_cut() {
    let counts = bites("F8", "no_backfill", Invariant::I3).await;
    assert!(counts.silent_gaps > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_backfill_is_caught_when_only_the_listener_is_cut() {
    let counts = bites("F11", "no_backfill", Invariant::I3).await;
    assert!(counts.silent_gaps > 0, "{counts:?}");
}

/// In F15 it is Redis that finds a buffer full and drops: what the node must do about that is read what it missed.
#[tokio::test(flavor = "multi_thread")]
async fn no_backfill_is_caught_when_a_listener_is_overrun() {
    let counts = bites("F15", "no_backfill", Invariant::I3).await;
    assert!(counts.silent_gaps > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_dedup_is_caught_when_replies_are_lost() {
    let counts = bites("F12", "no_dedup", Invariant::I1).await;
    assert!(counts.duplicated > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fence_is_caught_when_the_tail_is_lost() {
    bites("F17", "no_fence", Invariant::I2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drop_on_full_is_caught_by_slow_readers() {
    let counts = bites("F6", "drop_on_full", Invariant::I3).await;
    assert!(counts.silent_gaps > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ack_before_redis_is_caught_when_a_link_is_cut() {
    let counts = bites("F8", "ack_before_redis", Invariant::I1).await;
    assert!(counts.lost > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ack_before_redis_is_caught_when_redis_stands_still() {
    let counts = bites("F20", "ack_before_redis", Invariant::I1).await;
    assert!(counts.lost > 0, "{counts:?}");
}

#[test]
fn a_name_nobody_knows_breaks_nothing() {
    use watchparty::sabotage::{Break, choose, is, script};
    assert!(!choose("no_such_thing"));
    assert!(!is(Break::NoBackfill));
    assert_eq!(script("if now ~= f[2] then"), "if now ~= f[2] then", "this process is whole");
}
