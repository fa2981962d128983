//! Redis Cluster: a slot that moves while its session lives, there and back, and a primary that dies (F27, F28), with every word accounted for.

use serde_json::Value;

use crate::support::acl;
use crate::support::client::TestClient;
use crate::support::node::Node;
use crate::support::party::{Guest, Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_cluster::{PRIMARIES, RedisCluster};
use crate::support::redis_server::RedisOptions;
use crate::support::resp::Reply;
use crate::support::wait;

/// Someone who speaks on one node and someone who listens on another.
struct Talk {
    party: Party,
    speaker: Guest,
    a: TestClient,
    b: TestClient,
    said: u64,
}

impl Talk {
    async fn begin(nodes: &[Node; 2]) -> Talk {
        let party = Party::found(&nodes[0], 10).await;
        let speaker = party.host();
        let a = party.seat(&nodes[0], &speaker).await.0;
        let b = party.seat(&nodes[1], &party.guest()).await.0;
        Talk { party, speaker, a, b, said: 0 }
    }

    /// One whose session is in a slot of this primary.
    async fn begin_on(nodes: &[Node; 2], cluster: &RedisCluster, primary: usize) -> Talk {
        loop {
            let talk = Talk::begin(nodes).await;
            if cluster.owner_of(talk.slot(cluster).await).await == primary {
                return talk;
            }
        }
    }

    async fn slot(&self, cluster: &RedisCluster) -> usize {
        cluster.slot_of(&self.party.session).await
    }

    async fn say(&mut self, count: u64) -> u64 {
        let mut head = 0;
        for _ in 0..count {
            self.said += 1;
            head = seq(&say(&mut self.a, self.said, &format!("said {}", self.said)).await["data"]);
        }
        head
    }

    /// Says things, each acked at the first attempt.
    async fn say_at_once(&mut self, count: u64) {
        for _ in 0..count {
            self.said += 1;
            self.a.send(chat(self.said, &format!("said {}", self.said))).await;
            let told = answer(&mut self.a, self.said).await;
            assert_eq!(told["type"], "ack", "{told}");
        }
    }

    /// What the listener is told next of the backend.
    async fn backend(&mut self) -> Value {
        self.b.expect_where("a state of the backend", is_state).await["data"]["backend"].clone()
    }

    /// Everything said is in the log once, in order; the listener has it all, without a break.
    async fn assert_whole(&mut self, node: &Node, head: u64) {
        let expected: Vec<_> =
            (1..=self.said).map(|n| (self.speaker.id.clone(), n, format!("said {n}"))).collect();
        assert_eq!(self.party.chats(node).await, expected);
        let mut frames = self.b.seen();
        if frames.iter().all(|frame| frame["seq"] != head) {
            frames.extend(read_to(&mut self.b, head).await);
        }
        let broken: Vec<&Value> = frames.iter().filter(|frame| frame["type"] == "reset").collect();
        assert!(broken.is_empty(), "nothing was lost: {broken:?}");
        assert_contiguous(&entries(&frames));
    }
}

/// Whether the backend works, and not where an epoch begins.
fn is_state(frame: &Value) -> bool {
    frame["type"] == "status" && frame["data"].get("epoch").is_none()
}

/// Was never told that the backend does not work, nor that it does again.
async fn assert_untold(client: &mut TestClient) {
    client.settle().await;
    let frames = client.seen();
    let told: Vec<&Value> = frames.iter().filter(|frame| is_state(frame)).collect();
    assert!(told.is_empty(), "nothing of this session was away: {told:?}");
    client.keep(frames);
}

async fn nodes(cluster: &RedisCluster) -> [Node; 2] {
    let url = cluster.url();
    [Node::start(&[("REDIS_URL", &url)]).await, Node::start(&[("REDIS_URL", &url)]).await]
}

#[tokio::test]
async fn a_slot_moves_while_its_session_lives_and_back() {
    let cluster = RedisCluster::start(RedisOptions::durable()).await;
    let nodes = nodes(&cluster).await;
    let mut talk = Talk::begin(&nodes).await;
    talk.say(3).await;
    let slot = talk.slot(&cluster).await;
    let home = cluster.owner_of(slot).await;
    let away = (home + 1) % PRIMARIES;
    for (from, to) in [(home, away), (away, home)] {
        cluster.begin_move(slot, from, to).await;
        // Some keys of a session usually do not exist, so no node runs its scripts while its slot is on its way.
        talk.said += 1;
        let during = talk.said;
        talk.a.send(chat(during, &format!("said {during}"))).await;
        assert!(cluster.move_keys(slot, from, to).await > 0, "the session has keys");
        cluster.end_move(slot, from, to).await;
        let told = answer(&mut talk.a, during).await;
        assert_eq!(told["type"], "ack", "{told}");
        let head = talk.say(3).await;
        talk.assert_whole(&nodes[1], head).await;
        let key = format!("wp:{{{}}}:s", talk.party.session);
        assert_eq!(cluster.servers[to].cli(&["HGET", &key, "q"]).await, head.to_string());
        let channels = cluster.servers[from]
            .cli(&["PUBSUB", "SHARDCHANNELS", &format!("wp:{{{}}}:c", talk.party.session)])
            .await;
        assert_eq!(channels, "", "nobody listens where it was");
    }
    for node in &nodes {
        node.wait_ready().await;
    }
}

#[tokio::test]
async fn a_primary_dies_and_only_its_sessions_notice() {
    let mut cluster = RedisCluster::start(RedisOptions::durable()).await;
    let nodes = nodes(&cluster).await;
    let mut hit = Talk::begin_on(&nodes, &cluster, 0).await;
    let mut spared = Talk::begin_on(&nodes, &cluster, 1).await;
    hit.say(3).await;
    spared.say(3).await;
    let slot = hit.slot(&cluster).await;
    let replica = &cluster.servers[PRIMARIES];
    let key = format!("wp:{{{}}}:s", hit.party.session);
    wait::until("the replica to have what was said", || async {
        let here = cluster.servers[0].cli(&["INFO", "replication"]).await;
        let there = replica.cli(&["INFO", "replication"]).await;
        let offset = |told: &str| {
            told.lines().find_map(|line| line.strip_prefix("master_repl_offset:").map(str::to_owned))
        };
        (offset(&here) == offset(&there)).then_some(())
    })
    .await;
    cluster.servers[0].kill9();
    for node in &nodes {
        node.wait_ready_is(503).await;
    }
    assert_eq!(hit.backend().await, "degraded");
    // Sessions of other slots go on: each word is acked at once while a third of the slots has no primary.
    spared.say_at_once(3).await;
    let newcomer = spared.party.guest();
    let mut late = spared.party.seat(&nodes[0], &newcomer).await.0;
    for client in [&mut late, &mut spared.a, &mut spared.b] {
        assert_untold(client).await;
    }
    hit.say(1).await;
    assert_ne!(cluster.owner_of(slot).await, 0);
    let head = hit.say(3).await;
    // Each node finds the new primary by itself, and refuses newcomers of its slots until then.
    for node in &nodes {
        node.wait_ready().await;
    }
    assert_eq!(hit.backend().await, "up");
    for client in [&mut late, &mut spared.a, &mut spared.b] {
        assert_untold(client).await;
    }
    hit.assert_whole(&nodes[1], head).await;
    assert_eq!(cluster.servers[PRIMARIES].cli(&["HGET", &key, "q"]).await, head.to_string());
    let head = spared.say(1).await;
    spared.assert_whole(&nodes[1], head).await;
    // The old primary comes back as a replica, and nobody writes to it.
    cluster.servers[0].restart().await;
    wait::until("the old primary to follow", || async {
        cluster.servers[0].cli(&["INFO", "replication"]).await.contains("role:slave").then_some(())
    })
    .await;
    hit.say(3).await;
}

#[tokio::test]
async fn a_node_of_a_cluster_is_no_single_redis() {
    let cluster = RedisCluster::start_with(RedisOptions::default(), false).await;
    let url = format!("redis://127.0.0.1:{}", cluster.servers[0].port());
    let node = Node::start_unready(&[("REDIS_URL", &url)]).await;
    let line = node.wait_log("redis cannot be used").await;
    assert_eq!(line["error"], "it is a node of a cluster: give its address as redis-cluster://", "{line}");
}

#[tokio::test]
async fn a_cluster_behind_tls_and_a_user_with_few_rights() {
    // The page's line, and the one command that it names beside it.
    let user = format!("{} +cluster|nodes", acl::line());
    let options = RedisOptions { tls: true, extra: vec![user], ..RedisOptions::durable() };
    let cluster = RedisCluster::start_with(options, false).await;
    let url = cluster.url().replace("://", &format!("://{}:{}@", acl::USER, acl::PASSWORD));
    let ca = cluster.servers[0].ca_file();
    let node = Node::start(&[("REDIS_URL", &url), ("REDIS_CA_FILE", &ca)]).await;
    let party = Party::found(&node, 10).await;
    say(&mut party.seat(&node, &party.host()).await.0, 1, "sealed").await;
    for server in &cluster.servers {
        assert_eq!(server.ask(&["ACL", "LOG"]).await, Reply::Array(Vec::new()), "nothing was denied");
        let clients = server.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
        assert!(clients.contains(&format!("laddr=127.0.0.1:{}", server.tls_port())), "{clients}");
    }
}
