//! A session and those who take part in it, as tests of several nodes need them: minted tokens, numbered words, entries told from frames.
//!
//! It asserts only what every test may take for granted: that a log is read as it is written. What must hold is the tests' own.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::api::Api;
use super::client::{Connect, Received, TestClient};
use super::mint::{Mint, random_uuid};
use super::node::{Node, SECRET};

/// A session that was just created.
#[derive(Debug, Clone)]
pub struct Party {
    /// Its id.
    pub session: String,
    /// Who created it.
    pub host: String,
    /// The creator's token.
    pub token: String,
}

/// Someone with a token.
#[derive(Debug, Clone)]
pub struct Guest {
    /// Their id.
    pub id: String,
    /// Their token.
    pub token: String,
}

impl Party {
    /// Created through `node`, for at most `max` participants.
    pub async fn found(node: &Node, max: u32) -> Party {
        let body = node.api().create("Film night", "a password", Some(max)).await.expect(201);
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        Party { session: text("id"), host: text("participant_id"), token: text("token") }
    }

    /// The creator, as a guest with the host's token.
    pub fn host(&self) -> Guest {
        Guest { id: self.host.clone(), token: self.token.clone() }
    }

    /// Someone new.
    pub fn guest(&self) -> Guest {
        let id = random_uuid();
        let token = Mint::new(SECRET).token(&self.session, &id, "member");
        Guest { id, token }
    }

    /// How to connect as `guest` through `node`.
    pub fn connect(&self, node: &Node, guest: &Guest) -> Connect {
        Connect::to(node.addr(), &self.session).hello(&guest.token)
    }

    /// `guest`, seated through `node`.
    pub async fn seat(&self, node: &Node, guest: &Guest) -> (TestClient, Value) {
        self.connect(node, guest).welcomed().await
    }

    /// The whole log, read page by page through `node`, contiguous from its oldest entry.
    pub async fn log(&self, node: &Node) -> Vec<Value> {
        let api: Api = node.api();
        let mut entries: Vec<Value> = Vec::new();
        loop {
            let after = entries.last().map_or(0, seq);
            let path = format!("/api/sessions/{}/messages?after={after}&limit=256", self.session);
            let page = api.get(&path, Some(&self.token)).await.expect(200);
            entries.extend(page["entries"].as_array().unwrap().iter().cloned());
            assert_contiguous(&entries);
            if entries.last().map_or(0, seq) >= page["head"].as_u64().unwrap() {
                return entries;
            }
        }
    }

    /// The chats of the log: author, number and text.
    pub async fn chats(&self, node: &Node) -> Vec<(String, u64, String)> {
        let log = self.log(node).await;
        let chats = log.iter().filter(|entry| entry["type"] == "chat");
        chats
            .map(|entry| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&entry["from"]), entry["n"].as_u64().unwrap(), text(&entry["data"]["text"]))
            })
            .collect()
    }
}

/// A chat with a number.
pub fn chat(n: u64, text: &str) -> Value {
    json!({"type": "chat", "id": format!("c{n}"), "n": n, "data": {"text": text}})
}

/// The answer to the chat of that number: `ack` or `error`.
pub async fn answer(client: &mut TestClient, n: u64) -> Value {
    client.expect_id(&format!("c{n}")).await
}

/// Sends a chat until it is acked: `unavailable` is an outage that passes. The ack.
pub async fn say(client: &mut TestClient, n: u64, text: &str) -> Value {
    loop {
        client.send(chat(n, text)).await;
        let answer = answer(client, n).await;
        if answer["type"] == "ack" {
            return answer;
        }
        assert_eq!(answer["data"]["code"], "unavailable", "{answer}");
    }
}

/// The number of an entry.
pub fn seq(entry: &Value) -> u64 {
    entry["seq"].as_u64().unwrap_or_else(|| panic!("no entry: {entry}"))
}

/// Those of some frames that are entries.
pub fn entries(frames: &[Value]) -> Vec<Value> {
    frames.iter().filter(|frame| frame["seq"].is_u64()).cloned().collect()
}

/// Asserts that entries follow one another without a hole or a repetition.
#[track_caller]
pub fn assert_contiguous(entries: &[Value]) {
    for pair in entries.windows(2) {
        assert_eq!(seq(&pair[1]), seq(&pair[0]) + 1, "{} is followed by {}", pair[0], pair[1]);
    }
}

/// Reads until the entry of that number has come; every frame on the way, that one included.
pub async fn read_to(client: &mut TestClient, last: u64) -> Vec<Value> {
    let end = client.expect_where(&format!("entry {last}"), |frame| frame["seq"] == last).await;
    let mut frames = client.seen();
    frames.push(end);
    frames
}

/// What became of somebody who came.
#[derive(Debug)]
pub enum Arrival {
    /// They sit.
    Seated(Box<TestClient>),
    /// They were refused with this code.
    Refused(u16),
    /// The node went away.
    Lost,
}

/// All guests at once, the first through the first node, the next through the next, and round again.
pub async fn arrive(party: &Party, nodes: &[&Node], guests: &[Guest]) -> Vec<Arrival> {
    let all = guests.iter().zip(nodes.iter().cycle());
    join_all(all.map(|(guest, node)| async move {
        let mut client = party.connect(node, guest).open().await.unwrap();
        match client.next().await {
            Received::Frame(frame) => {
                assert_eq!(frame["type"], "welcome", "{frame}");
                Arrival::Seated(Box::new(client))
            }
            Received::Closed(code, _) => Arrival::Refused(code),
            Received::Lost => Arrival::Lost,
        }
    }))
    .await
}
