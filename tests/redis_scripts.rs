//! The redis adapter against a real `redis-server`, where only Redis can give the answer: fences, restarts, leases by its clock, keys
//! that expire, subscriptions that are killed. What every adapter must do is in the contract suite.

#![allow(clippy::unwrap_used, reason = "a panic is the failure report")]

#[path = "redis_scripts/world.rs"]
mod world;

use std::time::Duration;

use watchparty::backend::error::BackendError;
use watchparty::backend::limiter::Scope;
use watchparty::backend::log::{Cut, Dedup, Effect, IdempotencyKey, Published, Refusal, Relay};
use watchparty::backend::membership::JoinRefusal;
use watchparty::model::entry::{Position, Seq};
use watchparty::model::history::Continuity;
use watchparty::model::id::ParticipantId;
use watchparty::model::rate::Rate;
use watchparty::model::record::EntryKind;
use watchparty::model::seat::{Generation, Slot};
use watchparty::model::session::SessionPatch;
use world::{Heard, LEASE, Node, Redis, World, chat, eventually, numbered, plain};

/// Already over when it is given.
const NO_LEASE: Duration = Duration::ZERO;

#[tokio::test]
async fn two_nodes_hear_one_order() {
    let world = World::start().await;
    let (one, two) = (world.node().await, world.node().await);
    let session = world.session(&one).await;
    one.log().subscribe(session).await.unwrap();
    two.log().subscribe(session).await.unwrap();
    let publish = |node: &Node, name: &'static str| {
        let log = node.log();
        async move {
            for n in 0..50 {
                log.publish(session, &[plain(&format!("{name}{n}"))]).await.unwrap();
            }
        }
    };
    tokio::join!(publish(&one, "a"), publish(&two, "b"));
    let all = |node: &Node| node.texts(session).len() == 100;
    eventually("100 entries on both nodes", || all(&one) && all(&two)).await;
    assert_eq!(one.seqs(session), (1..=100).collect::<Vec<_>>());
    assert_eq!(two.seqs(session), (1..=100).collect::<Vec<_>>());
    assert_eq!(one.texts(session), two.texts(session));
    let of = |name: &str| one.texts(session).iter().filter(|text| text.starts_with(name)).count();
    assert_eq!((of("a"), of("b")), (50, 50));
}

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
async fn a_key_is_taken_once_on_any_node() {
    let world = World::start().await;
    let (one, two) = (world.node().await, world.node().await);
    let session = world.session(&one).await;
    let mut publish = plain("once");
    publish.dedup = Dedup::Key(IdempotencyKey([7; 16]));
    let batch = [publish.clone(), publish.clone()];
    let first = one.log().publish(session, &batch).await.unwrap();
    let position = Position { epoch: one.epoch(session).await, seq: Seq(1) };
    assert_eq!(first, [Published::Accepted(position), Published::Duplicate(position)]);
    let second = two.log().publish(session, &[publish]).await.unwrap();
    assert_eq!(second, [Published::Duplicate(position)]);
}

#[tokio::test]
async fn a_seat_taken_over_makes_its_older_connection_stale() {
    let world = World::start().await;
    let (one, two) = (world.node().await, world.node().await);
    let session = world.session(&one).await;
    one.log().subscribe(session).await.unwrap();
    let who = ParticipantId::new_random();
    let older = one.join(session, who, LEASE).await.unwrap().seat;
    let newer = two.join(session, who, LEASE).await.unwrap();
    assert!(newer.resumed && newer.seat.generation > older.generation);
    eventually("the older node is told", || {
        one.heard().contains(&Heard::Replaced(session, who, newer.seat.generation))
    })
    .await;
    let answers = one.log().publish(session, &[numbered(older, 1)]).await.unwrap();
    assert_eq!(answers, [Published::Refused(Refusal::Stale)]);
    let beat = one.membership().beat(session, &[older, newer.seat], LEASE).await.unwrap();
    assert_eq!(beat.lost, [older]);
    one.membership().leave(older).await.unwrap();
    assert!(
        one.membership().standing(session, who).await.unwrap().unwrap().seated,
        "not the older one's seat"
    );
}

#[tokio::test]
async fn versions_decide_and_a_batch_stays_in_order() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let slot = |version| Slot { name: "playback".into(), version, value: r#"{"rate":1}"#.into() };
    let mut third = plain("play");
    third.effect = Some(Effect::Slot(slot(1)));
    let answers = node.log().publish(session, &[plain("a"), plain("b"), third.clone()]).await.unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Published::Accepted(_))), "{answers:?}");
    let answers = node.log().publish(session, &[plain("c"), third]).await.unwrap();
    assert!(matches!(answers[0], Published::Accepted(_)));
    assert_eq!(answers[1], Published::Refused(Refusal::Conflict), "the slot has moved on");

    let mut patch = plain("patch");
    patch.if_version = Some(1);
    patch.effect = Some(Effect::Patch(SessionPatch { locked: Some(true), ..SessionPatch::default() }));
    assert!(matches!(node.publish(session, patch.clone()).await, Published::Accepted(_)));
    assert_eq!(node.publish(session, patch).await, Published::Refused(Refusal::Conflict));
    let snapshot = node.membership().snapshot(session, 10).await.unwrap().unwrap();
    assert_eq!(snapshot.slots, [slot(1)]);
    assert!(snapshot.record.locked && snapshot.record.version == 2);
    assert_eq!(snapshot.history.head, Seq(5));
    let refused = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap_err();
    assert_eq!(refused, JoinRefusal::Locked);
    assert!(node.join(session, world.host(session), LEASE).await.is_ok(), "the host is not shut out");
}

#[tokio::test]
async fn a_kick_bans_and_an_end_ends() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let who = ParticipantId::new_random();
    let seat = node.join(session, who, LEASE).await.unwrap().seat;
    let mut kick = plain("kick");
    kick.effect = Some(Effect::Kick { participant: who, ban: Duration::from_secs(60) });
    assert!(matches!(node.publish(session, kick.clone()).await, Published::Accepted(_)));
    assert_eq!(node.publish(session, kick).await, Published::Refused(Refusal::NoSuchParticipant));
    assert_eq!(node.publish(session, numbered(seat, 1)).await, Published::Refused(Refusal::Stale));
    let mut posted = plain("over HTTP");
    posted.author = Some(who);
    assert_eq!(node.publish(session, posted).await, Published::Refused(Refusal::Banned));
    assert_eq!(node.join(session, who, LEASE).await.unwrap_err(), JoinRefusal::Banned);

    let mut end = chat(EntryKind::SessionEnded, "ended");
    end.effect = Some(Effect::End);
    assert!(matches!(node.publish(session, end.clone()).await, Published::Accepted(_)));
    assert_eq!(node.publish(session, end).await, Published::Refused(Refusal::NoSession));
    assert_eq!(node.join(session, who, LEASE).await.unwrap_err(), JoinRefusal::NoSession);
    assert!(node.backend.sessions.find(session).await.unwrap().is_none());
    assert!(node.backend.sessions.password_hash(session).await.unwrap().is_none());
    assert!(node.membership().snapshot(session, 1).await.unwrap().is_none());
    assert_eq!(node.membership().beat(session, &[seat], LEASE).await.unwrap().lost, [seat]);
    let last = node.read_all(session).await.pop().unwrap();
    assert_eq!(last.record.kind(), EntryKind::SessionEnded, "a room that is behind still learns of it");
    let longest = world.redis.keys().iter().map(|key| world.redis.pttl(key)).max().unwrap();
    assert!(longest <= 60_000, "forgotten within a minute: {longest}");
}

#[tokio::test]
async fn capacity_holds_under_fifty_joins_at_once() {
    let world = World::start().await;
    let nodes = [world.node().await, world.node().await, world.node().await];
    let session = world.session(&nodes[0]).await;
    let joins = (0..50).map(|at| nodes[at % 3].join(session, ParticipantId::new_random(), LEASE));
    let outcomes = futures_util::future::join_all(joins).await;
    let admitted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(admitted, World::CAPACITY as usize);
    assert!(outcomes.iter().flat_map(|outcome| outcome.as_ref().err()).all(|why| *why == JoinRefusal::Full));
    let found = nodes[1].backend.sessions.find(session).await.unwrap().unwrap();
    assert_eq!(found.participants, World::CAPACITY);
    // Joins are numbered without a hole, and one of them is host.
    let entries = nodes[2].read_all(session).await;
    assert_eq!(entries.len(), World::CAPACITY as usize + 1);
    assert_eq!(entries.iter().filter(|entry| entry.record.kind() == EntryKind::HostChanged).count(), 1);
}

#[tokio::test]
async fn a_lost_host_is_followed_and_reclaims() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let (host, other) = (world.host(session), ParticipantId::new_random());
    node.join(session, host, NO_LEASE).await.unwrap();
    // The join of another frees the host's seat first, so nobody sits there: promoted by entering.
    let joined = node.join(session, other, LEASE).await.unwrap();
    assert_eq!(joined.snapshot.record.host, other);
    assert_eq!(joined.snapshot.participants_total, 1);
    let back = node.join(session, host, LEASE).await.unwrap();
    assert_eq!(back.snapshot.record.host, host, "reclaimed");
    assert_eq!(back.snapshot.record.version, 3);

    // Lost while another sits there: the entry of the leaving names the new host.
    let beat = node.membership().beat(session, &[back.seat], NO_LEASE).await.unwrap();
    assert_eq!(beat.lost, []);
    let snapshot = node.membership().snapshot(session, 10).await.unwrap().unwrap();
    assert_eq!(snapshot.record.host, other);
    assert_eq!(beat.head, Some(snapshot.history.head));
    let told: Vec<String> = node
        .read_all(session)
        .await
        .iter()
        .map(|entry| format!("{} {}", entry.record.kind().as_str(), entry.record.data()))
        .collect();
    let left = |who| format!(r#"participant.left {{"participant_id":"{who}","reason":"timeout","host_id":"#);
    assert!(
        told[1].starts_with(&left(host)) && told[1].contains(&format!(r#""host_id":"{host}""#)),
        "{told:?}"
    );
    assert_eq!(told[3], format!(r#"host.changed {{"host_id":"{other}","reason":"promoted"}}"#));
    assert!(told[4].contains(r#""role":"member""#), "a host no longer, until the next entry: {told:?}");
    assert_eq!(told[5], format!(r#"host.changed {{"host_id":"{host}","reason":"reclaimed"}}"#));
    assert!(
        told[6].starts_with(&left(host)) && told[6].contains(&format!(r#""host_id":"{other}""#)),
        "{told:?}"
    );
    assert_eq!(told.len(), 7);
    let again = node.join(session, host, LEASE).await.unwrap();
    assert_eq!(again.snapshot.record.host, host, "lost by lease again, host again");
    node.membership().leave(again.seat).await.unwrap();
    let standing = node.membership().standing(session, other).await.unwrap().unwrap();
    assert!(standing.host && standing.seated);
    let last = node.read_all(session).await.pop().unwrap();
    let tail = String::from_utf8(last.record.tail().to_vec()).unwrap();
    assert!(tail.starts_with(&format!(r#""from":"{host}","data":{{"participant_id""#)), "{tail}");
    let after_leaving = node.join(session, host, LEASE).await.unwrap();
    assert_eq!(after_leaving.snapshot.record.host, other, "who left of their own will has no claim");
}

#[tokio::test]
async fn a_roster_goes_on_after_one_who_left() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let people: Vec<ParticipantId> = (0..4).map(|_| ParticipantId::new_random()).collect();
    let mut seats = Vec::new();
    for who in &people {
        seats.push(node.join(session, *who, LEASE).await.unwrap().seat);
    }
    node.membership().leave(seats[1]).await.unwrap();
    let roster = async |after| {
        let page = node.membership().roster(session, after, 2).await.unwrap();
        page.into_iter().map(|participant| participant.id).collect::<Vec<_>>()
    };
    assert_eq!(roster(None).await, [people[0], people[2]]);
    assert_eq!(roster(Some(people[1])).await, [people[2], people[3]]);
    assert_eq!(roster(Some(people[3])).await, []);
}

#[tokio::test]
async fn a_relay_needs_a_seated_receiver() {
    let world = World::start().await;
    let (one, two) = (world.node().await, world.node().await);
    let session = world.session(&one).await;
    two.log().subscribe(session).await.unwrap();
    let who = ParticipantId::new_random();
    let frame = |to| Relay { to, frame: bytes::Bytes::from_static(b"{\"type\":\"signal\"}") };
    assert!(!one.log().relay(session, frame(Some(who))).await.unwrap());
    one.join(session, who, LEASE).await.unwrap();
    assert!(one.log().relay(session, frame(Some(who))).await.unwrap());
    assert!(one.log().relay(session, frame(None)).await.unwrap());
    let heard = [Heard::Relayed(session, frame(Some(who))), Heard::Relayed(session, frame(None))];
    eventually("both frames", || {
        two.heard().iter().filter(|heard| matches!(heard, Heard::Relayed(..))).count() == 2
    })
    .await;
    assert!(heard.iter().all(|one| two.heard().contains(one)));
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
    world.redis.cli(&["DEL", &format!("wp:{{{session}}}:x")]);
    let page = node.log().read(session, Cut::After(Seq(0)), 5).await.unwrap().unwrap();
    assert_eq!(
        (page.history.head, page.history.first),
        (Seq(320), Seq(321)),
        "a stream that is gone was trimmed"
    );
    assert!(
        matches!(node.publish(session, plain("on")).await, Published::Accepted(at) if at.seq == Seq(321))
    );
    assert_eq!(world.redis.keys_without_ttl(), Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_begins_an_epoch_and_its_lineage_covers_everyone() {
    let mut world = World::durable().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    node.log().subscribe(session).await.unwrap();
    for text in ["a", "b", "c"] {
        node.publish(session, plain(text)).await;
    }
    let old = node.epoch(session).await;
    world.redis.kill9();
    let refused = node.log().publish(session, &[plain("into the void")]).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_) | BackendError::Unknown(_)));
    let lost = node.interruptions();
    world.redis.relaunch().await;
    node.live().await;
    eventually("rooms are told", || node.interruptions() > lost).await;

    let before = node.history(session).await;
    assert_eq!((before.epoch, before.head), (old, Seq(3)), "nobody wrote since");
    let Published::Accepted(at) = node.publish(session, plain("d")).await else { panic!("accepted") };
    assert_eq!(at.seq, Seq(4));
    assert_ne!(at.epoch, old);
    let history = node.history(session).await;
    assert_eq!(history.lineage, [(old, Seq(3))]);
    assert_eq!(history.continuity(Position { epoch: old, seq: Seq(3) }), Continuity::Holds);
    assert_eq!(history.continuity(Position { epoch: old, seq: Seq(4) }), Continuity::Diverged);
    eventually("the new epoch is announced with its base", || {
        node.heard().iter().any(|heard| {
            matches!(heard, Heard::Announced(_, entries)
                if entries.epoch == at.epoch && entries.first == Seq(4) && entries.records.is_empty())
        })
    })
    .await;
    assert_eq!(node.texts(session), ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn a_record_behind_its_stream_adopts_the_streams_past() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    for text in ["a", "b", "c"] {
        node.publish(session, plain(text)).await;
    }
    let old = node.epoch(session).await;
    world.redis.cli(&["HSET", &format!("wp:{{{session}}}:s"), "q", "1"]);
    let Published::Accepted(at) = node.publish(session, plain("d")).await else { panic!("accepted") };
    assert_eq!(at.seq, Seq(4));
    let history = node.history(session).await;
    assert_ne!(history.epoch, old);
    assert_eq!(history.lineage, [(old, Seq(1))]);
}

#[tokio::test]
async fn a_killed_subscription_comes_back_and_says_so() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    node.log().subscribe(session).await.unwrap();
    for round in 0..3 {
        let before = node.interruptions();
        assert_eq!(world.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]), "1");
        eventually("rooms are told", || node.interruptions() > before).await;
        let text = format!("after {round}");
        node.publish(session, plain(&text)).await;
        eventually("announcements arrive again", || node.texts(session).contains(&text)).await;
    }
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_handed_over_again() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    world.redis.cli(&["SCRIPT", "FLUSH"]);
    assert!(matches!(node.publish(session, plain("still")).await, Published::Accepted(_)));
    assert!(node.join(session, ParticipantId::new_random(), LEASE).await.is_ok());
}

#[tokio::test]
async fn nonsense_on_a_channel_and_in_a_stream_is_noticed() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    node.log().subscribe(session).await.unwrap();
    for nonsense in ["", "hello", "w1 e x", "w1 e one two three"] {
        let before = node.heard().len();
        world.redis.cli(&["SPUBLISH", &format!("wp:{{{session}}}:c"), nonsense]);
        eventually("the room is told", || {
            node.heard()[before..].contains(&Heard::Interrupted(Some(session)))
        })
        .await;
    }
    world.redis.cli(&["XADD", &format!("wp:{{{session}}}:x"), "1-0", "not", "ours"]);
    let read = node.log().read(session, Cut::After(Seq(0)), 10).await;
    assert!(matches!(read, Err(BackendError::Unreadable(_))), "{read:?}");
}

#[tokio::test]
async fn out_of_memory_refuses_before_the_first_step() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let seat = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let before = node.history(session).await.head;
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let refused = node.log().publish(session, &[numbered(seat, 1)]).await.unwrap_err();
    assert!(matches!(&refused, BackendError::Unavailable(why) if why.starts_with("OOM")), "{refused}");
    let beat = node.membership().beat(session, &[seat], LEASE).await.unwrap();
    assert_eq!((beat.head, beat.lost), (Some(before), Vec::new()), "leases go on, reads too");
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(node.publish(session, numbered(seat, 1)).await, Published::Accepted(_)));
}

#[tokio::test]
async fn buckets_are_one_on_every_node() {
    let world = World::start().await;
    let (one, two) = (world.node().await, world.node().await);
    let rate = Rate { count: 1, per: Duration::from_secs(3600), burst: 3 };
    let take =
        async |node: &Node, tokens| node.backend.limiter.take(Scope::Create, "192.0.2.1", rate, tokens).await;
    let first = take(&one, 2).await;
    assert!(first.allowed && first.remaining == 1, "{first:?}");
    assert!((7_190_000..=7_200_000).contains(&first.reset_ms), "{first:?}");
    let second = take(&two, 2).await;
    assert!(!second.allowed && second.remaining == 1, "{second:?}");
    assert!((3_590_000..=3_600_000).contains(&second.retry_after_ms), "{second:?}");
    assert!(take(&two, 1).await.allowed);
    assert!(!take(&one, 1).await.allowed);
    assert_eq!(take(&one, 0).await.remaining, 0);
    assert_eq!(world.redis.keys_without_ttl(), Vec::<String>::new());
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
    let keys = world.redis.keys();
    assert!(session_keys.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert_eq!(world.redis.keys_without_ttl(), Vec::<String>::new());
}

#[tokio::test]
async fn a_session_lives_on_by_being_used() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let record = format!("wp:{{{session}}}:s");
    // As if a fifth of its life had passed.
    let aged = 120_000;
    let created: u64 = world.redis.cli(&["HGET", &record, "r"]).parse().unwrap();
    world.redis.cli(&["HSET", &record, "r", &(created - aged).to_string()]);
    world.redis.cli(&["PEXPIRE", &record, "480000"]);
    node.publish(session, plain("alive")).await;
    assert!(world.redis.pttl(&record) > 590_000, "the time to live starts again");
    let found = node.backend.sessions.find(session).await.unwrap().unwrap();
    assert!(found.record.expires_at.0 >= created + 600_000);
    let entries = world.redis.pttl(&format!("wp:{{{session}}}:x"));
    assert!((world.redis.pttl(&record) - entries).abs() < 1000, "all keys of a session go together");
}

#[tokio::test]
async fn health_follows_delivery() {
    let mut world = World::start().await;
    let node = world.node().await;
    assert!(node.backend.health.borrow().up);
    assert_eq!(node.backend.health.borrow().durability.as_str(), "memory");
    let mut health = node.backend.health.clone();
    world.redis.kill9();
    world::soon("down", health.wait_for(|health| !health.up)).await.unwrap();
    assert!(!health.borrow().starting);
    world.redis.relaunch().await;
    world::soon("up", health.wait_for(|health| health.up)).await.unwrap();
}

#[tokio::test]
async fn a_node_starts_before_its_redis() {
    let mut redis = Redis::start(&[]).await;
    redis.kill9();
    let world = World::on(redis);
    let node = world.unready_node();
    let refused = node.log().subscribe(world.unknown_session()).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_)));
    let refused = node.log().read(world.unknown_session(), Cut::After(Seq(0)), 1).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_)));
    assert!(node.backend.health.borrow().starting);
    let mut world = world;
    world.redis.relaunch().await;
    node.live().await;
    assert!(node.log().read(world.unknown_session(), Cut::After(Seq(0)), 1).await.unwrap().is_none());
    let nobody = numbered(
        watchparty::model::seat::Seat {
            session: world.unknown_session(),
            participant: ParticipantId::new_random(),
            generation: Generation(1),
        },
        1,
    );
    assert_eq!(node.publish(world.unknown_session(), nobody).await, Published::Refused(Refusal::NoSession));
}
