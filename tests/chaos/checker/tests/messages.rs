//! What became of messages: I1, I5, I6, I7.

use super::story::*;
use crate::checker::{Invariant, Level};
use crate::happening::*;

#[test]
fn i1_an_acked_message_is_in_the_log() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    let entry = story.say(2);
    story.settle();
    story.holds();
    assert_eq!(story.verdict().counts.acked, 2);

    // Its author heard `ack`; nobody ever saw it.
    story.log.entries.pop();
    story.log.head.0 -= 1;
    story.history.retain(|line| match &line.what {
        What::Receive(got) => got.at != entry.at,
        What::Deliver { at, .. } => *at != entry.at,
        _ => true,
    });
    story.breaks(Invariant::I1);
    assert_eq!(story.verdict().counts.lost, 1);
}

#[test]
fn i1_an_acked_message_is_there_once() {
    let mut story = Story::with(&[1, 2]);
    let n = story.next(1);
    story.send(1, n);
    let first = story.append(Draft::chat(1, n));
    story.cut(1);
    story.resume(1);
    story.send(1, n);
    story.told(1, What::Ack { op: Repetition::N(n), at: first.at, duplicate: true });
    story.holds();

    // The second attempt is appended again: everybody gets it, and drops it before the callback.
    story.append(Draft::chat(1, n));
    story.breaks(Invariant::I1);
    assert_eq!(story.verdict().counts.duplicated, 1);
}

#[test]
fn i1_a_message_by_key_is_known_by_what_it_says() {
    let mut story = Story::with(&[1]);
    let (op, payload) = (Repetition::Key(5), Some(Digest(77)));
    story.told(1, What::Send { op, kind: Kind::Chat, payload, target: None });
    let entry = story.append(Draft { n: None, payload, ..Draft::chat(1, 1) });
    story.told(1, What::Ack { op, at: entry.at, duplicate: false });
    story.holds();

    story.append(Draft { n: None, payload, ..Draft::chat(1, 1) });
    story.breaks(Invariant::I1);
}

#[test]
fn i1_an_ack_names_the_place() {
    let mut story = Story::with(&[1]);
    story.say(1);
    story.say(1);
    story.holds();
    let ack = story.last(|line| matches!(line.what, What::Ack { .. }));
    if let What::Ack { at, .. } = &mut story.history[ack].what {
        at.seq.0 -= 1;
    }
    story.breaks(Invariant::I1);
}

/// A lost tail whose author was told and sent again, then the same without what excuses it.
fn told_and_sent_again() -> Story {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisTailLost, 1);
    story.send(1, 3);
    story.told(1, What::Refused { op: Repetition::N(3), code: "gap".to_owned(), last_n: Some(1) });
    story.say(1);
    story.say(1);
    story.settle();
    story
}

#[test]
fn i1_what_redis_lost_is_told_and_can_be_sent_again() {
    let story = told_and_sent_again();
    story.holds();
    let counts = story.verdict().counts;
    assert_eq!((counts.acked, counts.told_lost, counts.sent_again, counts.lost), (3, 1, 1, 0));
    assert_eq!(counts.resets.get(&Reason::Diverged), Some(&2));

    // At a level that survives this fault nothing excuses it: neither the taking back nor the resets.
    let mut story = told_and_sent_again();
    story.terms.level = Level::Fsync;
    assert_eq!(story.broken(), [Invariant::I1, Invariant::I8].into());
}

#[test]
fn i1_what_nobody_was_told_is_lost() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.say(1);
    story.cut(1);
    story.cut(2);
    story.restart(FaultKind::RedisTailLost, 1);
    story.settle();
    // Nobody came back, so nobody was told.
    story.breaks(Invariant::I1);
    story.resume(2);
    story.holds();
    assert_eq!(story.verdict().counts.told_lost, 1);
}

#[test]
fn i1_an_ack_is_not_taken_back_without_a_reason() {
    let mut story = Story::with(&[1]);
    story.say(1);
    story.say(1);
    story.restart(FaultKind::RedisKilled, 0);
    story.say(1);
    story.holds();
    story.send(1, 9);
    story.told(1, What::Refused { op: Repetition::N(9), code: "gap".to_owned(), last_n: Some(3) });
    story.holds();
    let gap = story.last(|line| matches!(line.what, What::Refused { .. }));
    if let What::Refused { last_n, .. } = &mut story.history[gap].what {
        *last_n = Some(2);
    }
    story.breaks(Invariant::I1);
}

#[test]
fn i5_numbers_rise_in_the_log() {
    let mut story = Story::with(&[1, 2]);
    story.send(1, 1);
    story.send(1, 2);
    let entries = [story.append(Draft::chat(1, 1)), story.append(Draft::chat(1, 2))];
    story.ack(1, 1, entries[0].at);
    story.ack(1, 2, entries[1].at);
    story.holds();

    let mut story = Story::with(&[1, 2]);
    story.send(1, 1);
    story.send(1, 2);
    let entries = [story.append(Draft::chat(1, 2)), story.append(Draft::chat(1, 1))];
    story.ack(1, 2, entries[0].at);
    story.ack(1, 1, entries[1].at);
    story.breaks(Invariant::I5);
}

#[test]
fn i6_nothing_comes_that_was_not_sent() {
    let mut story = Story::with(&[1, 2]);
    story.say(1);
    story.holds();
    story.append(Draft::chat(2, 1));
    story.breaks(Invariant::I6);
    assert_eq!(story.verdict().counts.phantoms, 1);
}

#[test]
fn i6_what_comes_is_what_was_sent_and_not_before() {
    let mut story = Story::with(&[1, 2]);
    story.send(1, 1);
    let entry = story.append(Draft { payload: Some(Digest(1)), ..Draft::chat(1, 1) });
    story.ack(1, 1, entry.at);
    story.breaks(Invariant::I6);

    let mut story = Story::with(&[1, 2]);
    let entry = story.append(Draft::chat(1, 1));
    story.send(1, 1);
    story.ack(1, 1, entry.at);
    story.breaks(Invariant::I6);
}

#[test]
fn i6_nobody_joins_who_never_came() {
    let mut story = Story::with(&[1]);
    story.append(Draft::change(Kind::Joined, Change::Joined { participant: person(3) }));
    story.breaks(Invariant::I6);
}

#[test]
fn i7_an_unknown_outcome_is_none_or_one() {
    for times in 0..3 {
        let mut story = Story::with(&[1, 2]);
        story.send(1, 1);
        for _ in 0..times {
            story.append(Draft::chat(1, 1));
        }
        story.told(1, What::Unknown { op: Repetition::N(1) });
        match times {
            2 => story.breaks(Invariant::I7),
            _ => story.holds(),
        }
    }
}

#[test]
fn i7_what_was_refused_is_not_written() {
    let refused = What::Refused { op: Repetition::N(1), code: "forbidden".to_owned(), last_n: None };
    let mut story = Story::with(&[1, 2]);
    story.send(1, 1);
    story.told(1, refused.clone());
    story.holds();
    story.append(Draft::chat(1, 1));
    story.breaks(Invariant::I7);
    // A second attempt that nobody answered may have written it.
    story.history.pop();
    let index = story.last(|line| line.what == refused);
    let line = story.history[index].clone();
    story.history.insert(
        index,
        Happening {
            what: What::Send {
                op: Repetition::N(1),
                kind: Kind::Chat,
                payload: Some(words(1, 1)),
                target: None,
            },
            ..line
        },
    );
    assert!(!story.broken().contains(&Invariant::I7));
}
