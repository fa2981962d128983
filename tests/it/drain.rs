//! A node that is told to stop: nobody new, everybody told in a slot of their own, nothing lost that was heard, and a clean end.

use futures_util::future::select_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::client::{Connect, Received};
use crate::support::event_stream::{EventStream, Item};
use crate::support::golden::like;
use crate::support::node::Node;
use crate::support::session::{Member, TestSession};

#[tokio::test]
async fn a_draining_node_is_not_ready_refuses_the_new_and_serves_the_old() {
    let mut node = Node::start(&[("DRAIN_DELAY", "3"), ("DRAIN_WINDOW", "0")]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let (_, token) = session.participant();
    node.term();
    node.wait_ready_is(503).await;
    let api = session.api();
    let ready = api.get("/health/ready", None).await.expect(503);
    like("http.ready.refused", &ready);
    assert_eq!(ready["reasons"], json!(["draining"]));
    api.get("/health/live", None).await.expect(200);
    let refused =
        Connect::to(session.addr, &session.id).bearer(&token).open().await.err().expect("a refusal");
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("unavailable")));
    assert!(refused.headers.contains_key("retry-after"));
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let stream = EventStream::open(session.addr, &session.path("/events"), &headers).await;
    assert_eq!(stream.err().expect("a refusal").0, 503);
    // Who is connected notices nothing yet.
    host.client.send(json!({"type": "chat", "id": "x", "data": {"text": "still on"}})).await;
    assert_eq!(host.client.expect_id("x").await["type"], "ack");

    let (code, reason) = host.client.expect_close().await;
    let seen = host.client.seen();
    let goaway = seen.last().unwrap();
    like("server.goaway", goaway);
    assert_eq!(goaway["data"]["reason"], "draining");
    let after = goaway["data"]["reconnect_after_ms"].as_u64().unwrap();
    assert_eq!((code, reason), (1012, format!("draining retry_after_ms={after}")));
    assert!(node.ended().await.success());
}

#[tokio::test]
async fn closes_are_spread_over_the_window() {
    let mut node = Node::start(&[("DRAIN_WINDOW", "4")]).await;
    let session = TestSession::create(&node).await;
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(session.member().await);
    }
    node.term();
    // Slots are a second apart, and the first is now: when it was used, the last can still speak and be heard.
    let closes = members.iter_mut().map(|member| Box::pin(member.client.expect_close()));
    let ((code, _), first, rest) = select_all(closes).await;
    drop(rest);
    assert_eq!(code, 1012);
    members.swap_remove(first);
    for member in &mut members {
        member.client.send(json!({"type": "ping", "data": {"t0": 0}})).await;
    }
    let mut heard = 0;
    for member in &mut members {
        assert_eq!(member.client.expect_close().await.0, 1012);
        heard += member.client.seen().iter().filter(|frame| frame["type"] == "pong").count();
    }
    assert!(heard > 0, "all were closed together");
    assert!(node.ended().await.success());
}

/// Says things without pause until the node closes the connection; what came back, and the close.
async fn talk_to_the_end(mut member: Member) -> (Member, Vec<Value>, (u16, String)) {
    let mut seen = Vec::new();
    let mut n = 0;
    loop {
        if n < 10_000 {
            n += 1;
            let chat = json!({"type": "chat", "n": n, "data": {"text": format!("{n}")}});
            member.client.send(chat).await;
        }
        match member.client.next().await {
            Received::Frame(frame) => seen.push(frame),
            Received::Closed(code, reason) => return (member, seen, (code, reason)),
            Received::Lost => panic!("cut without a close"),
        }
    }
}

#[tokio::test]
async fn what_was_heard_is_answered_before_the_close() {
    let mut node = Node::start(&[("DRAIN_WINDOW", "2"), ("HISTORY_ENTRIES", "100000")]).await;
    let session = TestSession::create(&node).await;
    let mut speakers = JoinSet::new();
    for _ in 0..4 {
        speakers.spawn(talk_to_the_end(session.member().await));
    }
    let mut listener = session.host().await;
    for _ in 0..100 {
        listener.client.expect("chat").await;
    }
    node.term();
    let ends = speakers.join_all().await;
    assert_eq!(listener.client.expect_close().await.0, 1012);
    let mut entries = listener.client.seen();
    for (_, seen, (code, _)) in &ends {
        assert_eq!(*code, 1012);
        assert_eq!(seen.iter().filter(|frame| frame["type"] == "goaway").count(), 1);
        entries.extend(seen.iter().cloned());
    }
    for (member, seen, _) in &ends {
        let acked: Vec<u64> = seen
            .iter()
            .filter(|frame| frame["type"] == "ack")
            .filter_map(|frame| frame["n"].as_u64())
            .collect();
        let logged = entries.iter().filter(|frame| frame["from"] == member.id && frame["type"] == "chat");
        let newest = logged.filter_map(|entry| entry["n"].as_u64()).max().unwrap();
        assert!(acked.iter().copied().eq(1..=acked.len() as u64), "acks have no hole");
        assert!(
            acked.len() as u64 >= newest,
            "entry {newest} is in the log, its author knows of {}",
            acked.len()
        );
    }
    assert!(node.ended().await.success());
}

#[tokio::test]
async fn streams_are_told_as_sockets_are() {
    let mut node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let authorization = format!("Bearer {}", session.participant().1);
    let headers = [("authorization", authorization.as_str())];
    let mut stream = EventStream::open(session.addr, &session.path("/events"), &headers).await.unwrap();
    stream.expect("welcome").await;
    node.term();
    let goaway = stream.event().await;
    assert_eq!(goaway.event, "goaway");
    let after = goaway.data["data"]["reconnect_after_ms"].as_u64().unwrap();
    let last = stream.event().await;
    let told =
        json!({"code": "draining", "message": format!("draining retry_after_ms={after}"), "close": 1012});
    assert_eq!((last.event.as_str(), &last.data["data"]), ("error", &told));
    assert_eq!(stream.next().await, Item::End);
    assert!(node.ended().await.success());
}

#[tokio::test]
async fn a_node_without_anybody_ends_at_once() {
    let mut node = Node::start(&[("DRAIN_WINDOW", "600")]).await;
    node.term();
    assert!(node.ended().await.success(), "the window is for connections, and there are none");
    let last = node.log().last().cloned().unwrap_or_default();
    assert!(last.contains("drained, nobody was cut"), "{last}");
}
