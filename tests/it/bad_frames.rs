//! Frames that break RFC 6455 or our bounds (FAULTS, rows W1 to W5 and W9 to W13): each has its close code and reason.
//!
//! Deflate is not negotiated here (`deflate` is where it is), so RSV1 is a broken frame like any reserved bit. Every case has a connection of its own on one node;
//! a bystander in the same session must notice nothing.

use serde_json::json;

use super::support::node::Node;
use super::support::raw::{Length, RawClient, RawFrame, ServerFrame};
use super::support::single::{Party, metric};

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CONTINUATION: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One text of 65 536 bytes, the most a message may have.
const MESSAGE_BYTES: usize = 64 * 1024;

fn with(frame: RawFrame, change: impl FnOnce(&mut RawFrame)) -> RawFrame {
    let mut frame = frame;
    change(&mut frame);
    frame
}

fn open(opcode: u8, payload: &[u8]) -> RawFrame {
    with(RawFrame::new(opcode, payload), |frame| frame.fin = false)
}

/// A chat whose JSON has exactly so many bytes.
fn chat_of(bytes: usize) -> String {
    let (before, after) = (r#"{"type":"event","id":"big","data":{"topic":"t","body":""#, r#""}}"#);
    format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len()))
}

/// Sends frames on a greeted connection and asserts how it is closed.
async fn closes(party: &Party, what: &str, frames: &[RawFrame], code: u16, reason: &str) {
    let mut raw = party.raw().await;
    for frame in frames {
        if !raw.send_frame(frame).await {
            break;
        }
    }
    let close = raw.read_close().await;
    assert_eq!(close, Some((code, reason.to_owned())), "{what}");
}

#[tokio::test]
async fn w1_to_w4_broken_frames() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut bystander = party.client().await;
    let text = || RawFrame::text("{}");
    let ping = || RawFrame::new(PING, "x");
    let rsv = |frame: RawFrame, rsv| vec![with(frame, |frame| frame.rsv = rsv)];
    let table: Vec<(&str, Vec<RawFrame>, u16, &str)> = vec![
        ("W1 unmasked text", vec![with(text(), |frame| frame.mask = None)], 1002, "unmasked_frame"),
        ("W1 unmasked ping", vec![with(ping(), |frame| frame.mask = None)], 1002, "unmasked_frame"),
        ("W1 opcode 3", vec![RawFrame::new(3, "{}")], 1002, "reserved_opcode"),
        ("W1 opcode 7", vec![RawFrame::new(7, "")], 1002, "reserved_opcode"),
        ("W1 opcode 0xB", vec![RawFrame::new(0xb, "")], 1002, "reserved_opcode"),
        ("W1 opcode 0xF", vec![RawFrame::new(0xf, "")], 1002, "reserved_opcode"),
        ("W1 RSV2", rsv(text(), 0b010), 1002, "reserved_bit"),
        ("W1 RSV3", rsv(text(), 0b001), 1002, "reserved_bit"),
        ("W2 RSV1 without negotiation", rsv(text(), 0b100), 1002, "reserved_bit"),
        ("W2 RSV1 on a ping", rsv(ping(), 0b100), 1002, "reserved_bit"),
        ("W2 RSV1 on a close", rsv(RawFrame::close(1000, b""), 0b100), 1002, "reserved_bit"),
        (
            "W2 RSV1 on a continuation",
            vec![open(TEXT, b"{"), with(RawFrame::new(CONTINUATION, "}"), |frame| frame.rsv = 0b100)],
            1002,
            "reserved_bit",
        ),
        ("W3 ping of 126 bytes", vec![RawFrame::new(PING, vec![0; 126])], 1002, "control_too_long"),
        ("W3 pong of 126 bytes", vec![RawFrame::new(PONG, vec![0; 126])], 1002, "control_too_long"),
        ("W3 close of 126 bytes", vec![RawFrame::close(1000, &[b'x'; 124])], 1002, "control_too_long"),
        ("W3 ping in fragments", vec![open(PING, b"x")], 1002, "control_fragmented"),
        ("W3 close in fragments", vec![open(CLOSE, b"")], 1002, "control_fragmented"),
        ("W3 continuation of nothing", vec![RawFrame::new(CONTINUATION, "{}")], 1002, "stray_continuation"),
        ("W3 text inside fragments", vec![open(TEXT, b"{"), text()], 1002, "message_interleaved"),
        (
            "W4 length 2^63",
            vec![with(text(), |frame| frame.length = Length::Eight(1 << 63))],
            1009,
            "too_big",
        ),
        (
            "W4 length 2^63 - 1",
            vec![with(text(), |frame| frame.length = Length::Eight((1 << 63) - 1))],
            1009,
            "too_big",
        ),
        (
            "W4 2 in 16 bits",
            vec![with(text(), |frame| frame.length = Length::Two(2))],
            1002,
            "length_not_shortest",
        ),
        (
            "W4 2 in 64 bits",
            vec![with(text(), |frame| frame.length = Length::Eight(2))],
            1002,
            "length_not_shortest",
        ),
        (
            "W4 65535 in 64 bits",
            vec![with(text(), |frame| frame.length = Length::Eight(65_535))],
            1002,
            "length_not_shortest",
        ),
        ("W13 binary", vec![RawFrame::new(BINARY, "{}")], 1003, "binary"),
    ];
    for (what, frames, code, reason) in table {
        closes(&party, what, &frames, code, reason).await;
    }
    bystander.settle().await;
    bystander.close().await;
    assert_eq!(
        metric(&party.api, "watchparty_connections_closed_total", &["reason=\"protocol\""]).await,
        22.0
    );
    Party::serves(&node).await;
}

#[tokio::test]
async fn w5_a_message_over_its_bound() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    // The largest message passes, whole and in fragments.
    let largest = chat_of(MESSAGE_BYTES);
    let mut raw = party.raw().await;
    raw.send_frame(&RawFrame::text(&largest)).await;
    acked(&mut raw).await;
    let (first, second) = largest.as_bytes().split_at(1000);
    raw.send_frame(&open(TEXT, first)).await;
    raw.send_frame(&RawFrame::new(CONTINUATION, second)).await;
    acked(&mut raw).await;

    let over = chat_of(MESSAGE_BYTES + 1);
    closes(&party, "in one frame", &[RawFrame::text(&over)], 1009, "too_big").await;
    let (first, second) = over.as_bytes().split_at(MESSAGE_BYTES / 2);
    let frames = [open(TEXT, first), RawFrame::new(CONTINUATION, second)];
    closes(&party, "in two frames", &frames, 1009, "too_big").await;
    let mut frames: Vec<_> = over.as_bytes().chunks(2048).map(|piece| open(CONTINUATION, piece)).collect();
    frames[0].opcode = TEXT;
    closes(&party, "in many frames", &frames, 1009, "too_big").await;
}

async fn acked(raw: &mut RawClient) {
    let ack = next_of(raw, "ack").await;
    assert_eq!(ack["id"], "big");
}

/// The next text frame of a type.
async fn next_of(raw: &mut RawClient, kind: &str) -> serde_json::Value {
    loop {
        let frame = raw.read_frame().await.expect("the connection stays open");
        assert_eq!(frame.opcode, TEXT, "{frame:?}");
        let json = frame.json();
        if json["type"] == kind {
            return json;
        }
    }
}

#[tokio::test]
async fn w9_fragments_without_end() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut waiting = party.raw().await;
    waiting.send_frame(&open(TEXT, b"{\"type\":")).await;

    let mut fits: Vec<_> = std::iter::repeat_n(open(CONTINUATION, b""), 64).collect();
    fits[0] = open(TEXT, br#"{"type":"ping","id":"64","data":{"t0":1}}"#);
    fits[63].fin = true;
    let mut raw = party.raw().await;
    for frame in &fits {
        raw.send_frame(frame).await;
    }
    assert_eq!(next_of(&mut raw, "pong").await["id"], "64", "64 frames are one message");

    let mut empties: Vec<_> = std::iter::repeat_n(open(CONTINUATION, b""), 100_000).collect();
    empties[0] = open(TEXT, b"");
    closes(&party, "100 000 empty fragments", &empties, 1009, "too_many_fragments").await;
    let close = waiting.read_close().await;
    assert_eq!(close.map(|close| close.0), Some(4400), "a message that is never finished, after 10 s");
}

#[tokio::test]
async fn w10_too_many_control_frames() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut raw = party.raw().await;
    for _ in 0..20 {
        raw.send_frame(&RawFrame::new(PING, "echo me")).await;
    }
    let mut pongs = 0;
    while pongs < 20 {
        let ServerFrame { opcode, payload, .. } = raw.read_frame().await.unwrap();
        pongs += u32::from(opcode == PONG && payload == b"echo me");
    }
    raw.send_frame(&RawFrame::new(PONG, "")).await;
    assert_eq!(raw.read_close().await, Some((4429, "rate_abused".to_owned())), "pongs count as well");
    for opcode in [PING, PONG] {
        let flood = vec![RawFrame::new(opcode, "x"); 10_000];
        closes(&party, "10 000 at once", &flood, 4429, "rate_abused").await;
    }
    Party::serves(&node).await;
}

#[tokio::test]
async fn w11_text_that_is_not_utf8() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let bad = |bytes: &[u8]| [br#"{"type":"chat","data":{"text":""#, bytes, br#""}}"#].concat();
    for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        closes(&party, "whole", &[RawFrame::new(TEXT, bad(bytes))], 1007, "not_utf8").await;
        let text = bad(bytes);
        let (first, second) = text.split_at(32);
        let frames = [open(TEXT, first), RawFrame::new(CONTINUATION, second)];
        closes(&party, "split", &frames, 1007, "not_utf8").await;
    }
    // Found where it stands: the rest of the message need not come.
    closes(&party, "begun", &[open(TEXT, b"{\"\xff")], 1007, "not_utf8").await;
    closes(&party, "in a reason", &[RawFrame::close(1000, b"\xff")], 1007, "not_utf8").await;
    // A character cut by a fragment's end is whole again.
    let mut raw = party.raw().await;
    let text = r#"{"type":"ping","id":"€","data":{"t0":1}}"#.as_bytes();
    let (first, second) = text.split_at(23);
    raw.send_frame(&open(TEXT, first)).await;
    raw.send_frame(&RawFrame::new(CONTINUATION, second)).await;
    assert_eq!(next_of(&mut raw, "pong").await["id"], "€");
}

#[tokio::test]
async fn w12_closes() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        let close = [RawFrame::close(code, b"")];
        closes(&party, &code.to_string(), &close, 1002, "close_code").await;
    }
    closes(&party, "one byte", &[RawFrame::new(CLOSE, "x")], 1002, "close_body").await;
    for good in [RawFrame::new(CLOSE, ""), RawFrame::close(1000, b"bye"), RawFrame::close(4999, b"")] {
        closes(&party, "a good close", &[good], 1000, "").await;
    }
    // What follows a close is not read: the chat is not said.
    let before = said(&party).await;
    let mut raw = party.raw().await;
    let chat = RawFrame::text(r#"{"type":"chat","data":{"text":"after"}}"#);
    let bytes = [RawFrame::close(1000, b"").encode(), chat.encode(), RawFrame::new(3, "").encode()].concat();
    raw.send(&bytes).await;
    assert_eq!(raw.read_close().await, Some((1000, String::new())));
    assert!(raw.ended().await);
    assert_eq!(said(&party).await, before);
}

/// How many chats the log has.
async fn said(party: &Party) -> usize {
    let log = party.log().await;
    log["entries"].as_array().unwrap().iter().filter(|entry| entry["type"] == "chat").count()
}

#[tokio::test]
async fn what_is_broken_before_the_hello_is_told_too() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    for (frame, code) in [
        (with(RawFrame::text("{}"), |frame| frame.mask = None), 1002),
        (RawFrame::new(BINARY, "{}"), 1003),
        (RawFrame::new(TEXT, &b"\xff"[..]), 1007),
        (with(RawFrame::text("{}"), |frame| frame.length = Length::Eight(1 << 40)), 1009),
        (RawFrame::close(1005, b""), 1002),
        (RawFrame::close(1000, b""), 1000),
    ] {
        let mut raw = party.unknown().await;
        raw.send_frame(&frame).await;
        assert_eq!(raw.read_close().await.map(|close| close.0), Some(code), "{frame:?}");
    }
    // Frames in the same packet as the upgrade's head are the connection's first.
    let mut raw = RawClient::connect(party.addr).await;
    let lines: String = super::support::raw::upgrade_headers()
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("GET {} HTTP/1.1\r\nHost: x\r\n{lines}\r\n", party.socket_path());
    let hello = RawFrame::text(&json!({"type": "hello", "token": party.member().1}).to_string());
    let ping = RawFrame::text(r#"{"type":"ping","id":"early","data":{"t0":1}}"#);
    raw.send(&[head.into_bytes(), hello.encode(), ping.encode()].concat()).await;
    assert_eq!(raw.read_head().await.status, 101);
    assert_eq!(next_of(&mut raw, "pong").await["id"], "early");
}
