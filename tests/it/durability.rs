//! What an ack means is stated, and a Redis that gives less than asked is refused at the start.

use crate::support::node::Node;
use crate::support::party::Party;
use crate::support::redis_server::{Aof, RedisOptions, RedisServer};

#[tokio::test]
async fn a_redis_that_gives_less_than_asked_ends_the_start_with_one_sentence() {
    for (aof, asked, seen) in [(Aof::Off, "aof", "memory"), (Aof::EverySecond, "fsync", "aof")] {
        let redis = RedisServer::start_with(RedisOptions { aof, ..RedisOptions::default() }).await;
        let url = redis.url();
        let settings = [("REDIS_URL", url.as_str()), ("DURABILITY", asked), ("LOG_LEVEL", "error")];
        let (status, printed) = Node::run_to_end(&[], &settings).await;
        assert_eq!(status.code(), Some(1), "{printed}");
        let expected = format!("redis: it gives durability {seen}, and DURABILITY asks for {asked}");
        assert_eq!(printed.trim(), expected, "one sentence");
    }
}

#[tokio::test]
async fn enough_is_welcomed_by_its_name_and_a_later_loss_makes_the_node_not_ready() {
    let redis = RedisServer::start_with(RedisOptions::durable()).await;
    let url = redis.url();
    for (asked, stated) in [("auto", "aof"), ("memory", "memory"), ("aof", "aof")] {
        let node = Node::start(&[("REDIS_URL", &url), ("DURABILITY", asked)]).await;
        let party = Party::found(&node, 10).await;
        let (mut client, welcome) = party.seat(&node, &party.host()).await;
        assert_eq!(welcome["data"]["durability"], stated, "asked for {asked}: {welcome}");
        if asked == "aof" {
            redis.cli(&["CONFIG", "SET", "appendonly", "no"]).await;
            redis.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
            node.wait_ready_is(503).await;
            let degraded = client.expect("status").await;
            assert_eq!(degraded["data"]["backend"], "degraded", "{degraded}");
            redis.cli(&["CONFIG", "SET", "appendonly", "yes"]).await;
            node.wait_ready().await;
            client.settle().await;
        }
    }
}
