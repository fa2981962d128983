//! What stays in Redis and for how long: numbers, entries, keys; and what happens when its memory is full.

use std::time::Duration;

use watchparty::backend::error::BackendError;
use watchparty::backend::limiter::Scope;
use watchparty::backend::log::{Cut, Dedup, Effect, IdempotencyKey, Published, Refusal};
use watchparty::backend::membership::JoinRefusal;
use watchparty::model::entry::{Position, Seq};
use watchparty::model::history::{Continuity, Retention};
use watchparty::model::id::ParticipantId;
use watchparty::model::rate::Rate;
use watchparty::model::record::EntryKind;
use watchparty::model::session::SessionPatch;

use crate::world::{LEASE, World, chat, numbered, plain};

/// Already over when it is given.
const NO_LEASE: Duration = Duration::ZERO;

#[tokio::test]
async fn a_number_is_taken_once_and_in_its_turn() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let seat = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let batch: Vec<_> = (1..=40).map(|n| numbered(seat, n)).collect();
    let answers = node.log().publish(session, &batch).await.unwrap();
    let epoch = node.epoch(session).await;
    let at = |seq| Position { epoch, seq: Seq(seq) };
    // The join is entry 1, and 2 makes the first to enter host.
    let expected: Vec<_> = (1..=40).map(|n| Published::Accepted(at(n + 2))).collect();
    assert_eq!(answers, expected);

    let again = [numbered(seat, 39), numbered(seat, 40), numbered(seat, 41), numbered(seat, 43)];
    let answers = node.log().publish(session, &again).await.unwrap();
    assert_eq!(
        answers,
        [
            Published::Duplicate(at(41)),
            Published::Duplicate(at(42)),
            Published::Accepted(at(43)),
            Published::Refused(Refusal::Gap { last_n: 41 }),
        ]
    );
    // Each of the newest 32 has its true place, older ones that of the oldest remembered.
    for n in 1..=41u64 {
        let answer = node.log().publish(session, &[numbered(seat, n)]).await.unwrap();
        assert_eq!(answer, [Published::Duplicate(at(n.max(10) + 2))], "number {n}");
    }
    let joined = node.join(session, seat.participant, LEASE).await.unwrap();
    assert_eq!((joined.last_n, joined.resumed), (41, true));
    assert_eq!(node.read_all(session).await.len(), 43);
}

#[tokio::test]
async fn pages_go_both_ways_and_say_what_was_trimmed() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    for at in 0..20 {
        let batch: Vec<_> = (0..16).map(|one| plain(&format!("{at}-{one}"))).collect();
        node.log().publish(session, &batch).await.unwrap();
    }
    let page = node.log().read(session, Cut::After(Seq(300)), 5).await.unwrap().unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [301, 302, 303, 304, 305]);
    let page = node.log().read(session, Cut::Before(Seq(300)), 3).await.unwrap().unwrap();
    assert_eq!(page.entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(), [297, 298, 299]);
    let history = page.history;
    assert_eq!((history.head, history.first), (Seq(320), Seq(221)), "the newest hundred, trimmed at 320");
    let at = |seq| history.continuity(Position { epoch: history.epoch, seq: Seq(seq) });
    assert_eq!((at(219), at(220), at(321)), (Continuity::Trimmed, Continuity::Holds, Continuity::Diverged));
    assert!(node.log().read(session, Cut::Before(Seq::ZERO), 3).await.unwrap().unwrap().entries.is_empty());
    world.redis.cli(&["DEL", &format!("wp:{{{session}}}:x")]).await;
    let page = node.log().read(session, Cut::After(Seq(0)), 5).await.unwrap().unwrap();
    assert_eq!(
        (page.history.head, page.history.first),
        (Seq(320), Seq(321)),
        "a stream that is gone was trimmed"
    );
    assert!(
        matches!(node.publish(session, plain("on")).await, Published::Accepted(at) if at.seq == Seq(321))
    );
    assert_eq!(world.redis.keys_without_ttl().await, Vec::<String>::new());
}

/// Makes a session's oldest entries ten minutes older than they are: rewritten, as a log cannot be changed.
const AGE: &str = "local all = redis.call('XRANGE', KEYS[1], '-', '+')
redis.call('DEL', KEYS[1])
for i, entry in ipairs(all) do
  local ts, text = string.match(entry[2][2], '^(%d+)( .*)$')
  if i <= tonumber(ARGV[1]) then ts = string.format('%.0f', ts - 600000) end
  redis.call('XADD', KEYS[1], entry[1], 'r', ts .. text)
end
redis.call('PEXPIRE', KEYS[1], 600000)";

#[tokio::test]
async fn old_entries_go_and_young_ones_stay() {
    let mut world = World::start().await;
    world.history = Retention { entries: 100, age: Duration::from_mins(10), bytes: 8 << 20 };
    let node = world.node().await;
    let session = world.session(&node).await;
    let stream = format!("wp:{{{session}}}:x");
    let fill = async |count: usize| {
        let batch: Vec<_> = (0..count).map(|at| plain(&at.to_string())).collect();
        node.log().publish(session, &batch).await.unwrap();
    };
    let aged = async |count: usize| {
        world.redis.cli(&["EVAL", AGE, "1", &stream, &count.to_string()]).await;
    };
    let kept = async || {
        let history = node.history(session).await;
        (history.first.0, history.head.0)
    };
    let beat = async || node.membership().beat(session, &[], LEASE).await.unwrap();
    fill(500).await;
    assert_eq!(kept().await, (1, 500), "all are young");
    for (old, first) in [(1, 2), (0, 2), (6, 8), (193, 201)] {
        aged(old).await;
        beat().await;
        assert_eq!(kept().await, (first, 500), "{old} more are old");
    }
    aged(300).await;
    beat().await;
    assert_eq!(kept().await, (401, 500), "the newest hundred stay, however old");
    fill(211).await;
    assert_eq!(kept().await, (501, 711), "a publish trims too, and keeps what it found young");
    assert_eq!(world.redis.keys_without_ttl().await, Vec::<String>::new());
}

#[tokio::test]
async fn out_of_memory_refuses_before_the_first_step() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let seat = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let before = node.history(session).await.head;
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let refused = node.log().publish(session, &[numbered(seat, 1)]).await.unwrap_err();
    assert!(matches!(&refused, BackendError::Unavailable(why) if why.starts_with("OOM")), "{refused}");
    let beat = node.membership().beat(session, &[seat], LEASE).await.unwrap();
    assert_eq!((beat.head, beat.lost), (Some(before), Vec::new()), "leases go on, reads too");
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert!(matches!(node.publish(session, numbered(seat, 1)).await, Published::Accepted(_)));
}

#[tokio::test]
async fn no_key_stays_for_ever() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let who = ParticipantId::new_random();
    let seat = node.join(session, who, LEASE).await.unwrap().seat;
    node.publish(session, numbered(seat, 1)).await;
    let mut keyed = plain("keyed");
    keyed.dedup = Dedup::Key(IdempotencyKey([1; 16]));
    node.publish(session, keyed).await;
    let mut secret = plain("new password");
    secret.effect = Some(Effect::Patch(SessionPatch {
        password_hash: Some("$2b$other".into()),
        ..SessionPatch::default()
    }));
    node.publish(session, secret).await;
    assert_eq!(node.backend.sessions.password_hash(session).await.unwrap().as_deref(), Some("$2b$other"));
    let mut kick = plain("kick");
    kick.effect = Some(Effect::Kick { participant: who, ban: Duration::from_secs(5) });
    node.publish(session, kick).await;
    let lost = node.join(session, ParticipantId::new_random(), NO_LEASE).await.unwrap().seat;
    node.membership().beat(session, &[], LEASE).await.unwrap();
    assert_eq!(node.membership().beat(session, &[lost], LEASE).await.unwrap().lost, [lost], "reaped once");
    node.backend
        .limiter
        .take(Scope::Join, "a", Rate { count: 1, per: Duration::from_secs(9), burst: 9 }, 1)
        .await;
    let session_keys = ["s", "x", "d", "k", "a"].map(|key| format!("wp:{{{session}}}:{key}"));
    let keys = world.redis.keys().await;
    assert!(session_keys.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert_eq!(world.redis.keys_without_ttl().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_session_lives_on_by_being_used() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let record = format!("wp:{{{session}}}:s");
    // As if a fifth of its life had passed.
    let aged = 120_000;
    let created: u64 = world.redis.cli(&["HGET", &record, "r"]).await.parse().unwrap();
    world.redis.cli(&["HSET", &record, "r", &(created - aged).to_string()]).await;
    world.redis.cli(&["PEXPIRE", &record, "480000"]).await;
    node.publish(session, plain("alive")).await;
    assert!(world.pttl(&record).await > 590_000, "the time to live starts again");
    let found = node.backend.sessions.find(session).await.unwrap().unwrap();
    assert!(found.record.expires_at.0 >= created + 600_000);
    let entries = world.pttl(&format!("wp:{{{session}}}:x")).await;
    assert!((world.pttl(&record).await - entries).abs() < 1000, "all keys of a session go together");
}

#[tokio::test]
async fn an_ended_session_is_forgotten_within_a_minute() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    node.join(session, ParticipantId::new_random(), LEASE).await.unwrap();
    let mut end = chat(EntryKind::SessionEnded, "ended");
    end.effect = Some(Effect::End);
    assert!(matches!(node.publish(session, end).await, Published::Accepted(_)));
    for key in world.redis.keys().await {
        let left = world.pttl(&key).await;
        assert!((1..=60_000).contains(&left), "{key}: {left}");
    }
}

#[tokio::test]
async fn a_locked_session_does_not_shut_its_host_out() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let mut lock = plain("lock");
    lock.effect = Some(Effect::Patch(SessionPatch { locked: Some(true), ..SessionPatch::default() }));
    assert!(matches!(node.publish(session, lock).await, Published::Accepted(_)));
    let stranger = node.join(session, ParticipantId::new_random(), LEASE).await;
    assert_eq!(stranger.unwrap_err(), JoinRefusal::Locked);
    assert!(node.join(session, world.host(session), LEASE).await.is_ok());
}
