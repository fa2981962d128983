//! What readers saw: I2, I3, I4, I8.

use super::story::*;
use crate::checker::{Invariant, Level};
use crate::happening::*;

#[test]
fn i2_everybody_gets_the_same_bytes() {
    let mut story = Story::with(&[1, 2, 3]);
    story.say(1);
    story.cut(3);
    story.say(2);
    story.resume(3);
    story.say(1);
    story.holds();
    let index = story.receipt(2, story.log.head);
    entry_of(&mut story.history[index]).frame.0 ^= 1;
    story.breaks(Invariant::I2);
}

/// The weakness of a counter whose epoch survives a lost tail (Centrifugo documents it): the same numbers are used again.
#[test]
fn i2_a_number_used_again_needs_another_epoch() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 1);
    story.say(2);
    story.holds();

    // The same, but Redis goes on under the epoch it remembers, and whoever saw more is not told.
    let mut story = Story::with(&[1, 2, 3]);
    story.say(1);
    story.say(1);
    story.cut(3);
    let lost = story.log.entries.pop().unwrap();
    story.log.head.0 -= 1;
    story.history.retain(|line| !matches!(line.what, What::Ack { at, .. } if at == lost.at));
    story.cut(2);
    story.cut(1);
    story.enter(4);
    story.breaks(Invariant::I2);
}

#[test]
fn i2_an_older_branch_agrees_as_far_as_it_reaches() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.cut(2);
    story.say(1);
    story.restart(FaultKind::RedisKilled, 0);
    // 2 reads under the new epoch what 1 read under the old one.
    story.resume(2);
    story.holds();
    let index = story.receipt(2, story.log.head);
    assert_eq!(entry_of(&mut story.history[index]).at.epoch, epoch(2));
    story.log.entries[3].frame.0 ^= 1;
    let index = story.receipt(2, story.log.head);
    entry_of(&mut story.history[index]).frame.0 ^= 1;
    story.breaks(Invariant::I2);
}

#[test]
fn i3_a_connection_sees_no_hole() {
    let mut story = Story::with(&[1, 2]);
    let entry = story.say(1);
    story.say(1);
    story.holds();
    drop_receipt(&mut story, 2, entry);
    story.breaks(Invariant::I3);
    assert_eq!(story.verdict().counts.silent_gaps, 1);
}

/// Somebody never got an entry, nor did their application.
fn drop_receipt(story: &mut Story, number: u128, entry: Entry) {
    let is_it = |line: &Happening| {
        line.who.is_some_and(|who| who.participant == person(number))
            && match &line.what {
                What::Receive(got) => got.at == entry.at,
                What::Deliver { at, .. } => *at == entry.at,
                _ => false,
            }
    };
    story.history.retain(|line| !is_it(line));
}

#[test]
fn i3_nothing_comes_again_or_out_of_order() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    let (first, second) = (story.receipt(2, Seq(3)), story.receipt(2, Seq(4)));
    let mut again = story.history[second].clone();
    again.mono_us.0 += 100_000;
    story.history.push(again);
    story.breaks(Invariant::I3);
    story.history.pop();

    let (a, b) = (story.history[first].what.clone(), story.history[second].what.clone());
    (story.history[first].what, story.history[second].what) = (b, a);
    assert!(story.broken().contains(&Invariant::I3));
}

#[test]
fn i3_a_resume_goes_on_where_it_was() {
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    let missed = story.say(1);
    story.resume(2);
    story.say(1);
    story.holds();
    drop_receipt(&mut story, 2, missed);
    story.breaks(Invariant::I3);
}

#[test]
fn i3_a_resume_starts_where_something_came() {
    let mut story = Story::with(&[1, 2]);
    let last = story.say(1);
    story.cut(2);
    story.say(1);
    story.resume(2);
    story.holds();
    drop_receipt(&mut story, 2, last);
    story.breaks(Invariant::I3);
}

#[test]
fn i3_who_is_there_at_the_end_has_everything() {
    let mut story = Story::with(&[1, 2]);
    let last = story.say(1);
    story.settle();
    story.holds();
    drop_receipt(&mut story, 2, last);
    story.breaks(Invariant::I3);
    // Who had gone by then lacks nothing.
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    story.say(1);
    story.settle();
    story.holds();
}

#[test]
fn i3_a_reset_is_not_hidden() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 1);
    story.say(2);
    story.holds();
    let reset = story.last(|line| {
        line.who.is_some_and(|who| who.participant == person(2)) && matches!(line.what, What::Reset { .. })
    });
    story.history.remove(reset);
    story.breaks(Invariant::I3);
}

#[test]
fn i3_a_status_is_no_reset() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 1);
    story.say(2);
    let reset = story.last(|line| matches!(line.what, What::Reset { .. }));
    // The gateway says that history goes on, though the log lost what this reader saw last.
    let begins = Position { epoch: epoch(2), seq: Seq(4) };
    story.history[reset].what = What::Status { degraded: false, begins: Some(begins) };
    assert!(story.broken().contains(&Invariant::I3));
}

#[test]
fn i3_a_welcome_does_not_recover_over_a_break() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.cut(2);
    story.restart(FaultKind::RedisTailLost, 1);
    story.say(1);
    story.resume(2);
    story.say(1);
    story.holds();
    let welcome = story.last(|line| matches!(line.what, What::Welcome { .. }));
    if let What::Welcome { recovered, reason, .. } = &mut story.history[welcome].what {
        (*recovered, *reason) = (true, None);
    }
    story.breaks(Invariant::I3);
}

#[test]
fn i3_nobody_is_left_hanging_in_a_session_that_is_gone() {
    let mut story = Story::with(&[1]);
    let fault = story.fault(FaultKind::RedisEmptied, &[]);
    story.line(None, What::FaultEnded { id: fault });
    let gone = crate::checker::FinalLogs::from([(SESSION, None)]);
    let closed = What::Closed { code: Some(4404), reason: "no_session".to_owned() };
    story.told(1, closed);
    story.settle();
    let verdict = crate::checker::check(&story.history, &gone, &story.terms);
    assert!(verdict.violations.is_empty(), "{verdict:#?}");
    story.history.retain(|line| !matches!(line.what, What::Closed { .. }));
    let verdict = crate::checker::check(&story.history, &gone, &story.terms);
    assert_eq!(verdict.violations.iter().map(|it| it.invariant).collect::<Vec<_>>(), [Invariant::I3]);
}

#[test]
fn i4_nothing_comes_to_the_callback_twice() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.holds();
    let deliver = story.last(|line| matches!(line.what, What::Deliver { .. }));
    let mut again = story.history[deliver].clone();
    again.mono_us.0 += 100_000;
    story.history.push(again);
    story.breaks(Invariant::I4);
}

#[test]
fn i3_nothing_is_swallowed_before_the_callback() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    let deliver = story.last(|line| matches!(line.what, What::Deliver { .. }));
    story.history.remove(deliver);
    story.breaks(Invariant::I3);
}

#[test]
fn i8_a_reset_has_a_fault() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 1);
    story.settle();
    story.holds();
    // The same resets after a fault that loses nothing. What was lost is unexcused too.
    for line in &mut story.history {
        if let What::FaultBegan { kind, .. } = &mut line.what {
            *kind = FaultKind::RedisKilled;
        }
    }
    assert_eq!(story.broken(), [Invariant::I1, Invariant::I8].into());
}

#[test]
fn i8_a_fault_does_not_excuse_what_came_after_it() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 0);
    story.say(1);
    story.holds();
    let (epoch, head) = (story.log.epoch, story.log.head);
    story.told(2, What::Reset { reason: Reason::Diverged, epoch, head });
    story.breaks(Invariant::I8);
}

/// Where acks wait for replicas, entries are still announced before.
#[test]
fn i8_a_failover_takes_back_what_was_seen_and_never_what_was_acked() {
    let mut story = Story::with(&[1, 2]);
    story.terms.level = Level::Replicated;
    story.say(1);
    story.say(1);
    let last = story.log.head;
    story.restart(FaultKind::FailoverLossy, 1);
    story.settle();
    assert_eq!(story.broken(), [Invariant::I1].into(), "it was acked");
    story.history.retain(|line| !matches!(line.what, What::Ack { at, .. } if at.seq == last));
    story.holds();
}

#[test]
fn i8_trimmed_is_a_matter_of_distance() {
    for (kept, is_allowed) in [(3, true), (4, false)] {
        let mut story = Story::with(&[1, 2]);
        story.terms.kept = kept;
        story.cut(2);
        for _ in 0..3 {
            story.say(1);
        }
        let from = Position { epoch: epoch(1), seq: Seq(2) };
        story.open(2, Some(from));
        let (epoch, head) = (story.log.epoch, story.log.head);
        let (reason, resumed_from) = (Some(Reason::Trimmed), Some(from));
        story.told(2, What::Welcome { epoch, head, recovered: false, reason, resumed_from, last_n: 0 });
        if is_allowed { story.holds() } else { story.breaks(Invariant::I8) }
    }
}
