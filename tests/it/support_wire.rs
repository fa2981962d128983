//! The clients of the tests are right themselves: tokens, raw frames, HTTP and WebSocket against known answers.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::api::{Api, bearer};
use crate::support::client::{Connect, Received};
use crate::support::mint::{self, Mint};
use crate::support::raw::{Length, RawClient, RawFrame};

/// A WebSocket server of tungstenite that echoes texts, and closes 4401 when told `close`.
async fn echo_server() -> (std::net::SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() && message.to_text().unwrap().contains("\"close\"") {
                    let frame = CloseFrame { code: 4401.into(), reason: "token_expired".into() };
                    socket.close(Some(frame)).await.unwrap();
                } else if message.is_text() {
                    socket.send(message).await.unwrap();
                }
            }
        }
    });
    (addr, tasks)
}

#[tokio::test]
async fn a_client_waits_by_type_and_keeps_the_rest() {
    let (addr, _tasks) = echo_server().await;
    let mut client = Connect::to(addr, "s").hello("a-token").resume("e1", 7).open().await.unwrap();
    client.send(json!({"type": "chat", "id": "1"})).await;
    client.send(json!({"type": "ack", "id": "2"})).await;
    assert_eq!(client.expect("ack").await["id"], "2");
    let seen = client.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0]["token"], "a-token");
    assert_eq!(seen[0]["resume"], json!({"epoch": "e1", "seq": 7}));
    assert_eq!(seen[1]["type"], "chat");
    client.settle().await;
    client.send(json!({"type": "close"})).await;
    assert_eq!(client.expect_close().await, (4401, "token_expired".to_owned()));
}

#[tokio::test]
async fn a_client_tells_a_loss_from_a_close() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = Connect::to(listener.local_addr().unwrap(), "s").bearer("t").origin("https://a.example");
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        socket.get_ref().set_zero_linger().unwrap();
    };
    let (client, ()) = tokio::join!(connect.open(), server);
    assert_eq!(client.unwrap().next().await, Received::Lost);
}

#[tokio::test]
async fn a_refused_upgrade_and_an_answer_are_read_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let body =
        json!({"type": "urn:watchparty:problem:forbidden", "status": 403, "code": "forbidden"}).to_string();
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            assert!(head.contains("authorization: bearer t\r\n"), "{head}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let refused = Connect::to(addr, "s").bearer("t").open().await.expect_err("a refusal");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body["code"], "forbidden");
    Api::new(addr).get("/x", Some("t")).await.problem(403, "forbidden");
    let mut raw = RawClient::connect(addr).await;
    raw.send_head("GET", "/x", &[("Authorization", "Bearer t")]).await;
    let head = raw.read_head().await;
    assert_eq!((head.status, head.header("content-type")), (403, Some("application/problem+json")));
    assert_eq!(serde_json::from_slice::<Value>(&head.body).unwrap()["code"], "forbidden");
    assert!(raw.ended().await);
    assert_eq!(bearer(None), []);
}

#[tokio::test]
async fn raw_frames_are_frames_to_somebody_else() {
    let (addr, _tasks) = echo_server().await;
    let (mut raw, _) = RawClient::upgrade(addr, "/ws/s", &[]).await;
    for length in [0, 125, 126, 65_535, 65_536] {
        let text = "x".repeat(length);
        raw.send_frame(&RawFrame::text(&text)).await;
        let frame = raw.read_frame().await.unwrap();
        assert_eq!((frame.fin, frame.rsv, frame.opcode), (true, 0, 1));
        assert_eq!(frame.payload, text.as_bytes(), "{length}");
    }
    raw.send_frame(&RawFrame { fin: false, ..RawFrame::text("\"a") }).await;
    raw.send_frame(&RawFrame::new(0, "b\"")).await;
    assert_eq!(raw.read_frame().await.unwrap().json(), "ab");
    raw.send_frame(&RawFrame::text("\"close\"")).await;
    assert_eq!(raw.read_close().await, Some((4401, "token_expired".to_owned())));
}

#[test]
fn raw_frames_write_any_bit() {
    let ping = RawFrame { rsv: 0b010, mask: None, length: Length::Two(5), ..RawFrame::new(9, "hi") };
    assert_eq!(ping.encode(), [0xa9, 126, 0, 5, b'h', b'i']);
    let huge =
        RawFrame { fin: false, mask: Some([1; 4]), length: Length::Eight(1 << 63), ..RawFrame::new(2, [0]) };
    assert_eq!(huge.encode(), [0x02, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
    assert_eq!(RawFrame { mask: None, ..RawFrame::close(1000, b"x") }.encode(), [0x88, 3, 3, 232, b'x']);
}

#[test]
fn minted_tokens_verify_and_forged_ones_are_forged() {
    let mint = Mint::new("integration-tests-only-0123456789-abcdefghij");
    let token = mint.token("s", "p", "host");
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    rules.set_audience(&["watchparty"]);
    let key = jsonwebtoken::DecodingKey::from_secret(b"integration-tests-only-0123456789-abcdefghij");
    let good = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
    assert_eq!(good.claims["sub"], "p");
    assert_eq!(good.header.kid, Some(mint.kid()));
    assert_eq!(mint.kid().len(), 8);
    let claims = mint::claims("s", "p", "host");
    assert!(jsonwebtoken::decode::<Value>(&mint.forge(&mint.header(), &claims), &key, &rules).is_ok());
    assert!(jsonwebtoken::decode::<Value>(&mint::unsigned(&claims), &key, &rules).is_err());
    assert_eq!(mint::unsigned(&claims).matches('.').count(), 2);
    // What kid a secret has is fixed for every implementation: computed with Python's hmac.
    assert_eq!(mint.kid(), "6d720412");
}

#[tokio::test]
async fn a_message_of_bytes_is_sent_as_it_is() {
    let (addr, _tasks) = echo_server().await;
    let mut client = Connect::to(addr, "s").open().await.unwrap();
    client.send_raw(Message::text("[1]")).await;
    assert_eq!(client.next().await, Received::Frame(json!([1])));
    client.close().await;
}
