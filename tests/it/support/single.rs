//! A session on a node, and the ways into it that tests of one node need: minted members, sockets, numbers of `/metrics`.
//!
//! Members are minted and not joined, because a join costs a password check and these tests need hundreds of them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::api::{Answer, Api};
use super::client::{Connect, TestClient};
use super::mint::{Mint, random_uuid};
use super::node::Node;
use super::raw::RawClient;

/// The password of every party.
pub const PASSWORD: &str = "correct horse";

/// One session.
#[derive(Clone)]
pub struct Party {
    /// Its node's API.
    pub api: Api,
    /// Where its node listens.
    pub addr: SocketAddr,
    /// Signs as the node does.
    pub mint: Mint,
    /// Its id.
    pub id: String,
    /// The host's participant id.
    pub host: String,
    /// The host's token.
    pub token: String,
}

impl Party {
    /// A new session with room for everyone a test brings.
    pub async fn on(node: &Node) -> Party {
        let made = node.api().create("Bad input", PASSWORD, Some(1000)).await.expect(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Party {
            api: node.api(),
            addr: node.addr(),
            mint: node.mint(),
            id: text("id"),
            host: text("participant_id"),
            token: text("token"),
        }
    }

    /// `/api/sessions/{id}` and what follows it.
    pub fn path(&self, rest: &str) -> String {
        format!("/api/sessions/{}{rest}", self.id)
    }

    /// `/ws/{id}`
    pub fn socket_path(&self) -> String {
        format!("/ws/{}", self.id)
    }

    /// Somebody new: participant id and token.
    pub fn member(&self) -> (String, String) {
        let participant = random_uuid();
        let token = self.mint.token(&self.id, &participant, "member");
        (participant, token)
    }

    /// A greeted socket of the host.
    pub async fn host_client(&self) -> TestClient {
        Connect::to(self.addr, &self.id).bearer(&self.token).welcomed().await.0
    }

    /// A greeted socket of somebody new.
    pub async fn client(&self) -> TestClient {
        Connect::to(self.addr, &self.id).bearer(&self.member().1).welcomed().await.0
    }

    /// A greeted raw socket of somebody new; its `welcome` and join are read.
    pub async fn raw(&self) -> RawClient {
        let authorization = format!("Bearer {}", self.member().1);
        let headers = [("Authorization", authorization.as_str())];
        let (mut raw, _) = RawClient::upgrade(self.addr, &self.socket_path(), &headers).await;
        let welcome = raw.read_frame().await.unwrap().json();
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        raw
    }

    /// A raw socket that has not said who it is.
    pub async fn unknown(&self) -> RawClient {
        RawClient::upgrade(self.addr, &self.socket_path(), &[]).await.0
    }

    /// The log, as the host reads it.
    pub async fn log(&self) -> Value {
        self.api.get(&self.path("/messages"), Some(&self.token)).await.expect(200)
    }

    /// The position of the log's last entry.
    pub async fn head(&self) -> u64 {
        self.log().await["head"].as_u64().unwrap()
    }

    /// Creates, joins with the password and talks over two sockets: what a node must be able to do after anything.
    pub async fn serves(node: &Node) {
        let party = Party::on(node).await;
        let joined = node.api().join(&party.id, PASSWORD, Some("Late")).await.expect(200);
        let (mut guest, _) = Connect::to(party.addr, &party.id)
            .hello(joined["token"].as_str().unwrap())
            .protocol("watchparty.v1")
            .welcomed()
            .await;
        let mut host = party.host_client().await;
        host.send(json!({"type": "chat", "id": "still", "n": 1, "data": {"text": "still here"}})).await;
        host.expect("ack").await;
        let heard = guest.expect("chat").await;
        assert_eq!(heard["data"]["text"], "still here");
        host.close().await;
        guest.close().await;
    }
}

/// Asserts what every answer carries, and that a refusal of an upgrade ends the connection.
#[track_caller]
pub fn has_request_id(answer: &Answer) {
    let id = answer.header("x-request-id").unwrap_or_default();
    assert!(!id.is_empty(), "no x-request-id: {answer:?}");
    if answer.body["code"].is_string() {
        assert_eq!(answer.body["request_id"], id, "{answer:?}");
    }
}

/// Asserts that a node, whatever it was sent, neither panicked nor found a bug of its own.
#[track_caller]
pub fn assert_calm(node: &Node) {
    let log = node.log();
    assert!(log.iter().any(|line| line.contains("listening")), "the log is there");
    for line in &log {
        let bug = line.contains("panicked") || line.contains("\"level\":\"ERROR\"");
        assert!(!bug, "bad input made the node fail: {line}");
    }
}

/// The sum of a metric's series whose line starts with `name` and holds every one of `labels`.
pub async fn metric(api: &Api, name: &str, labels: &[&str]) -> f64 {
    let page = api.get("/metrics", None).await;
    assert_eq!(page.status, 200);
    let text = String::from_utf8(page.bytes.to_vec()).unwrap();
    let mut found = false;
    let mut sum = 0.0;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let whole = series.split('{').next() == Some(name);
        if whole && labels.iter().all(|label| series.contains(label)) {
            found = true;
            sum += value.parse::<f64>().unwrap();
        }
    }
    assert!(found, "no series {name} {labels:?}");
    sum
}
