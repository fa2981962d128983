//! Who was there: I9, I10, I11.

use super::story::*;
use crate::checker::Invariant;
use crate::happening::*;

#[test]
fn i9_seats_do_not_exceed_the_capacity() {
    let mut story = Story::with(&[1, 2, 3, 4]);
    story.holds();
    story.enter(5);
    story.breaks(Invariant::I9);

    let mut story = Story::with(&[1, 2, 3, 4]);
    story.leave(4, LeftBecause::Left);
    story.enter(5);
    story.holds();
    story.append(Draft::change(Kind::SessionUpdated, Change::Capacity { max_participants: 3 }));
    story.holds();
    story.log.max_participants = 3;
    story.breaks(Invariant::I9);
}

#[test]
fn i9_somebody_who_sits_is_host() {
    let mut story = Story::with(&[1, 2, 3]);
    let (participant, because) = (person(1), LeftBecause::Timeout);
    let change = |host| Change::Left { participant, because, host };
    story.append(Draft::change(Kind::Left, change(person(2))));
    story.say(2);
    story.holds();

    let mut story = Story::with(&[1, 2, 3]);
    story.append(Draft::change(Kind::Left, change(person(1))));
    story.say(2);
    story.breaks(Invariant::I9);
}

#[test]
fn i9_a_promotion_may_be_the_next_entry() {
    let mut story = Story::with(&[1]);
    story.leave(1, LeftBecause::Timeout);
    story.enter(2);
    story.breaks(Invariant::I9);
    story.append(Draft::change(Kind::HostChanged, Change::Host { host: person(2) }));
    story.holds();
}

#[test]
fn i9_a_list_is_within_the_capacity() {
    let mut story = Story::with(&[1, 2]);
    let roster = |listed: &[u128], total| What::Roster {
        listed: listed.iter().map(|number| person(*number)).collect(),
        total,
        host: person(1),
    };
    story.told(1, roster(&[1, 2], 2));
    story.holds();
    let mut spoilt = Story::with(&[1, 2]);
    spoilt.told(1, roster(&[1, 2, 2], 3));
    spoilt.breaks(Invariant::I9);
    story.told(1, roster(&[1, 2], 5));
    story.breaks(Invariant::I9);
}

/// 2 dies, and is seen to leave that many seconds later.
fn death(seconds: u64) -> Story {
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    story.told(2, What::Died { silently: false });
    story.wait(seconds);
    story.leave(2, LeftBecause::Timeout);
    story.wait(10);
    story.say(1);
    story
}

#[test]
fn i10_the_dead_leave_in_time() {
    let story = death(39);
    story.holds();
    assert_eq!(story.verdict().counts.ghost.as_secs(), 39);
    death(41).breaks(Invariant::I10);
}

#[test]
fn i10_the_dead_are_not_listed() {
    let mut story = death(35);
    let index = story.last(|line| matches!(line.what, What::Send { .. }));
    let (mono_us, wall_ms) = (story.history[index].mono_us, story.history[index].wall_ms);
    let what = What::Roster { listed: vec![person(1), person(2)], total: 2, host: person(1) };
    story.history.push(Happening { mono_us, wall_ms, who: Some(story.who(1)), what });
    story.breaks(Invariant::I10);
}

#[test]
fn i10_the_dead_do_leave() {
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    story.told(2, What::Died { silently: true });
    story.wait(74);
    story.say(1);
    story.holds();
    story.wait(2);
    story.say(1);
    story.breaks(Invariant::I10);
    // Who comes again was not dead.
    story.resume(2);
    story.holds();
}

#[test]
fn i10_a_time_in_which_nothing_can_be_written_is_not_counted() {
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    story.told(2, What::Died { silently: false });
    let fault = story.fault(FaultKind::RedisFrozen, &[0, 1]);
    story.wait(30);
    story.line(None, What::FaultEnded { id: fault });
    story.wait(39);
    story.leave(2, LeftBecause::Timeout);
    story.wait(10);
    story.say(1);
    story.holds();
    story.history.retain(|line| !matches!(line.what, What::FaultBegan { .. }));
    story.breaks(Invariant::I10);
}

#[test]
fn i11_who_was_kicked_gets_nothing_more() {
    let mut story = Story::with(&[1, 2]);
    story.leave(2, LeftBecause::Kicked);
    let mut spoilt = Story::with(&[1, 2]);
    spoilt.leave(2, LeftBecause::Kicked);
    spoilt.say(1);
    spoilt.breaks(Invariant::I11);

    story.cut(2);
    story.say(1);
    story.holds();
    // A connection that never saw the entry must not get later ones either.
    story.resume(2);
    story.breaks(Invariant::I11);
}

#[test]
fn i11_a_ban_ends_where_they_join_again() {
    let mut story = Story::with(&[1, 2]);
    story.leave(2, LeftBecause::Kicked);
    story.cut(2);
    story.say(1);
    story.enter(2);
    story.say(1);
    story.holds();
}
