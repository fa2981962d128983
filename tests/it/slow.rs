//! Readers that stop reading: they cost nobody else anything, hold a bounded amount, and go on without a gap, or are told.

use serde_json::{Value, json};

use crate::support::event_stream::EventStream;
use crate::support::node::Node;
use crate::support::raw::RawClient;
use crate::support::session::{Member, TestSession};
use crate::support::wait::until;

/// Outboxes as small as they can be, so that what a reader lacks is soon beyond them and the kernel's buffers; and patience with
/// readers who, while they do not read, answer no ping either.
pub(crate) const SMALL: &[(&str, &str)] = &[
    ("MESSAGE_BYTES", "4096"),
    ("OUTBOX_BYTES", "4096"),
    ("OUTBOX_FRAMES", "1"),
    ("OUTBOX_BEHIND", "600"),
    ("PING_INTERVAL", "55"),
    ("PONG_TIMEOUT", "30"),
];

/// Entries of 3.5 KB: some megabytes, against 100 KB or so that the kernel holds for one who does not read.
pub(crate) const ENTRIES: u64 = 1000;

/// Most of them.
const MOST: f64 = 500.0;

async fn node(history: &str) -> Node {
    let mut settings = SMALL.to_vec();
    settings.push(("HISTORY_ENTRIES", history));
    settings.push(("HISTORY_AGE", "0"));
    Node::start(&settings).await
}

/// Publishes [`ENTRIES`] entries, while `listener` reads them all.
pub(crate) async fn flood(speaker: &mut Member, listener: &mut Member) {
    let body = "x".repeat(3500);
    for n in 1..=ENTRIES {
        let event = json!({"type": "event", "n": n, "data": {"topic": "flood", "body": body}});
        speaker.client.send(event).await;
        speaker.client.expect_where("its ack", |frame| frame["type"] == "ack" && frame["n"] == n).await;
        speaker.client.seen();
        let entry = listener.client.expect("event").await;
        assert_eq!(entry["n"], n, "others miss nothing and wait for nobody");
    }
}

/// A participant whose connection is read frame by frame, past `welcome`; the head they start at.
pub(crate) async fn raw_member(session: &TestSession) -> (RawClient, String, u64) {
    let (_, token) = session.participant();
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str())];
    let (mut reader, _) = RawClient::upgrade(session.addr, &format!("/ws/{}", session.id), &headers).await;
    let welcome: Value = reader.read_text().await.unwrap().json();
    assert_eq!(welcome["type"], "welcome");
    (reader, token, welcome["data"]["head"].as_u64().unwrap())
}

/// What was pulled, and not pushed, so far. A join in the middle of a batch pulls an entry or two.
async fn pulled(session: &TestSession) -> f64 {
    metric(session, "watchparty_recovered_entries_total").await
}

async fn metric(session: &TestSession, name: &str) -> f64 {
    let page = session.api().get("/metrics", None).await;
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_slow_reader_catches_up_without_a_gap() {
    let node = node("100000").await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let (mut slow, _, mut seq) = raw_member(&session).await;
    let before = pulled(&session).await;
    flood(&mut speaker, &mut listener).await;
    let waiting = metric(&session, "watchparty_outbox_bytes ").await;
    assert!(waiting <= 2.0 * 256.0 * 1024.0, "{waiting} bytes wait for one reader");

    let last = seq + ENTRIES;
    while seq < last {
        assert_eq!(slow.read_text().await.unwrap().json()["seq"], seq + 1);
        seq += 1;
    }
    assert!(pulled(&session).await > before + MOST, "it was pushed everything");
    // In step again: what is said now is pushed to it.
    speaker.client.send(json!({"type": "chat", "data": {"text": "welcome back"}})).await;
    assert_eq!(slow.read_text().await.unwrap().json()["seq"], last + 1);
}

#[tokio::test]
async fn past_retention_a_slow_reader_is_closed_and_told() {
    let node = node("100").await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let (mut slow, token, mut seq) = raw_member(&session).await;
    let epoch = listener.welcome["data"]["epoch"].as_str().unwrap().to_owned();
    flood(&mut speaker, &mut listener).await;
    let close = loop {
        let frame = slow.read_frame().await.expect("a close comes before the end");
        match frame.opcode {
            1 => {
                assert_eq!(frame.json()["seq"], seq + 1, "contiguous to the last");
                seq += 1;
            }
            8 => break frame.close(),
            _ => {}
        }
    };
    assert_eq!(close, (4408, "too_slow".to_owned()));
    let (_, welcome) = session.connect(&token).resume(&epoch, seq).welcomed().await;
    assert_eq!(
        (&welcome["data"]["recovered"], &welcome["data"]["reason"]),
        (&json!(false), &json!("trimmed"))
    );
    assert!(speaker.client.seen().iter().all(|frame| frame["type"] != "participant.left"));
}

#[tokio::test]
async fn who_never_reads_is_ended_and_nobody_else() {
    let mut settings = SMALL.to_vec();
    settings.retain(|(name, _)| *name != "OUTBOX_BEHIND");
    settings.push(("OUTBOX_BEHIND", "1"));
    let node = Node::start(&settings).await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let (stuck, _, _) = raw_member(&session).await;
    flood(&mut speaker, &mut listener).await;
    until("the stuck connection to be closed", || async {
        let page = session.api().get("/metrics", None).await;
        let text = String::from_utf8(page.bytes.to_vec()).unwrap();
        text.contains("watchparty_connections_closed_total{reason=\"too_slow\"} 1").then_some(())
    })
    .await;
    drop(stuck);
    speaker.client.settle().await;
    listener.client.settle().await;
    let shown = session.api().get(&session.path(""), None).await.expect(200);
    assert_eq!(shown["participants"], 3, "the seat is held for the lease");
}

#[tokio::test]
async fn a_slow_stream_catches_up_too() {
    let node = node("100000").await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let authorization = format!("Bearer {}", session.participant().1);
    let headers = [("authorization", authorization.as_str())];
    let mut slow = EventStream::open(session.addr, &session.path("/events"), &headers).await.unwrap();
    let welcome = slow.expect("welcome").await;
    let mut seq = welcome.data["data"]["head"].as_u64().unwrap();
    let before = pulled(&session).await;
    flood(&mut speaker, &mut listener).await;
    for _ in 0..ENTRIES {
        let event = slow.event().await;
        seq += 1;
        assert_eq!(event.data["seq"], seq);
        assert!(event.id.unwrap().ends_with(&format!(":{seq}")));
    }
    assert!(pulled(&session).await > before + MOST, "it was pushed everything");
}

#[tokio::test]
async fn a_reader_far_behind_is_given_the_end_before_it_is_closed() {
    let node = node("100000").await;
    let session = TestSession::create(&node).await;
    let (mut speaker, mut listener) = (session.host().await, session.member().await);
    let (mut slow, _, mut seq) = raw_member(&session).await;
    flood(&mut speaker, &mut listener).await;
    speaker.client.send(json!({"type": "session.end", "n": ENTRIES + 1})).await;
    assert_eq!(speaker.client.expect_close().await.0, 4410);
    // It begins to read only now, with megabytes still to come.
    loop {
        let entry: Value = slow.read_text().await.expect("everything up to the end").json();
        seq += 1;
        assert_eq!(entry["seq"], seq, "contiguous to the last");
        if entry["type"] == "session.ended" {
            break;
        }
    }
    assert_eq!(slow.read_close().await.map(|close| close.0), Some(4410));
}
