//! Records: creating, finding, ending, running out.

use std::time::Duration;

use watchparty::backend::error::BackendError;
use watchparty::backend::log::{Cut, Effect, Refusal, Relay};
use watchparty::backend::membership::{Beat, JoinRefusal};
use watchparty::model::entry::Seq;
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Generation, Seat};
use watchparty::model::session::Control;

use crate::harness::{Harness, until};
use crate::party::{LONG, Party, ROOMY, TTL, accepted, event, new_session, refused};

pub(crate) async fn a_new_session_is_found_as_created(harness: &Harness) {
    let backend = &harness.node.backend;
    let new = new_session(7, TTL);
    let record = backend.sessions.create(new.clone()).await.expect("creates");
    assert_eq!((record.id, &record.name, record.host, record.capacity), (new.id, &new.name, new.host, 7));
    assert_eq!((record.locked, record.control), (false, Control::Everyone));
    assert_eq!(record.expires_at, record.created_at.plus(TTL));
    let found = backend.sessions.find(new.id).await.expect("answers").expect("is there");
    assert_eq!((found.record, found.participants), (record, 0));
    let hash = backend.sessions.password_hash(new.id).await.expect("answers");
    assert_eq!(hash.as_deref(), Some("$2b$04$hash"));
    let page = backend.log.read(new.id, Cut::After(Seq::ZERO), 10).await.expect("answers").expect("is there");
    assert_eq!((page.history.head, page.history.first), (Seq(0), Seq(1)));
    assert_eq!((page.history.lineage, page.entries), (vec![], vec![]));
}

pub(crate) async fn an_id_is_never_reused(harness: &Harness) {
    let party = Party::new(harness, 7).await;
    let mut again = new_session(9, TTL);
    again.id = party.id;
    let answer = party.backend.sessions.create(again).await;
    assert!(matches!(answer, Err(BackendError::Unavailable(_))), "{answer:?}");
    assert_eq!(party.summary().await.record.capacity, 7);
    assert_eq!(party.host_now().await.0, party.host);
}

/// What every port says of a session that is not, or is over.
async fn assert_none(party: &Party) {
    let (backend, id) = (&party.backend, party.id);
    let someone = ParticipantId::new_random();
    let seat = Seat { session: id, participant: someone, generation: Generation(1) };
    assert_eq!(backend.sessions.find(id).await.expect("answers"), None);
    assert_eq!(backend.sessions.password_hash(id).await.expect("answers"), None);
    assert_eq!(backend.membership.snapshot(id, 10).await.expect("answers"), None);
    assert_eq!(backend.membership.standing(id, someone).await.expect("answers"), None);
    assert_eq!(backend.membership.roster(id, None, 10).await.expect("answers"), vec![]);
    assert_eq!(party.beat(&[seat]).await, Beat { head: None, lost: vec![seat] });
    assert_eq!(party.try_join(someone, LONG).await.err(), Some(JoinRefusal::NoSession));
    party.leave(seat).await;
    let answers = party.batch(&[event("one"), event("two")]).await;
    assert_eq!(answers, vec![refused(Refusal::NoSession); 2]);
    let relay = Relay { to: Some(someone), frame: "{}".into() };
    assert!(!backend.log.relay(id, relay).await.expect("answers"));
}

pub(crate) async fn an_unknown_session_is_none_everywhere(harness: &Harness) {
    let (id, host) = (SessionId::new_random(), ParticipantId::new_random());
    let party = Party { backend: harness.node.backend.clone(), id, host };
    assert_none(&party).await;
    assert_eq!(party.backend.log.read(id, Cut::After(Seq::ZERO), 10).await.expect("answers"), None);
}

pub(crate) async fn an_ended_session_is_none_but_its_log_can_be_read(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let mut end = event("end");
    end.record = Record::new(EntryKind::SessionEnded, None, None, r#"{"reason":"ended"}"#);
    end.effect = Some(Effect::End);
    let answers = party.batch(&[event("before"), end.clone()]).await;
    assert_eq!(accepted(&answers[1]), Seq(3));
    assert_none(&party).await;
    assert_eq!(party.say(seat, 1).await, refused(Refusal::NoSession));
    assert_eq!(party.publish(end).await, refused(Refusal::NoSession), "it ends once");
    assert_eq!(party.try_join(party.host, LONG).await.err(), Some(JoinRefusal::NoSession));
    let kinds: Vec<EntryKind> = party.entries().await.iter().map(|entry| entry.record.kind()).collect();
    assert_eq!(kinds, [EntryKind::ParticipantJoined, EntryKind::Event, EntryKind::SessionEnded]);
    let mut again = new_session(7, TTL);
    again.id = party.id;
    assert!(party.backend.sessions.create(again).await.is_err(), "an id is never reused");
}

pub(crate) async fn a_session_without_activity_runs_out(harness: &Harness) {
    let ttl = Duration::from_millis(150);
    let party = Party::create(harness, new_session(ROOMY, ttl)).await;
    harness.pass(ttl).await;
    until("the session to run out", || async {
        party.backend.sessions.find(party.id).await.expect("answers").is_none().then_some(())
    })
    .await;
    assert_none(&party).await;
    assert_eq!(party.backend.log.read(party.id, Cut::After(Seq::ZERO), 10).await.expect("answers"), None);
}

pub(crate) async fn its_life_starts_again_with_join_entry_and_beat(harness: &Harness) {
    // Rounding by a tenth of it is allowed: steps are longer than that.
    let (ttl, step) = (Duration::from_secs(3), Duration::from_millis(350));
    let party = Party::create(harness, new_session(ROOMY, ttl)).await;
    let mut before = party.summary().await.record.expires_at;
    let mut seat = None;
    for what in ["join", "entry", "beat"] {
        harness.pass(step).await;
        match what {
            "join" => seat = Some(party.join(party.host).await.seat),
            "entry" => drop(accepted(&party.publish(event("entry")).await)),
            _ => drop(party.beat(seat.as_slice()).await),
        }
        let after = party.summary().await.record.expires_at;
        assert!(after.since(before) >= step, "{what}: {before:?} {after:?}");
        before = after;
    }
    harness.pass(step).await;
    party.entries().await;
    party.snapshot().await;
    assert_eq!(party.summary().await.record.expires_at, before, "looking does not");
}
