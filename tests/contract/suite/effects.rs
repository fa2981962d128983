//! Effects: a change of state lands with its entry, or not at all.

use std::time::Duration;

use watchparty::backend::log::{Effect, Publish, Published, Refusal};
use watchparty::backend::membership::JoinRefusal;
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;
use watchparty::model::participant::Role;
use watchparty::model::seat::Slot;
use watchparty::model::session::{Control, SessionName, SessionPatch};

use crate::harness::{Harness, together, until};
use crate::party::{LONG, Party, ROOMY, accepted, event, profile, refused, said};

fn slot(version: u64, value: &str) -> Slot {
    Slot { name: String::from("playback"), version, value: value.to_owned() }
}

pub(crate) async fn a_slot_changes_only_from_its_next_version(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    assert_eq!(party.snapshot().await.slots, vec![]);
    assert_eq!(party.effect(Effect::Slot(slot(2, "{}"))).await, refused(Refusal::Conflict), "0 is before 1");
    accepted(&party.effect(Effect::Slot(slot(1, r#"{"at":"one two"}"#))).await);
    assert_eq!(party.snapshot().await.slots, [slot(1, r#"{"at":"one two"}"#)]);
    for stale in [0, 1, 3] {
        let answer = party.effect(Effect::Slot(slot(stale, "{}"))).await;
        assert_eq!(answer, refused(Refusal::Conflict), "version {stale}");
    }
    accepted(&party.effect(Effect::Slot(slot(2, r#"{"at":2}"#))).await);
    let other = Slot { name: String::from("another"), version: 1, value: String::from("[]") };
    accepted(&party.effect(Effect::Slot(other.clone())).await);
    let mut slots = party.snapshot().await.slots;
    slots.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(slots, [other, slot(2, r#"{"at":2}"#)]);
    assert_eq!(party.head().await, Seq(3), "what was refused left no entry");
}

pub(crate) async fn what_is_said_of_a_slot_lands_only_while_it_is_so(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let is = |version| Effect::SlotIs { name: String::from("playback"), version };
    assert_eq!(party.effect(is(1)).await, refused(Refusal::Conflict), "there is none");
    accepted(&party.effect(is(0)).await);
    accepted(&party.effect(Effect::Slot(slot(1, r#"{"at":"one two"}"#))).await);
    for stale in [0, 2] {
        assert_eq!(party.effect(is(stale)).await, refused(Refusal::Conflict), "version {stale}");
    }
    accepted(&party.effect(is(1)).await);
    assert_eq!(party.snapshot().await.slots, [slot(1, r#"{"at":"one two"}"#)], "and it stays as it was");
    assert_eq!(party.head().await, Seq(3), "what was refused left no entry");
}

pub(crate) async fn of_many_slot_writers_one_wins(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let writers = (0..10).map(|at| {
        let party = if at % 2 == 0 { party.clone() } else { party.at(&other.backend) };
        async move { (at, party.effect(Effect::Slot(slot(1, &at.to_string()))).await) }
    });
    let mut winners = Vec::new();
    for written in together(writers).await {
        match written {
            (at, Published::Accepted(_)) => winners.push(at.to_string()),
            (_, answer) => assert_eq!(answer, refused(Refusal::Conflict)),
        }
    }
    let slots = party.snapshot().await.slots;
    assert_eq!(winners, slots.into_iter().map(|slot| slot.value).collect::<Vec<_>>());
    assert_eq!(party.head().await, Seq(1));
}

pub(crate) async fn a_patch_changes_what_it_names(harness: &Harness) {
    let party = Party::new(harness, 5).await;
    let before = party.summary().await.record;
    let name = SessionName::parse("Another \"night\" {}").expect("a good name");
    let patch = SessionPatch { name: Some(name.clone()), ..SessionPatch::default() };
    accepted(&party.effect(Effect::Patch(patch)).await);
    let renamed = party.summary().await.record;
    assert_eq!((&renamed.name, renamed.version), (&name, before.version + 1));
    assert_eq!((renamed.capacity, renamed.locked, renamed.control), (5, false, Control::Everyone));
    let hash = || async { party.backend.sessions.password_hash(party.id).await.expect("answers") };
    assert_eq!(hash().await.as_deref(), Some("$2b$04$hash"), "what is not named stays");
    let patch = SessionPatch {
        name: None,
        password_hash: Some(String::from("$2b$04$other")),
        locked: Some(true),
        capacity: Some(3),
        control: Some(Control::Host),
    };
    accepted(&party.effect(Effect::Patch(patch)).await);
    let record = party.summary().await.record;
    assert_eq!((record.capacity, record.locked, record.control), (3, true, Control::Host));
    assert_eq!((record.name, record.version), (name, before.version + 2));
    assert_eq!(hash().await.as_deref(), Some("$2b$04$other"));
    let patch = SessionPatch { locked: Some(false), ..SessionPatch::default() };
    accepted(&party.effect(Effect::Patch(patch)).await);
    assert!(!party.summary().await.record.locked);
}

pub(crate) async fn a_profile_is_shown_from_then_on(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let mut look = profile("Grace \"Amazing\" Hopper");
    look.color = Some("#00ff7f".parse().expect("a colour"));
    let publish = Publish { effect: Some(Effect::Profile(look.clone())), ..said(seat, 1) };
    accepted(&party.publish(publish).await);
    let shown = party.snapshot().await.participants.remove(0);
    assert_eq!((shown.id, shown.name, shown.color), (party.host, look.name.clone(), look.color));
    let after = party.join(party.host).await.snapshot.participants.remove(0);
    assert_eq!(after.name, look.name, "kept when the seat is taken over");
    assert_eq!(party.summary().await.record.version, party.host_now().await.1);
}

pub(crate) async fn a_transfer_makes_another_host(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let guest = party.guest().await.seat.participant;
    let version = party.host_now().await.1;
    let publish = Publish { effect: Some(Effect::Transfer(guest)), ..said(host, 1) };
    let seq = accepted(&party.publish(publish).await);
    assert_eq!(party.host_now().await, (guest, version + 1));
    let roles: Vec<_> = party.snapshot().await.participants.iter().map(|one| (one.id, one.role)).collect();
    assert_eq!(roles, [(party.host, Role::Member), (guest, Role::Host)]);
    assert_eq!(party.head().await, seq, "the only entry is the caller's");
}

pub(crate) async fn a_kick_takes_the_seat_and_bans(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let guest = party.guest().await.seat;
    let effect = Effect::Kick { participant: guest.participant, ban: Duration::from_secs(60) };
    let kick = Publish { effect: Some(effect), ..said(host, 1) };
    let seq = accepted(&party.publish(kick.clone()).await);
    assert_eq!(party.head().await, seq, "the only entry is the caller's");
    assert_eq!(party.summary().await.participants, 1);
    assert_eq!(party.try_join(guest.participant, LONG).await.err(), Some(JoinRefusal::Banned));
    assert_eq!(party.say(guest, 1).await, refused(Refusal::Stale));
    assert_eq!(party.beat(&[host, guest]).await.lost, [guest]);
    let standing = party.backend.membership.standing(party.id, guest.participant).await.expect("answers");
    let standing = standing.expect("there is such a session");
    assert_eq!((standing.seated, standing.banned, standing.host), (false, true, false));
    assert!(matches!(party.publish(kick).await, Published::Duplicate(_)), "sent again it is known");
}

pub(crate) async fn a_ban_runs_out(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.join(party.host).await;
    let guest = party.guest().await.seat.participant;
    let ban = Duration::from_millis(60);
    accepted(&party.effect(Effect::Kick { participant: guest, ban }).await);
    harness.pass(ban).await;
    let back = until("the ban to end", || async { party.try_join(guest, LONG).await.ok() }).await;
    assert!(!back.resumed);
}

pub(crate) async fn effects_on_the_unseated_are_refused(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.join(party.host).await;
    let gone = party.guest().await.seat;
    party.leave(gone).await;
    let (before, head) = (party.summary().await.record, party.head().await);
    let ban = Duration::from_secs(60);
    for nobody in [gone.participant, ParticipantId::new_random()] {
        for effect in [Effect::Transfer(nobody), Effect::Kick { participant: nobody, ban }] {
            assert_eq!(party.effect(effect).await, refused(Refusal::NoSuchParticipant));
        }
        let mut publish = Publish { author: Some(nobody), ..event("profile") };
        publish.effect = Some(Effect::Profile(profile("Nobody")));
        assert_eq!(party.publish(publish).await, refused(Refusal::NoSuchParticipant));
    }
    let nobodys = Effect::Profile(profile("Nobody"));
    assert_eq!(party.effect(nobodys).await, refused(Refusal::NoSuchParticipant));
    let after = party.summary().await.record;
    assert_eq!((after.host, after.version, party.head().await), (before.host, before.version, head));
    party.join(gone.participant).await;
}
