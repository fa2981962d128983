//! What must never be told: a word planted in every secret or private place shows in no line, number, problem or close reason.
//!
//! The node logs at `trace`, in both formats: what an operator could turn on must be as silent as what is on.

use bytes::Bytes;
use serde_json::{Value, json};

use super::support::api::bearer;
use super::support::client::{Connect, Received};
use super::support::mint::{Mint, claims};
use super::support::node::{Node, SECRET};
use super::support::raw::{RawClient, RawFrame};
use super::support::single::Party;

/// In every planted text.
const CANARY: &str = "c4n4ryw0rd";

/// Everything a client was told that is not its own message coming back.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn note(&mut self, what: &str, text: impl std::fmt::Display) {
        self.0.push(format!("{what}: {text}"));
    }
}

fn canary(place: &str) -> String {
    format!("{CANARY}-{place}")
}

#[tokio::test]
async fn no_line_number_problem_or_reason_tells_a_secret() {
    for format in ["json", "text"] {
        let key = format!("{CANARY}-server-key-{}", "k".repeat(32));
        let settings = [
            ("LOG_LEVEL", "trace"),
            ("LOG_FORMAT", format),
            ("SERVER_API_KEYS", key.as_str()),
            ("TURN_URLS", "turn:turn.example:3478"),
            ("TURN_SECRET", "c4n4ryw0rd-turn-secret-of-some-length"),
            ("RATE_LIMIT_JOIN_FAILURES", "1/h:3"),
        ];
        let node = Node::start(&settings).await;
        let mut told = Told::default();
        let session = plant_in_http(&node, &mut told, &key).await;
        plant_in_sockets(&node, &session, &mut told).await;
        told.note("metrics", String::from_utf8_lossy(&node.api().get("/metrics", None).await.bytes));

        let lines = node.log();
        assert!(
            lines.iter().any(|line| line.contains("request answered")),
            "{format}: the log tells of requests"
        );
        assert!(lines.iter().any(|line| line.contains("connection closed")), "{format}: and of connections");
        for line in lines.iter().chain(&told.0) {
            assert!(!line.contains(CANARY), "{format}: {line}");
            assert!(!line.contains(SECRET), "{format}: {line}");
            assert!(!line.contains(&session.token), "{format}: {line}");
            assert!(!line.contains("eyJ"), "{format}: something of a token: {line}");
            assert!(!line.contains("$2b$"), "{format}: something of a hash: {line}");
        }
        // Ids are not secret, but they are whole in no line: a log must not be a list of sessions.
        assert!(
            !lines.iter().any(|line| line.contains(&session.id)),
            "{format}: a session's id stands in a line"
        );
    }
}

struct Planted {
    id: String,
    token: String,
}

async fn plant_in_http(node: &Node, told: &mut Told, key: &str) -> Planted {
    let api = node.api();
    let (name, password, display) = (canary("name"), canary("password"), canary("display"));
    let body = json!({"name": name, "password": password, "display_name": display});
    let mut headers: Vec<(String, String)> = [
        ("cookie", canary("cookie")),
        ("x-forwarded-for", canary("forwarded")),
        ("user-agent", canary("agent")),
        ("referer", canary("referer")),
        ("x-request-id", format!("{}!", canary("request-id"))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let query = format!("?token={}&{0}", canary("query"));
    let made =
        api.request("POST", &format!("/api/sessions/create{query}"), &headers, Some(body)).await.expect(201);
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let planted = Planted { id: text("id"), token: text("token") };
    let path = |rest: &str| format!("/api/sessions/{}{rest}", planted.id);

    for wrong in [canary("guess"), canary("guess-2"), canary("guess-3"), canary("guess-4")] {
        let answer = api.join(&planted.id, &wrong, Some(&display)).await;
        assert!(matches!(answer.status, 401 | 429));
        told.note("join", &answer.body);
    }
    for bad in [
        json!({"name": name, "password": format!("{password}\0")}),
        json!({"name": format!("{name}\u{7}"), "password": password}),
        json!({"name": name, "password": password, "display_name": display.repeat(9)}),
        json!({"name": name, "password": [password], "max_participants": canary("seats")}),
        json!({"name": name, "password": password.repeat(9)}),
        json!({"session_id": canary("id"), "password": password}),
    ] {
        told.note(
            "create",
            api.post("/api/sessions/create", None, bad.clone()).await.problem(400, "invalid_request"),
        );
        told.note("join", api.post("/api/sessions/join", None, bad).await.problem(400, "invalid_request"));
    }
    for unreadable in [
        format!("{{\"password\":\"{password}"),
        password.clone(),
        format!("[\"{password}\"]"),
        format!("{{\"password\":{password}}}"),
    ] {
        let json_type = [("content-type".to_owned(), "application/json".to_owned())];
        let answer = api.send("POST", "/api/sessions/join", &json_type, Bytes::from(unreadable)).await;
        told.note("unreadable", answer.problem(400, "invalid_request"));
    }

    for token in
        [canary("bearer"), format!("{}.{0}.{0}", canary("bearer")), forged(&node.mint(), &planted.id)]
    {
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        told.note(
            "token",
            api.request("GET", &path(&format!("/messages{query}")), &headers, None).await.body,
        );
        headers.pop();
    }
    headers.push(("authorization".to_owned(), format!("Basic {}", canary("basic"))));
    told.note(
        "basic",
        api.request("GET", &path("/messages"), &headers, None).await.problem(401, "unauthorized"),
    );
    headers.pop();

    for token in [planted.token.as_str(), key] {
        headers.extend(bearer(Some(token)));
        headers.push(("idempotency-key".to_owned(), canary("idempotency")));
        let said = json!({"type": "chat", "data": {"text": canary("chat")}});
        api.request("POST", &path("/messages"), &headers, Some(said)).await.expect(202);
        let wrong = json!({"type": "chat", "data": {"text": canary("chat").repeat(400)}});
        told.note("chat", api.request("POST", &path("/messages"), &headers, Some(wrong)).await.body);
        let changed = json!({"name": canary("renamed"), "password": canary("changed")});
        told.note(
            "patched",
            api.request("PATCH", &path(""), &headers, Some(changed)).await.body["status"].clone(),
        );
        told.note(
            "query",
            api.request("GET", &path(&format!("/messages{query}")), &headers, None).await.body,
        );
        headers.truncate(headers.len() - 2);
    }
    for lost in [
        format!("/{}", canary("path")),
        format!("/s/{}", canary("path")),
        path(&format!("/{}", canary("path"))),
        format!("/api/sessions/{}", canary("path")),
    ] {
        told.note("path", api.get(&lost, None).await.body);
    }
    planted
}

/// Well signed and refused for what it says.
fn forged(mint: &Mint, session: &str) -> String {
    let mut claims = claims(session, &canary("sub"), "member");
    claims["name"] = json!(canary("claim"));
    mint.sign(&claims)
}

async fn plant_in_sockets(node: &Node, session: &Planted, told: &mut Told) {
    let addr = node.addr();
    let path = format!("/ws/{}?token={}&epoch={0}", session.id, canary("query"));
    let headers = [
        ("Sec-WebSocket-Protocol", &*format!("watchparty.v1, {}", canary("protocol"))),
        ("Cookie", &*canary("cookie")),
        ("Origin", &*format!("https://{}", canary("origin"))),
    ];
    for first in [
        json!({"type": "hello", "token": canary("token")}).to_string(),
        json!({"type": "hello", "token": forged(&node.mint(), &session.id)}).to_string(),
        json!({"type": canary("type"), "token": canary("token")}).to_string(),
        canary("text"),
    ] {
        let (mut raw, head) = RawClient::upgrade(addr, &path, &headers).await;
        for (name, value) in head.headers {
            // A browser must be told that its page's origin may read this (CORS): it is public, and its own.
            if name != "access-control-allow-origin" {
                told.note(&name, value);
            }
        }
        raw.send_frame(&RawFrame::text(&first)).await;
        let (code, reason) = raw.read_close().await.unwrap();
        told.note("close", format!("{code} {reason}"));
    }
    let connect = Connect::to(addr, &session.id).hello(&session.token);
    let mut client = connect.resume(&canary("epoch"), 1).open().await.unwrap();
    client.expect("welcome").await;
    for (accepted, frame) in talk(session) {
        client.send(frame.clone()).await;
        if !accepted {
            let error = client.expect("error").await;
            // The id is the client's own, given back.
            told.note("error", &error["data"]);
        }
    }
    client.settle().await;
    client.send(json!({"type": "session.end", "data": {}})).await;
    let (code, reason) = client.expect_close().await;
    assert_eq!(code, 4410);
    told.note("close", reason);
    let mut ended = Connect::to(addr, &session.id).bearer(&session.token).open().await.unwrap();
    loop {
        match ended.next().await {
            Received::Closed(code, reason) => {
                assert_eq!(code, 4404);
                break told.note("close", reason);
            }
            Received::Frame(_) => {}
            Received::Lost => panic!("lost instead of closed"),
        }
    }
}

/// Messages with a canary in each member, and whether they are right.
fn talk(session: &Planted) -> Vec<(bool, Value)> {
    let someone = super::support::mint::random_uuid();
    vec![
        (true, json!({"type": "chat", "id": canary("id"), "data": {"text": canary("chat")}})),
        (
            true,
            json!({"type": "event", "data": {"topic": canary("topic"), "body": {canary("member"): canary("body")}}}),
        ),
        (true, json!({"type": "notify", "data": {"topic": canary("topic"), "body": canary("body")}})),
        (true, json!({"type": "profile", "data": {"name": canary("profile")}})),
        (
            true,
            json!({"type": "session.update", "data": {"name": canary("renamed"), "password": canary("changed")}}),
        ),
        (
            false,
            json!({"type": "signal", "to": someone, "data": {"kind": "offer", "link": canary("link"), "payload": canary("sdp")}}),
        ),
        (false, json!({"type": "refresh", "data": {"token": canary("refresh")}})),
        (false, json!({"type": "refresh", "data": {"token": [session.token]}})),
        (false, json!({"type": "kick", "data": {"participant_id": canary("pid")}})),
        (false, json!({"type": "chat", "data": {"text": 7, "reply_to": canary("reply")}})),
        (false, json!({"type": "profile", "data": {"name": canary("profile").repeat(9)}})),
        (false, json!({"type": "profile", "data": {"color": canary("color")}})),
        (false, json!({"type": "session.update", "data": {"password": canary("password").repeat(9)}})),
        (false, json!({"type": "session.update", "data": {"control": canary("control")}})),
        (false, json!({"type": "signal", "to": canary("to"), "data": {"kind": canary("kind"), "link": "a"}})),
        (false, json!({"type": "report", "data": {"status": canary("status")}})),
        (false, json!({"type": canary("type"), "data": {}})),
    ]
}

#[tokio::test]
async fn one_line_a_request_one_a_connection_and_probes_in_silence() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let named = [("x-request-id".to_owned(), "follow-me-1".to_owned())];
    party.api.request("GET", &party.path(""), &named, None).await.expect(200);
    for probe in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(party.api.get(probe, None).await.status, 200);
    }
    party.client().await.close().await;
    let closed = node.wait_log("connection closed").await;
    assert_eq!(closed["close.reason"], "client_closed", "{closed}");
    assert_eq!(closed["span"]["name"], "connection", "{closed}");
    assert!(closed["span"]["connection.id"].is_u64(), "which one it was: {closed}");

    let lines: Vec<Value> = node.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let field = |line: &Value, name: &str| {
        if line["fields"].is_object() { line["fields"][name].clone() } else { line[name].clone() }
    };
    let named: Vec<_> = lines
        .iter()
        .filter(|line| {
            field(line, "request.id") == "follow-me-1" && field(line, "message") == "request answered"
        })
        .collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(
        (field(named[0], "route"), field(named[0], "status")),
        (json!("/api/sessions/{id}"), json!(200))
    );
    let routes: Vec<_> = lines.iter().map(|line| field(line, "route")).collect();
    assert!(
        !routes
            .iter()
            .any(|route| route == "/metrics" || route.as_str().unwrap_or_default().starts_with("/health")),
        "{routes:?}"
    );

    let quiet = Node::start_unready(&[("LOG_LEVEL", "info,watchparty::http=off")]).await;
    let party = Party::on(&quiet).await;
    party.client().await.close().await;
    quiet.wait_log("connection closed").await;
    assert!(!quiet.log().iter().any(|line| line.contains("request answered")), "a filter by module holds");
}
