//! Steps that wait for replicas: what counts, what does not, and what a repeat is worth that wrote nothing.

use tokio::task::JoinSet;
use watchparty::backend::error::BackendError;
use watchparty::backend::log::{Dedup, Published};
use watchparty::backend::membership::JoinRequest;
use watchparty::model::entry::Position;
use watchparty::model::id::{NodeId, ParticipantId};
use watchparty::model::participant::DisplayName;
use watchparty::model::seat::Profile;

use crate::support::pair::Pair;
use crate::support::wait;
use crate::world::{LEASE, Node, World, numbered, plain};

/// What many sessions are for here: they share the writers.
const SESSIONS: usize = 50;
/// Entries published at once, a session's own one after the other.
const ENTRIES: usize = 400;

async fn up(node: &Node, up: bool) {
    let mut health = node.backend.health.clone();
    wait::soon("health to follow the replicas", health.wait_for(|health| health.up == up)).await.unwrap();
}

/// What writers wrote so that there is something to wait for.
async fn marks(world: &World) -> Vec<String> {
    world.redis.keys().await.into_iter().filter(|key| key.ends_with("}:w")).collect()
}

#[tokio::test]
async fn a_repeat_is_vouched_for_by_replicas_that_have_the_entry() {
    let Pair { primary, replica: _replica, stream, way: _way } = Pair::start().await;
    let world = World::replicated(primary);
    let (one, other) = (world.node().await, world.node().await);
    let session = world.session(&one).await;
    let seat = one.join(session, ParticipantId::new_random(), LEASE).await.unwrap().seat;
    let first = one.publish(session, numbered(seat, 1)).await;
    let Published::Accepted(Position { seq: first, .. }) = first else { panic!("{first:?}") };
    let second = first.next();

    stream.blackhole();
    let nobody_knows = one.log().publish(session, &[numbered(seat, 2)]).await;
    assert!(matches!(nobody_knows, Err(BackendError::Unknown(_))), "{nobody_knows:?}");
    assert_eq!(one.history(session).await.head, second, "the primary has it, and is alone with it");
    // The repeats write nothing, on connections that may never have written: what they answer is known to the primary alone.
    for node in [&one, &other, &world.unready_node()] {
        node.live().await;
        let repeat = node.log().publish(session, &[numbered(seat, 2)]).await;
        assert!(matches!(repeat, Err(BackendError::Unknown(_))), "{repeat:?}");
        let older = node.log().publish(session, &[numbered(seat, 1)]).await;
        assert!(
            matches!(older, Err(BackendError::Unknown(_))),
            "nor is anything else vouched for: {older:?}"
        );
    }
    let profile = Profile { name: DisplayName::new("Ada").unwrap(), color: None };
    let who = ParticipantId::new_random();
    let request = JoinRequest {
        session,
        participant: who,
        node: NodeId::new_random(),
        profile,
        lease: LEASE,
        roster: 1,
    };
    let joined = other.membership().join(request).await;
    assert!(matches!(joined, Err(BackendError::Unknown(_))), "a welcome states a position: {joined:?}");
    up(&one, false).await;
    assert_eq!(other.history(session).await.head, second.next(), "reading goes on");

    stream.heal();
    up(&one, true).await;
    up(&other, true).await;
    let at = |published| match published {
        Published::Duplicate(at) => at.seq,
        other => panic!("one entry, and it was there: {other:?}"),
    };
    assert_eq!(at(other.publish(session, numbered(seat, 2)).await), second);
    let marks = marks(&world).await;
    world.redis.cli(&[&["DEL"], &marks.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat()).await;
    assert_eq!(at(one.publish(session, numbered(seat, 2)).await), second);
    let written = self::marks(&world).await;
    assert!(written.iter().any(|mark| marks.contains(mark)), "a repeat, too, ends with a write: {written:?}");
    assert!(world.redis.keys_without_ttl().await.is_empty());
}

#[tokio::test]
async fn what_gathers_while_replicas_are_waited_for_goes_out_together() {
    let Pair { primary, replica: _replica, stream: _stream, way: _way } = Pair::start().await;
    let world = World::replicated(primary);
    let node = world.node().await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(world.session(&node).await);
    }
    let waits = || async {
        let stats = world.redis.cli(&["INFO", "commandstats"]).await;
        let row = stats.lines().find_map(|row| row.strip_prefix("cmdstat_wait:calls=")).unwrap();
        row.split(',').next().unwrap().parse::<usize>().unwrap()
    };
    let before = waits().await;
    let mut publishes = JoinSet::new();
    for number in 0..ENTRIES {
        let (log, session) = (node.log(), sessions[number % SESSIONS]);
        publishes.spawn(async move {
            let publish = watchparty::backend::log::Publish { dedup: Dedup::None, ..plain("at once") };
            log.publish(session, &[publish]).await
        });
    }
    for published in publishes.join_all().await {
        assert!(matches!(published.as_deref(), Ok([Published::Accepted(_)])), "{published:?}");
    }
    let waited = waits().await - before;
    assert!((1..ENTRIES / 2).contains(&waited), "{ENTRIES} entries by {waited} waits");
    for session in sessions {
        assert_eq!(node.read_all(session).await.len(), ENTRIES / SESSIONS);
    }
}

#[tokio::test]
async fn a_script_that_redis_forgot_is_handed_over_to_a_writer_too() {
    let Pair { primary, replica: _replica, stream: _stream, way: _way } = Pair::start().await;
    let world = World::replicated(primary);
    let node = world.node().await;
    let session = world.session(&node).await;
    world.redis.cli(&["SCRIPT", "FLUSH"]).await;
    assert!(matches!(node.publish(session, plain("still")).await, Published::Accepted(_)));
    assert_eq!(node.read_all(session).await.len(), 1);
}

#[tokio::test]
async fn what_a_full_primary_refuses_is_known_not_to_be_there() {
    let Pair { primary, replica: _replica, stream: _stream, way: _way } = Pair::start().await;
    let world = World::replicated(primary);
    let node = world.node().await;
    let session = world.session(&node).await;
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let refused = node.log().publish(session, &[plain("too much")]).await;
    assert!(matches!(refused, Err(BackendError::Unavailable(_))), "nothing was done: {refused:?}");
    up(&node, false).await;
    world.redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    assert!(matches!(node.publish(session, plain("fits")).await, Published::Accepted(_)));
    up(&node, true).await;
}
