//! `rediss://` with a CA of one's own, trusted when it is given and refused when it is not; and a user with few rights.
//!
//! The contract suite runs over the same two (`secured`); here whole nodes read them from their settings.

use crate::support::acl;
use crate::support::node::Node;
use crate::support::pair::{self, Pair};
use crate::support::party::{Party, say};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::resp::Reply;

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_named_and_only_then() {
    let redis = RedisServer::start_with(RedisOptions { tls: true, ..RedisOptions::default() }).await;
    let port = redis.tls_port();
    let (url, ca) = (format!("rediss://127.0.0.1:{port}"), redis.ca_file());

    let node = Node::start(&[("REDIS_URL", &url), ("REDIS_CA_FILE", &ca)]).await;
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "sealed").await;
    let clients = redis.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
    assert!(clients.contains(&format!("laddr=127.0.0.1:{port}")), "{clients}");

    let stranger = Node::start_unready(&[("REDIS_URL", &url)]).await;
    let line = stranger.wait_log("redis cannot be used").await;
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("no connection: ") && error.contains("certificate"), "{line}");
    assert_eq!(stranger.api().get("/health/ready", None).await.status, 503);
}

#[tokio::test]
async fn the_documented_user_is_enough_for_replicated_acks_over_tls() {
    let options = RedisOptions {
        tls: true,
        extra: [pair::options().extra, vec![acl::line()]].concat(),
        ..pair::options()
    };
    let pair = Pair::start_with(options).await;
    pair.way.lead_to(pair.primary.tls_port());
    let url = format!("rediss://{}:{}@{}", acl::USER, acl::PASSWORD, pair.way.addr());
    let ca = pair.primary.ca_file();
    let node =
        Node::start(&[("REDIS_URL", &url), ("REDIS_CA_FILE", &ca), ("DURABILITY", "replicated")]).await;
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "sealed and copied").await;

    let denied = pair.primary.ask(&["ACL", "LOG"]).await;
    assert_eq!(denied, Reply::Array(Vec::new()), "nothing was asked for that the user may not do");
    let users = pair.primary.cli(&["CLIENT", "LIST"]).await;
    let nodes = users.lines().filter(|line| line.contains(&format!("user={} ", acl::USER))).count();
    assert!(
        nodes >= 6,
        "a connection for commands, four that wait and one that listens are that user's:\n{users}"
    );
}

#[tokio::test]
async fn the_documented_user_may_do_nothing_else() {
    let redis =
        RedisServer::start_with(RedisOptions { extra: vec![acl::line()], ..RedisOptions::default() }).await;
    for command in [
        &["GET", "other:key"][..],
        &["SPUBLISH", "other:channel", "x"],
        &["FLUSHALL"],
        &["KEYS", "*"],
        &["CONFIG", "SET", "appendonly", "no"],
        &["DEL", "wp:{x}:s"],
        &["ACL", "WHOAMI"],
        &["SCRIPT", "FLUSH"],
        &["SHUTDOWN"],
    ] {
        let answer = redis.cli(&[&["ACL", "DRYRUN", acl::USER][..], command].concat()).await;
        assert!(answer.contains("has no permissions"), "{command:?}: {answer}");
    }
    let allowed = redis.cli(&["ACL", "DRYRUN", acl::USER, "GET", "wp:{x}:a"]).await;
    assert_eq!(allowed, "OK");

    let url = format!("redis://{}:wrong@127.0.0.1:{}", acl::USER, redis.port());
    let stranger = Node::start_unready(&[("REDIS_URL", &url)]).await;
    let line = stranger.wait_log("redis cannot be used").await;
    assert!(
        line["error"].as_str().is_some_and(|error| !error.contains("wrong")),
        "never the password: {line}"
    );
    assert_eq!(stranger.api().get("/health/ready", None).await.status, 503);
}
