//! Coming back: what a participant missed follows without a seam, or they are told why not; on one node in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::TestClient;
use crate::support::node::Node;
use crate::support::session::{Member, TestSession};
use crate::support::wait::until;

/// Keeps saying things until told to stop; returns how many.
async fn talk_on(mut speaker: Member, stop: Arc<AtomicBool>) -> u64 {
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let chat = json!({"type": "chat", "n": n, "data": {"text": format!("{n}")}});
        speaker.client.send(chat).await;
        // Every now and then the answers are read, so that neither side fills up.
        if n % 8 == 0 {
            speaker.client.expect_where("the ack", |frame| frame["type"] == "ack" && frame["n"] == n).await;
            speaker.client.seen();
        }
    }
    n
}

fn is_entry(frame: &Value) -> bool {
    frame["seq"].is_u64()
}

async fn next_entry(client: &mut TestClient) -> Value {
    client.expect_where("an entry", is_entry).await
}

async fn say(member: &mut Member, count: u64) {
    for _ in 0..count {
        member.client.send(json!({"type": "chat", "data": {"text": "x"}})).await;
        member.client.expect("ack").await;
    }
}

#[tokio::test]
async fn a_return_is_seamless_while_others_go_on_talking() {
    const RETURNS: usize = 12;
    let node = Node::start(&[("HISTORY_ENTRIES", "100000")]).await;
    let session = TestSession::create(&node).await;
    let (id, token) = session.participant();
    let member = session.enter(&id, &token).await;
    let epoch = member.welcome["data"]["epoch"].as_str().unwrap().to_owned();
    let mut seq = member.welcome["data"]["head"].as_u64().unwrap();
    let first = seq;
    let stop = Arc::new(AtomicBool::new(false));
    let mut speakers = JoinSet::new();
    for _ in 0..3 {
        speakers.spawn(talk_on(session.member().await, stop.clone()));
    }

    let mut client = member.client;
    let mut read: Vec<Value> = Vec::new();
    for round in 0..RETURNS {
        // A different part of the stream each time: replay alone, the seam, live entries.
        for _ in 0..=round * 7 {
            let entry = next_entry(&mut client).await;
            assert_eq!(entry["seq"], seq + 1, "round {round}");
            seq += 1;
            read.push(entry);
        }
        client.vanish();
        let missed = seq + 20;
        until("others to go on", || async { (session.head().await >= missed).then_some(()) }).await;
        let connect = match round % 2 {
            0 => session.connect(&token),
            _ => session.connect_bearer(&token),
        };
        let (back, welcome) = connect.resume(&epoch, seq).welcomed().await;
        let data = &welcome["data"];
        assert_eq!((&data["recovered"], &data["reason"]), (&json!(true), &Value::Null));
        assert!(data["head"].as_u64().unwrap() >= missed);
        client = back;
    }
    stop.store(true, Ordering::Relaxed);
    let said: u64 = speakers.join_all().await.into_iter().sum();
    let joins = 3;
    while seq < first + said + joins {
        let entry = next_entry(&mut client).await;
        assert_eq!(entry["seq"], seq + 1);
        seq += 1;
        read.push(entry);
    }
    let log = session.log().await;
    assert_eq!(read[..], log[usize::try_from(first).unwrap()..], "all of it, once, in order, as it was");
    assert!(log.iter().all(|entry| entry["type"] != "participant.left"));
    assert_eq!(log.iter().filter(|entry| entry["data"]["id"] == id).count(), 1, "coming back writes nothing");
}

#[tokio::test]
async fn a_return_to_the_newest_position_misses_nothing() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let member = session.member().await;
    let (epoch, head) = position(&member.welcome);
    let (mut back, welcome) = session.connect(&member.token).resume(&epoch, head).welcomed().await;
    assert_eq!((&welcome["data"]["recovered"], &welcome["data"]["head"]), (&json!(true), &json!(head)));
    say(&mut host, 1).await;
    assert_eq!(next_entry(&mut back).await["seq"], head + 1);
}

fn position(welcome: &Value) -> (String, u64) {
    let data = &welcome["data"];
    (data["epoch"].as_str().unwrap().to_owned(), data["head"].as_u64().unwrap())
}

#[tokio::test]
async fn who_cannot_go_on_is_told_why_and_starts_at_the_head() {
    let node = Node::start(&[("HISTORY_ENTRIES", "100"), ("HISTORY_AGE", "0")]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let member = session.member().await;
    let (epoch, start) = position(&member.welcome);
    say(&mut host, 150).await;
    let head = session.head().await;
    assert_eq!(head, start + 150);
    let stranger = "d3d94468-02a4-4325-9b1d-3a4e5f6a7b8c";
    // Where from, as far from the head.
    let cases: &[(Option<(&str, i64)>, &str)] = &[
        (None, "fresh"),
        (Some((stranger, -5)), "unknown_epoch"),
        (Some(("not an epoch", -5)), "unknown_epoch"),
        (Some((&epoch, 1)), "diverged"),
        (Some((&epoch, 1_000_000)), "diverged"),
        (Some((&epoch, -150)), "trimmed"),
        (Some((&epoch, -101)), "trimmed"),
    ];
    for (resume, reason) in cases {
        let mut connect = session.connect(&member.token);
        if let Some((epoch, beyond)) = resume {
            connect = connect.resume(epoch, session.head().await.checked_add_signed(*beyond).unwrap());
        }
        let (mut back, welcome) = connect.welcomed().await;
        let data = &welcome["data"];
        assert_eq!((&data["recovered"], &data["reason"]), (&json!(false), &json!(reason)), "{resume:?}");
        let head = session.head().await;
        assert_eq!(position(&welcome), (epoch.clone(), head));
        say(&mut host, 1).await;
        assert_eq!(next_entry(&mut back).await["seq"], head + 1, "{resume:?}");
    }
    let head = session.head().await;
    let (mut back, welcome) = session.connect(&member.token).resume(&epoch, head - 100).welcomed().await;
    assert_eq!(welcome["data"]["recovered"], true, "the oldest position that the log still reaches");
    for seq in head - 99..=head {
        assert_eq!(next_entry(&mut back).await["seq"], seq);
    }
}

#[tokio::test]
async fn a_newer_connection_takes_the_seat_over_in_silence() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut older = session.member().await;
    let log = session.log().await;
    let (mut newer, welcome) = session.connect(&older.token).welcomed().await;
    assert_eq!(older.client.expect_close().await, (4409, "replaced".to_owned()));
    assert_eq!(welcome["data"]["participants_total"], 2);
    assert_eq!(session.log().await, log, "no entry says so");
    newer.send(json!({"type": "chat", "n": 1, "data": {"text": "from here"}})).await;
    assert_eq!(newer.expect("ack").await["n"], 1);
    assert_eq!(host.client.expect("chat").await["from"], older.id);
    assert!(host.client.seen().iter().all(|frame| !is_entry(frame) || frame["type"] == "participant.joined"));
    // Once more, and back again: each time the newest wins.
    let (mut third, welcome) = session.connect_bearer(&older.token).welcomed().await;
    assert_eq!(newer.expect_close().await.0, 4409);
    assert_eq!(welcome["data"]["last_n"], 1);
    third.settle().await;
}

#[tokio::test]
async fn a_lost_connection_keeps_its_seat_and_its_count() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    member.client.send(json!({"type": "chat", "n": 1, "data": {"text": "before"}})).await;
    let ack = member.client.expect("ack").await;
    let seq = ack["data"]["seq"].as_u64().unwrap();
    let (epoch, _) = position(&member.welcome);
    member.client.vanish();
    say(&mut host, 3).await;
    let shown = session.api().get(&session.path(""), Some(&member.token)).await.expect(200);
    assert_eq!(shown["participants"], 2);
    // An unsure client says its last number again.
    let (mut back, welcome) = session.connect(&member.token).resume(&epoch, seq - 1).welcomed().await;
    assert_eq!(welcome["data"]["last_n"], 1);
    back.send(json!({"type": "chat", "n": 1, "data": {"text": "before"}})).await;
    let again = back.expect("ack").await;
    assert_eq!((&again["data"]["seq"], &again["data"]["duplicate"]), (&json!(seq), &json!(true)));
    let seen = back.seen();
    let chats: Vec<_> =
        seen.iter().filter(|frame| frame["type"] == "chat").map(|frame| &frame["seq"]).collect();
    assert!(chats.iter().zip(seq..).all(|(found, expected)| **found == json!(expected)), "{chats:?}");
    let types: Vec<_> = session.log().await.into_iter().map(|entry| entry["type"].clone()).collect();
    assert_eq!(types[2..], ["chat", "chat", "chat", "chat"].map(|kind| json!(kind)));
}

#[tokio::test]
async fn a_goodbye_without_leave_keeps_the_seat_too() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let member = session.member().await;
    let head = session.head().await;
    member.client.close().await;
    assert_eq!(session.api().get(&session.path(""), None).await.expect(200)["participants"], 1);
    let back = session.enter(&member.id, &member.token).await;
    assert_eq!(back.welcome["data"]["head"], head);
}
