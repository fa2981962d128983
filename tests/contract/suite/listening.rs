//! Announcements and relays: who is told what.

use watchparty::backend::log::{Effect, Log, Relay};
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;

use crate::harness::Harness;
use crate::party::{Party, ROOMY, accepted, event};

fn numbers(harness: &Harness, party: &Party) -> Vec<u64> {
    harness.node.delivered.entries(party.id).iter().map(|entry| entry.seq.0).collect()
}

fn relay(to: Option<ParticipantId>, frame: &'static str) -> Relay {
    Relay { to, frame: frame.into() }
}

pub(crate) async fn what_follows_subscribe_is_announced_in_order(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    party.fill(2).await;
    party.backend.log.subscribe(party.id).await.expect("subscribes");
    // From elsewhere, at once: subscribe has returned, so nothing may be missed.
    party.at(&other.backend).fill(30).await;
    party.batch(&[event("a"), event("b"), event("c")]).await;
    harness.node.delivered.entries_up_to(party.id, Seq(35)).await;
    assert_eq!(numbers(harness, &party), (3..=35).collect::<Vec<_>>());
}

pub(crate) async fn nothing_is_announced_without_subscribe(harness: &Harness) {
    let (silent, heard) = (Party::new(harness, ROOMY).await, Party::new(harness, ROOMY).await);
    heard.backend.log.subscribe(heard.id).await.expect("subscribes");
    silent.fill(3).await;
    heard.fill(1).await;
    harness.node.delivered.entries_up_to(heard.id, Seq(1)).await;
    assert!(numbers(harness, &silent).is_empty());
}

pub(crate) async fn unsubscribe_stops_announcements(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let log = &party.backend.log;
    log.subscribe(party.id).await.expect("subscribes");
    party.fill(2).await;
    harness.node.delivered.entries_up_to(party.id, Seq(2)).await;
    log.unsubscribe(party.id).await;
    party.fill(2).await;
    log.subscribe(party.id).await.expect("subscribes again");
    party.fill(1).await;
    harness.node.delivered.entries_up_to(party.id, Seq(5)).await;
    assert_eq!(numbers(harness, &party), [1, 2, 5]);
}

pub(crate) async fn subscribing_twice_announces_once(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    for _ in 0..2 {
        party.backend.log.subscribe(party.id).await.expect("subscribes");
    }
    party.fill(3).await;
    harness.node.delivered.entries_up_to(party.id, Seq(3)).await;
    assert_eq!(numbers(harness, &party), [1, 2, 3]);
}

pub(crate) async fn every_listening_node_is_told(harness: &Harness) {
    let (party, second, third) =
        (Party::new(harness, ROOMY).await, harness.another().await, harness.another().await);
    for log in [&party.backend.log, &second.backend.log, &third.backend.log] {
        Log::subscribe(&**log, party.id).await.expect("subscribes");
    }
    third.backend.log.unsubscribe(party.id).await;
    party.fill(4).await;
    let first = harness.node.delivered.entries_up_to(party.id, Seq(4)).await;
    assert_eq!(second.delivered.entries_up_to(party.id, Seq(4)).await, first);
    assert_eq!(first, party.entries().await);
    assert_eq!(third.delivered.entries(party.id), [], "one node's unsubscribe is its own");
}

pub(crate) async fn a_frame_for_all_is_relayed_to_every_node(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    for node in [&harness.node, &other] {
        node.backend.log.subscribe(party.id).await.expect("subscribes");
    }
    let frame = r#"{"type":"notify","data":{"topic":"typing","body":"é\n"}}"#;
    assert!(party.backend.log.relay(party.id, relay(None, frame)).await.expect("relays"));
    for node in [&harness.node, &other] {
        let heard = node.delivered.relayed_up_to(party.id, frame).await;
        assert_eq!(heard, [relay(None, frame)]);
    }
    assert_eq!(party.entries().await, [], "nothing is kept");
}

pub(crate) async fn a_frame_for_one_needs_a_seat(harness: &Harness) {
    let (party, other) = (Party::new(harness, ROOMY).await, harness.another().await);
    other.backend.log.subscribe(party.id).await.expect("subscribes");
    let guest = party.at(&other.backend).guest().await.seat;
    let log = &party.backend.log;
    let stranger = ParticipantId::new_random();
    assert!(!log.relay(party.id, relay(Some(stranger), "\"to nobody\"")).await.expect("answers"));
    let to_guest = relay(Some(guest.participant), "\"to the guest\"");
    assert!(log.relay(party.id, to_guest.clone()).await.expect("relays"));
    party.leave(guest).await;
    assert!(!log.relay(party.id, to_guest.clone()).await.expect("answers"), "who left is nobody");
    assert!(log.relay(party.id, relay(None, "\"last\"")).await.expect("relays"));
    let heard = other.delivered.relayed_up_to(party.id, "\"last\"").await;
    assert_eq!(heard, [to_guest, relay(None, "\"last\"")]);
}

pub(crate) async fn nobody_sits_in_an_ended_session(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let to_host = relay(Some(party.join(party.host).await.seat.participant), "\"to the host\"");
    let log = &party.backend.log;
    assert!(log.relay(party.id, to_host.clone()).await.expect("relays"));
    accepted(&party.effect(Effect::End).await);
    assert!(!log.relay(party.id, to_host).await.expect("answers"), "though the lease has not run out");
}
