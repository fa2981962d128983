//! permessage-deflate (RFC 7692) over the wire: what is agreed, what a room of all kinds of listeners gets, what may be sent, and the rows
//! W2, W6, W7, W8 and W11 of the bad-input matrix for compressed messages.

use serde_json::{Value, json};

use super::support::event_stream::EventStream;
use super::support::node::Node;
use super::support::raw::{RawClient, RawFrame, ServerFrame, deflate};
use super::support::single::{Party, assert_calm};

const OFFERS: &str = "Sec-WebSocket-Extensions";
const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
const RSV1: u8 = 0b100;

/// The answer to these offers, one line each, and the socket.
async fn offering(party: &Party, token: &str, offers: &[&str]) -> (RawClient, Option<String>) {
    let authorization = format!("Bearer {token}");
    let mut headers = vec![("Authorization", authorization.as_str())];
    headers.extend(offers.iter().map(|offer| (OFFERS, *offer)));
    let (raw, head) = RawClient::upgrade(party.addr, &party.socket_path(), &headers).await;
    let answers: Vec<_> = head.headers.iter().filter(|(name, _)| *name == OFFERS.to_lowercase()).collect();
    assert!(answers.len() <= 1, "{answers:?}");
    (raw, answers.first().map(|(_, value)| value.clone()))
}

/// A greeted socket of somebody new that negotiated compression.
async fn deflating(party: &Party, offer: &str) -> RawClient {
    let (mut raw, answer) = offering(party, &party.member().1, &[offer]).await;
    assert!(answer.is_some_and(|answer| answer.starts_with(PLAIN)), "{offer}");
    let welcome = raw.read_text().await.unwrap().json();
    assert_eq!(welcome["type"], "welcome");
    raw
}

fn compressed(text: &[u8]) -> RawFrame {
    RawFrame { rsv: RSV1, ..RawFrame::new(1, deflate(text)) }
}

/// The next text of this type; what comes before it is passed over.
async fn next(raw: &mut RawClient, kind: &str) -> ServerFrame {
    loop {
        let frame = raw.read_text().await.unwrap();
        if frame.json()["type"] == kind {
            return frame;
        }
    }
}

/// An event whose body has so many bytes, of words that repeat now and then.
fn event_of(size: usize) -> Value {
    let words: String = (0..).map(|word| format!("{} ", word * 7919 % 1009)).take(size).collect();
    json!({"type": "event", "data": {"topic": "t", "body": &words[..size]}})
}

#[tokio::test]
async fn w8_offers_are_answered_or_declined_and_never_an_error() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let window = |bits: u8| Some(format!("{PLAIN}; server_max_window_bits={bits}"));
    for (offers, answer) in [
        (&["permessage-deflate; client_max_window_bits"][..], Some(PLAIN.to_owned())),
        (&["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"], window(12)),
        (&["permessage-deflate; unknown=1, permessage-deflate; server_max_window_bits=9"], window(9)),
        (&["x-unknown; a=\"b, c\"", "permessage-deflate"], Some(PLAIN.to_owned())),
        (&["permessage-deflate; server_max_window_bits=16"], None),
        (&["permessage-deflate; client_no_context_takeover; client_no_context_takeover"], None),
        (&["permessage-deflate; =; \"", ",,;"], None),
        (&[], None),
    ] {
        let (mut raw, answered) = offering(&party, &party.member().1, offers).await;
        assert_eq!(answered, answer, "{offers:?}");
        assert_eq!(raw.read_text().await.unwrap().json()["type"], "welcome", "{offers:?}");
    }
    let off = Node::start(&[("DEFLATE", "false")]).await;
    let party = Party::on(&off).await;
    let (mut raw, answered) = offering(&party, &party.token, &["permessage-deflate"]).await;
    assert_eq!(answered, None);
    raw.read_text().await.unwrap();
    raw.send_frame(&compressed(b"{}")).await;
    assert_eq!(raw.read_close().await, Some((1002, "reserved_bit".to_owned())));
}

#[tokio::test]
async fn a_mixed_room_gets_the_same_entries() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let authorization = format!("Bearer {}", party.member().1);
    let mut stream =
        EventStream::open(party.addr, &party.path("/events"), &[("authorization", &authorization)])
            .await
            .unwrap();
    stream.event().await;
    let mut plain = party.raw().await;
    let mut browser = deflating(&party, "permessage-deflate; client_max_window_bits").await;
    let mut python = deflating(&party, "permessage-deflate; server_max_window_bits=12").await;
    let mut tiny = deflating(&party, "permessage-deflate; server_max_window_bits=9").await;
    let mut host = party.host_client().await;

    // Short, long, longer than the third listener's window, and longer than any window.
    for (size, rsv) in
        [(10, [0, 0]), (2000, [RSV1, RSV1]), (10_000, [RSV1, 0]), (50_000, [RSV1, 0]), (900, [0, 0])]
    {
        host.send(event_of(size)).await;
        let expected = next(&mut plain, "event").await;
        assert_eq!(expected.rsv, 0);
        let said = expected.json();
        assert_eq!(said["data"], event_of(size)["data"]);
        for (listener, rsv) in [(&mut browser, rsv[0]), (&mut python, rsv[1]), (&mut tiny, 0)] {
            let frame = next(listener, "event").await;
            assert_eq!((frame.rsv, frame.text()), (rsv, expected.text()), "{size}");
            assert_eq!(frame.payload.len() < expected.payload.len(), rsv == RSV1, "{size}");
        }
        let event = loop {
            let event = stream.event().await;
            if event.event == "event" {
                break event;
            }
        };
        assert_eq!(event.data, said, "{size}");
    }
    assert_calm(&node);
}

#[tokio::test]
async fn what_is_for_one_listener_alone_is_compressed_too() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut host = party.host_client().await;
    let (_, token) = party.member();
    let (mut raw, _) = offering(&party, &token, &["permessage-deflate"]).await;
    let welcome = raw.read_text().await.unwrap().json();
    let position = &welcome["data"];
    let query = format!("?epoch={}&seq={}", position["epoch"].as_str().unwrap(), position["head"]);
    drop(raw);
    for _ in 0..3 {
        host.send(event_of(5000)).await;
        host.expect("event").await;
    }
    // Who resumes pulls what it lacks; a page of history is a reply.
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), (OFFERS, "permessage-deflate")];
    let path = format!("{}{query}", party.socket_path());
    let (mut raw, _) = RawClient::upgrade(party.addr, &path, &headers).await;
    for _ in 0..3 {
        let frame = next(&mut raw, "event").await;
        assert_eq!(frame.rsv, RSV1);
        assert_eq!(frame.json()["data"], event_of(5000)["data"]);
    }
    raw.send_frame(&RawFrame::text(r#"{"type":"history","id":"h","data":{"limit":3}}"#)).await;
    let reply = next(&mut raw, "reply").await;
    assert_eq!(reply.rsv, RSV1);
    assert_eq!(reply.json()["data"]["entries"].as_array().unwrap().len(), 3);
    raw.send_frame(&RawFrame::new(9, [b'x'; 125])).await;
    let pong = raw.read_frame().await.unwrap();
    assert_eq!((pong.opcode, pong.rsv, pong.payload), (10, 0, vec![b'x'; 125]), "control frames never are");
}

#[tokio::test]
async fn compressed_messages_are_heard_whole_or_in_fragments() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut bystander = party.client().await;
    let mut raw = deflating(&party, "permessage-deflate; client_max_window_bits").await;
    let chat = |n: u32, text: &str| json!({"type": "chat", "n": n, "data": {"text": text}}).to_string();

    raw.send_frame(&compressed(chat(1, "whole").as_bytes())).await;
    raw.send_frame(&RawFrame::text(&chat(2, "plain"))).await;
    let whole = deflate(chat(3, &"in fragments ".repeat(50)).as_bytes());
    let (one, two) = whole.split_at(whole.len() / 2);
    raw.send_frame(&RawFrame { rsv: RSV1, fin: false, ..RawFrame::new(1, one) }).await;
    raw.send_frame(&RawFrame::new(9, "between")).await;
    raw.send_frame(&RawFrame { fin: false, ..RawFrame::new(0, "") }).await;
    raw.send_frame(&RawFrame::new(0, two)).await;
    for text in ["whole", "plain", &"in fragments ".repeat(50)] {
        assert_eq!(bystander.expect("chat").await["data"]["text"], text);
    }
    loop {
        let frame = raw.read_frame().await.unwrap();
        if frame.opcode == 10 {
            assert_eq!(frame.payload, b"between");
            break;
        }
    }
    assert_calm(&node);
}

#[tokio::test]
async fn compressed_messages_that_are_none_are_told_why() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut bystander = party.client().await;
    // Ten megabytes of blanks are ten thousand bytes: no more than may be sent.
    let bomb = RawFrame { rsv: RSV1, ..RawFrame::new(1, deflate(&vec![b' '; 10_000_000])) };
    assert!(bomb.payload.len() < 64 * 1024);
    let short = deflate(br#"{"type":"ping","data":{"t0":1}}"#);
    let rsv1 = |frame: RawFrame| RawFrame { rsv: RSV1, ..frame };
    let table: Vec<(&str, RawFrame, u16, &str)> = vec![
        ("W2 ping", rsv1(RawFrame::new(9, "x")), 1002, "reserved_bit"),
        ("W2 continuation", rsv1(RawFrame::new(0, "x")), 1002, "reserved_bit"),
        ("W6 bomb", bomb, 1009, "too_big"),
        ("W6 one byte too many", compressed(&vec![b' '; 64 * 1024 + 1]), 1009, "too_big"),
        ("W7 not deflate data", rsv1(RawFrame::text("{\"type\":\"ping\"}")), 1002, "deflate_data"),
        ("W7 cut short", rsv1(RawFrame::new(1, &short[..short.len() - 5])), 1002, "deflate_data"),
        ("W11 not UTF-8", compressed(b"{\"\xff\"}"), 1007, "not_utf8"),
        ("W13 binary", rsv1(RawFrame::new(2, deflate(b"{}"))), 1003, "binary"),
        ("M1 not JSON", compressed(b"nonsense"), 4400, "malformed"),
    ];
    for (row, frame, code, reason) in table {
        let mut raw = deflating(&party, "permessage-deflate").await;
        raw.send_frame(&frame).await;
        assert_eq!(raw.read_close().await, Some((code, reason.to_owned())), "{row}");
    }
    bystander.settle().await;
    assert!(bystander.seen().iter().all(|frame| frame["type"] != "error"));
    assert_calm(&node);
}

#[tokio::test]
async fn w6_a_bomb_before_the_hello_stops_at_the_smaller_limit() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let (mut raw, head) =
        RawClient::upgrade(party.addr, &party.socket_path(), &[(OFFERS, "permessage-deflate")]).await;
    assert_eq!(head.header("sec-websocket-extensions"), Some(PLAIN));
    raw.send_frame(&compressed(&vec![b' '; 20_000])).await;
    assert_eq!(raw.read_close().await, Some((1009, "too_big".to_owned())));

    let (mut raw, _) =
        RawClient::upgrade(party.addr, &party.socket_path(), &[(OFFERS, "permessage-deflate")]).await;
    let hello = json!({"type": "hello", "token": party.member().1, "client": {"name": "t", "version": "0"}});
    raw.send_frame(&compressed(hello.to_string().as_bytes())).await;
    let welcome = raw.read_text().await.unwrap().json();
    assert_eq!(welcome["type"], "welcome");
}
