//! A kick wins against whatever its target is saying through another node.

use serde_json::json;

use crate::support::client::Received;
use crate::support::node::Cluster;
use crate::support::party::{Party, answer, chat, seq};
use crate::support::redis_server::RedisServer;

#[tokio::test]
async fn who_is_kicked_while_they_speak_is_not_heard_after_it() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let target = party.guest();
    let mut host = party.seat(&cluster.nodes[0], &party.host()).await.0;
    let mut talker = party.seat(&cluster.nodes[1], &target).await.0;
    for n in 1..=20 {
        talker.send(chat(n, &format!("before {n}"))).await;
    }
    answer(&mut talker, 1).await;
    let kick = json!({"type": "kick", "id": "k", "n": 1, "data": {"participant_id": target.id}});
    host.send(kick).await;
    for n in 21..=40 {
        talker.send(chat(n, &format!("on and on {n}"))).await;
    }
    let kicked = host.expect_id("k").await;
    assert_eq!(kicked["type"], "ack", "{kicked}");
    let gone = seq(&kicked["data"]);

    let mut heard = Vec::new();
    let code = loop {
        match talker.next().await {
            Received::Frame(frame) => heard.push(frame),
            Received::Closed(code, _) => break code,
            Received::Lost => break 1006,
        }
    };
    assert_eq!(code, 4403);
    let entries = heard.iter().filter(|frame| frame["seq"].is_u64());
    assert!(
        entries.map(seq).all(|number| number <= gone),
        "nothing is received after one's own end: {heard:?}"
    );
    assert!(heard.iter().all(|frame| frame["type"] != "ack" || seq(&frame["data"]) < gone), "{heard:?}");
    let log = party.log(&cluster.nodes[0]).await;
    let left = log.iter().find(|entry| seq(entry) == gone).unwrap();
    assert_eq!(
        (&left["type"], &left["data"]["reason"]),
        (&json!("participant.left"), &json!("kicked")),
        "{left}"
    );
    assert!(log.iter().all(|entry| entry["from"] != target.id || seq(entry) < gone), "nor said: {log:?}");

    // Neither token nor node brings them back.
    for node in &cluster.nodes {
        let mut again = party.connect(node, &target).open().await.unwrap();
        assert_eq!(again.expect_close().await.0, 4403);
    }
}
