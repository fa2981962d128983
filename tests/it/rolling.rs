//! Three nodes are stopped and replaced one after another under load: nobody is reset, nothing is lost, nothing comes twice, and those who
//! have to move do so over the whole window. One node's own stop is in `drain`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

use crate::support::client::{Connect, Received, TestClient};
use crate::support::node::{Cluster, ClusterOptions, Node};
use crate::support::party::{Guest, Party, assert_contiguous, chat, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};

const LISTENERS: usize = 24;
const SPEAKERS: usize = 3;
/// Seconds over which a node sends its connections away.
const WINDOW: f64 = 3.0;
/// Words of a speaker that are under way together.
const AT_ONCE: u64 = 3;
/// Between them and the next ones.
const PACE: Duration = Duration::from_millis(60);
/// Said when all is over.
const LAST: &str = "the end";

/// The nodes that take connections; whoever has to move asks here.
#[derive(Clone, Default)]
struct Doors(Arc<Mutex<Vec<SocketAddr>>>);

impl Doors {
    fn any(&self) -> SocketAddr {
        let doors = self.0.lock().unwrap();
        doors[fastrand::usize(..doors.len())]
    }

    fn replace(&self, old: SocketAddr, new: Option<SocketAddr>) {
        let mut doors = self.0.lock().unwrap();
        doors.retain(|door| *door != old);
        doors.extend(new);
    }
}

/// One participant's story over all their connections.
struct Life {
    session: String,
    guest: Guest,
    doors: Doors,
    client: TestClient,
    epoch: String,
    /// Every entry, in the order it came.
    entries: Vec<Value>,
    /// The position of the first `welcome`: what follows it is owed.
    from: u64,
    moves: usize,
    /// The newest `last_n` a `welcome` told.
    last_n: u64,
}

impl Life {
    async fn begin(party: &Party, guest: Guest, doors: &Doors, door: SocketAddr) -> Life {
        let connect = Connect::to(door, &party.session).hello(&guest.token);
        let (client, welcome) = connect.welcomed().await;
        Life {
            session: party.session.clone(),
            guest,
            doors: doors.clone(),
            client,
            epoch: welcome["data"]["epoch"].as_str().unwrap().to_owned(),
            entries: Vec::new(),
            from: welcome["data"]["head"].as_u64().unwrap(),
            moves: 0,
            last_n: welcome["data"]["last_n"].as_u64().unwrap_or(0),
        }
    }

    fn at(&self) -> u64 {
        self.entries.last().map_or(self.from, seq)
    }

    /// The next frame that is no entry; `None` after a move to another node. Entries are kept, and nobody may be reset or cut.
    async fn next(&mut self) -> Option<Value> {
        match self.client.next().await {
            Received::Frame(frame) => {
                assert_ne!(frame["type"], "reset", "{frame}");
                if frame["seq"].is_u64() && frame["type"] != "ack" {
                    self.entries.push(frame.clone());
                }
                Some(frame)
            }
            Received::Closed(code, reason) => {
                assert_eq!((code, reason.split(' ').next()), (1012, Some("draining")), "{reason}");
                self.go_on_elsewhere().await;
                None
            }
            Received::Lost => panic!("cut without a word, at {}", self.at()),
        }
    }

    async fn go_on_elsewhere(&mut self) {
        let connect = Connect::to(self.doors.any(), &self.session).hello(&self.guest.token);
        let (client, welcome) = connect.resume(&self.epoch, self.at()).welcomed().await;
        let data = &welcome["data"];
        assert_eq!((&data["recovered"], &data["reason"]), (&Value::Bool(true), &Value::Null), "{welcome}");
        self.last_n = data["last_n"].as_u64().unwrap();
        (self.client, self.moves) = (client, self.moves + 1);
    }
}

/// Says some words at once each [`PACE`] until told to stop, each again until it is acked. How many were said.
async fn speak(mut life: Life, stop: CancellationToken) -> (Life, u64) {
    let (mut said, mut acked) = (0, 0);
    let mut pace = interval(PACE);
    while !stop.is_cancelled() {
        // The load itself: nothing waits for this but the next words.
        pace.tick().await;
        for n in said + 1..=said + AT_ONCE {
            life.client.send(chat(n, &n.to_string())).await;
        }
        said += AT_ONCE;
        while acked < said {
            match life.next().await {
                Some(frame) if frame["type"] == "ack" => acked = acked.max(frame["n"].as_u64().unwrap()),
                Some(frame) => assert_ne!(frame["type"], "error", "{frame}"),
                None => {
                    acked = acked.max(life.last_n);
                    for n in acked + 1..=said {
                        life.client.send(chat(n, &n.to_string())).await;
                    }
                }
            }
        }
    }
    (life, said)
}

/// Listens until the word [`LAST`] has come.
async fn listen(mut life: Life) -> Life {
    while life.entries.last().is_none_or(|entry| entry["data"]["text"] != LAST) {
        life.next().await;
    }
    life
}

/// Seconds between the first and the last connection that a node closed, by its own clock.
fn spread(node: &Node) -> f64 {
    let seconds = |line: &String| -> Option<f64> {
        let line: Value = serde_json::from_str(line).ok()?;
        let closed = line.to_string().contains("connection closed");
        let time = line["timestamp"].as_str().filter(|_| closed)?.split_once('T')?.1.trim_end_matches('Z');
        Some(time.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap()))
    };
    let closes: Vec<f64> = node.log().iter().filter_map(seconds).collect();
    assert!(closes.len() > 5, "too few to speak of a spread: {closes:?}");
    let first = closes.iter().copied().fold(f64::MAX, f64::min);
    let last = closes.iter().copied().fold(f64::MIN, f64::max);
    // Over midnight the day begins anew.
    (last - first).rem_euclid(86_400.0)
}

#[tokio::test]
async fn three_nodes_replaced_in_turn_under_load_cost_nobody_anything() {
    let redis = RedisServer::start_with(RedisOptions::durable()).await;
    let settings = &[("DRAIN_WINDOW", "3"), ("HISTORY_ENTRIES", "100000")];
    let mut cluster = Cluster::start_with(3, &redis, ClusterOptions { proxied: false, settings }).await;
    let doors = Doors::default();
    doors.0.lock().unwrap().extend(cluster.nodes.iter().map(Node::addr));
    let party = Party::found(&cluster.nodes[0], 100).await;

    let stop = CancellationToken::new();
    let (mut speakers, mut listeners) = (JoinSet::new(), JoinSet::new());
    for number in 0..SPEAKERS + LISTENERS {
        let door = cluster.nodes[number % 3].addr();
        let life = Life::begin(&party, party.guest(), &doors, door).await;
        if number < SPEAKERS {
            speakers.spawn(speak(life, stop.clone()));
        } else {
            listeners.spawn(listen(life));
        }
    }
    for node in &mut cluster.nodes {
        let old = node.addr();
        doors.replace(old, None);
        node.term();
        assert!(node.ended().await.success());
        let spread = spread(node);
        assert!(spread >= 0.8 * WINDOW, "closed within {spread} s of {WINDOW}");
        assert!(node.log().last().unwrap().contains("drained, nobody was cut"));
        node.restart().await;
        doors.replace(old, Some(node.addr()));
    }
    stop.cancel();
    let said = speakers.join_all().await;
    let mut usher = party.seat(&cluster.nodes[0], &party.guest()).await.0;
    let end = seq(&say(&mut usher, 1, LAST).await["data"]);
    let listened = listeners.join_all().await;
    let mut log = party.log(&cluster.nodes[0]).await;
    log.retain(|entry| seq(entry) <= end);

    // Each word once, in its author's order.
    let mut words: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in log.iter().filter(|entry| entry["type"] == "chat") {
        words.entry(entry["from"].as_str().unwrap()).or_default().push(entry["n"].as_u64().unwrap());
    }
    for (life, said) in &said {
        assert!(*said > 100, "it was a load: {said}");
        assert!(words[life.guest.id.as_str()].iter().copied().eq(1..=*said), "lost, twice or out of order");
    }
    // And the same for everybody, from where they came in.
    for life in &listened {
        assert_contiguous(&life.entries);
        let owed = log.iter().filter(|entry| seq(entry) > life.from);
        assert!(owed.eq(life.entries.iter()), "{} of {} entries", life.entries.len(), log.len());
    }
    let moves: usize = listened.iter().map(|life| life.moves).sum();
    assert!(moves >= LISTENERS, "everyone was on a node that went: {moves}");
    assert!(log.iter().all(|entry| entry["data"]["reason"] != "timeout"), "nobody's seat ran out");
}
