//! `/metrics` of a node on Redis counts what happens there, and has the same series as a node on memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::task::JoinSet;

use crate::support::node::Node;
use crate::support::party::{Party, say};
use crate::support::redis_server::RedisServer;

/// The page: values by series.
async fn page(node: &Node) -> BTreeMap<String, f64> {
    let answer = node.api().get("/metrics", None).await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| {
            (series.to_owned(), if value == "+Inf" { f64::INFINITY } else { value.parse().unwrap() })
        })
        .collect()
}

/// The names of a page, with what differs by right taken out: the build's own labels.
fn names(page: &BTreeMap<String, f64>) -> BTreeSet<&str> {
    let build = |name: &&str| !name.starts_with("watchparty_build_info");
    page.keys().map(String::as_str).filter(build).collect()
}

#[tokio::test]
async fn a_node_on_redis_counts_its_links_and_calls() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let node = Node::start(&[("REDIS_URL", &url)]).await;
    let before = page(&node).await;
    let party = Party::found(&node, 10).await;
    let mut client = party.seat(&node, &party.host()).await.0;
    say(&mut client, 1, "counted").await;
    party.log(&node).await;
    let after = page(&node).await;

    for link in ["command", "subscriber"] {
        assert_eq!(after[&format!("watchparty_backend_up{{link=\"{link}\"}}")], 1.0);
        assert_eq!(
            after[&format!("watchparty_backend_reconnects_total{{link=\"{link}\"}}")],
            0.0,
            "the first is none"
        );
    }
    for command in ["create", "session", "join", "publish", "read"] {
        let series = format!("watchparty_backend_command_duration_seconds_count{{command=\"{command}\"}}");
        assert!(after[&series] > before[&series], "{command}: {} {}", before[&series], after[&series]);
    }
    assert_eq!(after["watchparty_backend_subscriptions"], 2.0, "the room's channel and the node's own");
    assert!(after["watchparty_backend_probe_seconds_count"] >= 1.0);
    assert_eq!(after["watchparty_ready"], 1.0);
    let build = after.keys().find(|name| name.starts_with("watchparty_build_info")).unwrap();
    assert!(build.contains("backend=\"redis\"") && build.contains("durability=\"memory\""), "{build}");

    // A lost link is seen, and that it was built again.
    redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    let again = "watchparty_backend_reconnects_total{link=\"subscriber\"}";
    let later = crate::support::wait::until("the subscriber's return", || async {
        let page = page(&node).await;
        (page[again] == 1.0).then_some(page)
    })
    .await;
    assert_eq!(later["watchparty_backend_up{link=\"subscriber\"}"], 1.0);
    assert_eq!(later["watchparty_backend_reconnects_total{link=\"command\"}"], 0.0, "only one link was lost");
}

#[tokio::test]
async fn nodes_on_memory_and_on_redis_have_the_same_series() {
    let redis = RedisServer::start().await;
    let url = redis.url();
    let (one, other) = (Node::start(&[]).await, Node::start(&[("REDIS_URL", &url)]).await);
    let (on_memory, on_redis) = (page(&one).await, page(&other).await);
    assert_eq!(names(&on_memory), names(&on_redis));
    let build = |page: &BTreeMap<String, f64>| {
        page.keys().filter(|name| name.starts_with("watchparty_build_info")).count()
    };
    assert_eq!((build(&on_memory), build(&on_redis)), (1, 1));
}

/// What OPERATIONS allows a node.
const SERIES_MAX: usize = 700;

#[tokio::test]
async fn a_thousand_sessions_add_no_series() {
    let node = Arc::new(Node::start(&[]).await);
    let before = page(&node).await;
    let mut talks = JoinSet::new();
    // Several at a time, so that connections overlap, each in a session of its own, with two in it.
    for lane in 0..8 {
        let node = node.clone();
        talks.spawn(async move {
            for _ in 0..125 {
                let party = Party::found(&node, 10).await;
                let (mut host, _) = party.seat(&node, &party.host()).await;
                let (mut other, _) = party.seat(&node, &party.guest()).await;
                say(&mut host, 1, &format!("lane {lane}")).await;
                say(&mut other, 1, "here").await;
            }
        });
    }
    while let Some(done) = talks.join_next().await {
        done.unwrap();
    }
    let after = page(&node).await;
    assert_eq!(after["watchparty_sessions_created_total{result=\"ok\"}"], 1000.0);
    assert_eq!(after["watchparty_connections_opened_total"], 2000.0);
    let names = |page: &BTreeMap<String, f64>| page.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(&after), names(&before));
    assert!(after.len() <= SERIES_MAX, "{}", after.len());
}
