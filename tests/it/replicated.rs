//! `DURABILITY=replicated`: an ack means that a replica has the entry, and an isolated primary gives none.
//!
//! Failover is by hand: the replica is promoted and the way to it led there, as Sentinel and an orchestrator do between them.

use serde_json::{Value, json};

use crate::support::api::{Answer, bearer};
use crate::support::chaos_proxy::ChaosProxy;
use crate::support::client::TestClient;
use crate::support::node::Node;
use crate::support::pair::{self, Pair};
use crate::support::party::{Guest, Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_server::RedisServer;
use crate::support::wait;

/// The last of the words under way when a replica is lost; fewer than a connection may have unanswered.
const BURST: u64 = 30;

/// A node that finds its Redis by `url`.
async fn node(url: &str, durability: &str) -> Node {
    Node::start(&[("REDIS_URL", url), ("DURABILITY", durability)]).await
}

/// A speaker on one node and a listener on another.
struct Scene {
    nodes: [Node; 2],
    party: Party,
    speaker: Guest,
    a: TestClient,
    b: TestClient,
}

impl Scene {
    async fn set(nodes: [Node; 2]) -> Scene {
        let party = Party::found(&nodes[0], 10).await;
        let speaker = party.host();
        let a = party.seat(&nodes[0], &speaker).await.0;
        let b = party.seat(&nodes[1], &party.guest()).await.0;
        Scene { nodes, party, speaker, a, b }
    }

    async fn ready_is(&self, status: u16) {
        for node in &self.nodes {
            node.wait_ready_is(status).await;
        }
    }

    /// Says `from..=to`, each acked; the head after it.
    async fn say(&mut self, from: u64, to: u64) -> u64 {
        let mut head = 0;
        for n in from..=to {
            head = seq(&say(&mut self.a, n, &format!("said {n}")).await["data"]);
        }
        head
    }

    /// Says `from..=to`, none acked.
    async fn say_in_vain(&mut self, from: u64, to: u64) {
        for n in from..=to {
            self.a.send(chat(n, &format!("said {n}"))).await;
        }
        for n in from..=to {
            let refused = answer(&mut self.a, n).await;
            assert_eq!(refused["data"]["code"], "unavailable", "no replica has it, so no ack: {refused}");
        }
    }

    /// The log through the second node has the chats `1..=last`, each once.
    async fn assert_said(&self, last: u64) {
        let expected: Vec<_> =
            (1..=last).map(|n| (self.speaker.id.clone(), n, format!("said {n}"))).collect();
        assert_eq!(self.party.chats(&self.nodes[1]).await, expected);
    }

    /// `server` has the session up to `head`.
    async fn has(&self, server: &RedisServer, head: u64) {
        let (key, head) = (format!("wp:{{{}}}:s", self.party.session), head.to_string());
        wait::until("a replica to have the head", || async {
            (server.cli(&["HGET", &key, "q"]).await == head).then_some(())
        })
        .await;
    }

    /// Both listeners are told that what they saw beyond `kept` is gone, before anything newer, and then hear everything up to `end`.
    async fn assert_told(&mut self, kept: u64, end: u64) {
        for client in [&mut self.a, &mut self.b] {
            let mut frames = client.seen();
            if frames.iter().all(|frame| frame["seq"] != end || frame["type"] == "reset") {
                frames.extend(read_to(client, end).await);
            }
            let at = frames.iter().position(|frame| frame["type"] == "reset");
            let at = at.unwrap_or_else(|| panic!("nobody said that something was lost: {frames:?}"));
            assert_eq!(frames[at]["data"]["reason"], "diverged", "{}", frames[at]);
            let head = frames[at]["data"]["head"].as_u64().unwrap();
            assert!((kept..end).contains(&head), "{}", frames[at]);
            let after = entries(&frames[at..]);
            assert_contiguous(&after);
            assert_eq!((seq(&after[0]), seq(after.last().unwrap())), (head + 1, end));
        }
    }
}

/// Publishes over HTTP under a key.
async fn post(node: &Node, party: &Party, key: &str) -> Answer {
    let mut headers = bearer(Some(&party.token));
    headers.push(("idempotency-key".to_owned(), key.to_owned()));
    let path = format!("/api/sessions/{}/messages", party.session);
    let body = json!({"type": "event", "data": {"topic": "key", "body": key}});
    node.api().request("POST", &path, &headers, Some(body)).await
}

#[tokio::test]
async fn a_redis_without_enough_replicas_ends_the_start_with_one_sentence() {
    let alone = RedisServer::start_with(pair::options()).await;
    let forgetful = RedisServer::start().await;
    let followed = Pair::start().await;
    let replicas =
        |seen, asked| format!("redis: replicas online: {seen}, and DURABILITY=replicated asks for {asked}");
    for (url, asked, sentence) in [
        (alone.url(), "1", replicas(0, 1)),
        (followed.url(), "2", replicas(1, 2)),
        (
            forgetful.url(),
            "1",
            "redis: it gives durability memory, and DURABILITY asks for replicated".into(),
        ),
    ] {
        let settings = [
            ("REDIS_URL", url.as_str()),
            ("DURABILITY", "replicated"),
            ("DURABILITY_REPLICAS", asked),
            ("LOG_LEVEL", "error"),
        ];
        let (status, printed) = Node::run_to_end(&[], &settings).await;
        assert_eq!(status.code(), Some(1), "{printed}");
        assert_eq!(printed.trim(), sentence, "one sentence");
    }
}

#[tokio::test]
async fn only_what_is_waited_for_is_welcomed_as_replicated() {
    let pair = Pair::start().await;
    for (asked, stated) in [("replicated", "replicated"), ("auto", "aof")] {
        let node = node(&pair.url(), asked).await;
        let party = Party::found(&node, 10).await;
        let (mut client, welcome) = party.seat(&node, &party.host()).await;
        assert_eq!(welcome["data"]["durability"], stated, "asked for {asked}: {welcome}");
        let ack = say(&mut client, 1, "said 1").await;
        assert_eq!(ack["data"].get("duplicate"), None, "{ack}");
        client.close().await;
    }
}

#[tokio::test]
async fn without_its_replica_a_primary_acks_nothing_and_afterwards_everything_once() {
    let pair = Pair::start().await;
    let mut scene =
        Scene::set([node(&pair.url(), "replicated").await, node(&pair.url(), "replicated").await]).await;
    scene.say(1, 1).await;
    let party = scene.party.clone();

    pair.stream.blackhole();
    scene.ready_is(503).await;
    let degraded = scene.b.expect("status").await;
    assert_eq!(degraded["data"]["backend"], "degraded", "{degraded}");
    scene.say_in_vain(2, 3).await;
    for node in &scene.nodes {
        post(node, &party, "the-one").await.problem(503, "unavailable");
    }
    scene.nodes[1].api().create("Another night", "a password", None).await.problem(503, "unavailable");
    let mut turned_away = party.connect(&scene.nodes[1], &party.guest()).open().await.unwrap();
    assert_eq!(turned_away.expect_close().await.0, 1013, "a welcome states a position");
    // What nobody was told of may be read and heard all the same.
    scene.assert_said(3).await;

    pair.stream.heal();
    scene.ready_is(200).await;
    for n in 2..=3 {
        let ack = say(&mut scene.a, n, &format!("said {n}")).await;
        assert_eq!(ack["data"]["duplicate"], true, "{ack}");
    }
    let positions = [
        post(&scene.nodes[1], &party, "the-one").await.expect(202),
        post(&scene.nodes[0], &party, "the-one").await.expect(202),
    ];
    assert_eq!(positions[0]["seq"], positions[1]["seq"]);
    let head = scene.say(4, 4).await;
    scene.assert_said(4).await;
    let log = party.log(&scene.nodes[0]).await;
    assert_eq!(log.iter().filter(|entry| entry["data"]["topic"] == "key").count(), 1);
    let heard = read_to(&mut scene.b, head).await;
    assert!(heard.iter().all(|frame| frame["type"] != "reset"), "{heard:?}");
    assert_contiguous(&entries(&heard));
    assert!(pair.primary.keys_without_ttl().await.is_empty());
}

#[tokio::test]
async fn with_aof_a_failover_loses_what_the_replica_had_not_and_says_so() {
    let mut pair = Pair::start().await;
    let mut scene = Scene::set([node(&pair.url(), "aof").await, node(&pair.url(), "aof").await]).await;
    let kept = scene.say(1, 5).await;
    scene.has(&pair.replica, kept).await;
    pair.stream.blackhole();
    let lost = scene.say(6, 8).await;
    read_to(&mut scene.b, lost).await;

    pair.primary.kill9();
    scene.ready_is(503).await;
    pair.fail_over().await;
    scene.ready_is(200).await;
    scene.a.send(chat(9, "said 9")).await;
    let gap = answer(&mut scene.a, 9).await;
    assert_eq!((&gap["data"]["code"], &gap["data"]["last_n"]), (&json!("gap"), &json!(5)), "{gap}");
    scene.assert_said(5).await;
    let end = scene.say(6, 9).await;
    scene.assert_said(9).await;
    scene.assert_told(kept, end).await;
}

#[tokio::test]
async fn with_replicas_a_failover_loses_nothing_that_was_acked() {
    let mut pair = Pair::start().await;
    let mut scene =
        Scene::set([node(&pair.url(), "replicated").await, node(&pair.url(), "replicated").await]).await;
    scene.say(1, 5).await;
    // The replica is lost in the midst of words: some of these are acked, and those must be there.
    for n in 6..=BURST {
        scene.a.send(chat(n, &format!("said {n}"))).await;
    }
    pair.stream.blackhole();
    let mut acked = 5;
    for n in 6..=BURST {
        let answer = answer(&mut scene.a, n).await;
        if answer["type"] == "ack" {
            assert_eq!(acked + 1, n, "words are acked in their order: {answer}");
            acked = n;
        }
    }
    scene.say_in_vain(BURST + 1, BURST + 1).await;

    pair.primary.kill9();
    scene.ready_is(503).await;
    pair.fail_over().await;
    // At once, with nothing waited for: what was acked is there. The promoted one can be read, but has nobody to vouch for its writes.
    wait::until("the promoted one to be read", || async {
        let path = format!("/api/sessions/{}/messages", scene.party.session);
        let page = scene.nodes[1].api().get(&path, Some(&scene.party.token)).await;
        (page.status == 200).then_some(())
    })
    .await;
    let kept = scene.party.chats(&scene.nodes[1]).await.len() as u64;
    assert!((acked..=BURST).contains(&kept), "{acked} were acked, and {kept} are there");
    scene.assert_said(kept).await;
    let head = seq(scene.party.log(&scene.nodes[1]).await.last().unwrap());
    scene.say_in_vain(kept + 1, kept + 1).await;

    let third = RedisServer::start_with(pair::options()).await;
    third.follow(&pair.replica, pair.replica.port()).await;
    scene.ready_is(200).await;
    let end = scene.say(acked + 1, BURST + 2).await;
    scene.assert_said(BURST + 2).await;
    scene.assert_told(head, end).await;
}

#[tokio::test]
async fn an_isolated_primary_never_acks() {
    let pair = Pair::start().await;
    let way = ChaosProxy::to_port(pair.primary.port()).await;
    let elsewhere = format!("redis://{}", way.addr());
    let mut scene =
        Scene::set([node(&pair.url(), "replicated").await, node(&elsewhere, "replicated").await]).await;
    let kept = scene.say(1, 3).await;
    read_to(&mut scene.b, kept).await;

    // The first node stays with a primary that has lost its replica to a majority it cannot see; the second goes on with that one.
    pair.stream.blackhole();
    assert_eq!(pair.replica.cli(&["REPLICAOF", "NO", "ONE"]).await, "OK");
    let third = RedisServer::start_with(pair::options()).await;
    third.follow(&pair.replica, pair.replica.port()).await;
    way.lead_to(pair.replica.port());
    scene.nodes[0].wait_ready_is(503).await;
    scene.nodes[1].wait_ready().await;
    scene.say_in_vain(4, 5).await;
    let other = say(&mut scene.b, 1, "of the majority").await;
    assert_eq!(seq(&other["data"]), kept + 1, "{other}");

    pair.way.lead_to(pair.replica.port());
    scene.nodes[0].wait_ready().await;
    let reset = scene.a.expect("reset").await;
    assert_eq!(
        (&reset["data"]["reason"], &reset["data"]["head"]),
        (&json!("diverged"), &json!(kept + 1)),
        "{reset}"
    );
    let end = scene.say(4, 5).await;
    let mine = |(from, ..): &(String, u64, String)| *from == scene.speaker.id;
    let said: Vec<_> =
        scene.party.chats(&scene.nodes[1]).await.into_iter().filter(mine).map(|said| said.1).collect();
    assert_eq!(said, [1, 2, 3, 4, 5], "each once");
    let heard = read_to(&mut scene.b, end).await;
    assert!(heard.iter().all(|frame: &Value| frame["type"] != "reset"), "{heard:?}");
    assert_contiguous(&entries(&heard));
}
