//! Sentinel: nodes go where the primary is, leave it when it is replaced, and are not led back to one that was.
//!
//! Failovers under load are rows of `tests/chaos` (F23 to F25); here one case per rule.

use crate::support::acl;
use crate::support::node::Node;
use crate::support::party::{Party, say, seq};
use crate::support::redis_server::RedisOptions;
use crate::support::sentinels::{MASTER, SentinelOptions, Sentinels};
use crate::support::{pair, wait};

/// The `run_id` of the server a node's channels are on: who has its subscribers.
async fn listened_to(sentinels: &Sentinels) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, watched) in sentinels.servers.iter().enumerate() {
        let told = watched.server.cli(&["PUBSUB", "SHARDCHANNELS"]).await;
        if !told.is_empty() {
            found.push(at);
        }
    }
    found
}

#[tokio::test]
async fn a_planned_failover_loses_nothing_and_resets_nobody() {
    let sentinels = Sentinels::start().await;
    let node = Node::start(&[("REDIS_URL", &sentinels.url())]).await;
    let other = Node::start(&[("REDIS_URL", &sentinels.url())]).await;
    let party = Party::found(&node, 10).await;
    let speaker = party.host();
    let mut a = party.seat(&node, &speaker).await.0;
    let mut b = party.seat(&other, &party.guest()).await.0;
    for n in 1..=5 {
        say(&mut a, n, &format!("said {n}")).await;
    }
    let primary = sentinels.fail_over(0).await;
    // A node is as ready before it has heard of the new primary as after.
    wait::until("both nodes to listen to the new primary and nobody to the old one", || async {
        let homes = sentinels.servers[primary].server.cli(&["PUBSUB", "SHARDCHANNELS", "wp:{*}:n"]).await;
        (homes.lines().count() == 2 && listened_to(&sentinels).await == [primary]).then_some(())
    })
    .await;
    node.wait_ready().await;
    other.wait_ready().await;
    for n in 6..=10 {
        say(&mut a, n, &format!("said {n}")).await;
    }
    let expected: Vec<_> = (1..=10).map(|n| (speaker.id.clone(), n, format!("said {n}"))).collect();
    assert_eq!(party.chats(&other).await, expected);
    for client in [&mut a, &mut b] {
        client.settle().await;
        let frames = client.seen();
        assert!(frames.iter().all(|frame| frame["type"] != "reset"), "nothing was lost: {frames:?}");
    }
    assert_eq!(listened_to(&sentinels).await, [primary], "nobody listens to the old one");
}

#[tokio::test]
async fn a_primary_that_is_alive_and_was_replaced_is_left() {
    let sentinels = Sentinels::start().await;
    let node = Node::start(&[("REDIS_URL", &sentinels.url())]).await;
    let party = Party::found(&node, 10).await;
    let mut a = party.seat(&node, &party.host()).await.0;
    say(&mut a, 1, "before").await;
    // The sentinels' own failover would tell the old one in the end; here nobody does: it stays a primary that takes writes.
    let (old, new) = (&sentinels.servers[0], &sentinels.servers[1]);
    assert_eq!(new.server.cli(&["REPLICAOF", "NO", "ONE"]).await, "OK");
    for at in 0..3 {
        sentinels.tell(at, &["SENTINEL", "REMOVE", MASTER]).await.unwrap();
        let port = new.way.port().to_string();
        sentinels.tell(at, &["SENTINEL", "MONITOR", MASTER, "127.0.0.1", &port, "2"]).await.unwrap();
    }
    node.wait_log("sentinels name another primary").await;
    wait::until("the node to listen to the new primary", || async {
        (listened_to(&sentinels).await == [1]).then_some(())
    })
    .await;
    node.wait_ready().await;
    let role = old.server.ask(&["ROLE"]).await.text();
    assert!(role.starts_with("master"), "it would still take what is written: {role}");
    let head = seq(&say(&mut a, 2, "after").await["data"]).to_string();
    let key = format!("wp:{{{}}}:s", party.session);
    assert_eq!(new.server.cli(&["HGET", &key, "q"]).await, head);
    assert_ne!(old.server.cli(&["HGET", &key, "q"]).await, head);
}

#[tokio::test]
async fn a_sentinel_that_missed_a_failover_leads_nobody_back() {
    let sentinels = Sentinels::start().await;
    let node = Node::start(&[("REDIS_URL", &sentinels.url())]).await;
    let party = Party::found(&node, 10).await;
    let mut a = party.seat(&node, &party.host()).await.0;
    say(&mut a, 1, "before").await;
    sentinels.freeze_sentinel(2);
    let primary = sentinels.fail_over(0).await;
    node.wait_ready().await;
    say(&mut a, 2, "after").await;
    // Only the one that slept answers, and for a moment it knows the old primary alone.
    sentinels.freeze_sentinel(0);
    sentinels.freeze_sentinel(1);
    sentinels.servers[primary].server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    sentinels.thaw_sentinel(2);
    node.wait_log("redis cannot be used").await;
    sentinels.thaw_sentinel(0);
    sentinels.thaw_sentinel(1);
    node.wait_ready().await;
    say(&mut a, 3, "still there").await;
    wait::until("the node to listen to the primary", || async {
        (listened_to(&sentinels).await == [primary]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn unknown_names_and_absent_sentinels_are_told_apart_and_wait() {
    let sentinels =
        Sentinels::start_with(SentinelOptions { replicas: 0, ..SentinelOptions::default() }).await;
    let other = sentinels.url().replace(&format!("/{MASTER}"), "/another");
    let node = Node::start_unready(&[("REDIS_URL", &other)]).await;
    let line = node.wait_log("redis cannot be used").await;
    assert_eq!(line["error"], "the sentinels know no primary called another", "{line}");
    assert_eq!(node.api().get("/health/ready", None).await.status, 503);
    let port = crate::support::process::free_port();
    let away =
        Node::start_unready(&[("REDIS_URL", &format!("redis+sentinel://127.0.0.1:{port}/{MASTER}"))]).await;
    let line = away.wait_log("redis cannot be used").await;
    assert!(line["error"].as_str().is_some_and(|error| error.starts_with("no sentinel answers")), "{line}");
}

#[tokio::test]
async fn sentinels_and_servers_behind_tls_and_passwords() {
    let secret = "a-sentinel-password";
    let redis = RedisOptions {
        tls: true,
        extra: [pair::options().extra, vec![acl::line()]].concat(),
        ..pair::options()
    };
    let extra = vec![format!("requirepass {secret}"), format!("sentinel sentinel-pass {secret}")];
    let sentinels = Sentinels::start_with(SentinelOptions { redis, replicas: 1, extra }).await;
    let url = sentinels.url().replace("://", &format!("://{}:{}@", acl::USER, acl::PASSWORD));
    let ca = sentinels.servers[0].server.ca_file();
    let settings = [("REDIS_URL", url.as_str()), ("REDIS_CA_FILE", &ca), ("REDIS_SENTINEL_PASSWORD", secret)];
    let node = Node::start(&settings).await;
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "sealed").await;

    let wrong = [settings[0], settings[1], ("REDIS_SENTINEL_PASSWORD", "another")];
    let stranger = Node::start_unready(&wrong).await;
    let line = stranger.wait_log("redis cannot be used").await;
    assert!(line["error"].as_str().is_some_and(|error| error.starts_with("no sentinel answers")), "{line}");
}
