//! Correct runs spoilt at random: whatever a gateway could do wrong in one place of a history, the checker says so.
//!
//! `runs_are_judged_correct` is the other half: the same runs unspoilt, with cuts, resumes, restarts and lost tails, break nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::story::*;
use crate::happening::*;

/// One step of a run; the numbers choose among what is possible then.
#[derive(Debug, Clone, Copy)]
enum Step {
    Say(u128),
    CutOrResume(u128),
    Restart,
    LoseTail(u64),
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1u128..=4).prop_map(Step::Say),
        3 => (1u128..=4).prop_map(Step::CutOrResume),
        1 => Just(Step::Restart),
        1 => (1u64..4).prop_map(Step::LoseTail),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 10..60)
}

fn tell(steps: &[Step]) -> Story {
    let mut story = Story::with(&[1, 2, 3, 4]);
    let mut is_away = BTreeMap::new();
    for step in steps {
        match *step {
            Step::Say(number) if !is_away.contains_key(&number) => drop(Some(story.say(number))),
            Step::Say(_) => {}
            Step::CutOrResume(number) if is_away.remove(&number).is_some() => story.resume(number),
            Step::CutOrResume(number) => {
                is_away.insert(number, ());
                story.cut(number);
            }
            Step::Restart => story.restart(FaultKind::RedisKilled, 0),
            Step::LoseTail(most) => {
                // Joins stay: a participant without a seat would have to join again, which is another story.
                let chats =
                    story.log.entries.iter().rev().take_while(|entry| entry.kind == Kind::Chat).count();
                story.restart(FaultKind::RedisTailLost, most.min(chats as u64));
            }
            Step::Wait => story.wait(3),
        }
    }
    is_away.into_keys().for_each(|number| story.resume(number));
    story.settle();
    story
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoil {
    DropReceive,
    RepeatReceive,
    SwapReceives,
    ChangeBytes,
    ChangeWords,
    DropDeliver,
    RepeatDeliver,
    HideReset,
    HideEpoch,
    InventReset,
    InventAck,
    MoveAck,
    NeverSent,
    DropFromLog,
    RepeatInLog,
    SwapInLog,
}

const SPOILS: [Spoil; 16] = [
    Spoil::DropReceive,
    Spoil::RepeatReceive,
    Spoil::SwapReceives,
    Spoil::ChangeBytes,
    Spoil::ChangeWords,
    Spoil::DropDeliver,
    Spoil::RepeatDeliver,
    Spoil::HideReset,
    Spoil::HideEpoch,
    Spoil::InventReset,
    Spoil::InventAck,
    Spoil::MoveAck,
    Spoil::NeverSent,
    Spoil::DropFromLog,
    Spoil::RepeatInLog,
    Spoil::SwapInLog,
];

fn received(line: &Happening) -> Option<&Entry> {
    if let What::Receive(entry) = &line.what { Some(entry) } else { None }
}

/// The next line of the same connection that changes where it stands.
fn next_of(story: &Story, index: usize) -> Option<usize> {
    let who = story.history[index].who;
    let moves = |what: &What| {
        matches!(what, What::Receive(_) | What::Reset { .. } | What::Closed { .. })
            || matches!(what, What::Status { begins: Some(_), .. })
    };
    (index + 1..story.history.len())
        .find(|at| story.history[*at].who == who && moves(&story.history[*at].what))
}

fn is_received(story: &Story, index: Option<usize>) -> bool {
    index.is_some_and(|index| received(&story.history[index]).is_some())
}

/// Where in the history, or in the final log, this can go wrong so that somebody could tell.
fn places(story: &Story, spoil: Spoil) -> Vec<usize> {
    let lines = |is_it: &dyn Fn(usize, &What) -> bool| {
        (0..story.history.len())
            .filter(|index| is_it(*index, &story.history[*index].what))
            .collect::<Vec<_>>()
    };
    let log = &story.log.entries;
    match spoil {
        // The last one before a connection ended may have been on its way.
        Spoil::DropReceive => lines(&|index, what| {
            let next = next_of(story, index);
            matches!(what, What::Receive(_)) && (next.is_none() || is_received(story, next))
        }),
        Spoil::RepeatReceive => lines(&|_, what| matches!(what, What::Receive(_))),
        Spoil::SwapReceives => lines(&|index, what| {
            matches!(what, What::Receive(_)) && is_received(story, next_of(story, index))
        }),
        // Somebody else has to have it, or nobody can tell.
        Spoil::ChangeBytes => lines(&|_, what| {
            let What::Receive(entry) = what else { return false };
            story.history.iter().filter_map(received).filter(|other| other.frame == entry.frame).count() > 1
                || log.iter().any(|kept| kept.frame == entry.frame)
        }),
        Spoil::ChangeWords => lines(&|_, what| matches!(what, What::Receive(Entry { kind: Kind::Chat, .. }))),
        // Who never delivered anything may be a bare socket.
        Spoil::DropDeliver => lines(&|index, what| {
            let who = story.history[index].who.map(|who| who.participant);
            let is_theirs = |line: &&Happening| {
                line.who.map(|who| who.participant) == who && matches!(line.what, What::Deliver { .. })
            };
            matches!(what, What::Deliver { .. }) && story.history.iter().filter(is_theirs).count() > 1
        }),
        Spoil::RepeatDeliver => lines(&|_, what| matches!(what, What::Deliver { .. })),
        // Who goes at once, or is reset again, is told the next time.
        Spoil::HideReset => lines(&|index, what| {
            let next = next_of(story, index);
            matches!(what, What::Reset { .. }) && (next.is_none() || is_received(story, next))
        }),
        Spoil::HideEpoch => lines(&|index, what| {
            matches!(what, What::Status { begins: Some(_), .. }) && is_received(story, next_of(story, index))
        }),
        // A lost tail would excuse it.
        Spoil::InventReset => {
            let excused = story
                .history
                .iter()
                .any(|line| matches!(line.what, What::FaultBegan { kind: FaultKind::RedisTailLost, .. }));
            if excused { Vec::new() } else { vec![story.receipt(1, story.log.head)] }
        }
        Spoil::InventAck => vec![story.last(|line| matches!(line.what, What::Settled))],
        // Under a branch that was lost an ack's place is lost with it.
        Spoil::MoveAck => lines(
            &|_, what| matches!(what, What::Ack { at, .. } if at.epoch == story.log.epoch && story.log.lineage.is_empty()),
        ),
        Spoil::NeverSent => lines(&|index, what| {
            let What::Send { op, .. } = what else { return false };
            let who = story.history[index].who.unwrap().participant;
            let is_it = |what: &What| matches!(what, What::Send { op: other, .. } if other == op);
            let times =
                |line: &&Happening| line.who.is_some_and(|it| it.participant == who) && is_it(&line.what);
            story.history.iter().filter(times).count() == 1
        }),
        // A log without its first entry was trimmed.
        Spoil::DropFromLog => (1..log.len()).collect(),
        Spoil::RepeatInLog => (0..log.len()).filter(|index| log[*index].kind == Kind::Chat).collect(),
        Spoil::SwapInLog => (1..log.len()).collect(),
    }
}

fn spoil(story: &mut Story, spoil: Spoil, place: usize) {
    let history = &mut story.history;
    match spoil {
        Spoil::DropReceive | Spoil::DropDeliver | Spoil::HideReset | Spoil::HideEpoch | Spoil::NeverSent => {
            history.remove(place);
        }
        Spoil::RepeatReceive | Spoil::RepeatDeliver => history.insert(place, history[place].clone()),
        Spoil::SwapReceives => {
            let next = next_of(story, place).unwrap();
            let what = story.history[place].what.clone();
            story.history[place].what = std::mem::replace(&mut story.history[next].what, what);
        }
        Spoil::ChangeBytes => entry_of(&mut history[place]).frame.0 ^= 1,
        Spoil::ChangeWords => entry_of(&mut history[place]).payload = Some(Digest(1)),
        Spoil::InventReset => {
            let (reason, epoch, head) = (Reason::Diverged, story.log.epoch, story.log.head);
            let what = What::Reset { reason, epoch, head };
            history.insert(place + 1, Happening { what, ..history[place].clone() });
        }
        Spoil::InventAck => {
            let at = Position { epoch: story.log.epoch, seq: story.log.head };
            story.ack(1, 1000, at);
        }
        Spoil::MoveAck => {
            let What::Ack { at, .. } = &mut history[place].what else { unreachable!("a place of acks") };
            at.seq.0 += 1;
        }
        Spoil::DropFromLog => {
            story.log.entries.remove(place);
        }
        Spoil::RepeatInLog => {
            story.log.head.0 += 1;
            let at = Position { epoch: story.log.epoch, seq: story.log.head };
            let again = Entry { at, ..story.log.entries[place] };
            story.log.entries.push(again);
        }
        Spoil::SwapInLog => {
            let entries = &mut story.log.entries;
            entries.swap(place - 1, place);
            let at = entries[place].at;
            entries[place].at = std::mem::replace(&mut entries[place - 1].at, at);
        }
    }
}

/// A run in which everything can go wrong somewhere.
fn rich() -> Vec<Step> {
    let talk = [Step::Say(1), Step::Say(2), Step::Say(1), Step::CutOrResume(3), Step::Say(4)];
    let trouble =
        [Step::Restart, Step::Say(2), Step::CutOrResume(3), Step::LoseTail(1), Step::Say(4), Step::Say(4)];
    [talk.as_slice(), &trouble, &talk].concat()
}

#[test]
fn every_way_to_spoil_a_run_is_caught_wherever_it_happens() {
    let quiet: Vec<Step> = rich().into_iter().filter(|step| matches!(step, Step::Say(_))).collect();
    let mut tried: BTreeMap<String, usize> = BTreeMap::new();
    for steps in [rich(), quiet] {
        tell(&steps).holds();
        for what in SPOILS {
            for place in places(&tell(&steps), what) {
                let mut story = tell(&steps);
                spoil(&mut story, what, place);
                assert!(!story.broken().is_empty(), "{what:?} at {place} was not noticed");
                *tried.entry(format!("{what:?}")).or_default() += 1;
            }
        }
    }
    assert_eq!(tried.len(), SPOILS.len(), "each was tried somewhere: {tried:?}");
}

proptest! {
    #[test]
    fn runs_are_judged_correct(steps in steps()) {
        let verdict = tell(&steps).verdict();
        prop_assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
        prop_assert_eq!(verdict.counts.lost + verdict.counts.duplicated + verdict.counts.silent_gaps, 0);
    }

    #[test]
    fn a_spoilt_run_is_caught(steps in steps(), which in 0..SPOILS.len(), place in any::<prop::sample::Index>()) {
        let mut story = tell(&steps);
        let found = places(&story, SPOILS[which]);
        prop_assume!(!found.is_empty());
        spoil(&mut story, SPOILS[which], *place.get(&found));
        prop_assert!(!story.broken().is_empty(), "{:?} was not noticed", SPOILS[which]);
    }
}
