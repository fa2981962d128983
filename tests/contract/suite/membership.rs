//! Seats: capacity, refusals, takeovers, leaving, lists.

use std::time::Duration;

use serde_json::json;
use watchparty::backend::log::Effect;
use watchparty::backend::membership::JoinRefusal;
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;
use watchparty::model::participant::Role;
use watchparty::model::record::EntryKind;
use watchparty::model::seat::{Generation, Seat};
use watchparty::model::session::SessionPatch;

use crate::harness::{Harness, together, until};
use crate::party::{LONG, Party, ROOMY, accepted, event, profile};

fn patch(change: impl FnOnce(&mut SessionPatch)) -> Effect {
    let mut patch = SessionPatch::default();
    change(&mut patch);
    Effect::Patch(patch)
}

pub(crate) async fn capacity_is_never_exceeded(harness: &Harness) {
    let party = Party::new(harness, 2).await;
    let nodes = [harness.another().await, harness.another().await];
    let joiners = (0..50).map(|at| {
        let party = nodes.get(at % 3).map_or(party.clone(), |node| party.at(&node.backend));
        async move { party.try_join(ParticipantId::new_random(), LONG).await }
    });
    let mut admitted = 0;
    for joined in together(joiners).await {
        match joined {
            Ok(_) => admitted += 1,
            Err(refusal) => assert_eq!(refusal, JoinRefusal::Full),
        }
    }
    assert_eq!((admitted, party.summary().await.participants), (2, 2));
    let kinds: Vec<EntryKind> = party.entries().await.iter().map(|entry| entry.record.kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == EntryKind::ParticipantJoined).count(), 2);
}

pub(crate) async fn a_new_seat_appends_joined(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.join(party.host).await;
    let joined = party.guest().await;
    let id = joined.seat.participant;
    assert!(!joined.resumed);
    assert_eq!(joined.seat.session, party.id);
    let entry = party.entries().await.pop().expect("an entry");
    assert_eq!(joined.snapshot.history.head, entry.seq, "the snapshot is of the moment after it");
    let shown = joined.snapshot.participants.last().expect("is listed");
    assert_eq!((shown.id, shown.role, &shown.name), (id, Role::Member, &profile("Ada").name));
    let expected = format!(
        r#"participant.joined "from":"{id}","data":{{"id":"{id}","name":"Ada","color":null,"role":"member","joined_at":{}}}}}"#,
        shown.joined_at.0
    );
    assert_eq!(std::str::from_utf8(entry.record.stored()), Ok(expected.as_str()));
    assert_eq!(shown.joined_at, entry.ts);
}

pub(crate) async fn the_full_and_the_locked_refuse_strangers(harness: &Harness) {
    let party = Party::new(harness, 2).await;
    party.join(party.host).await;
    party.guest().await;
    let head = party.head().await;
    let stranger = || party.try_join(ParticipantId::new_random(), LONG);
    assert_eq!(stranger().await.err(), Some(JoinRefusal::Full));
    assert_eq!(party.head().await, head, "a refused join appends nothing");
    accepted(&party.effect(patch(|patch| (patch.capacity, patch.locked) = (Some(9), Some(true)))).await);
    assert_eq!(stranger().await.err(), Some(JoinRefusal::Locked));
    accepted(&party.effect(patch(|patch| patch.locked = Some(false))).await);
    assert!(stranger().await.is_ok());
    accepted(&party.effect(patch(|patch| patch.capacity = Some(1))).await);
    assert_eq!(party.summary().await.participants, 3, "who is seated stays, even above it");
    assert_eq!(stranger().await.err(), Some(JoinRefusal::Full));
}

pub(crate) async fn a_takeover_enters_the_full_and_locked(harness: &Harness) {
    let (party, other) = (Party::new(harness, 1).await, harness.another().await);
    let first = party.join(party.host).await;
    accepted(&party.effect(patch(|patch| patch.locked = Some(true))).await);
    let head = party.head().await;
    let again = party.at(&other.backend).join(party.host).await;
    assert!(again.resumed && again.seat.generation > first.seat.generation);
    assert_eq!(again.snapshot.history.head, head, "a seat taken over appends nothing");
    assert_eq!((again.snapshot.participants_total, party.summary().await.participants), (1, 1));
    assert_eq!(again.snapshot.participants[0].joined_at, first.snapshot.participants[0].joined_at);
}

pub(crate) async fn a_takeover_is_told_to_every_node(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    for node in [&harness.node, &other] {
        node.backend.log.subscribe(party.id).await.expect("subscribes");
    }
    party.join(party.host).await;
    party.guest().await;
    let newest = party.at(&other.backend).join(party.host).await.seat.generation;
    for node in [&harness.node, &other] {
        let told = until("the takeover", || async {
            Some(node.delivered.replaced(party.id)).filter(|replaced| !replaced.is_empty())
        })
        .await;
        assert_eq!(told, [(party.host, newest)], "once, and not for seats newly taken");
    }
}

pub(crate) async fn leaving_appends_left_and_frees_the_seat(harness: &Harness) {
    let party = Party::new(harness, 2).await;
    party.join(party.host).await;
    let guest = party.guest().await.seat;
    party.leave(guest).await;
    let entry = party.entries().await.pop().expect("an entry");
    let expected = format!(
        r#"participant.left "from":"{0}","data":{{"participant_id":"{0}","reason":"left","host_id":"{1}"}}}}"#,
        guest.participant, party.host
    );
    assert_eq!(std::str::from_utf8(entry.record.stored()), Ok(expected.as_str()));
    assert_eq!(party.summary().await.participants, 1);
    party.guest().await;
}

pub(crate) async fn leaving_with_another_generation_is_ignored(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let old = party.join(party.host).await.seat;
    let new = party.join(party.host).await.seat;
    let head = party.head().await;
    party.leave(old).await;
    party.leave(Seat { generation: Generation(new.generation.0 + 1), ..new }).await;
    party.leave(Seat { participant: ParticipantId::new_random(), ..new }).await;
    assert_eq!((party.head().await, party.summary().await.participants), (head, 1));
    party.leave(new).await;
    party.leave(new).await;
    assert_eq!((party.head().await, party.summary().await.participants), (Seq(head.0 + 1), 0), "once");
}

pub(crate) async fn a_roster_is_paged_in_order_of_joining(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let mut seats = Vec::new();
    for _ in 0..7 {
        seats.push(party.guest().await.seat);
    }
    let ids: Vec<ParticipantId> = seats.iter().map(|seat| seat.participant).collect();
    let page = |after, limit| {
        let party = party.clone();
        async move {
            let page = party.backend.membership.roster(party.id, after, limit).await.expect("answers");
            page.into_iter().map(|one| one.id).collect::<Vec<_>>()
        }
    };
    assert_eq!(page(None, 3).await, ids[..3]);
    assert_eq!(page(Some(ids[2]), 3).await, ids[3..6]);
    assert_eq!(page(Some(ids[5]), 3).await, ids[6..]);
    assert_eq!(page(Some(ids[6]), 3).await, []);
    assert_eq!(page(None, 0).await, []);
}

pub(crate) async fn a_snapshot_is_the_session_at_its_head(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let mut seats = Vec::new();
    for _ in 0..4 {
        seats.push(party.guest().await.seat);
    }
    party.leave(seats.remove(1)).await;
    let snapshot = party.backend.membership.snapshot(party.id, 2).await.expect("answers").expect("is there");
    assert_eq!(snapshot.participants_total, 3);
    let listed: Vec<_> = snapshot.participants.iter().map(|one| (one.id, one.role)).collect();
    let expected = [(seats[0].participant, Role::Host), (seats[1].participant, Role::Member)];
    assert_eq!(listed, expected, "the longest seated, at most what was asked for");
    assert_eq!(snapshot.record, party.summary().await.record);
    assert_eq!(snapshot.history.head, party.entries().await.pop().expect("an entry").seq);
    let next =
        party.backend.membership.roster(party.id, Some(seats[0].participant), 9).await.expect("answers");
    assert_eq!(next.len(), 2, "a roster goes on where a snapshot ends");
    let gone = seats[1];
    party.leave(gone).await;
    let next = party.backend.membership.roster(party.id, Some(gone.participant), 9).await.expect("answers");
    let next: Vec<_> = next.into_iter().map(|one| one.id).collect();
    assert_eq!(next, [seats[2].participant], "even after one who has left meanwhile");
}

pub(crate) async fn standing_says_what_holds_now(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let standing = |id| {
        let party = party.clone();
        async move {
            let standing = party.backend.membership.standing(party.id, id).await.expect("answers");
            let standing = standing.expect("there is such a session");
            json!([standing.seated, standing.host, standing.banned, standing.version])
        }
    };
    let version = party.host_now().await.1;
    assert_eq!(standing(party.host).await, json!([false, true, false, version]), "host before anyone sits");
    let host = party.join(party.host).await.seat;
    let guest = party.guest().await.seat.participant;
    assert_eq!(standing(party.host).await, json!([true, true, false, version]));
    assert_eq!(standing(guest).await, json!([true, false, false, version]));
    assert_eq!(standing(ParticipantId::new_random()).await, json!([false, false, false, version]));
    accepted(&party.effect(Effect::Transfer(guest)).await);
    assert_eq!(standing(guest).await, json!([true, true, false, version + 1]));
    party.leave(host).await;
    assert_eq!(standing(party.host).await, json!([false, false, false, version + 1]));
    let kick = Effect::Kick { participant: guest, ban: Duration::from_secs(60) };
    accepted(&party.effect(kick).await);
    assert_eq!(standing(guest).await, json!([false, true, true, version + 1]), "nobody is left to follow");
    accepted(&party.publish(event("still there")).await);
}
