//! Leases: a seat outlives its last beat by so much, and is freed once.

use serde_json::json;
use watchparty::model::id::ParticipantId;
use watchparty::model::record::EntryKind::{ParticipantJoined, ParticipantLeft};
use watchparty::model::seat::Seat;

use crate::harness::{Harness, together};
use crate::party::{Party, ROOMY, SHORT};

/// A party whose host stays and whose guests' leases have run out, with nobody having noticed.
async fn lapsed(harness: &Harness, capacity: u32, guests: u32) -> (Party, Seat, Vec<Seat>) {
    let party = Party::new(harness, capacity).await;
    let host = party.join(party.host).await.seat;
    let mut seats = Vec::new();
    for _ in 0..guests {
        seats.push(party.guest().await.seat);
    }
    party.beat_for(&seats, SHORT).await;
    harness.pass(SHORT).await;
    (party, host, seats)
}

pub(crate) async fn counts_and_lists_leave_out_lapsed_seats(harness: &Harness) {
    let (party, host, _) = lapsed(harness, ROOMY, 2).await;
    let head = party.head().await;
    assert_eq!(party.summary().await.participants, 1);
    let snapshot = party.snapshot().await;
    assert_eq!((snapshot.participants_total, snapshot.participants.len()), (1, 1));
    assert_eq!(snapshot.participants[0].id, host.participant);
    let roster = party.backend.membership.roster(party.id, None, 10).await.expect("answers");
    assert_eq!(roster, snapshot.participants);
    assert_eq!(party.head().await, head, "looking frees nothing");
}

pub(crate) async fn a_join_frees_lapsed_seats_before_it_admits(harness: &Harness) {
    let (party, host, guests) = lapsed(harness, 3, 2).await;
    let head = party.head().await;
    let newcomer = party.guest().await.seat.participant;
    let told = party.told_after(head).await;
    assert_eq!(told.len(), 3, "{told:?}");
    for seat in &guests {
        let left =
            json!({"participant_id": seat.participant, "reason": "timeout", "host_id": host.participant});
        assert!(told[..2].contains(&(ParticipantLeft, left)), "{told:?}");
    }
    assert_eq!((told[2].0, &told[2].1["id"]), (ParticipantJoined, &json!(newcomer)));
    let entries = party.entries().await;
    let entry = entries.iter().find(|entry| entry.record.kind() == ParticipantLeft).expect("one left");
    assert!(entry.record.tail().starts_with(br#""from":null,"data""#), "the lost do not speak");
}

pub(crate) async fn many_beats_reap_each_seat_once(harness: &Harness) {
    let (party, host, guests) = lapsed(harness, ROOMY, 5).await;
    let other = harness.another().await;
    let head = party.head().await;
    let beats = (0..10).map(|at| {
        let party = if at % 2 == 0 { party.clone() } else { party.at(&other.backend) };
        async move { party.beat(&[host]).await }
    });
    for beat in together(beats).await {
        assert_eq!((beat.head, beat.lost), (Some(head.plus(5)), vec![]), "the first reaps, all see it");
    }
    let told = party.told_after(head).await;
    let mut left: Vec<_> = told.iter().map(|(_, data)| data["participant_id"].to_string()).collect();
    let mut expected: Vec<_> = guests.iter().map(|seat| json!(seat.participant).to_string()).collect();
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
}

pub(crate) async fn a_beat_renews_even_a_late_seat(harness: &Harness) {
    let (party, host, guests) = lapsed(harness, ROOMY, 2).await;
    let head = party.head().await;
    let (late, lost) = (guests[0], guests[1]);
    let beat = party.beat(&[late]).await;
    assert_eq!(beat.lost, [], "a node that is merely late keeps its participants");
    let told = party.told_after(head).await;
    assert_eq!((told.len(), &told[0].1["participant_id"]), (1, &json!(lost.participant)));
    assert_eq!(party.summary().await.participants, 2);
    assert_eq!(party.beat(&[late, host]).await.lost, []);
}

pub(crate) async fn a_beat_names_the_lost_seats(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let host = party.join(party.host).await.seat;
    let old = party.guest().await.seat;
    let new = party.join(old.participant).await.seat;
    let gone = party.guest().await.seat;
    party.leave(gone).await;
    let stranger = Seat { participant: ParticipantId::new_random(), ..host };
    let beat = party.beat(&[host, old, gone, new, stranger]).await;
    assert_eq!((beat.lost, beat.head), (vec![old, gone, stranger], Some(party.head().await)));
    assert_eq!(party.beat(&[]).await.head, Some(party.head().await), "a beat without seats is a question");
}

pub(crate) async fn one_who_comes_back_late_gets_a_new_seat(harness: &Harness) {
    let (party, _, guests) = lapsed(harness, ROOMY, 1).await;
    let head = party.head().await;
    let back = party.join(guests[0].participant).await;
    assert!(!back.resumed && back.seat.generation > guests[0].generation);
    let kinds: Vec<_> = party.told_after(head).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [ParticipantLeft, ParticipantJoined]);
}
