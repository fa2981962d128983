//! A Redis Cluster as children on loopback: three primaries and as many replicas, who know one another from their first moment.
//!
//! They are given the file that nodes write themselves (`nodes.conf`), so that nobody has to meet anybody; a primary still waits two seconds
//! before it takes writes. Slots are moved as `redis-cli --cluster reshard` does it. Not responsible for judging.

use std::time::Duration;

use super::process::free_port;
use super::redis_server::{RedisOptions, RedisServer};
use super::resp::{self, Reply};
use super::wait;

/// Primaries, each with a third of the slots; a cluster has to have three.
pub const PRIMARIES: usize = 3;
/// Slots of any cluster.
const SLOTS: usize = 16384;
/// After which a silent node is called down.
const NODE_TIMEOUT: Duration = Duration::from_secs(2);

/// All of them: the primaries of the start first, then as many replicas in the same order.
pub struct RedisCluster {
    /// The servers.
    pub servers: Vec<RedisServer>,
    ids: Vec<String>,
    tls: bool,
}

impl RedisCluster {
    /// Three primaries and three replicas; returns when all slots are served.
    pub async fn start(options: RedisOptions) -> RedisCluster {
        RedisCluster::start_with(options, true).await
    }

    /// Returns when all slots are served, and replicas, if there are any, follow.
    pub async fn start_with(options: RedisOptions, replicas: bool) -> RedisCluster {
        let count = if replicas { 2 * PRIMARIES } else { PRIMARIES };
        let ids: Vec<String> = (0..count).map(|at| format!("{:040x}", at + 1)).collect();
        // Of clients, of the bus, of clients with TLS.
        let mut ports = Vec::new();
        while ports.len() < 3 * count {
            let port = free_port();
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        // Where clients find each, and its bus.
        let clients = if options.tls { &ports[2 * count..] } else { &ports[..count] };
        let places: Vec<(u16, u16)> = clients.iter().copied().zip(ports[count..].iter().copied()).collect();
        let mut servers = Vec::new();
        for at in 0..count {
            let extra = vec![
                "cluster-enabled yes".to_owned(),
                format!("cluster-node-timeout {}", NODE_TIMEOUT.as_millis()),
                format!("cluster-port {}", ports[count + at]),
                "cluster-replica-validity-factor 0".to_owned(),
                "repl-diskless-sync no".to_owned(),
            ];
            let extra =
                if options.tls { [extra, vec!["tls-cluster yes".to_owned()]].concat() } else { extra };
            let options = RedisOptions {
                extra: [options.extra.clone(), extra].concat(),
                at: Some(ports[at]),
                tls_at: Some(ports[2 * count + at]),
                files: vec![("nodes.conf".to_owned(), nodes_conf(at, &ids, &places))],
                ..options.clone()
            };
            servers.push(RedisServer::start_with(options).await);
        }
        let cluster = RedisCluster { servers, ids, tls: options.tls };
        for at in 0..count {
            cluster.serves(at).await;
        }
        if replicas {
            for at in 0..PRIMARIES {
                cluster.followed(at).await;
            }
        }
        cluster
    }

    /// The value for `REDIS_URL`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss-cluster" } else { "redis-cluster" };
        let port = |server: &RedisServer| if self.tls { server.tls_port() } else { server.port() };
        let primaries = self.servers.iter().take(PRIMARIES);
        let hosts: Vec<String> = primaries.map(|server| format!("127.0.0.1:{}", port(server))).collect();
        format!("{scheme}://{}", hosts.join(","))
    }

    /// Waits until a node says that all slots are served.
    async fn serves(&self, at: usize) {
        wait::until("the cluster to serve all slots", || async {
            let told = asked(&self.servers[at], &["CLUSTER", "INFO"]).await?;
            told.contains("cluster_state:ok\r").then_some(())
        })
        .await;
    }

    /// Waits until a primary has a replica that follows.
    pub async fn followed(&self, at: usize) {
        wait::until("a replica to follow", || async {
            let told = asked(&self.servers[at], &["INFO", "replication"]).await?;
            told.lines().any(|line| line.starts_with("slave") && line.contains("state=online")).then_some(())
        })
        .await;
    }

    /// The slot of a key.
    pub async fn slot_of(&self, key: &str) -> usize {
        let alive = self.alive().await;
        let answer = self.servers[alive].cli(&["CLUSTER", "KEYSLOT", key]).await;
        answer.parse().expect("CLUSTER KEYSLOT answers a number")
    }

    /// The server that has a slot and takes writes, as most nodes say it.
    pub async fn owner_of(&self, slot: usize) -> usize {
        wait::until("a slot to have one owner", || async {
            let mut votes = vec![0; self.servers.len()];
            for server in &self.servers {
                if let Some(at) = self.named_by(server, slot).await {
                    votes[at] += 1;
                }
            }
            votes.iter().position(|votes| *votes * 2 > self.servers.len())
        })
        .await
    }

    async fn named_by(&self, server: &RedisServer, slot: usize) -> Option<usize> {
        let nodes = asked(server, &["CLUSTER", "NODES"]).await?;
        let line = nodes.lines().find(|line| {
            let flags = line.split(' ').nth(2).unwrap_or_default();
            flags.contains("master") && line.split(' ').skip(8).any(|range| holds(range, slot))
        })?;
        self.ids.iter().position(|id| line.starts_with(id.as_str()))
    }

    async fn alive(&self) -> usize {
        for (at, server) in self.servers.iter().enumerate() {
            if asked(server, &["PING"]).await.is_some() {
                return at;
            }
        }
        panic!("no node of the cluster answers");
    }

    /// Waits until the replica of a primary of the start has its slots.
    pub async fn replaced(&self, at: usize) {
        let slot = at * SLOTS / PRIMARIES;
        wait::until_within(Duration::from_secs(90), "a replica to be promoted", || async {
            (self.owner_of(slot).await == PRIMARIES + at).then_some(())
        })
        .await;
    }

    /// Begins to move a slot: from now on no node runs scripts of keys that are partly missing.
    pub async fn begin_move(&self, slot: usize, from: usize, to: usize) {
        let slot = slot.to_string();
        let importing = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]];
        assert_eq!(self.servers[to].cli(&importing).await, "OK");
        let migrating = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]];
        assert_eq!(self.servers[from].cli(&migrating).await, "OK");
    }

    /// Moves its keys; how many there were.
    pub async fn move_keys(&self, slot: usize, from: usize, to: usize) -> usize {
        let (slot, port) = (slot.to_string(), self.servers[to].port().to_string());
        let mut moved = 0;
        loop {
            let Reply::Array(keys) = self.servers[from].ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]).await
            else {
                panic!("CLUSTER GETKEYSINSLOT answers an array");
            };
            if keys.is_empty() {
                return moved;
            }
            let keys: Vec<String> = keys.iter().map(Reply::text).collect();
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            command.extend(keys.iter().map(String::as_str));
            assert_eq!(self.servers[from].cli(&command).await, "OK");
            moved += keys.len();
        }
    }

    /// Ends the move: first where it goes, then where it was, then everywhere.
    pub async fn end_move(&self, slot: usize, from: usize, to: usize) {
        let slot = slot.to_string();
        let rest = (0..self.servers.len()).filter(|at| ![from, to].contains(at));
        for at in [to, from].into_iter().chain(rest) {
            let answer = self.servers[at].ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &self.ids[to]]).await;
            // A replica is not told: it hears it from its primary.
            assert!(answer == Reply::Text("OK".to_owned()) || at >= PRIMARIES, "{answer:?}");
        }
    }

    /// Every key on any primary that would stay for ever.
    pub async fn keys_without_ttl(&self) -> Vec<String> {
        let mut found = Vec::new();
        for server in self.servers.iter().take(PRIMARIES) {
            found.extend(server.keys_without_ttl().await);
        }
        found
    }
}

/// What a server answers, as text; `None` while it does not.
async fn asked(server: &RedisServer, command: &[&str]) -> Option<String> {
    resp::ask(server.port(), command).await.ok().map(|reply| reply.text())
}

/// Whether `5-10` or `7` has a slot.
fn holds(range: &str, slot: usize) -> bool {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    matches!((first.parse::<usize>(), last.parse::<usize>()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}

/// What node `me` knows at its start: everybody, and who has which third of the slots.
fn nodes_conf(me: usize, ids: &[String], places: &[(u16, u16)]) -> String {
    let count = ids.len();
    let mut text = String::new();
    for at in 0..count {
        let myself = if at == me { "myself," } else { "" };
        let (client, bus) = places[at];
        let place = format!("127.0.0.1:{client}@{bus}");
        if at < PRIMARIES {
            let (first, end) = (at * SLOTS / PRIMARIES, (at + 1) * SLOTS / PRIMARIES);
            text.push_str(&format!(
                "{} {place} {myself}master - 0 0 {} connected {first}-{}\n",
                ids[at],
                at + 1,
                end - 1
            ));
        } else {
            let primary = at - PRIMARIES;
            text.push_str(&format!(
                "{} {place} {myself}slave {} 0 0 {} connected\n",
                ids[at],
                ids[primary],
                primary + 1
            ));
        }
    }
    text.push_str(&format!("vars currentEpoch {PRIMARIES} lastVoteEpoch 0\n"));
    text
}
