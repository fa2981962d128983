//! Readers at a pace of their own: over a thin line, after a pause, with large messages, and many at once. None is closed for being slow,
//! none costs the log more than it takes, and what one holds is bounded.
//!
//! Who stops for good, or falls off the log, is in `slow`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::slow::{ENTRIES, SMALL, flood, raw_member};
use crate::support::chaos_proxy::{ChaosProxy, Direction};
use crate::support::node::Node;
use crate::support::raw::RawClient;
use crate::support::redis_server::RedisServer;
use crate::support::session::{Member, TestSession};
use crate::support::single::metric;
use crate::support::wait::{let_pass, until};

/// [`SMALL`] with other values for some settings.
fn small(other: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = SMALL.iter().filter(|(name, _)| other.iter().all(|(given, _)| given != name));
    kept.chain(other).copied().collect()
}

/// Publishes one event and waits for its ack.
async fn publish(speaker: &mut Member, n: u64, body: &str) {
    let data = json!({"topic": "pace", "body": body});
    speaker.client.send(json!({"type": "event", "n": n, "data": data})).await;
    speaker.client.expect_where("its ack", |frame| frame["type"] == "ack" && frame["n"] == n).await;
    speaker.client.seen();
}

/// Reads entries up to `last`, each the next one.
async fn read_on(reader: &mut RawClient, mut seq: u64, last: u64) {
    while seq < last {
        let entry: Value = reader.read_text().await.expect("not closed").json();
        assert_eq!(entry["seq"], seq + 1);
        seq += 1;
    }
}

/// In step again: what somebody new has to say reaches the reader, who is at `seq`.
async fn is_pushed_to(session: &TestSession, reader: &mut RawClient, seq: u64) {
    publish(&mut session.member().await, 1, "welcome back").await;
    read_on(reader, seq, session.head().await).await;
    until("nobody to be behind", || async {
        let behind = metric(&session.api(), "watchparty_connections_behind", &[]).await;
        (behind == 0.0).then_some(())
    })
    .await;
}

async fn reads_of_the_log(session: &TestSession) -> f64 {
    metric(&session.api(), "watchparty_backend_command_duration_seconds_count", &["command=\"read\""]).await
}

#[tokio::test]
async fn a_reader_of_10_kb_a_second_is_served_at_its_own_pace() {
    /// 140 KB: far longer on this line than a reader may take nothing.
    const SAID: u64 = 40;
    let node = Node::start(&small(&[("OUTBOX_BEHIND", "5")])).await;
    let session = TestSession::create(&node).await;
    let mut speaker = session.host().await;
    let line = ChaosProxy::start(node.addr()).await;
    line.rate(Direction::Down, 10_000);
    let mut far = session.clone();
    far.addr = line.addr();
    let (mut slow, _, seq) = raw_member(&far).await;
    for n in 1..=SAID {
        publish(&mut speaker, n, &"x".repeat(3500)).await;
    }
    assert_eq!(metric(&session.api(), "watchparty_connections_behind", &[]).await, 1.0);
    read_on(&mut slow, seq, seq + SAID).await;
    let closed = metric(&session.api(), "watchparty_connections_closed_total", &["too_slow"]).await;
    assert_eq!(closed, 0.0);
    is_pushed_to(&session, &mut slow, seq + SAID).await;
}

#[tokio::test]
async fn a_reader_that_stops_for_20_s_goes_on_where_it_was() {
    // Pings are far more impatient than that: one that waits behind unread bytes says nothing about its reader.
    let node =
        Node::start(&small(&[("OUTBOX_BEHIND", "120"), ("PING_INTERVAL", "5"), ("PONG_TIMEOUT", "2")])).await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let (mut slow, _, seq) = raw_member(&session).await;
    flood(&mut speaker, &mut listener).await;
    // The fault itself is that time passes: the kernel gives a peer up by its own clock.
    let_pass(Duration::from_secs(21)).await;
    read_on(&mut slow, seq, seq + ENTRIES).await;
    is_pushed_to(&session, &mut slow, seq + ENTRIES).await;
}

#[tokio::test]
async fn a_slow_reader_of_large_messages_reads_the_log_once() {
    /// Of 60 KB: 9 MB, far past the ring of the room.
    const LARGE: u64 = 150;
    let redis = RedisServer::start().await;
    let url = redis.url();
    let settings = [("REDIS_URL", url.as_str()), ("OUTBOX_BEHIND", "600"), ("PING_INTERVAL", "55")];
    let node = Node::start(&settings).await;
    let session = TestSession::create(&node).await;
    let mut speaker = session.host().await;
    let line = ChaosProxy::start(node.addr()).await;
    line.rate(Direction::Down, 4_000_000);
    let mut far = session.clone();
    far.addr = line.addr();
    let (mut slow, _, seq) = raw_member(&far).await;
    let body = "x".repeat(60_000);
    for n in 1..=LARGE {
        publish(&mut speaker, n, &body).await;
    }
    let waiting = metric(&session.api(), "watchparty_outbox_bytes", &[]).await;
    assert!(waiting > 0.0 && waiting <= 256.0 * 1024.0, "{waiting} bytes wait for one reader");
    let before = sent_by(&redis).await;
    read_on(&mut slow, seq, seq + LARGE).await;
    // What it lacked went over the link once, give or take what the last of it found in the ring.
    let (sent, lacked) = (sent_by(&redis).await - before, LARGE * 60_000);
    assert!(sent < lacked * 5 / 4, "{sent} bytes were read for {lacked}");
}

/// Bytes Redis has sent to everyone.
async fn sent_by(redis: &RedisServer) -> u64 {
    let info = redis.cli(&["INFO", "stats"]).await;
    let line = info.lines().find_map(|line| line.strip_prefix("total_net_output_bytes:"));
    line.expect("Redis counts what it sends").trim().parse().unwrap()
}

#[tokio::test]
async fn many_slow_readers_of_one_room_share_its_ring() {
    /// 200 of 4 KB: more than the kernel holds for who does not read, less than the ring does.
    const SAID: u64 = 200;
    let redis = RedisServer::start().await;
    let url = redis.url();
    let mut settings = small(&[("MESSAGE_BYTES", "8192"), ("OUTBOX_BYTES", "8192")]);
    settings.push(("REDIS_URL", url.as_str()));
    let node = Node::start(&settings).await;
    let session = TestSession::with_seats(&node, Some(50)).await;
    let mut speaker = session.host().await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(raw_member(&session).await);
    }
    let last = slow.last().unwrap().2 + SAID;
    for n in 1..=SAID {
        publish(&mut speaker, n, &"x".repeat(4000)).await;
    }
    until("all to be behind", || async {
        let behind = metric(&session.api(), "watchparty_connections_behind", &[]).await;
        (behind == 20.0).then_some(())
    })
    .await;
    let before = reads_of_the_log(&session).await;
    for (reader, _, seq) in &mut slow {
        read_on(reader, *seq, last).await;
    }
    assert_eq!(reads_of_the_log(&session).await, before, "the ring had it all");
}
