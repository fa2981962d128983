//! Epochs: when the store restarted or was promoted, the first write of any kind begins one, and whoever listens is told.

use watchparty::backend::log::{Announcement, Cut, Effect, Refusal};
use watchparty::model::entry::{Epoch, Seq};
use watchparty::model::history::History;

use crate::harness::{Harness, until};
use crate::party::{Party, ROOMY, accepted, event, refused};

async fn history(party: &Party) -> History {
    let page = party.backend.log.read(party.id, Cut::After(Seq::ZERO), 0).await.expect("reads");
    page.expect("there is such a session").history
}

/// Waits for so many announcements: epoch, first number and entries of each.
async fn announced(harness: &Harness, party: &Party, count: usize) -> Vec<(Epoch, Seq, usize)> {
    let told = |one: &Announcement| (one.epoch, one.first, one.records.len());
    until("announcements", || async {
        let announced = harness.node.delivered.announcements(party.id);
        (announced.len() >= count).then(|| announced.iter().map(told).collect())
    })
    .await
}

pub(crate) async fn an_epoch_is_told_before_its_first_entry(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.backend.log.subscribe(party.id).await.expect("subscribes");
    party.fill(2).await;
    let old = history(&party).await.epoch;
    harness.promote(party.id).await;
    assert_eq!(history(&party).await.epoch, old, "until something is written");
    accepted(&party.publish(event("after")).await);
    let history = history(&party).await;
    assert_ne!(history.epoch, old);
    assert_eq!((history.head, &history.lineage[..]), (Seq(3), &[(old, Seq(2))][..]));
    let expected =
        [(old, Seq(1), 1), (old, Seq(2), 1), (history.epoch, Seq(3), 0), (history.epoch, Seq(3), 1)];
    assert_eq!(announced(harness, &party, expected.len()).await, expected);
}

pub(crate) async fn a_beat_begins_an_epoch_too(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.backend.log.subscribe(party.id).await.expect("subscribes");
    party.fill(1).await;
    let old = history(&party).await.epoch;
    harness.promote(party.id).await;
    assert_eq!(party.beat(&[]).await.head, Some(Seq(1)));
    let history = history(&party).await;
    assert_eq!((history.head, &history.lineage[..]), (Seq(1), &[(old, Seq(1))][..]));
    let expected = [(old, Seq(1), 1), (history.epoch, Seq(2), 0)];
    assert_eq!(announced(harness, &party, expected.len()).await, expected);
}

pub(crate) async fn an_ended_session_begins_no_epoch(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    accepted(&party.effect(Effect::End).await);
    let before = history(&party).await;
    harness.promote(party.id).await;
    assert_eq!(party.publish(event("late")).await, refused(Refusal::NoSession));
    assert_eq!(party.beat(&[seat]).await.head, None);
    party.leave(seat).await;
    assert_eq!(history(&party).await, before, "nothing can be written, so nothing begins");
}

pub(crate) async fn an_empty_batch_is_no_write(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let before = history(&party).await;
    harness.promote(party.id).await;
    assert_eq!(party.batch(&[]).await, []);
    assert_eq!(history(&party).await, before);
}

pub(crate) async fn seats_of_an_epoch_are_beyond_those_of_the_one_before(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let old = party.join(party.host).await.seat;
    harness.promote(party.id).await;
    accepted(&party.say(old, 1).await);
    let new = party.join(party.host).await.seat;
    // What was taken since and lost with the store's tail is in between.
    assert!(new.generation.0 > old.generation.0 + 1_000_000, "{old:?}, then {new:?}");
    assert_eq!(party.say(old, 2).await, refused(Refusal::Stale));
    accepted(&party.say(new, 2).await);
    assert_eq!(party.beat(&[old, new]).await.lost, [old]);
    let next = party.guest().await.seat;
    assert_eq!(next.generation.0, new.generation.0 + 1);
}
