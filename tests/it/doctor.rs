//! `watchparty doctor` as an operator runs it: against a Redis that will do, one that will not, and through a running gateway.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::support::node::{Node, SECRET};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::single::metric;

async fn doctor(arguments: &[&str], settings: &[(&str, &str)]) -> (Output, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchparty"));
    command.env_clear().envs([("JWT_SECRET", SECRET)]).envs(settings.iter().copied());
    let output = command.args(["doctor", "--json"]).args(arguments).output().await.unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (output, report)
}

/// The states under one name, in order.
fn states<'a>(report: &'a Value, check: &str) -> Vec<&'a str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|each| each["check"] == check)
        .map(|each| each["state"].as_str().unwrap())
        .collect()
}

/// What is said under one name.
fn text<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|each| each["check"] == check).and_then(|each| each["text"].as_str()).unwrap()
}

/// How far the clocks are said to be apart, and how sure of it, in milliseconds.
fn clocks(report: &Value) -> (f64, f64) {
    let words: Vec<&str> = text(report, "clock").split([' ', '(', ')']).collect();
    let numbers: Vec<f64> = words.iter().filter_map(|word| word.parse().ok()).collect();
    (numbers[0], numbers[1])
}

#[tokio::test]
async fn a_redis_that_will_do_is_looked_through() {
    let redis = RedisServer::start_with(RedisOptions::durable()).await;
    let (output, report) = doctor(&[], &[("REDIS_URL", &redis.url()), ("DURABILITY", "aof")]).await;
    assert!(output.status.success(), "{report:#}");
    for check in
        ["redis", "redis version", "redis role", "redis scripts", "redis persistence", "redis round trip"]
    {
        assert_eq!(states(&report, check), ["ok"], "{check}: {report:#}");
    }
    assert_eq!(states(&report, "clock"), ["ok"], "one host has one clock: {report:#}");
    let (apart, within) = clocks(&report);
    // Both are rounded to hundredths.
    assert!(
        apart <= within + 0.02,
        "one clock is apart from itself by no more than was said: {apart} ± {within}"
    );
    assert_eq!(redis.keys().await, [""; 0], "it leaves no key");
}

#[tokio::test]
async fn a_redis_that_will_not_do_is_wrong_by_name() {
    let redis = RedisServer::start().await;
    redis.cli(&["config", "set", "maxmemory-policy", "allkeys-lru"]).await;
    redis.cli(&["config", "set", "appendonly", "no"]).await;
    let (output, report) = doctor(&[], &[("REDIS_URL", &redis.url()), ("DURABILITY", "aof")]).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(states(&report, "redis eviction"), ["wrong"], "{report:#}");
    assert_eq!(states(&report, "redis persistence"), ["wrong"], "{report:#}");
    assert_eq!(report["wrong"], 2, "{report:#}");
}

#[tokio::test]
async fn a_redis_that_cannot_be_had_is_told_by_its_cause() {
    let closed = format!("redis://127.0.0.1:{}", crate::support::process::free_port());
    let report = doctor(&[], &[("REDIS_URL", &closed)]).await.1;
    assert_eq!(text(&report, "redis"), "no connection: Connection refused (os error 111)", "{report:#}");

    let options = RedisOptions { extra: vec!["requirepass canary".to_owned()], ..RedisOptions::default() };
    let redis = RedisServer::start_with(options).await;
    for login in ["", ":wrong@", "nobody:wrong@"] {
        let url = redis.url().replace("//:canary@", "//").replace("//", &format!("//{login}"));
        let report = doctor(&[], &[("REDIS_URL", &url)]).await.1;
        let said = text(&report, "redis");
        assert!(said.starts_with("it wants another login"), "{login}: {said}");
        assert!(!said.contains("wrong") && !said.contains("canary"), "never a password: {said}");
    }
    let sealed = format!("rediss://127.0.0.1:{}", redis.port());
    let report = doctor(&[], &[("REDIS_URL", &sealed)]).await.1;
    let said = text(&report, "redis");
    assert!(
        said.starts_with("no connection: ") && !said.contains("I/O error"),
        "TLS to a port without: {said}"
    );
}

#[tokio::test]
async fn two_people_go_through_a_gateway_and_leave_nothing() {
    let redis = RedisServer::start().await;
    let node = Node::start(&[("REDIS_URL", &redis.url())]).await;
    let (output, report) = doctor(&["--url", &format!("http://{}", node.addr())], &[]).await;
    assert!(output.status.success(), "{report:#}");
    for check in ["ready", "create", "join", "sockets", "delivery", "end"] {
        assert_eq!(states(&report, check), ["ok"], "{check}: {report:#}");
    }
    assert_eq!(report["findings"].as_array().unwrap().len(), 6, "{report:#}");
    let created = metric(&node.api(), "watchparty_sessions_created_total", &["result=\"ok\""]).await;
    assert!((created - 1.0).abs() < f64::EPSILON, "it was a session: {created}");
}

#[tokio::test]
async fn a_gateway_without_its_redis_is_told_apart_from_none() {
    let redis = RedisServer::start().await;
    let node = Node::start(&[("REDIS_URL", &redis.url())]).await;
    redis.freeze();
    node.wait_ready_is(503).await;
    let (output, report) = doctor(&["--url", &format!("http://{}", node.addr())], &[]).await;
    redis.thaw();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(states(&report, "ready"), ["wrong"], "{report:#}");
    let text = report["findings"][0]["text"].as_str().unwrap();
    assert!(text.contains("503") && text.contains("backend"), "{text}");
}
