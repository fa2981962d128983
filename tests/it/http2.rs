//! HTTP/2 for the API and the page, spoken by a client that is not ours (hyper's) and, where it misbehaves, by bytes.

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::node::Node;
use crate::support::wait;

type Client = SendRequest<Full<Bytes>>;

async fn connect(addr: SocketAddr) -> (Client, JoinSet<Result<(), hyper::Error>>) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    // Ends with the set.
    let mut held = JoinSet::new();
    held.spawn(connection);
    (client, held)
}

fn request(addr: SocketAddr, method: &str, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let bytes = if body.is_null() { Bytes::new() } else { body.to_string().into() };
    let request = Request::builder().method(method).uri(format!("http://{addr}{path}"));
    request.header("content-type", "application/json").body(Full::new(bytes)).unwrap()
}

async fn json_of(answer: Response<hyper::body::Incoming>) -> Value {
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

#[tokio::test]
async fn a_party_is_founded_and_looked_up_on_one_connection_at_once() {
    let node = Node::start(&[]).await;
    let (mut client, _held) = connect(node.addr()).await;
    let asked = json!({"name": "Film night", "password": "a password", "display_name": "Ada"});
    let created =
        client.send_request(request(node.addr(), "POST", "/api/sessions/create", &asked)).await.unwrap();
    assert_eq!((created.status().as_u16(), created.version()), (201, hyper::Version::HTTP_2));
    let created = json_of(created).await;
    // Its own address is what the request was sent to, though HTTP/2 has no Host.
    let link = created["share_url"].as_str().unwrap();
    assert!(link.starts_with(&format!("http://{}/s/", node.addr())), "{link}");
    let path = format!("/api/sessions/{}", created["id"].as_str().unwrap());

    // More than may be under way at once: what is over waits, and none fails.
    let mut lookups = JoinSet::new();
    for _ in 0..250 {
        let (mut client, request) = (client.clone(), request(node.addr(), "GET", &path, &Value::Null));
        lookups.spawn(async move { json_of(client.send_request(request).await.unwrap()).await });
    }
    let found = lookups.join_all().await;
    assert!(found.len() == 250 && found.iter().all(|one| one["name"] == "Film night"), "{found:?}");

    let page = client.send_request(request(node.addr(), "GET", "/", &Value::Null)).await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}

#[tokio::test]
async fn a_socket_is_not_to_be_had_over_http2() {
    let node = Node::start(&[]).await;
    let (mut client, _held) = connect(node.addr()).await;
    let path = "/ws/8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
    let answer = client.send_request(request(node.addr(), "GET", path, &Value::Null)).await.unwrap();
    assert!(answer.status().is_client_error(), "{answer:?}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn a_node_that_drains_says_so_and_finishes_what_is_under_way() {
    let mut node = Node::start(&[]).await;
    let (mut client, mut held) = connect(node.addr()).await;
    let answer = client.send_request(request(node.addr(), "GET", "/api/clock", &Value::Null)).await.unwrap();
    assert_eq!(answer.status(), 200);
    node.term();
    // It ends in good order (GOAWAY), not by a cut.
    wait::soon("the end of the connection", held.join_next()).await.unwrap().unwrap().unwrap();
    assert!(node.ended().await.success());
}

const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Frames as they come: type, flags, stream, payload.
async fn frame(stream: &mut TcpStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
}

#[tokio::test]
async fn the_bounds_are_told_in_the_first_frame() {
    let node = Node::start(&[]).await;
    let mut stream = TcpStream::connect(node.addr()).await.unwrap();
    stream.write_all(HELLO).await.unwrap();
    let (kind, _, payload) = frame(&mut stream).await.unwrap();
    assert_eq!(kind, 4, "SETTINGS");
    let settings: Vec<(u16, u32)> = payload
        .chunks(6)
        .map(|one| {
            (u16::from_be_bytes([one[0], one[1]]), u32::from_be_bytes([one[2], one[3], one[4], one[5]]))
        })
        .collect();
    assert!(settings.contains(&(3, 100)), "streams at once: {settings:?}");
    assert!(settings.contains(&(6, 16 * 1024)), "bytes of a head: {settings:?}");
    assert!(!settings.contains(&(8, 1)), "no extended CONNECT: {settings:?}");
}

#[tokio::test]
async fn who_opens_and_resets_without_end_is_cut_and_nobody_else() {
    let node = Node::start(&[]).await;
    let mut stream = TcpStream::connect(node.addr()).await.unwrap();
    let mut bytes = HELLO.to_vec();
    for number in 0..500_u32 {
        let id = (2 * number + 1).to_be_bytes();
        // GET, http, /, whole with this frame; then RST_STREAM, CANCEL.
        bytes.extend([0, 0, 3, 1, 5]);
        bytes.extend(id);
        bytes.extend([0x82, 0x86, 0x84]);
        bytes.extend([0, 0, 4, 3, 0]);
        bytes.extend(id);
        bytes.extend(8_u32.to_be_bytes());
    }
    // The connection may be closed before all is taken.
    let _ = stream.write_all(&bytes).await;
    let mut reason = None;
    while let Some((kind, _, payload)) = wait::soon("the end of the connection", frame(&mut stream)).await {
        if kind == 7 {
            reason = payload.get(4..8).map(|code| u32::from_be_bytes([code[0], code[1], code[2], code[3]]));
        }
    }
    assert_eq!(reason, Some(0xb), "GOAWAY, ENHANCE_YOUR_CALM");
    let (mut client, _held) = connect(node.addr()).await;
    let answer = client.send_request(request(node.addr(), "GET", "/api/clock", &Value::Null)).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn half_a_preface_is_not_waited_for() {
    let node = Node::start(&[]).await;
    let mut stream = TcpStream::connect(node.addr()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
    let mut rest = Vec::new();
    // The end, or a reset: either way nobody waits for the rest.
    let _ = wait::soon("the end of the connection", stream.read_to_end(&mut rest)).await;
}
