//! After everything a session can go through, Redis keeps nothing for ever.

use serde_json::json;

use crate::support::node::{Cluster, ClusterOptions};
use crate::support::party::{Party, chat, say};
use crate::support::redis_server::RedisServer;

const SETTINGS: &[(&str, &str)] = &[
    ("RATE_LIMIT_CREATE", "100/m"),
    ("RATE_LIMIT_JOIN", "100/m"),
    ("RATE_LIMIT_JOIN_FAILURES", "100/m"),
    ("RATE_LIMIT_LOOKUP", "1000/m"),
    ("RATE_LIMIT_PUBLISH", "2/m"),
    ("RATE_LIMIT_CONNECT", "100/s"),
    ("HISTORY_ENTRIES", "1000"),
];

/// The last part of a key, by which it is told what it holds.
fn kind(key: &str) -> &str {
    if key.starts_with("wp:rl:") { "rl" } else { key.rsplit("}:").next().unwrap().split(':').next().unwrap() }
}

async fn live(cluster: &Cluster, party: &Party) {
    let (one, two) = (&cluster.nodes[0], &cluster.nodes[1]);
    let (host, kicked, left) = (party.host(), party.guest(), party.guest());
    let mut a = party.seat(one, &host).await.0;
    let mut b = party.seat(two, &kicked).await.0;
    let mut c = party.seat(two, &left).await.0;
    for n in 1..=70 {
        b.send(chat(n, "past the trimming at each 64th")).await;
    }
    crate::support::party::answer(&mut b, 70).await;
    a.send(json!({"type": "notify", "data": {"topic": "wave", "body": 1}})).await;
    a.send(json!({"type": "profile", "id": "p", "n": 1, "data": {"name": "Somebody"}})).await;
    assert_eq!(a.expect_id("p").await["type"], "ack");
    a.send(json!({"type": "session.update", "id": "u", "n": 2, "data": {"name": "Another name", "password": "another password"}})).await;
    assert_eq!(a.expect_id("u").await["type"], "ack");
    a.send(json!({"type": "kick", "id": "k", "n": 3, "data": {"participant_id": kicked.id}})).await;
    assert_eq!(a.expect_id("k").await["type"], "ack");
    assert_eq!(b.expect_close().await.0, 4403);
    c.send(json!({"type": "leave"})).await;
    assert_eq!(c.expect_close().await.0, 1000);
    // Taken over on the other node, and talking there.
    let mut again = party.seat(two, &host).await.0;
    say(&mut again, 4, "still here").await;
    again.settle().await;
}

#[tokio::test]
async fn no_key_stays_for_ever() {
    let redis = RedisServer::start().await;
    let options = ClusterOptions { settings: SETTINGS, proxied: false };
    let cluster = Cluster::start_with(2, &redis, options).await;
    let api = cluster.nodes[0].api();
    let (lasting, ended) =
        (Party::found(&cluster.nodes[0], 10).await, Party::found(&cluster.nodes[1], 10).await);
    for party in [&lasting, &ended] {
        live(&cluster, party).await;
        api.join(&party.session, "the wrong one", None).await.problem(401, "unauthorized");
        api.join(&party.session, "another password", Some("Late")).await.expect(200);
    }
    let path = format!("/api/sessions/{}/messages", lasting.session);
    let headers = |key: &str| {
        vec![
            ("authorization".to_owned(), format!("Bearer {}", lasting.token)),
            ("idempotency-key".to_owned(), key.to_owned()),
        ]
    };
    let body = json!({"type": "event", "data": {"topic": "t", "body": null}});
    for key in ["one", "two"] {
        api.request("POST", &path, &headers(key), Some(body.clone())).await.expect(202);
    }
    api.request("POST", &path, &headers("three"), Some(body)).await.problem(429, "rate_limited");
    let mut last = ended.seat(&cluster.nodes[0], &ended.host()).await.0;
    last.send(json!({"type": "session.end", "n": 5})).await;
    assert_eq!(last.expect_close().await.0, 4410);

    let keys = redis.keys().await;
    for expected in ["s", "x", "p", "z", "o", "d", "k", "a", "rl"] {
        assert!(keys.iter().any(|key| kind(key) == expected), "the workload left no {expected}: {keys:?}");
    }
    assert_eq!(redis.keys_without_ttl().await, Vec::<String>::new());
    // What has ended is kept for a minute, so that a room that is behind can learn of it, and no longer.
    for key in keys.iter().filter(|key| key.contains(&ended.session)) {
        let left: i64 = redis.cli(&["PTTL", key]).await.parse().unwrap();
        assert!(left <= 60_000, "{key} stays for {left} ms");
    }
    let other: Vec<&String> = keys.iter().filter(|key| !key.starts_with("wp:")).collect();
    assert!(other.is_empty(), "{other:?}");
}
