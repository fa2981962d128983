//! Fenced: who no longer holds the seat, or decided on an old record, writes nothing.

use std::time::Duration;

use watchparty::backend::log::{Effect, Publish, Refusal};
use watchparty::model::id::ParticipantId;
use watchparty::model::seat::{Generation, Seat};
use watchparty::model::session::SessionPatch;

use crate::harness::Harness;
use crate::party::{Party, ROOMY, accepted, event, refused, said};

pub(crate) async fn a_seat_that_was_taken_over_writes_nothing(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    let old = party.join(party.host).await.seat;
    accepted(&party.say(old, 1).await);
    let new = party.at(&other.backend).join(party.host).await.seat;
    assert!(new.generation > old.generation);
    let head = party.head().await;
    assert_eq!(party.say(old, 2).await, refused(Refusal::Stale));
    assert_eq!(party.say(old, 1).await, refused(Refusal::Stale), "not even to hear of a duplicate");
    assert_eq!(party.head().await, head);
    accepted(&party.say(new, 2).await);
}

pub(crate) async fn a_seat_given_up_writes_nothing(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let old = party.join(party.host).await.seat;
    party.leave(old).await;
    assert_eq!(party.say(old, 1).await, refused(Refusal::Stale));
    let new = party.join(party.host).await.seat;
    assert_ne!(old.generation, new.generation, "generations are not used again");
    assert_eq!(party.say(old, 1).await, refused(Refusal::Stale));
    let stranger = Seat { participant: ParticipantId::new_random(), ..new };
    assert_eq!(party.say(stranger, 1).await, refused(Refusal::Stale), "a generation is one seat's");
    let ahead = Seat { generation: Generation(new.generation.0 + 1), ..new };
    assert_eq!(party.say(ahead, 1).await, refused(Refusal::Stale), "newer is as wrong as older");
    accepted(&party.say(new, 1).await);
}

pub(crate) async fn over_http_only_a_ban_is_checked(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.join(party.host).await;
    let guest = party.guest().await.seat;
    let over_http = |author| Publish { author: Some(author), ..event("over http") };
    accepted(&party.publish(over_http(ParticipantId::new_random())).await);
    accepted(&party.publish(over_http(guest.participant)).await);
    let kick = Effect::Kick { participant: guest.participant, ban: Duration::from_secs(60) };
    accepted(&party.effect(kick).await);
    assert_eq!(party.publish(over_http(guest.participant)).await, refused(Refusal::Banned));
    accepted(&party.publish(over_http(party.host)).await);
}

pub(crate) async fn an_outdated_record_version_is_a_conflict(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let version = party.host_now().await.1;
    let lock = SessionPatch { locked: Some(true), ..SessionPatch::default() };
    accepted(&party.effect(Effect::Patch(lock)).await);
    let decided_on = |version| Publish { if_version: Some(version), ..said(seat, 1) };
    let head = party.head().await;
    assert_eq!(party.publish(decided_on(version)).await, refused(Refusal::Conflict));
    assert_eq!(party.publish(decided_on(version + 2)).await, refused(Refusal::Conflict));
    assert_eq!(party.head().await, head);
    accepted(&party.publish(decided_on(version + 1)).await);
}

pub(crate) async fn a_refused_number_can_be_used_again(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let refusals = [
        (Publish { if_version: Some(99), ..said(seat, 1) }, Refusal::Conflict),
        (
            Publish { effect: Some(Effect::Transfer(ParticipantId::new_random())), ..said(seat, 1) },
            Refusal::NoSuchParticipant,
        ),
    ];
    for (publish, refusal) in refusals {
        assert_eq!(party.publish(publish).await, refused(refusal));
    }
    accepted(&party.say(seat, 1).await);
    assert_eq!(party.join(party.host).await.last_n, 1);
}
