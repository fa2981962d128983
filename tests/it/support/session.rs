//! A session to test in: created over HTTP, entered by tokens made here (joining would cost a password hash each).
//!
//! It holds ids and tokens, never a connection, so a test decides who is connected.

use std::net::SocketAddr;

use serde_json::Value;

use super::api::Api;
use super::client::{Connect, TestClient};
use super::mint::{Mint, random_uuid};
use super::node::Node;

/// The password of every test session.
pub const PASSWORD: &str = "popcorn";

/// A session on one node.
#[derive(Clone)]
pub struct TestSession {
    /// Where its node listens.
    pub addr: SocketAddr,
    /// Its id.
    pub id: String,
    /// Who created it.
    pub host_id: String,
    /// The creator's token.
    pub host_token: String,
    mint: Mint,
}

/// A connected participant.
pub struct Member {
    /// Who.
    pub id: String,
    /// By which token.
    pub token: String,
    /// The connection, past `welcome`.
    pub client: TestClient,
    /// That frame.
    pub welcome: Value,
}

impl TestSession {
    /// A session of the default size.
    pub async fn create(node: &Node) -> TestSession {
        TestSession::with_seats(node, None).await
    }

    /// A session with so many seats.
    pub async fn with_seats(node: &Node, seats: Option<u32>) -> TestSession {
        let created = node.api().create("Movie night", PASSWORD, seats).await.expect(201);
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        TestSession {
            addr: node.addr(),
            id: text("id"),
            host_id: text("participant_id"),
            host_token: text("token"),
            mint: node.mint(),
        }
    }

    /// The API of its node.
    pub fn api(&self) -> Api {
        Api::new(self.addr)
    }

    /// `/api/sessions/{id}` and what follows.
    pub fn path(&self, tail: &str) -> String {
        format!("/api/sessions/{}{tail}", self.id)
    }

    /// A connection that says `hello` with this token.
    pub fn connect(&self, token: &str) -> Connect {
        Connect::to(self.addr, &self.id).hello(token)
    }

    /// A connection with the token in its head.
    pub fn connect_bearer(&self, token: &str) -> Connect {
        Connect::to(self.addr, &self.id).bearer(token)
    }

    /// A new participant, not connected: id and token.
    pub fn participant(&self) -> (String, String) {
        let id = random_uuid();
        let token = self.mint.token(&self.id, &id, "member");
        (id, token)
    }

    /// The creator, connected.
    pub async fn host(&self) -> Member {
        self.enter(&self.host_id, &self.host_token).await
    }

    /// A new participant, connected.
    pub async fn member(&self) -> Member {
        let (id, token) = self.participant();
        self.enter(&id, &token).await
    }

    /// Someone, connected.
    pub async fn enter(&self, id: &str, token: &str) -> Member {
        let (client, welcome) = self.connect(token).welcomed().await;
        assert_eq!(welcome["data"]["participant_id"], id);
        Member { id: id.to_owned(), token: token.to_owned(), client, welcome }
    }

    /// Every entry of the log, by HTTP, as long as it still has the first. The reader needs no seat.
    pub async fn log(&self) -> Vec<Value> {
        let mut log: Vec<Value> = Vec::new();
        loop {
            let after = log.last().map_or(0, |entry| entry["seq"].as_u64().unwrap());
            let path = self.path(&format!("/messages?after={after}"));
            let page = self.api().get(&path, Some(&self.host_token)).await.expect(200);
            if page["head"] == after {
                return log;
            }
            let entries = page["entries"].as_array().unwrap();
            assert_eq!(entries[0]["seq"], after + 1, "the log was trimmed, or an answer has a hole");
            log.extend(entries.iter().cloned());
        }
    }

    /// How far the log got.
    pub async fn head(&self) -> u64 {
        let page = self.api().get(&self.path("/messages?limit=1"), Some(&self.host_token)).await.expect(200);
        page["head"].as_u64().unwrap()
    }
}
