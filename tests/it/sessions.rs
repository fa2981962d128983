//! Every HTTP call when all goes well, on one node in memory, with exactly the members that `docs/PROTOCOL.md` shows.
//!
//! Refusals of bad input are another subject's; here stand those that belong to the calls' meaning (who is host, who is banned).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::api::{Answer, bearer};
use crate::support::golden::like;
use crate::support::node::Node;
use crate::support::session::{PASSWORD, TestSession};

/// A server key as an operator sets it: name and key.
const BOT: &str = "bot:an-integration-test-key-of-36-characters";
const BOT_KEY: &str = "an-integration-test-key-of-36-characters";

impl TestSession {
    async fn publish(&self, token: &str, key: &str, body: Value) -> Answer {
        let mut headers = bearer(Some(token));
        headers.push(("idempotency-key".to_owned(), key.to_owned()));
        self.api().request("POST", &self.path("/messages"), &headers, Some(body)).await
    }

    async fn call(&self, method: &str, tail: &str, token: &str, body: Option<Value>) -> Answer {
        self.api().request(method, &self.path(tail), &bearer(Some(token)), body).await
    }
}

/// Header and claims of a token.
fn read_token(token: &Value) -> (Value, Value) {
    let mut parts = token.as_str().unwrap().split('.');
    let mut part =
        || serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.next().unwrap()).unwrap()).unwrap();
    (part(), part())
}

#[tokio::test]
async fn somebody_creates_a_session_and_another_joins() {
    let node = Node::start(&[]).await;
    let api = node.api();
    let body =
        json!({"name": " Movie night ", "password": PASSWORD, "max_participants": 3, "display_name": "Ada"});
    let answer = api.post("/api/sessions/create", None, body).await;
    let location = answer.header("location").unwrap().to_owned();
    let created = answer.expect(201);
    like("http.admission", &created);
    let id = created["id"].as_str().unwrap();
    assert_eq!(location, format!("/api/sessions/{id}"));
    assert_eq!((&created["name"], &created["max_participants"]), (&json!("Movie night"), &json!(3)));
    assert_eq!(created["share_url"], format!("http://{}/s/{id}", node.addr()));
    assert_eq!(created["ws_url"], format!("ws://{}/ws/{id}", node.addr()));
    let (from, until) = (created["created_at"].as_u64().unwrap(), created["expires_at"].as_u64().unwrap());
    assert_eq!(until - from, 86_400_000, "SESSION_TTL");

    let joined = api.join(id, PASSWORD, Some("Grace")).await.expect(200);
    like("http.admission", &joined);
    assert_eq!(joined["id"], created["id"]);
    assert_ne!(joined["participant_id"], created["participant_id"]);
    for (admission, role, name) in [(&created, "host", "Ada"), (&joined, "member", "Grace")] {
        let (header, claims) = read_token(&admission["token"]);
        assert_eq!((&header["alg"], &header["kid"]), (&json!("HS256"), &json!(node.mint().kid())));
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("watchparty"), &json!("watchparty")));
        assert_eq!((&claims["sub"], &claims["sid"]), (&admission["participant_id"], &created["id"]));
        assert_eq!((&claims["role"], &claims["name"]), (&json!(role), &json!(name)));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 43_200, "TOKEN_TTL");
        assert!(claims["jti"].is_string());
    }
    let unnamed = api.create("Defaults", PASSWORD, None).await.expect(201);
    assert_eq!(unnamed["max_participants"], 10);
    assert_eq!(read_token(&unnamed["token"]).1["name"], "Guest");
}

#[tokio::test]
async fn a_session_is_shown_to_anyone_and_its_people_to_those_who_belong() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let shown = session.api().get(&session.path(""), None).await.expect(200);
    like("http.session", &shown);
    assert_eq!((&shown["participants"], &shown["locked"]), (&json!(0), &json!(false)));
    assert_eq!(shown["host_id"], session.host_id, "the creator is host before anyone is connected");

    let host = session.host().await;
    let member = session.member().await;
    let listed = session.api().get(&session.path(""), Some(&member.token)).await.expect(200);
    like("http.session.listed", &listed);
    assert_eq!(listed["participants"], 2);
    let ids: Vec<_> = listed["participant_list"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&host.id, &member.id]);
    let stranger = TestSession::create(&node).await;
    session.api().get(&session.path(""), Some(&stranger.host_token)).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_host_changes_the_session_and_everyone_is_told() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let _host = session.host().await;
    let mut member = session.member().await;
    let change = json!({"name": "Another film", "password": "changed-it", "locked": true, "max_participants": 4, "control": "host"});
    let changed = session.call("PATCH", "", &session.host_token, Some(change)).await.expect(200);
    like("http.session", &changed);
    assert_eq!(
        (&changed["name"], &changed["locked"], &changed["max_participants"]),
        (&json!("Another film"), &json!(true), &json!(4))
    );
    let told = member.client.expect("session.updated").await;
    assert_eq!((&told["data"]["name"], &told["data"]["control"]), (&json!("Another film"), &json!("host")));
    assert_eq!(told["from"], session.host_id);
    assert!(!told.to_string().contains("changed-it"));

    session.api().join(&session.id, "changed-it", None).await.problem(423, "session_locked");
    session.call("PATCH", "", &session.host_token, Some(json!({"locked": false}))).await.expect(200);
    session.api().join(&session.id, PASSWORD, None).await.problem(401, "unauthorized");
    session.api().join(&session.id, "changed-it", None).await.expect(200);
    let head = session.head().await;
    let refused = session.call("PATCH", "", &member.token, Some(json!({"locked": true}))).await;
    refused.problem(403, "forbidden");
    assert_eq!(session.head().await, head);
}

#[tokio::test]
async fn a_host_ends_the_session() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let _host = session.host().await;
    let mut member = session.member().await;
    session.call("DELETE", "", &member.token, None).await.problem(403, "forbidden");
    let answer = session.call("DELETE", "", &session.host_token, None).await;
    assert_eq!((answer.status, answer.bytes.len()), (204, 0));
    let last = member.client.expect("session.ended").await;
    assert_eq!((&last["from"], &last["data"]), (&json!(session.host_id), &json!({"reason": "ended"})));
    assert_eq!(member.client.expect_close().await, (4410, "session_ended".to_owned()));
    session.api().get(&session.path(""), None).await.problem(404, "session_not_found");
    session.api().join(&session.id, PASSWORD, None).await.problem(401, "unauthorized");
    let mut late = session.connect(&session.host_token).open().await.unwrap();
    assert_eq!(late.expect_close().await, (4404, "no_session".to_owned()));
}

#[tokio::test]
async fn a_message_over_http_is_one_entry_however_often_it_is_sent() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut member = session.member().await;
    let chat = json!({"type": "chat", "data": {"text": "by post"}});
    let first = session.publish(&session.host_token, "one", chat.clone()).await.expect(202);
    like("http.position", &first);
    assert_eq!(first["epoch"], member.welcome["data"]["epoch"]);
    let again = session.publish(&session.host_token, "one", chat.clone()).await.expect(202);
    assert_eq!(again, first, "the same key is the same entry");
    let theirs = session.publish(&member.token, "one", chat).await.expect(202);
    assert_eq!(
        theirs["seq"].as_u64(),
        Some(first["seq"].as_u64().unwrap() + 1),
        "another caller's key is another"
    );
    let event = json!({"type": "event", "data": {"topic": "poll", "body": [1, {"a": null}]}});
    session.publish(&session.host_token, "two", event).await.expect(202);

    let mut seen = Vec::new();
    for (kind, from) in [("chat", &session.host_id), ("chat", &member.id), ("event", &session.host_id)] {
        let entry = member.client.expect(kind).await;
        assert_eq!(&entry["from"], from);
        seen.push(entry);
    }
    let after = first["seq"].as_u64().unwrap() - 1;
    let path = session.path(&format!("/messages?after={after}&limit=2"));
    let page = session.api().get(&path, Some(&member.token)).await.expect(200);
    like("http.messages", &page);
    assert_eq!(page["entries"], json!(seen[..2]), "a page has the frames that sockets got");
    assert_eq!((&page["head"], &page["epoch"]), (&seen[2]["seq"], &first["epoch"]));
    let newest = session.api().get(&session.path("/messages?limit=1"), Some(&member.token)).await.expect(200);
    assert_eq!(newest["entries"], json!(seen[2..]));
}

#[tokio::test]
async fn a_server_key_publishes_as_nobody_and_rules_nothing() {
    let node = Node::start(&[("SERVER_API_KEYS", BOT)]).await;
    let session = TestSession::create(&node).await;
    let mut member = session.member().await;
    let chat = json!({"type": "chat", "data": {"text": "From the bot."}});
    session.publish(BOT_KEY, "k", chat).await.expect(202);
    let entry = member.client.expect("chat").await;
    assert_eq!(entry["from"], Value::Null);
    let page = session.api().get(&session.path("/messages"), Some(BOT_KEY)).await.expect(200);
    assert_eq!(page["entries"].as_array().unwrap().last(), Some(&entry));
    session.call("PATCH", "", BOT_KEY, Some(json!({"locked": true}))).await.problem(403, "forbidden");
    session.call("DELETE", "", BOT_KEY, None).await.problem(403, "forbidden");
    session.call("POST", "/token", BOT_KEY, None).await.problem(403, "forbidden");
}

#[tokio::test]
async fn who_is_kicked_stays_out() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    let tail = format!("/participants/{}", member.id);
    session.call("DELETE", &tail, &member.token, None).await.problem(403, "forbidden");
    let answer = session.call("DELETE", &tail, &session.host_token, None).await;
    assert_eq!((answer.status, answer.bytes.len()), (204, 0));
    assert_eq!(member.client.expect_close().await, (4403, "kicked".to_owned()));
    let left = host.client.expect("participant.left").await;
    assert_eq!(
        left["data"],
        json!({"participant_id": member.id, "reason": "kicked", "host_id": session.host_id})
    );
    let mut again = session.connect(&member.token).open().await.unwrap();
    assert_eq!(again.expect_close().await, (4403, "kicked".to_owned()));
    session.call("POST", "/token", &member.token, None).await.problem(403, "forbidden");
    let chat = json!({"type": "chat", "data": {"text": "but"}});
    session.publish(&member.token, "k", chat).await.problem(403, "forbidden");
    session.call("DELETE", &tail, &session.host_token, None).await.problem(400, "invalid_request");
}

#[tokio::test]
async fn a_fresh_token_is_for_the_same_participant() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let fresh = session.call("POST", "/token", &session.host_token, None).await.expect(200);
    like("http.token", &fresh);
    let (_, claims) = read_token(&fresh["token"]);
    assert_eq!((&claims["sub"], &claims["role"]), (&json!(session.host_id), &json!("host")));
    assert_eq!(fresh["expires_at"].as_u64(), Some(claims["exp"].as_u64().unwrap() * 1000));
    session.enter(&session.host_id, fresh["token"].as_str().unwrap()).await;
}

#[tokio::test]
async fn relays_are_told_where_they_are_set() {
    let turn =
        [("TURN_URLS", "turn:turn.example:3478"), ("TURN_SECRET", "a-secret-shared-with-the-relay-0123")];
    let node = Node::start(&turn).await;
    let session = TestSession::create(&node).await;
    let (id, token) = session.participant();
    let ice = session.call("GET", "/ice", &token, None).await.expect(200);
    like("http.ice", &ice);
    let server = &ice["ice_servers"][0];
    assert_eq!(server["urls"], json!(["turn:turn.example:3478"]));
    let expiry = ice["expires_at"].as_u64().unwrap() / 1000;
    assert_eq!(server["username"], format!("{expiry}:{}.{id}", session.id));

    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let ice = session.call("GET", "/ice", &session.host_token, None).await.expect(200);
    assert_eq!(ice["ice_servers"], json!([]));
    assert!(ice["expires_at"].is_u64());
    session.api().get(&session.path("/ice"), None).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_node_tells_how_it_is_and_names_every_request() {
    let node = Node::start(&[]).await;
    let api = node.api();
    let health = api.get("/health", None).await.expect(200);
    like("http.health", &health);
    assert_eq!((&health["backend"], &health["ready"]), (&json!("memory"), &json!(true)));
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(api.get(path, None).await.expect(200), json!({"status": "ok"}));
    }
    let earlier = api.get("/api/clock", None).await.expect(200);
    like("http.clock", &earlier);
    let later = api.get("/api/clock", None).await.expect(200);
    assert!(later["now_ms"].as_u64() >= earlier["now_ms"].as_u64());

    let named = api.request("GET", "/api/clock", &[("x-request-id".into(), "trace-7".into())], None).await;
    assert_eq!(named.header("x-request-id"), Some("trace-7"));
    let refused = api.create("x", "short", None).await;
    let id = refused.header("x-request-id").unwrap().to_owned();
    let problem = refused.problem(400, "invalid_request");
    like("http.problem", &problem);
    assert_eq!(problem["request_id"], id);
    let fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["name", "password"]);
    assert_eq!(api.get("/openapi.json", None).await.expect(200)["openapi"], "3.1.0");
    assert_eq!(api.get("/", None).await.status, 200);
    let metrics = api.get("/metrics", None).await;
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"), "{metrics:?}");
}
