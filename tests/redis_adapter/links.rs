//! Links that are cut, killed and lied to: what the node notices, tells its rooms, and does about it.

use watchparty::backend::error::BackendError;
use watchparty::backend::log::{Cut, Published};
use watchparty::model::entry::Seq;
use watchparty::model::id::ParticipantId;

use crate::support::redis_server::RedisServer;
use crate::support::wait;
use crate::world::{Heard, LEASE, World, eventually, plain};

#[tokio::test]
async fn a_killed_subscription_comes_back_and_says_so() {
    let world = World::start().await;
    let node = world.node().await;
    let session = world.session(&node).await;
    node.log().subscribe(session).await.unwrap();
    for round in 0..3 {
        let before = node.interruptions();
        assert_eq!(world.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await, "1");
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
    world.redis.cli(&["SCRIPT", "FLUSH"]).await;
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
        world.redis.cli(&["SPUBLISH", &format!("wp:{{{session}}}:c"), nonsense]).await;
        eventually("the room is told", || {
            node.heard()[before..].contains(&Heard::Interrupted(Some(session)))
        })
        .await;
    }
    world.redis.cli(&["XADD", &format!("wp:{{{session}}}:x"), "1-0", "not", "ours"]).await;
    let read = node.log().read(session, Cut::After(Seq(0)), 10).await;
    assert!(matches!(read, Err(BackendError::Unreadable(_))), "{read:?}");
}

#[tokio::test]
async fn health_follows_delivery() {
    let mut world = World::start().await;
    let node = world.node().await;
    assert!(node.backend.health.borrow().up);
    assert_eq!(node.backend.health.borrow().durability.as_str(), "memory");
    let mut health = node.backend.health.clone();
    world.redis.kill9();
    wait::soon("down", health.wait_for(|health| !health.up)).await.unwrap();
    assert!(!health.borrow().starting);
    world.redis.restart().await;
    wait::soon("up", health.wait_for(|health| health.up)).await.unwrap();
}

#[tokio::test]
async fn a_node_starts_before_its_redis() {
    let mut redis = RedisServer::start().await;
    redis.kill9();
    let world = World::on(redis);
    let node = world.unready_node();
    let refused = node.log().subscribe(world.unknown_session()).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_)));
    let refused = node.log().read(world.unknown_session(), Cut::After(Seq(0)), 1).await.unwrap_err();
    assert!(matches!(refused, BackendError::Unavailable(_)));
    assert!(node.backend.health.borrow().starting);
    let mut world = world;
    world.redis.restart().await;
    node.live().await;
    assert!(node.log().read(world.unknown_session(), Cut::After(Seq(0)), 1).await.unwrap().is_none());
}
