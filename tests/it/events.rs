//! Where WebSockets are blocked: server-sent events one way, HTTP the other, a whole client without a socket.

use serde_json::{Value, json};

use crate::support::api::bearer;
use crate::support::event_stream::{EventStream, Item, StreamEvent};
use crate::support::golden::like;
use crate::support::mint::random_uuid;
use crate::support::node::Node;
use crate::support::session::TestSession;

/// Opens a stream with a token and what else there is.
async fn open(session: &TestSession, token: &str, query: &str, headers: &[(&str, &str)]) -> EventStream {
    let authorization = format!("Bearer {token}");
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend_from_slice(headers);
    let path = session.path(&format!("/events{query}"));
    EventStream::open(session.addr, &path, &all).await.unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// Publishes over HTTP and returns the seq.
async fn post(session: &TestSession, token: &str, text: &str) -> u64 {
    let mut headers = bearer(Some(token));
    headers.push(("idempotency-key".to_owned(), random_uuid()));
    let chat = json!({"type": "chat", "data": {"text": text}});
    let answer = session.api().request("POST", &session.path("/messages"), &headers, Some(chat)).await;
    answer.expect(202)["seq"].as_u64().unwrap()
}

fn end_of(event: &StreamEvent) -> (&str, &Value) {
    (&event.event, &event.data["data"])
}

#[tokio::test]
async fn a_stream_has_the_frames_a_socket_gets() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let (id, token) = session.participant();
    let mut stream = open(&session, &token, "", &[]).await;
    assert_eq!(stream.headers["content-type"], "text/event-stream");
    assert_eq!(stream.headers["cache-control"], "no-store");
    let welcome = stream.event().await;
    like("server.welcome", &welcome.data);
    let data = &welcome.data["data"];
    assert_eq!((&data["participant_id"], &data["reason"]), (&json!(id), &json!("fresh")));
    let epoch = data["epoch"].as_str().unwrap();
    assert_eq!(welcome.id, Some(format!("{epoch}:{}", data["head"])));
    assert_eq!(host.client.expect("participant.joined").await["data"]["id"], id, "a stream takes a seat");

    host.client.send(json!({"type": "chat", "n": 1, "data": {"text": "two\nlines"}})).await;
    host.client.send(json!({"type": "event", "data": {"topic": "t", "body": {"a": []}}})).await;
    for kind in ["chat", "event"] {
        let frame = host.client.expect(kind).await;
        let event = stream.event().await;
        assert_eq!((event.event.as_str(), &event.data), (kind, &frame));
        assert_eq!(event.id, Some(format!("{epoch}:{}", frame["seq"])));
    }
    host.client.send(json!({"type": "notify", "to": id, "data": {"topic": "call", "body": 1}})).await;
    let notify = stream.event().await;
    assert_eq!((notify.event.as_str(), &notify.id), ("notify", &None), "what has no position moves none");
    assert_eq!(notify.data["from"], host.id);
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (_, token) = session.participant();
    let mut stream = open(&session, &token, "", &[]).await;
    let welcome = stream.expect("welcome").await;
    let start = welcome.id.unwrap();
    drop(stream);
    // Between the welcome and the first entry there is a position too.
    let one = post(&session, &session.host_token, "one").await;
    let mut stream = open(&session, &token, "", &[("last-event-id", &start)]).await;
    let welcome = stream.event().await;
    assert_eq!(welcome.data["data"]["recovered"], true);
    assert_eq!(welcome.id, Some(start.clone()), "replay has not moved the reader yet");
    let first = stream.event().await;
    assert_eq!(first.data["seq"], one);
    drop(stream);

    let two = post(&session, &session.host_token, "two").await;
    let three = post(&session, &session.host_token, "three").await;
    let last = first.id.unwrap();
    let (epoch, seq) = last.split_once(':').unwrap();
    let query = format!("?epoch={epoch}&seq={seq}");
    let stale = format!("?epoch={epoch}&seq=0");
    for (query, headers) in [
        (query.as_str(), vec![]),
        ("", vec![("last-event-id", last.as_str())]),
        (&stale, vec![("last-event-id", &last)]),
    ] {
        let mut stream = open(&session, &token, query, &headers).await;
        assert_eq!(stream.event().await.data["data"]["recovered"], true, "{query} {headers:?}");
        for seq in [two, three] {
            assert_eq!(stream.event().await.data["seq"], seq, "{query} {headers:?}");
        }
    }
    let mut stream = open(&session, &token, "", &[("last-event-id", "nonsense")]).await;
    assert_eq!(stream.event().await.data["data"]["reason"], "unknown_epoch");
    let joins = session.log().await.iter().filter(|entry| entry["type"] == "participant.joined").count();
    assert_eq!(joins, 1, "coming back writes nothing");
}

#[tokio::test]
async fn a_silent_stream_is_kept_awake() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut stream = open(&session, &session.host_token, "", &[]).await;
    stream.expect("welcome").await;
    assert_eq!(stream.next().await, Item::Comment);
}

#[tokio::test]
async fn posts_and_a_stream_are_a_whole_client() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut socket = session.host().await;
    let joined = session.api().join(&session.id, "popcorn", Some("Grace")).await.expect(200);
    let (id, token) = (joined["participant_id"].as_str().unwrap(), joined["token"].as_str().unwrap());
    let mut stream = open(&session, token, "", &[]).await;
    stream.expect("welcome").await;
    let seq = post(&session, token, "hello").await;
    let own = stream.event().await;
    assert_eq!((&own.data["seq"], &own.data["from"]), (&json!(seq), &json!(id)));
    assert_eq!(socket.client.expect("chat").await, own.data);
    socket.client.send(json!({"type": "chat", "data": {"text": "hello yourself", "reply_to": seq}})).await;
    assert_eq!(stream.event().await.data["data"]["reply_to"], seq);
    let fresh = session.api().post(&session.path("/token"), Some(token), Value::Null).await.expect(200);
    post(&session, fresh["token"].as_str().unwrap(), "and on").await;
    assert_eq!(stream.event().await.data["data"]["text"], "and on");
    let listed = session.api().get(&session.path(""), Some(token)).await.expect(200);
    let named: Vec<_> =
        listed["participant_list"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert!(named.contains(&&json!("Grace")), "{named:?}");
}

#[tokio::test]
async fn the_last_event_says_why_a_stream_ends() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    // Whoever comes first into an empty session is its host.
    let _host = session.host().await;
    let host = bearer(Some(&session.host_token));
    let (kicked, token) = session.participant();
    let mut stream = open(&session, &token, "", &[]).await;
    stream.expect("welcome").await;
    let path = session.path(&format!("/participants/{kicked}"));
    assert_eq!(session.api().request("DELETE", &path, &host, None).await.status, 204);
    assert_eq!(stream.event().await.event, "participant.left");
    let last = stream.event().await;
    like("server.error.closed", &last.data);
    assert_eq!(end_of(&last), ("error", &json!({"code": "kicked", "message": "kicked", "close": 4403})));
    assert_eq!(stream.next().await, Item::End);
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    let again = EventStream::open(session.addr, &session.path("/events"), &headers).await;
    let (status, problem) = again.err().expect("a refusal");
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));

    // A newer connection of the same participant, of whatever kind, ends an older one.
    let (_, token) = session.participant();
    let mut stream = open(&session, &token, "", &[]).await;
    stream.expect("welcome").await;
    let (mut socket, _) = session.connect(&token).welcomed().await;
    let replaced = json!({"code": "replaced", "message": "replaced", "close": 4409});
    assert_eq!(end_of(&stream.expect("error").await), ("error", &replaced));
    assert_eq!(stream.next().await, Item::End);
    let mut stream = open(&session, &token, "", &[]).await;
    assert_eq!(socket.expect_close().await, (4409, "replaced".to_owned()));

    stream.expect("welcome").await;
    assert_eq!(session.api().request("DELETE", &session.path(""), &host, None).await.status, 204);
    assert_eq!(stream.event().await.event, "session.ended");
    let ended = json!({"code": "session_ended", "message": "session_ended", "close": 4410});
    assert_eq!(end_of(&stream.event().await), ("error", &ended));
    assert_eq!(stream.next().await, Item::End);
}

#[tokio::test]
async fn a_full_session_refuses_a_stream_with_a_status() {
    let node = Node::start(&[]).await;
    let session = TestSession::with_seats(&node, Some(1)).await;
    let _host = session.host().await;
    let authorization = format!("Bearer {}", session.participant().1);
    let headers = [("authorization", authorization.as_str())];
    let refused = EventStream::open(session.addr, &session.path("/events"), &headers).await;
    let (status, problem) = refused.err().expect("a refusal");
    assert_eq!((status, &problem["code"]), (409, &json!("session_full")));
}
