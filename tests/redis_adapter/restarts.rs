//! Restarts, with and without loss: the epoch, its lineage, and who is told what.

use watchparty::backend::error::BackendError;
use watchparty::backend::log::{Published, Refusal};
use watchparty::model::entry::{Position, Seq};
use watchparty::model::history::Continuity;
use watchparty::model::id::ParticipantId;

use crate::world::{Heard, LEASE, World, eventually, numbered, plain};

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
    world.redis.crash().await;
    let refused = node.log().publish(session, &[plain("into the void")]).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_) | BackendError::Unknown(_)));
    let lost = node.interruptions();
    world.redis.restart().await;
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
    world.redis.cli(&["HSET", &format!("wp:{{{session}}}:s"), "q", "1"]).await;
    let Published::Accepted(at) = node.publish(session, plain("d")).await else { panic!("accepted") };
    assert_eq!(at.seq, Seq(4));
    let history = node.history(session).await;
    assert_ne!(history.epoch, old);
    assert_eq!(history.lineage, [(old, Seq(1))]);
}

#[tokio::test]
async fn a_lost_tail_is_seen_by_readers_and_by_publishers() {
    let mut world = World::durable().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    let seat = node.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    for n in 1..=50 {
        assert!(matches!(node.publish(session, numbered(seat, n)).await, Published::Accepted(_)), "{n}");
    }
    let before = node.history(session).await;
    world.redis.crash().await;
    // Some three entries, as a power cut takes them.
    world.redis.cut_aof_tail(1500);
    world.redis.restart().await;
    node.live().await;

    let survived = node.history(session).await;
    assert!(survived.head < before.head, "the cut took something");
    let reader = before.position();
    assert_eq!(survived.continuity(reader), Continuity::Diverged, "seen before anybody writes");
    // The publisher goes on where it was, and is told how far the log remembers it.
    let refused = node.publish(session, numbered(seat, 51)).await;
    let Published::Refused(Refusal::Gap { last_n }) = refused else { panic!("{refused:?}") };
    assert_eq!(last_n, survived.head.0 - (before.head.0 - 50));
    for n in last_n + 1..=60 {
        assert!(matches!(node.publish(session, numbered(seat, n)).await, Published::Accepted(_)), "{n}");
    }
    let after = node.history(session).await;
    assert!(after.head > before.head, "newer entries passed the old head");
    assert_eq!(after.lineage, [(before.epoch, survived.head)]);
    assert_eq!(after.continuity(reader), Continuity::Diverged, "and still seen");
    let kept = Position { epoch: before.epoch, seq: survived.head };
    assert_eq!(after.continuity(kept), Continuity::Holds);
    let numbers: Vec<Seq> = node.read_all(session).await.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=after.head.0).map(Seq).collect::<Vec<_>>(), "no hole");
}

/// A script's writes are one transaction in the append-only file. Torn by a power cut, it is not run by the Redis that starts after it, but
/// stays in the file, to be run at the start after that one with the first transaction that followed: the lost entry would be back
/// in the place of an acked one, under its number and with nobody told.
#[tokio::test]
async fn a_torn_transaction_does_not_come_back_at_the_second_start() {
    let mut world = World::durable().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    world.redis.aof_rewritten().await;
    let size = |world: &World| world.redis.aof_tail().metadata().unwrap().len();
    let before = size(&world);
    node.publish(session, plain("lost")).await;
    let written = size(&world) - before;
    world.redis.crash().await;
    // Its last command is torn, the others are whole.
    world.redis.cut_aof_tail(10);
    assert!(written > 10, "the entry is in the file");
    world.redis.restart().await;
    node.live().await;
    assert_eq!(node.texts_of_log(session).await, [""; 0], "half a step is no step");
    world.redis.aof_rewritten().await;

    assert!(matches!(node.publish(session, plain("acked")).await, Published::Accepted(_)));
    world.redis.crash().await;
    world.redis.restart().await;
    node.live().await;
    assert_eq!(node.texts_of_log(session).await, ["acked"]);
}

/// A join that was lost with the tail has a connection still. If its generation were given again, two connections could not be told apart: one's
/// words would be taken for the other's, repeated.
#[tokio::test]
async fn a_seat_that_was_lost_is_not_given_again() {
    let mut world = World::durable().await;
    let node = world.node().await;
    let (session, who) = (world.session(&node).await, ParticipantId::new_random());
    world.redis.aof_rewritten().await;
    let before = world.redis.aof_tail().metadata().unwrap().len();
    let lost = node.join(session, who, LEASE).await.unwrap().seat;
    world.redis.crash().await;
    let whole = world.redis.aof_tail().metadata().unwrap().len();
    assert_eq!(world.redis.cut_aof_tail(whole - before), whole - before);
    world.redis.restart().await;
    node.live().await;

    let seat = node.join(session, who, LEASE).await.unwrap().seat;
    assert_ne!(seat.generation, lost.generation);
    assert_eq!(node.publish(session, numbered(lost, 1)).await, Published::Refused(Refusal::Stale));
    assert!(matches!(node.publish(session, numbered(seat, 1)).await, Published::Accepted(_)));
}
