//! Requests that do not become a WebSocket (FAULTS, rows H1 to H3, and the caps): refused with a status before a socket exists.

use super::support::client::Connect;
use super::support::mint::random_uuid;
use super::support::node::Node;
use super::support::raw::{Head, KEY, RawClient, upgrade_headers};
use super::support::single::{Party, metric};

type Lines<'a> = Vec<(&'a str, &'a str)>;

/// A correct upgrade without `left_out`, and `more` behind it.
fn upgrade_but<'a>(left_out: &str, more: &[(&'a str, &'a str)]) -> Lines<'a> {
    let mut headers = upgrade_headers();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(left_out));
    headers.extend_from_slice(more);
    headers
}

/// Asserts one refusal: its status and code, its request id, and that the connection ends with it.
async fn refused(party: &Party, method: &str, headers: &[(&str, &str)], status: u16, code: &str) -> Head {
    refused_at(party, method, &party.socket_path(), headers, status, code).await
}

async fn refused_at(
    party: &Party,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    status: u16,
    code: &str,
) -> Head {
    let mut client = RawClient::connect(party.addr).await;
    client.send_head(method, path, headers).await;
    let head = client.read_head().await;
    let shown: String = format!("{headers:?}").chars().take(300).collect();
    assert_eq!(head.status, status, "{shown}");
    let body: serde_json::Value = serde_json::from_slice(&head.body).unwrap();
    assert_eq!(body["code"], code, "{shown}");
    assert_eq!(head.header("x-request-id"), body["request_id"].as_str(), "{shown}");
    assert_eq!(head.header("content-type"), Some("application/problem+json"), "{shown}");
    let connection = head.header("connection").unwrap_or_default();
    assert!(connection.split(',').any(|word| word.trim() == "close"), "{connection:?} for {shown}");
    assert!(client.ended().await, "{shown}");
    head
}

#[tokio::test]
async fn h1_requests_that_are_no_upgrade() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    for headers in [
        vec![],
        upgrade_but("upgrade", &[]),
        upgrade_but("upgrade", &[("Upgrade", "h2c")]),
        upgrade_but("sec-websocket-version", &[]),
        upgrade_but("sec-websocket-version", &[("Sec-WebSocket-Version", "8")]),
        upgrade_but("sec-websocket-version", &[("Sec-WebSocket-Version", "13, 8")]),
        upgrade_but("", &[("Sec-WebSocket-Version", "13")]),
    ] {
        let head = refused(&party, "GET", &headers, 426, "upgrade_required").await;
        assert_eq!(head.header("sec-websocket-version"), Some("13"));
        assert_eq!(head.header("upgrade"), Some("websocket"));
    }
    refused(
        &party,
        "GET",
        &upgrade_but("connection", &[("Connection", "keep-alive")]),
        400,
        "invalid_request",
    )
    .await;
    refused(&party, "GET", &upgrade_but("connection", &[]), 400, "invalid_request").await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let head = refused(&party, method, &upgrade_headers(), 405, "method_not_allowed").await;
        assert_eq!(head.header("allow"), Some("GET"), "{method}");
    }
    let refusals = metric(&party.api, "watchparty_connections_refused_total", &["reason=\"upgrade\""]).await;
    assert!(refusals >= 14.0, "{refusals}");
    Party::serves(&node).await;
}

#[tokio::test]
async fn h2_keys_subprotocols_and_bodies() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let many = vec!["p"; 1000].join(",");
    let key = "sec-websocket-key";
    for headers in [
        upgrade_but(key, &[]),
        upgrade_but(key, &[("Sec-WebSocket-Key", "")]),
        upgrade_but(key, &[("Sec-WebSocket-Key", "c2hvcnQ=")]),
        upgrade_but(key, &[("Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!==")]),
        upgrade_but("", &[("Sec-WebSocket-Key", KEY)]),
        upgrade_but("", &[("Sec-WebSocket-Protocol", &many)]),
        upgrade_but("", &[("Sec-WebSocket-Protocol", "watchparty.v1, a b")]),
        upgrade_but("", &[("Sec-WebSocket-Protocol", "watchparty.v1, \u{e9}")]),
        upgrade_but("", &[("Sec-WebSocket-Protocol", "watchparty.v1,,x")]),
        upgrade_but("", &[("Content-Length", "5")]),
        upgrade_but("", &[("Transfer-Encoding", "chunked")]),
    ] {
        refused(&party, "GET", &headers, 400, "invalid_request").await;
    }
    Party::serves(&node).await;
}

#[tokio::test]
async fn h3_origins() {
    let node = Node::start(&[("ALLOWED_ORIGINS", "https://good.example,https://good.example:8443")]).await;
    let party = Party::on(&node).await;
    for origin in [
        "https://evil.example",
        "null",
        "https://good.example/path",
        "https://good.example.evil.example",
        "https://good.example.",
        "https://good.example:8444",
        "http://good.example",
        "https://user@good.example",
        "https://good.example https://evil.example",
        "good.example",
        "",
        "*",
    ] {
        refused(&party, "GET", &upgrade_but("", &[("Origin", origin)]), 403, "forbidden").await;
    }
    let good = ("Origin", "https://good.example");
    refused(&party, "GET", &upgrade_but("", &[good, good]), 400, "invalid_request").await;
    for origin in ["https://good.example", "HTTPS://Good.Example", "https://good.example:8443"] {
        let opened = Connect::to(party.addr, &party.id).bearer(&party.token).origin(origin).welcomed().await;
        opened.0.close().await;
    }
    // None at all: a native client. No cookie is ever read, so there is nothing to forge.
    party.client().await.close().await;
    let refusals = metric(&party.api, "watchparty_connections_refused_total", &["reason=\"origin\""]).await;
    assert_eq!(refusals, 12.0);
}

#[tokio::test]
async fn an_address_that_names_no_session_is_not_found() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    for path in
        ["/ws/", "/ws", "/ws/x", &format!("/ws/{}/", party.id), &format!("/ws/{}", party.id.to_uppercase())]
    {
        let mut client = RawClient::connect(party.addr).await;
        client.send_head("GET", path, &upgrade_headers()).await;
        assert_eq!(client.read_head().await.status, 404, "{path}");
    }
    let path = format!("/ws/{}", party.id.to_uppercase());
    refused_at(&party, "GET", &path, &upgrade_headers(), 404, "session_not_found").await;
    // A session that might exist is told to the browser, which cannot read a status.
    let unknown = random_uuid();
    let token = party.mint.token(&unknown, &random_uuid(), "member");
    let mut client = Connect::to(party.addr, &unknown).hello(&token).open().await.unwrap();
    assert_eq!(client.expect_close().await, (4404, "no_session".to_owned()));
}

/// Reads `Retry-After` of a refusal, in seconds.
fn retry_after(head: &Head) -> u64 {
    head.header("retry-after").expect("a refusal by a cap says when to come back").parse().unwrap()
}

#[tokio::test]
async fn a_full_node_says_503_and_a_full_address_429() {
    let node = Node::start(&[("CONNECTIONS_MAX", "3"), ("CONNECTIONS_PER_ADDRESS", "3")]).await;
    let party = Party::on(&node).await;
    let mut open = vec![party.client().await, party.client().await, party.client().await];
    let head = refused(&party, "GET", &upgrade_headers(), 503, "unavailable").await;
    assert!((2..=4).contains(&retry_after(&head)), "{head:?}");
    assert_eq!(
        metric(&party.api, "watchparty_connections_refused_total", &["reason=\"capacity\""]).await,
        1.0
    );
    open.pop().unwrap().close().await;
    gone(&party, 2.0).await;
    party.client().await.close().await;

    let node = Node::start(&[("CONNECTIONS_MAX", "10"), ("CONNECTIONS_PER_ADDRESS", "2")]).await;
    let party = Party::on(&node).await;
    let _open = (party.client().await, party.client().await);
    let head = refused(&party, "GET", &upgrade_headers(), 429, "rate_limited").await;
    assert!((2..=4).contains(&retry_after(&head)), "{head:?}");
    assert_eq!(
        metric(&party.api, "watchparty_connections_refused_total", &["reason=\"address\""]).await,
        1.0
    );
}

#[tokio::test]
async fn those_who_have_not_said_who_they_are_have_a_cap_of_their_own() {
    let node = Node::start(&[("CONNECTIONS_PENDING_PER_ADDRESS", "2")]).await;
    let party = Party::on(&node).await;
    let (_first, _second) = (party.unknown().await, party.unknown().await);
    let head = refused(&party, "GET", &upgrade_headers(), 429, "rate_limited").await;
    assert!(retry_after(&head) >= 2);
    // Nobody is greeted over the cap either, but those who were are not counted under it.
    drop((_first, _second));
    gone(&party, 0.0).await;
    let clients = [party.client().await, party.client().await, party.client().await];
    for client in clients {
        client.close().await;
    }
}

#[tokio::test]
async fn connecting_has_a_rate() {
    let node = Node::start(&[("RATE_LIMIT_CONNECT", "1/h:2")]).await;
    let party = Party::on(&node).await;
    for _ in 0..2 {
        party.client().await.close().await;
    }
    let head = refused(&party, "GET", &upgrade_headers(), 429, "rate_limited").await;
    assert!(retry_after(&head) > 1000, "{head:?}");
    // What is no handshake is refused for that, and takes nothing from the bucket.
    refused(&party, "GET", &[], 426, "upgrade_required").await;
    assert_eq!(metric(&party.api, "watchparty_connections_refused_total", &["reason=\"rate\""]).await, 1.0);
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"connect\""]).await, 1.0);
}

/// Waits until the node counts so many connections.
async fn gone(party: &Party, left: f64) {
    let api = party.api;
    super::support::wait::until("connections to be given back", || async move {
        (metric(&api, "watchparty_connections", &[]).await == left).then_some(())
    })
    .await;
}
