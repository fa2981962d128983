//! Limits are one for all nodes, say how they stand, and hold without Redis.

use crate::support::api::{Answer, Api};
use crate::support::client::Connect;
use crate::support::mint::random_uuid;
use crate::support::node::{Cluster, ClusterOptions, Node};
use crate::support::party::Party;
use crate::support::redis_server::RedisServer;

async fn look(api: Api, party: &Party) -> Answer {
    api.get(&format!("/api/sessions/{}", party.session), None).await
}

/// The parameters of a `RateLimit` or `RateLimit-Policy` item: `"lookup";r=4;t=12`.
fn parameters(answer: &Answer, header: &str) -> Vec<(String, u64)> {
    let text = answer.header(header).unwrap_or_else(|| panic!("no {header}: {answer:?}"));
    let mut parts = text.split(';');
    assert_eq!(parts.next(), Some("\"lookup\""), "{text}");
    parts
        .map(|part| {
            part.split_once('=').map(|(key, value)| (key.to_owned(), value.parse().unwrap())).unwrap()
        })
        .collect()
}

async fn counted(node: &Node, series: &str) -> u64 {
    let page = node.api().get("/metrics", None).await;
    let page = String::from_utf8(page.bytes.to_vec()).unwrap();
    let line =
        page.lines().find_map(|line| line.strip_prefix(series)).unwrap_or_else(|| panic!("no {series}"));
    line.trim().parse().unwrap()
}

#[tokio::test]
async fn a_limit_spent_on_one_node_is_spent_on_the_other() {
    let redis = RedisServer::start().await;
    // Slow enough that nothing drips back while the test runs.
    let settings = [("RATE_LIMIT_LOOKUP", "6/h")];
    let cluster =
        Cluster::start_with(2, &redis, ClusterOptions { settings: &settings, proxied: false }).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let apis = [cluster.nodes[0].api(), cluster.nodes[1].api()];

    for (turn, left) in (0..6).zip((0..6).rev()) {
        let answer = look(apis[turn % 2], &party).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            parameters(&answer, "ratelimit")[0],
            ("r".to_owned(), left),
            "the next node goes on counting"
        );
        assert_eq!(parameters(&answer, "ratelimit-policy"), [("q".to_owned(), 6), ("w".to_owned(), 3600)]);
    }
    for api in apis {
        let refused = look(api, &party).await;
        let seconds: u64 = refused.header("retry-after").expect("a refusal says when").parse().unwrap();
        assert!((1..=600).contains(&seconds), "one of six comes back each ten minutes: {seconds}");
        assert_eq!(parameters(&refused, "ratelimit")[0], ("r".to_owned(), 0));
        let problem = refused.problem(429, "rate_limited");
        let exact = problem["retry_after_ms"].as_u64().unwrap();
        assert!(exact <= seconds * 1000, "the header rounds up: {exact} {seconds}");
    }
    for node in &cluster.nodes {
        assert_eq!(counted(node, "watchparty_rate_limited_total{scope=\"lookup\"}").await, 1);
    }
}

#[tokio::test]
async fn without_redis_the_nodes_own_buckets_count() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let node = Node::start(&[("REDIS_URL", &url), ("RATE_LIMIT_LOOKUP", "3/h")]).await;
    let party = Party::found(&node, 10).await;
    redis.kill9();
    node.wait_ready_is(503).await;

    for _ in 0..3 {
        // Let through by the limit, and then there is no Redis to look in.
        let answer = look(node.api(), &party).await;
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        answer.problem(503, "unavailable");
    }
    let refused = look(node.api(), &party).await;
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    refused.problem(429, "rate_limited");
    assert_eq!(counted(&node, "watchparty_rate_limiter_outage_total{decision=\"allow\"}").await, 3);
    assert_eq!(counted(&node, "watchparty_rate_limiter_outage_total{decision=\"deny\"}").await, 0);
}

#[tokio::test]
async fn told_to_deny_everything_limited_is_503_while_redis_is_away() {
    let mut redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [
        ("REDIS_URL", url.as_str()),
        ("RATE_LIMIT_LOOKUP", "100/s"),
        ("RATE_LIMIT_CONNECT", "100/s"),
        ("RATE_LIMIT_ON_OUTAGE", "deny"),
    ];
    let node = Node::start(&settings).await;
    let party = Party::found(&node, 10).await;
    look(node.api(), &party).await.expect(200);
    redis.kill9();
    node.wait_ready_is(503).await;

    let answer = look(node.api(), &party).await;
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    answer.problem(503, "unavailable");
    let refused =
        Connect::to(node.addr(), &random_uuid()).open().await.expect_err("no upgrade without its limit");
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (503, &serde_json::json!("unavailable")),
        "{refused:?}"
    );
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert_eq!(counted(&node, "watchparty_rate_limiter_outage_total{decision=\"deny\"}").await, 2);
    assert_eq!(
        counted(&node, "watchparty_rate_limited_total{scope=\"lookup\"}").await,
        0,
        "an outage is not somebody's excess"
    );
}
