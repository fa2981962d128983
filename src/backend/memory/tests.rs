//! What only the memory adapter can show: restarts of the model, and what is dropped when.

use std::sync::Arc;
use std::time::Duration;

use super::session::{ENDED_READABLE, Session};
use super::{Memory, MemorySettings, memory};
use crate::backend::Backend;
use crate::backend::clock::ClusterClock;
use crate::backend::log::{Announcement, Cut, Dedup, Deliver, Effect, Publish, Published, Refusal, Relay};
use crate::backend::membership::JoinRequest;
use crate::model::entry::{Position, Seq};
use crate::model::history::{Continuity, LINEAGE_KEPT, Retention};
use crate::model::id::{NodeId, ParticipantId, SessionId};
use crate::model::participant::DisplayName;
use crate::model::record::{EntryKind, Record};
use crate::model::seat::{Generation, Profile};
use crate::model::session::{NewSession, SessionName};
use crate::model::time::ClusterMs;

const NOW: ClusterMs = ClusterMs(1_000_000);
const TTL: Duration = Duration::from_secs(60);

fn new_session() -> NewSession {
    NewSession {
        id: SessionId::new_random(),
        name: SessionName::parse("Movie night").unwrap(),
        password_hash: String::from("hash"),
        host: ParticipantId::new_random(),
        capacity: 10,
        ttl: TTL,
    }
}

fn session() -> Session {
    Session::create(new_session(), Retention::newest(100), NOW)
}

fn say(n: u64) -> Publish {
    Publish {
        author: None,
        generation: None,
        dedup: Dedup::Number(n),
        record: Record::new(EntryKind::Event, None, Some(n), "{}"),
        if_version: None,
        effect: None,
    }
}

fn say_all(session: &mut Session, numbers: std::ops::RangeInclusive<u64>) {
    for n in numbers {
        let answers = session.publish(&[say(n)], NOW);
        assert!(matches!(answers[..], [Published::Accepted(_)]), "{n}: {answers:?}");
    }
}

fn request(session: &Session) -> JoinRequest {
    JoinRequest {
        session: session.id(),
        participant: ParticipantId::new_random(),
        node: NodeId::new_random(),
        profile: Profile { name: DisplayName::new("Ada").unwrap(), color: None },
        lease: TTL,
        roster: 10,
    }
}

#[test]
fn a_clean_restart_costs_nobody_anything() {
    let mut log = session();
    say_all(&mut log, 1..=5);
    let before = log.history();
    log.restart();
    assert_eq!(log.history(), before, "until something is written");
    say_all(&mut log, 6..=6);
    let after = log.history();
    assert_ne!(after.epoch, before.epoch);
    assert_eq!((after.head, &after.lineage[..]), (Seq(6), &[(before.epoch, Seq(5))][..]));
    for seq in 0..=5 {
        assert_eq!(after.continuity(Position { epoch: before.epoch, seq: Seq(seq) }), Continuity::Holds);
    }
}

#[test]
fn a_lost_tail_is_never_silent() {
    let mut log = session();
    say_all(&mut log, 1..=5);
    let mut survived = log.clone();
    say_all(&mut log, 6..=10);
    let seen = log.history().position();
    survived.restart();
    assert_eq!(survived.history().continuity(seen), Continuity::Diverged, "nobody wrote since");
    let gap = survived.publish(&[say(11)], NOW);
    assert_eq!(gap, [Published::Refused(Refusal::Gap { last_n: 5 })], "publishers are told what was lost");
    say_all(&mut survived, 6..=11);
    assert_eq!(survived.head(), Seq(11));
    assert_eq!(survived.history().continuity(seen), Continuity::Diverged, "newer writes passed the old head");
    let within = Position { seq: Seq(5), ..seen };
    assert_eq!(survived.history().continuity(within), Continuity::Holds);
}

#[test]
fn every_kind_of_write_is_fenced() {
    let writes: [fn(&mut Session); 3] = [
        |session| drop(session.publish(&[say(1)], NOW)),
        |session| assert!(session.join(&request(session), NOW).is_ok()),
        |session| assert_eq!(session.beat(&[], TTL, NOW).head, Some(Seq::ZERO)),
    ];
    for write in writes {
        let mut session = session();
        let before = session.history().epoch;
        session.restart();
        write(&mut session);
        let after = session.history();
        assert_ne!(after.epoch, before);
        assert_eq!(after.lineage, [(before, Seq::ZERO)]);
        write_again(&mut session);
        assert_eq!(session.history().epoch, after.epoch, "once");
    }
    let mut session = session();
    let seat = session.join(&request(&session), NOW).expect("admitted").seat;
    let before = session.history().epoch;
    session.restart();
    session.leave(seat, NOW);
    assert_ne!(session.history().epoch, before, "leave");
}

fn write_again(session: &mut Session) {
    session.beat(&[], TTL, NOW);
}

#[test]
fn the_lineage_forgets_its_oldest() {
    let mut log = session();
    let mut epochs = Vec::new();
    for n in 1..=LINEAGE_KEPT as u64 + 2 {
        epochs.push(log.history().epoch);
        log.restart();
        say_all(&mut log, n..=n);
    }
    let lineage = log.history().lineage;
    let expected: Vec<_> = epochs.into_iter().zip((0..).map(Seq)).skip(2).collect();
    assert_eq!(lineage, expected);
}

#[test]
fn nothing_follows_an_effect_in_its_batch() {
    let mut log = session();
    let end = Publish { effect: Some(Effect::End), ..say(1) };
    let patch = Publish { effect: Some(Effect::Patch(Default::default())), ..say(1) };
    let answers = log.publish(&[patch, say(2)], NOW);
    assert!(matches!(answers[..], [Published::Accepted(_), Published::Refused(Refusal::Conflict)]));
    assert!(matches!(
        log.publish(&[Publish { dedup: Dedup::Number(2), ..end }], NOW)[..],
        [Published::Accepted(_)]
    ));
    assert!(log.over());
}

/// Hears nothing.
struct Deaf;

impl Deliver for Deaf {
    fn announced(&self, _: SessionId, _: Announcement) {}
    fn relayed(&self, _: SessionId, _: Relay) {}
    fn replaced(&self, _: SessionId, _: ParticipantId, _: Generation) {}
    fn interrupted(&self, _: Option<SessionId>) {}
}

fn store() -> (Backend, Arc<Memory>, Arc<ClusterClock>) {
    let clock = Arc::new(ClusterClock::new());
    let (backend, store) =
        memory(MemorySettings { history: Retention::newest(100) }, Arc::clone(&clock), Arc::new(Deaf));
    (backend, store, clock)
}

#[tokio::test]
async fn a_sweep_drops_what_is_over_and_keeps_who_listens() {
    let (backend, store, clock) = store();
    let (idle, ended, heard) = (new_session(), new_session(), new_session());
    let ids = [idle.id, ended.id, heard.id];
    for new in [idle, ended, heard] {
        backend.sessions.create(new).await.expect("creates");
    }
    backend.log.subscribe(ids[2]).await.expect("subscribes");
    let end = Publish { effect: Some(Effect::End), ..say(1) };
    backend.log.publish(ids[1], &[end]).await.expect("publishes");
    let now = clock.now();
    store.sweep(now);
    assert_eq!(store.shards.len(), 3, "nothing is over yet");
    store.sweep(now.plus(TTL.max(ENDED_READABLE)).plus(Duration::from_secs(1)));
    assert_eq!(store.shards.len(), 1, "only the one with a listener is left");
    backend.log.unsubscribe(ids[2]).await;
    store.sweep(now);
    assert_eq!(store.shards.len(), 0);
}

#[tokio::test]
async fn looking_for_what_is_not_there_leaves_nothing_behind() {
    let (backend, store, _) = store();
    let id = SessionId::new_random();
    assert_eq!(backend.sessions.find(id).await.expect("answers"), None);
    assert_eq!(backend.log.read(id, Cut::After(Seq::ZERO), 1).await.expect("answers"), None);
    backend.log.unsubscribe(id).await;
    assert_eq!(store.shards.len(), 0);
}

#[tokio::test]
async fn health_is_up_and_stays_open() {
    let (backend, store, _) = store();
    let health = backend.health.borrow().clone();
    assert!(health.up && !health.starting);
    drop(store);
    assert!(!backend.health.has_changed().expect("open as long as the ports are"));
}
