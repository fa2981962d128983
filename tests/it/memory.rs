//! Memory stays flat: the same bad input again and again must leave nothing behind.
//!
//! The first rounds fill allocator, pools and tables, and the wheel of pings, which remembers a closed connection until its turn
//! comes (shortened to 5 s here): that is the warm-up, and what grows after it grows for ever. The same few
//! participants are used throughout, because what a session remembers of its people (seats, numbers) is no leak.

use serde_json::json;

use super::support::api::bearer;
use super::support::mint::random_uuid;
use super::support::node::Node;
use super::support::raw::{Length, RawClient, RawFrame, upgrade_headers};
use super::support::single::{Party, assert_calm};

/// Rounds before the first look.
const WARM_UP: usize = 120;
/// Rounds between the two looks. Each is some 30 connections.
const ROUNDS: usize = 240;
/// What the process may have grown between them: the noise of an allocator with a few arenas. One message buffer of 64 KiB
/// kept per round would be 15 MiB, one kept KiB per connection 7 MiB.
const TOLERANCE: u64 = 4 * 1024 * 1024;

/// Frames that end a connection, each in its own way.
fn fatal_frames() -> Vec<Vec<u8>> {
    let change = |mut frame: RawFrame, change: &dyn Fn(&mut RawFrame)| {
        change(&mut frame);
        frame.encode()
    };
    let text = || RawFrame::text("{}");
    let open = |size: usize| change(RawFrame::new(1, vec![b'x'; size]), &|frame| frame.fin = false);
    let fragment = change(RawFrame::new(0, ""), &|frame| frame.fin = false);
    vec![
        change(text(), &|frame| frame.mask = None),
        change(text(), &|frame| frame.rsv = 0b100),
        change(text(), &|frame| frame.length = Length::Eight(1 << 62)),
        RawFrame::new(3, "").encode(),
        RawFrame::new(2, vec![0; 60_000]).encode(),
        RawFrame::new(1, vec![0xff; 60_000]).encode(),
        RawFrame::text(&"[".repeat(65_536)).encode(),
        RawFrame::new(1, vec![b'x'; 65_537]).encode(),
        [open(60_000), fragment.repeat(100)].concat(),
        RawFrame::new(9, "x").encode().repeat(1000),
        RawFrame::close(1005, b"").encode(),
        // Not an end by itself: the connection goes away in the middle of a message.
        open(60_000),
        RawFrame::new(1, vec![b'x'; 60_000]).encode()[..30_000].to_vec(),
    ]
}

async fn bad_sockets(party: &Party, token: &str) {
    let authorization = format!("Bearer {token}");
    for bytes in fatal_frames() {
        for known in [true, false] {
            let headers = [("Authorization", authorization.as_str())];
            let headers = if known { &headers[..] } else { &[] };
            let (mut raw, _) = RawClient::upgrade(party.addr, &party.socket_path(), headers).await;
            raw.send(&bytes).await;
            raw.finish().await;
            while raw.read_frame().await.is_some() {}
        }
    }
    let (mut raw, _) =
        RawClient::upgrade(party.addr, &party.socket_path(), &[("Authorization", &authorization)]).await;
    let mut wrong: Vec<u8> = Vec::new();
    for text in [
        r#"{"type":"surprise"}"#.to_owned(),
        r#"{"type":"chat","n":9,"data":{"text":"a hole"}}"#.to_owned(),
        format!(r#"{{"type":"chat","data":{{"text":"{}"}}}}"#, "x".repeat(60_000)),
        format!(
            r#"{{"type":"signal","to":"{}","data":{{"kind":"bye","link":"a","payload":1}}}}"#,
            random_uuid()
        ),
        r#"{"type":"kick","data":{"participant_id":"a,b"}}"#.to_owned(),
    ] {
        wrong.extend(RawFrame::text(&text).encode());
    }
    raw.send(&wrong).await;
    raw.finish().await;
    while raw.read_frame().await.is_some() {}
}

async fn bad_requests(party: &Party) {
    let forged = party.mint.forge(&json!({"alg": "none"}), &json!({}));
    for token in [None, Some("x"), Some(forged.as_str())] {
        party
            .api
            .request("GET", &party.path("/messages"), &bearer(token), None)
            .await
            .problem(401, "unauthorized");
    }
    party.api.join(&random_uuid(), "wrong password", None).await.problem(401, "unauthorized");
    party
        .api
        .post("/api/sessions/create", None, json!({"name": 7, "more": "x".repeat(9000)}))
        .await
        .problem(400, "invalid_request");
    party.api.get(&format!("/{}", random_uuid()), None).await.problem(404, "not_found");
    for request in [
        format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(17_000)),
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n".to_owned(),
        "POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n{".to_owned(),
        "GET /api/clock HTTP/1.1\r\nHost".to_owned(),
    ] {
        let mut client = RawClient::connect(party.addr).await;
        client.send(request.as_bytes()).await;
        client.finish().await;
        client.read_status().await;
    }
    let mut client = RawClient::connect(party.addr).await;
    let mut headers = upgrade_headers();
    headers.push(("Sec-WebSocket-Key", "again"));
    client.send_head("GET", &party.socket_path(), &headers).await;
    assert_eq!(client.read_head().await.status, 400);
}

#[tokio::test]
async fn bad_input_leaves_nothing_behind() {
    let node = Node::start(&[
        ("HISTORY_ENTRIES", "100"),
        ("HISTORY_AGE", "0"),
        ("WORKER_THREADS", "2"),
        ("PING_INTERVAL", "5"),
        ("PONG_TIMEOUT", "1"),
    ])
    .await;
    let party = Party::on(&node).await;
    let tokens: Vec<_> = (0..4).map(|_| party.member().1).collect();
    let mut before = 0;
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            before = node.resident_bytes();
        }
        bad_sockets(&party, &tokens[round % tokens.len()]).await;
        bad_requests(&party).await;
    }
    let after = node.resident_bytes();
    println!("resident: {before} bytes after the warm-up, {after} after {ROUNDS} rounds more");
    assert!(
        after <= before + TOLERANCE,
        "grew from {before} to {after} bytes in {ROUNDS} rounds of bad input"
    );
    assert_calm(&node);
    Party::serves(&node).await;
}
