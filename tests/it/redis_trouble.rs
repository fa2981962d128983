//! Redis is there but does not do its work: frozen, out of memory, or not letting anyone in.

use serde_json::json;

use crate::support::client::Connect;
use crate::support::node::{Cluster, Node};
use crate::support::party::{Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::wait;

#[tokio::test]
async fn a_frozen_redis_leaves_no_outcome_open() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let speaker = party.host();
    let mut a = party.seat(&cluster.nodes[0], &speaker).await.0;
    let (mut b, welcome) = party.seat(&cluster.nodes[1], &party.guest()).await;
    let from = welcome["data"]["head"].as_u64().unwrap();
    say(&mut a, 1, "said 1").await;

    redis.freeze();
    for n in 2..=5 {
        a.send(chat(n, &format!("said {n}"))).await;
    }
    for node in &cluster.nodes {
        node.wait_ready_is(503).await;
    }
    for n in 2..=5 {
        let refused = answer(&mut a, n).await;
        assert_eq!(
            refused["data"]["code"], "unavailable",
            "no ack from a Redis that says nothing: {refused}"
        );
    }
    // What lies in the sockets of the frozen one is done when it wakes; the numbers settle what that was.
    redis.thaw();
    for node in &cluster.nodes {
        node.wait_ready().await;
    }
    let mut end = 0;
    for n in 2..=6 {
        end = seq(&say(&mut a, n, &format!("said {n}")).await["data"]);
    }
    let expected: Vec<_> = (1..=6).map(|n| (speaker.id.clone(), n, format!("said {n}"))).collect();
    assert_eq!(party.chats(&cluster.nodes[1]).await, expected);
    let seen = read_to(&mut b, end).await;
    assert!(seen.iter().all(|frame| frame["type"] != "reset"), "{seen:?}");
    let seen = entries(&seen);
    assert_contiguous(&seen);
    assert_eq!(seen.first().map(seq), Some(from + 1));
}

#[tokio::test]
async fn a_full_redis_refuses_writes_with_a_delay_and_goes_on_reading() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(1, &redis).await;
    let node = &cluster.nodes[0];
    let party = Party::found(node, 10).await;
    let mut client = party.seat(node, &party.host()).await.0;
    say(&mut client, 1, "said 1").await;

    redis.cli(&["CONFIG", "SET", "maxmemory", "1mb"]).await;
    client.send(chat(2, "said 2")).await;
    let degraded = client.expect("status").await;
    assert_eq!(degraded["data"]["backend"], "degraded", "told before the publish is given up: {degraded}");
    let refused = answer(&mut client, 2).await;
    assert_eq!(refused["data"]["code"], "unavailable", "{refused}");
    assert!(refused["data"]["retry_after_ms"].is_u64(), "{refused}");
    let mut turned_away = party.connect(node, &party.guest()).open().await.unwrap();
    let (code, reason) = turned_away.expect_close().await;
    assert_eq!(code, 1013, "{reason}");
    assert!(reason.contains("retry_after_ms="), "{reason}");
    node.wait_ready_is(503).await;
    // The link is replaced by one that can do no more: reading needs no room.
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    wait::until("reads on a new link", || async {
        let path = format!("/api/sessions/{}", party.session);
        (node.api().get(&path, None).await.status == 200).then_some(())
    })
    .await;
    let created = node.api().create("Another night", "a password", None).await;
    assert!(created.header("retry-after").is_some(), "{created:?}");
    created.problem(503, "unavailable");
    assert_eq!(party.chats(node).await.len(), 1, "reads go on");
    client.send(json!({"type": "history", "id": "h", "data": {"limit": 10}})).await;
    assert_eq!(client.expect_id("h").await["type"], "reply", "on a socket too");

    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    node.wait_ready().await;
    let ack = say(&mut client, 2, "said 2").await;
    assert_eq!(ack["data"].get("duplicate"), None, "{ack}");
    assert_eq!(party.chats(node).await.len(), 2);
    assert!(redis.keys_without_ttl().await.is_empty());
}

#[tokio::test]
async fn a_node_waits_for_ever_for_a_redis_that_lets_it_in() {
    let options = RedisOptions { extra: vec!["requirepass word".to_owned()], ..RedisOptions::default() };
    let redis = RedisServer::start_with(options).await;
    let url = redis.url();
    let mut shut_out = Node::start_unready(&[("REDIS_URL", &url)]).await;
    shut_out.wait_log("redis cannot be used").await;
    let health = shut_out.api().get("/health/ready", None).await;
    assert_eq!((health.status, &health.body["reasons"]), (503, &json!(["starting"])), "{health:?}");
    let session = crate::support::mint::random_uuid();
    let token = shut_out.mint().token(&session, &crate::support::mint::random_uuid(), "member");
    let mut early = Connect::to(shut_out.addr(), &session).bearer(&token).open().await.unwrap();
    assert_eq!(early.expect_close().await.0, 1013, "not now is not never");
    let log = shut_out.log();
    assert!(log.iter().all(|line| !line.contains(r#""word""#)));
    assert!(log.iter().any(|line| line.contains("listening")), "{log:?}");
    assert!(
        log.iter().all(|line| !line.contains("ready for use")),
        "it is 503, and the log says so too: {log:?}"
    );
    shut_out.term();
    assert!(shut_out.ended().await.success(), "it stops like any other");

    let node = Node::start(&[("REDIS_URL", &url), ("REDIS_PASSWORD", "word")]).await;
    let line = node.wait_log("ready for use").await;
    assert_eq!(line["page"], format!("http://{}/", node.addr()), "{line}");
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "in").await;
}
