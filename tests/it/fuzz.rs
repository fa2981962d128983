//! Nonsense in bulk (FAULTS, row M10): random frames and mutated true transcripts. Any answer of the table, no panic, and the node
//! still serves.
//!
//! Seeds are fixed, so a failure is the same failure tomorrow; it names the seed and the connection. The frame codec has its own
//! property tests against another implementation (`src/ws/frame`); here everything behind it is reached as well.

use fastrand::Rng;
use serde_json::json;

use super::support::node::Node;
use super::support::raw::{Length, RawClient, RawFrame, upgrade_headers};
use super::support::single::{Party, assert_calm};

/// Connections of each kind: enough to meet every branch many times, seconds to run.
const CONNECTIONS: u64 = 400;

/// What a connection may be told at its end, whatever it sent.
const CODES: [u16; 13] = [1000, 1002, 1003, 1007, 1009, 4400, 4401, 4403, 4404, 4408, 4409, 4410, 4429];

/// Sends bytes and a FIN, and reads what comes: whole frames, then one of the codes or the end.
async fn throw(mut raw: RawClient, bytes: &[u8], case: &str) {
    raw.send(bytes).await;
    raw.finish().await;
    while let Some(frame) = raw.read_frame().await {
        match frame.opcode {
            8 => {
                let (code, reason) = frame.close();
                assert!(CODES.contains(&code), "{case}: closed with {code} {reason}");
                assert!(reason.is_ascii() && reason.len() <= 123, "{case}: {reason}");
                return;
            }
            1 => {
                let json = frame.json();
                assert!(json["type"].is_string(), "{case}: {json}");
            }
            9 | 10 => {}
            other => panic!("{case}: opcode {other} from the server"),
        }
    }
}

fn random_frame(rng: &mut Rng) -> RawFrame {
    let opcode = *rng.choice(&[0, 1, 1, 1, 1, 2, 3, 8, 9, 10, 11]).unwrap();
    let size = *rng.choice(&[0, 1, 2, 20, 125, 126, 1000, 70_000]).unwrap();
    let payload: Vec<u8> = match rng.u8(0..3) {
        0 => (0..size).map(|_| rng.u8(..)).collect(),
        1 => (0..size).map(|_| rng.u8(b' '..b'~')).collect(),
        _ => random_json(rng, 0).into_bytes(),
    };
    let mut frame = RawFrame::new(opcode, payload);
    frame.fin = rng.u8(0..8) != 0;
    frame.rsv = if rng.u8(0..16) == 0 { rng.u8(0..8) } else { 0 };
    frame.mask = (rng.u8(0..32) != 0).then(|| rng.u32(..).to_le_bytes());
    frame.length = match rng.u8(0..32) {
        0 => Length::Two(rng.u16(..)),
        1 => Length::Eight(rng.u64(..)),
        _ => Length::Shortest,
    };
    frame
}

/// A message by the grammar, with members that may or may not belong to it.
fn random_message(rng: &mut Rng) -> String {
    const TYPES: [&str; 24] = [
        "hello",
        "chat",
        "event",
        "play",
        "pause",
        "seek",
        "rate",
        "load",
        "session.update",
        "host.transfer",
        "kick",
        "session.end",
        "profile",
        "signal",
        "notify",
        "ready",
        "report",
        "history",
        "participants",
        "ping",
        "refresh",
        "leave",
        "welcome",
        "",
    ];
    const MEMBERS: [&str; 22] = [
        "text",
        "reply_to",
        "topic",
        "body",
        "name",
        "color",
        "kind",
        "link",
        "payload",
        "participant_id",
        "limit",
        "after",
        "before",
        "t0",
        "token",
        "status",
        "drift_ms",
        "locked",
        "control",
        "max_participants",
        "ban_seconds",
        "x",
    ];
    let mut data = String::new();
    for _ in 0..rng.u8(0..4) {
        let comma = if data.is_empty() { "" } else { "," };
        data.push_str(&format!("{comma}\"{}\":{}", rng.choice(MEMBERS).unwrap(), random_json(rng, 3)));
    }
    let mut text = format!("{{\"type\":\"{}\",\"data\":{{{data}}}", rng.choice(TYPES).unwrap());
    for member in ["id", "n", "to", "token", "resume", "client", "more"] {
        if rng.u8(0..6) == 0 {
            text.push_str(&format!(",\"{member}\":{}", random_json(rng, 3)));
        }
    }
    text + "}"
}

fn random_json(rng: &mut Rng, depth: u8) -> String {
    match rng.u8(0..if depth < 5 { 12 } else { 9 }) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => rng.u32(..).to_string(),
        3 => format!("-{}.5", rng.u16(..)),
        4 => rng.u64(..).to_string(),
        5 => "\"\"".to_owned(),
        6 => json!((0..rng.u8(1..80)).map(|_| rng.char(..)).collect::<String>()).to_string(),
        7 => format!("\"{}\"", super::support::mint::random_uuid()),
        8 => "1".to_owned(),
        9 => format!("[{},{}]", random_json(rng, depth + 1), random_json(rng, depth + 1)),
        _ => format!("{{\"a\":{},\"{}\":1}}", random_json(rng, depth + 1), rng.alphabetic()),
    }
}

#[tokio::test]
async fn m10_random_frames() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    for seed in 0..CONNECTIONS {
        let mut rng = Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..rng.usize(1..40)).flat_map(|_| random_frame(&mut rng).encode()).collect();
        let raw = if seed % 4 == 0 { party.unknown().await } else { party.raw().await };
        throw(raw, &bytes, &format!("random frames, seed {seed}")).await;
    }
    assert_calm(&node);
    Party::serves(&node).await;
}

#[tokio::test]
async fn m10_random_messages() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut party = party;
    for seed in 0..CONNECTIONS {
        // The messages are rarely right, but `session.end` by a new host can be; then go on in a new session.
        if seed % 50 == 0 {
            party = Party::on(&node).await;
        }
        let mut rng = Rng::with_seed(seed);
        let bytes: Vec<u8> =
            (0..rng.usize(1..60)).flat_map(|_| RawFrame::text(&random_message(&mut rng)).encode()).collect();
        let raw = RawClient::upgrade(party.addr, &party.socket_path(), &[]).await.0;
        let token = if seed % 2 == 0 { &party.token } else { &party.member().1 };
        let hello = RawFrame::text(&json!({"type": "hello", "token": token}).to_string());
        throw(raw, &[hello.encode(), bytes].concat(), &format!("random messages, seed {seed}")).await;
    }
    assert_calm(&node);
    Party::serves(&node).await;
}

/// What a well-behaved client sends from its first byte to its last.
fn transcript(party: &Party) -> Vec<Vec<u8>> {
    let lines: String =
        upgrade_headers().iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("GET {} HTTP/1.1\r\nHost: x\r\n{lines}\r\n", party.socket_path());
    let (participant, token) = party.member();
    let frames = [
        json!({"type": "hello", "token": token, "client": {"name": "fuzz", "version": "1"}}),
        json!({"type": "chat", "id": "a", "n": 1, "data": {"text": "hello"}}),
        json!({"type": "event", "id": "b", "n": 2, "data": {"topic": "t", "body": {"a": [1, 2, {"b": null}]}}}),
        json!({"type": "profile", "n": 3, "data": {"name": "Somebody", "color": "#00ff00"}}),
        json!({"type": "notify", "data": {"topic": "typing", "body": true}}),
        json!({"type": "signal", "to": participant, "data": {"kind": "offer", "link": "a", "payload": {}}}),
        json!({"type": "history", "id": "c", "data": {"after": 0, "limit": 10}}),
        json!({"type": "participants", "id": "d", "data": {"limit": 10}}),
        json!({"type": "ping", "id": "e", "data": {"t0": 12345}}),
        json!({"type": "report", "data": {"drift_ms": 1.5, "rtt_ms": 20, "status": "playing"}}),
        json!({"type": "refresh", "id": "f", "data": {"token": token}}),
        json!({"type": "leave"}),
    ];
    let mut parts = vec![head.into_bytes()];
    parts.extend(frames.iter().map(|frame| RawFrame::text(&frame.to_string()).encode()));
    parts.push(RawFrame::close(1000, b"bye").encode());
    parts
}

fn mutate(rng: &mut Rng, parts: &mut Vec<Vec<u8>>) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(0..parts.len());
        match rng.u8(0..6) {
            0 => {
                let part = &mut parts[at];
                let byte = rng.usize(0..part.len().max(1));
                if let Some(byte) = part.get_mut(byte) {
                    *byte ^= 1 << rng.u8(0..8);
                }
            }
            1 => {
                let length = rng.usize(0..=parts[at].len());
                parts[at].truncate(length);
            }
            2 => {
                let again = parts[at].clone();
                parts.insert(at, again);
            }
            3 => {
                let other = rng.usize(0..parts.len());
                parts.swap(at, other);
            }
            4 => {
                let noise = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
                parts.insert(at, noise);
            }
            _ => {
                parts.remove(at);
            }
        }
        if parts.is_empty() {
            return;
        }
    }
}

#[tokio::test]
async fn m10_mutated_transcripts() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    // Unspoiled it is understood: what the mutations start from is a true one.
    let mut raw = RawClient::connect(party.addr).await;
    raw.send(&transcript(&party).concat()).await;
    assert_eq!(raw.read_head().await.status, 101);
    assert_eq!(raw.read_close().await, Some((1000, "left".to_owned())));

    for seed in 0..CONNECTIONS {
        let mut rng = Rng::with_seed(seed);
        let mut parts = transcript(&party);
        mutate(&mut rng, &mut parts);
        let mut raw = RawClient::connect(party.addr).await;
        raw.send(&parts.concat()).await;
        raw.finish().await;
        let case = format!("mutated transcript, seed {seed}");
        match raw.read_status().await {
            Some(101) => throw(raw, &[], &case).await,
            Some(status) => {
                assert!(matches!(status, 200 | 400 | 403 | 404 | 405 | 414 | 426 | 431), "{case}: {status}")
            }
            None => {}
        }
    }
    assert_calm(&node);
    Party::serves(&node).await;
}
