//! One host, at every position with a participant.

use std::time::Duration;

use serde_json::json;
use watchparty::backend::log::Effect;
use watchparty::backend::membership::JoinRefusal;
use watchparty::model::id::ParticipantId;
use watchparty::model::participant::Role;
use watchparty::model::record::EntryKind::{HostChanged, ParticipantJoined, ParticipantLeft};
use watchparty::model::session::SessionPatch;

use crate::harness::Harness;
use crate::party::{LONG, Party, ROOMY, SHORT, accepted};

/// Roles in a snapshot, in order of joining.
async fn hosts(party: &Party) -> Vec<ParticipantId> {
    let participants = party.snapshot().await.participants;
    participants.into_iter().filter(|one| one.role == Role::Host).map(|one| one.id).collect()
}

pub(crate) async fn the_creator_enters_as_host(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let version = party.host_now().await.1;
    let joined = party.join(party.host).await;
    assert_eq!(joined.snapshot.participants[0].role, Role::Host);
    assert_eq!(joined.snapshot.record.host, party.host);
    let entries = party.entries().await;
    assert_eq!(entries.len(), 1, "no host.changed: nothing changed");
    assert_eq!(crate::party::data(&entries[0].record)["role"], json!("host"));
    party.guest().await;
    assert_eq!((party.host_now().await, hosts(&party).await), ((party.host, version), vec![party.host]));
}

pub(crate) async fn the_first_to_enter_an_empty_session_is_promoted(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let version = party.host_now().await.1;
    let joined = party.guest().await;
    let guest = joined.seat.participant;
    let entries = party.entries().await;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.record.kind()).collect();
    assert_eq!(kinds, [ParticipantJoined, HostChanged]);
    let expected =
        format!(r#"host.changed "from":null,"data":{{"host_id":"{guest}","reason":"promoted"}}}}"#);
    assert_eq!(std::str::from_utf8(entries[1].record.stored()), Ok(expected.as_str()));
    assert_eq!(joined.snapshot.history.head, entries[1].seq, "both are within the join's snapshot");
    assert_eq!((joined.snapshot.record.host, joined.snapshot.participants[0].role), (guest, Role::Host));
    assert_eq!(party.host_now().await, (guest, version + 1));
}

pub(crate) async fn an_empty_session_keeps_its_host(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let before = party.host_now().await;
    party.leave(seat).await;
    assert_eq!(party.host_now().await, before);
    let head = party.head().await;
    party.join(party.host).await;
    assert_eq!(party.told_after(head).await.len(), 1, "joined, and host as before");
    assert_eq!(party.host_now().await, before);
}

pub(crate) async fn the_longest_seated_follows_a_host_who_leaves(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let (second, third) = (party.guest().await.seat, party.guest().await.seat);
    // Taking one's seat over does not cost one's place.
    party.join(second.participant).await;
    let (head, version) = (party.head().await, party.host_now().await.1);
    party.leave(host).await;
    let told = party.told_after(head).await;
    let left = json!({"participant_id": party.host, "reason": "left", "host_id": second.participant});
    assert_eq!(told, [(ParticipantLeft, left)], "told by the entry itself, in one step");
    assert_eq!(party.host_now().await, (second.participant, version + 1));
    party.leave(third).await;
    let (_, left) = party.told_after(head).await.remove(1);
    assert_eq!(left["host_id"], json!(second.participant), "a guest's leaving changes no host");
    assert_eq!(party.host_now().await, (second.participant, version + 1));
}

pub(crate) async fn a_host_lost_by_lease_reclaims(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let (second, third) = (party.guest().await.seat, party.guest().await.seat);
    let (head, version) = (party.head().await, party.host_now().await.1);
    party.beat_for(&[host], SHORT).await;
    harness.pass(SHORT).await;
    party.beat(&[second, third]).await;
    let left = json!({"participant_id": party.host, "reason": "timeout", "host_id": second.participant});
    assert_eq!(party.told_after(head).await, [(ParticipantLeft, left)]);
    assert_eq!(party.host_now().await, (second.participant, version + 1));
    let head = party.head().await;
    let back = party.join(party.host).await;
    let told = party.told_after(head).await;
    assert_eq!((told.len(), told[0].0, &told[0].1["role"]), (2, ParticipantJoined, &json!("member")));
    assert_eq!(told[1], (HostChanged, json!({"host_id": party.host, "reason": "reclaimed"})));
    assert_eq!((back.resumed, back.snapshot.record.host), (false, party.host));
    assert_eq!((party.host_now().await, hosts(&party).await), ((party.host, version + 2), vec![party.host]));
}

/// The session's lock, turned by whoever is host.
fn locked(locked: bool) -> Effect {
    Effect::Patch(SessionPatch { locked: Some(locked), ..SessionPatch::default() })
}

pub(crate) async fn a_lost_host_passes_the_lock_of_who_followed(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let second = party.guest().await.seat;
    party.beat_for(&[host], SHORT).await;
    harness.pass(SHORT).await;
    party.beat(&[second]).await;
    assert_eq!(party.host_now().await.0, second.participant);
    accepted(&party.effect(locked(true)).await);
    let stranger = party.try_join(ParticipantId::new_random(), LONG).await;
    assert_eq!(stranger.err(), Some(JoinRefusal::Locked));
    let head = party.head().await;
    let back = party.join(party.host).await.seat;
    let told = party.told_after(head).await;
    assert_eq!(told[1], (HostChanged, json!({"host_id": party.host, "reason": "reclaimed"})));
    // It was the claim that opened the lock: one who then hands the film over and leaves has none.
    accepted(&party.effect(Effect::Transfer(second.participant)).await);
    party.leave(back).await;
    let again = party.try_join(party.host, LONG).await;
    assert_eq!(again.err(), Some(JoinRefusal::Locked));
}

pub(crate) async fn a_claim_makes_no_room_in_a_full_session(harness: &Harness) {
    let party = Party::new(harness, 1).await;
    party.guest().await;
    accepted(&party.effect(locked(true)).await);
    // The creator was promoted away from before they ever came: a claim passes the lock, and needs a seat all the same.
    assert_eq!(party.try_join(party.host, LONG).await.err(), Some(JoinRefusal::Full));
}

pub(crate) async fn a_host_absent_when_another_entered_reclaims(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let guest = party.guest().await.seat.participant;
    assert_eq!(party.host_now().await.0, guest);
    let head = party.head().await;
    let host = party.join(party.host).await.seat;
    let told = party.told_after(head).await;
    assert_eq!(told[1], (HostChanged, json!({"host_id": party.host, "reason": "reclaimed"})));
    // A claim is used up with the seat: leaving is final.
    party.leave(host).await;
    party.join(party.host).await;
    assert_eq!(party.host_now().await.0, guest);
}

pub(crate) async fn a_host_who_left_does_not_reclaim(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let guest = party.guest().await.seat.participant;
    party.leave(host).await;
    let head = party.head().await;
    let again = party.join(party.host).await.seat;
    assert_eq!(party.told_after(head).await.len(), 1, "joined");
    assert_eq!((party.host_now().await.0, hosts(&party).await), (guest, vec![guest]));
    party.leave(again).await;
    accepted(&party.effect(locked(true)).await);
    assert_eq!(party.try_join(party.host, LONG).await.err(), Some(JoinRefusal::Locked));
}

pub(crate) async fn a_transfer_ends_every_claim(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let (second, third) = (party.guest().await.seat, party.guest().await.seat);
    party.beat_for(&[host], SHORT).await;
    harness.pass(SHORT).await;
    party.beat(&[second, third]).await;
    assert_eq!(party.host_now().await.0, second.participant);
    accepted(&party.effect(Effect::Transfer(third.participant)).await);
    let head = party.head().await;
    party.join(party.host).await;
    assert_eq!(party.told_after(head).await.len(), 1, "joined");
    assert_eq!(party.host_now().await.0, third.participant);
}

pub(crate) async fn a_kicked_host_is_followed_in_the_same_step(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.join(party.host).await;
    let (second, _) = (party.guest().await.seat, party.guest().await.seat);
    let version = party.host_now().await.1;
    let kick = Effect::Kick { participant: party.host, ban: Duration::ZERO };
    accepted(&party.effect(kick).await);
    assert_eq!(party.host_now().await, (second.participant, version + 1));
    let head = party.head().await;
    party.join(party.host).await;
    assert_eq!(party.told_after(head).await.len(), 1, "a kicked host comes back as one of many");
    assert_eq!(party.host_now().await.0, second.participant);
}
