//! What takes minutes: only where time can be made to pass.

use std::time::Duration;

use watchparty::backend::log::{Cut, Dedup, Effect, IdempotencyKey, Publish, Published};
use watchparty::backend::membership::{JoinRefusal, RECLAIM};
use watchparty::model::entry::Seq;
use watchparty::model::session::SessionPatch;

use crate::harness::{HISTORY_AGE, HISTORY_ENTRIES, Harness};
use crate::party::{LONG, Party, ROOMY, TTL, accepted, event};

pub(crate) async fn a_claim_runs_out(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let guest = party.guest().await.seat;
    harness.pass(RECLAIM).await;
    let patch = SessionPatch { locked: Some(true), ..SessionPatch::default() };
    accepted(&party.effect(Effect::Patch(patch.clone())).await);
    assert_eq!(party.try_join(party.host, LONG).await.err(), Some(JoinRefusal::Locked));
    accepted(&party.effect(Effect::Patch(SessionPatch { locked: Some(false), ..patch })).await);
    party.join(party.host).await;
    assert_eq!(party.host_now().await.0, guest.participant);
}

pub(crate) async fn an_ended_log_is_forgotten(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    accepted(&party.effect(Effect::End).await);
    harness.pass(Duration::from_secs(59)).await;
    assert_eq!(party.entries().await.len(), 1);
    harness.pass(Duration::from_secs(1)).await;
    assert_eq!(party.backend.log.read(party.id, Cut::After(Seq::ZERO), 9).await.expect("answers"), None);
}

pub(crate) async fn entries_beyond_the_number_go_with_their_age(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let half = HISTORY_AGE / 2;
    party.fill(HISTORY_ENTRIES * 2).await;
    let old = party.head().await;
    harness.pass(half).await;
    party.fill(HISTORY_ENTRIES * 2).await;
    let first = async || {
        party.beat(&[seat]).await;
        party.snapshot().await.history.first
    };
    assert_eq!(first().await, Seq(1));
    harness.pass(half).await;
    assert_eq!(first().await, old.next(), "the first half is ten minutes old");
    harness.pass(half).await;
    let kept = party.head().await.0 - first().await.0 + 1;
    assert_eq!(kept, HISTORY_ENTRIES as u64, "the newest, whatever their age");
}

pub(crate) async fn a_key_is_remembered_as_long_as_its_session_lives(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let keyed = || Publish { dedup: Dedup::Key(IdempotencyKey([7; 16])), ..event("keyed") };
    accepted(&party.publish(keyed()).await);
    for _ in 0..3 {
        // Somebody who is there keeps the session alive, beyond the time it would have lived alone.
        harness.pass(TTL - Duration::from_secs(60)).await;
        assert!(matches!(party.publish(keyed()).await, Published::Duplicate(_)));
        party.fill(1).await;
    }
}
