//! The Redis of the tests can be killed, frozen, restarted and robbed of its tail, and is gone afterwards.

use std::time::Duration;

use crate::support::process::Process;
use crate::support::redis_server::{Aof, RedisOptions, RedisServer};
use crate::support::resp::{self, Reply};
use crate::support::wait;

#[tokio::test]
async fn answers_and_leaves_nothing_behind() {
    let server = RedisServer::start().await;
    assert_eq!(server.cli(&["SET", "a", "1", "EX", "60"]).await, "OK");
    assert_eq!(server.cli(&["GET", "a"]).await, "1");
    assert_eq!(server.url(), format!("redis://127.0.0.1:{}", server.port()));
    let (dir, port) = (server.dir().to_owned(), server.port());
    assert!(dir.join("redis.conf").exists());
    drop(server);
    assert!(!dir.exists());
    assert!(resp::ask(port, &["PING"]).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn names_the_keys_that_would_stay_for_ever() {
    let server = RedisServer::start().await;
    assert!(server.keys_without_ttl().await.is_empty());
    server.cli(&["SET", "mortal", "1", "EX", "60"]).await;
    for number in 0..1500 {
        server.cli(&["SET", &format!("many:{number}"), "1", "PX", "600000"]).await;
    }
    server.cli(&["SET", "immortal", "1"]).await;
    assert_eq!(server.keys().await.len(), 1502);
    assert_eq!(server.keys_without_ttl().await, ["immortal"]);
}

#[tokio::test]
async fn a_kill_keeps_what_the_file_has_and_the_port() {
    let mut server = RedisServer::start_with(RedisOptions { aof: Aof::Always, ..Default::default() }).await;
    let port = server.port();
    server.cli(&["SET", "a", "1"]).await;
    server.kill9();
    assert!(resp::ask(port, &["PING"]).await.is_err());
    server.restart().await;
    assert_eq!(server.port(), port);
    assert_eq!(server.cli(&["GET", "a"]).await, "1");
}

#[tokio::test]
async fn without_a_file_a_restart_is_empty() {
    let mut server = RedisServer::start().await;
    server.cli(&["SET", "a", "1"]).await;
    server.restart().await;
    assert_eq!(server.ask(&["GET", "a"]).await, Reply::Nil);
}

#[tokio::test]
async fn a_stop_is_orderly_and_a_start_brings_it_back() {
    let mut server = RedisServer::start_with(RedisOptions::durable()).await;
    server.cli(&["SET", "a", "1"]).await;
    server.stop().await;
    assert!(server.log().contains("Redis is now ready to exit"), "{}", server.log());
    server.restart().await;
    assert_eq!(server.cli(&["GET", "a"]).await, "1");
}

#[tokio::test]
async fn a_cut_tail_loses_the_last_writes_only() {
    let mut server = RedisServer::start_with(RedisOptions { aof: Aof::Always, ..Default::default() }).await;
    server.cli(&["SET", "first", "1"]).await;
    server.cli(&["SET", "last", "1"]).await;
    server.kill9();
    assert!(!server.aof_files().is_empty());
    assert_eq!(server.cut_aof_tail(4), 4);
    server.restart().await;
    assert_eq!(server.cli(&["GET", "first"]).await, "1");
    assert_eq!(server.ask(&["GET", "last"]).await, Reply::Nil);
}

#[tokio::test]
async fn a_frozen_server_is_silent_until_thawed() {
    let server = RedisServer::start().await;
    server.freeze();
    wait::until("the process to be stopped", || std::future::ready((server.state() == 'T').then_some(())))
        .await;
    let mut asked = std::pin::pin!(resp::ask(server.port(), &["PING"]));
    // However long a machine takes, a stopped process has not answered: a longer wait proves nothing more.
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut asked).await.is_err());
    server.thaw();
    assert_eq!(wait::soon("the late reply", asked).await.unwrap(), Reply::Text("PONG".to_owned()));
    server.wait_ready().await;
}

#[tokio::test]
async fn extra_lines_and_the_memory_bound_arrive() {
    let options = RedisOptions {
        maxmemory: Some(20 * 1024 * 1024),
        extra: vec!["requirepass a-word".to_owned()],
        ..RedisOptions::default()
    };
    let server = RedisServer::start_with(options).await;
    let refused = server.ask(&["GET", "a"]).await;
    assert!(matches!(&refused, Reply::Error(error) if error.starts_with("NOAUTH")), "{refused:?}");
    server.cli(&["HELLO", "2", "AUTH", "default", "a-word"]).await;
}

#[tokio::test]
async fn a_panic_in_a_test_takes_the_server_along() {
    let server = RedisServer::start().await;
    let port = server.port();
    let panicked = tokio::task::spawn_blocking(move || {
        let _owned = server;
        panic!("as a failing test would");
    });
    assert!(panicked.await.is_err());
    assert!(resp::ask(port, &["PING"]).await.is_err());
}

#[test]
fn a_process_ends_with_its_owner() {
    let mut command = std::process::Command::new("cat");
    command.stdout(std::process::Stdio::null());
    let mut process = Process::start("cat", &mut command);
    let pid = process.pid();
    process.kill9();
    process.kill9();
    drop(process);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}
