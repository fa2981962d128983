//! Redis dies and comes back: with everything (nobody loses anything), without its tail (everyone concerned is told), or empty.

use serde_json::{Value, json};

use crate::support::client::TestClient;
use crate::support::node::{Cluster, Node};
use crate::support::party::{Guest, Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};

/// What is cut off the file: less than one of [`long`]'s messages, more than the beats that may follow it.
const TAIL: u64 = 1500;

/// A message so long that a cut of [`TAIL`] bytes ends within it.
fn long(text: &str) -> String {
    format!("{text} {}", "x".repeat(1900))
}

/// Two nodes with one listener and one speaker each way, and what they need to come back.
struct Scene {
    redis: RedisServer,
    cluster: Cluster,
    party: Party,
    speaker: Guest,
    a: TestClient,
    b: TestClient,
}

impl Scene {
    async fn set() -> Scene {
        let redis = RedisServer::start_with(RedisOptions::durable()).await;
        let cluster = Cluster::start(2, &redis).await;
        let party = Party::found(&cluster.nodes[0], 10).await;
        let speaker = party.host();
        let a = party.seat(&cluster.nodes[0], &speaker).await.0;
        let b = party.seat(&cluster.nodes[1], &party.guest()).await.0;
        Scene { redis, cluster, party, speaker, a, b }
    }

    async fn ready_is(&self, status: u16) {
        for node in &self.cluster.nodes {
            node.wait_ready_is(status).await;
        }
    }

    /// Kills Redis, and waits until both nodes know and have said so.
    async fn kill_redis(&mut self) {
        self.redis.crash().await;
        self.ready_is(503).await;
        for client in [&mut self.a, &mut self.b] {
            assert_eq!(backend_status(client).await, "degraded");
        }
    }

    /// Starts Redis, and waits until both nodes know and have said so.
    async fn restart_redis(&mut self) {
        self.redis.restart().await;
        self.ready_is(200).await;
    }
}

/// The next `status` that says how the backend is, and of no epoch.
async fn backend_status(client: &mut TestClient) -> String {
    let plain = |frame: &Value| frame["type"] == "status" && frame["data"].get("epoch").is_none();
    let frame = client.expect_where("status", plain).await;
    frame["data"]["backend"].as_str().unwrap().to_owned()
}

fn resets(frames: &[Value]) -> Vec<&Value> {
    frames.iter().filter(|frame| frame["type"] == "reset").collect()
}

async fn reasons(node: &Node) -> Value {
    node.api().get("/health/ready", None).await.body["reasons"].clone()
}

#[tokio::test]
async fn a_clean_restart_costs_nobody_anything() {
    let mut scene = Scene::set().await;
    let mut first = Value::Null;
    for n in 1..=5 {
        first = say(&mut scene.a, n, &format!("before {n}")).await;
    }
    let (epoch, head) = (first["data"]["epoch"].as_str().unwrap().to_owned(), seq(&first["data"]));

    scene.kill_redis().await;
    for node in &scene.cluster.nodes {
        assert_eq!(reasons(node).await, json!(["backend"]));
        assert_eq!(node.api().get("/health/live", None).await.status, 200, "liveness never depends on Redis");
    }
    // Nothing is acked while Redis is away, and the connection stands.
    scene.a.send(chat(6, "during")).await;
    let refused = answer(&mut scene.a, 6).await;
    assert_eq!(refused["data"]["code"], "unavailable", "{refused}");
    assert!(refused["data"]["retry_after_ms"].is_u64(), "{refused}");

    scene.restart_redis().await;
    for client in [&mut scene.a, &mut scene.b] {
        assert_eq!(backend_status(client).await, "up");
    }
    let sixth = say(&mut scene.a, 6, "during").await;
    assert_eq!(sixth["data"].get("duplicate"), None, "it was refused, and truly so: {sixth}");
    assert_eq!(seq(&sixth["data"]), head + 1, "numbering goes on: {sixth}");
    assert_ne!(sixth["data"]["epoch"], epoch, "a restart is seen by the log: {sixth}");
    let seventh = say(&mut scene.a, 7, "after").await;
    let end = seq(&seventh["data"]);

    for client in [&mut scene.a, &mut scene.b] {
        let mut frames = client.seen();
        if frames.iter().all(|frame| frame["seq"] != end) {
            frames.extend(read_to(client, end).await);
        }
        assert!(resets(&frames).is_empty(), "{frames:?}");
        let news =
            |frame: &Value| frame["type"] == "status" && frame["data"]["epoch"] == sixth["data"]["epoch"];
        let told = frames.iter().position(news).unwrap_or_else(|| panic!("no word of the epoch: {frames:?}"));
        let entry = |number: u64| frames.iter().position(|frame| frame["seq"] == number);
        assert_eq!(frames[told]["data"]["head"], head, "{}", frames[told]);
        assert!(entry(head).is_none_or(|at| at < told), "after the last of the old: {frames:?}");
        assert!(told < entry(head + 1).unwrap(), "before the first of the new: {frames:?}");
        assert_contiguous(&entries(&frames));
    }

    // Who was away meanwhile goes on from the old epoch.
    scene.a.vanish();
    let resume = scene.party.connect(&scene.cluster.nodes[1], &scene.speaker).resume(&epoch, head - 1);
    let (mut back, welcome) = resume.welcomed().await;
    assert_eq!(
        (&welcome["data"]["recovered"], &welcome["data"]["reason"]),
        (&json!(true), &Value::Null),
        "{welcome}"
    );
    assert_eq!(welcome["data"]["last_n"], 7, "{welcome}");
    let missed = entries(&read_to(&mut back, end).await);
    assert_eq!(missed.iter().map(seq).collect::<Vec<_>>(), (head..=end).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_slept_through_a_restart_is_told_of_the_epoch_before_its_entries() {
    let mut scene = Scene::set().await;
    let begun = say(&mut scene.a, 1, "awake").await;
    read_to(&mut scene.b, seq(&begun["data"])).await;
    let old = begun["data"]["epoch"].as_str().unwrap().to_owned();

    // The second node misses entries of the old epoch, and the turn to the new one that a beat of the first makes without an entry.
    scene.cluster.nodes[1].freeze();
    scene.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    let mut last = 0;
    for n in 2..=5 {
        last = seq(&say(&mut scene.a, n, "unheard").await["data"]);
    }
    scene.redis.crash().await;
    scene.redis.restart().await;
    let turned = |frame: &Value| frame["type"] == "status" && frame["data"]["epoch"].is_string();
    let turn = scene.a.expect_where("the new epoch", turned).await;
    assert_eq!(turn["data"]["head"], last, "{turn}");
    scene.cluster.nodes[1].thaw();
    scene.ready_is(200).await;

    let after = seq(&say(&mut scene.a, 6, "heard").await["data"]);
    let frames = read_to(&mut scene.b, after).await;
    assert!(resets(&frames).is_empty(), "{frames:?}");
    assert_contiguous(&entries(&frames));
    let told = frames.iter().position(turned).unwrap_or_else(|| panic!("no word of the epoch: {frames:?}"));
    let entry = |number: u64| frames.iter().position(|frame| frame["seq"] == number).unwrap();
    assert_eq!(frames[told]["data"], turn["data"]);
    assert!(
        entry(last) < told && told < entry(after),
        "between the last of the old and the first of the new: {frames:?}"
    );
    assert_ne!(frames[told]["data"]["epoch"], old);
}

#[tokio::test]
async fn a_lost_tail_is_told_to_everyone_it_concerns() {
    let mut scene = Scene::set().await;
    let mut acks = Vec::new();
    for n in 1..=5 {
        acks.push(say(&mut scene.a, n, &long(&format!("before {n}"))).await);
    }
    let position = |ack: &Value| (ack["data"]["epoch"].as_str().unwrap().to_owned(), seq(&ack["data"]));
    let (epoch, lost) = position(&acks[4]);
    let kept = lost - 1;
    read_to(&mut scene.b, lost).await;

    scene.kill_redis().await;
    assert_eq!(scene.redis.cut_aof_tail(TAIL), TAIL);
    scene.restart_redis().await;

    for client in [&mut scene.a, &mut scene.b] {
        let reset = client.expect("reset").await;
        assert_eq!(reset["data"]["reason"], "diverged", "{reset}");
        assert_eq!(reset["data"]["head"], kept, "the fifth is gone, the fourth is not: {reset}");
        assert!(
            entries(&client.seen()).iter().all(|entry| seq(entry) <= lost),
            "nothing newer before the reset"
        );
    }
    // The publisher learns it too: what it sends next does not follow, and what it sends again is judged by what survived.
    scene.a.send(chat(6, "after")).await;
    let gap = answer(&mut scene.a, 6).await;
    assert_eq!((&gap["data"]["code"], &gap["data"]["last_n"]), (&json!("gap"), &json!(4)), "{gap}");
    let fourth = say(&mut scene.a, 4, "again").await;
    assert_eq!((&fourth["data"]["duplicate"], seq(&fourth["data"])), (&json!(true), kept), "{fourth}");
    let fifth = say(&mut scene.a, 5, &long("before 5")).await;
    assert_eq!(fifth["data"].get("duplicate"), None, "{fifth}");
    assert_eq!(seq(&fifth["data"]), lost, "its number is free again, under another epoch: {fifth}");
    assert_ne!(fifth["data"]["epoch"], epoch, "{fifth}");
    let end = seq(&say(&mut scene.a, 6, "after").await["data"]);

    for client in [&mut scene.a, &mut scene.b] {
        let mut frames = client.seen();
        if frames.iter().all(|frame| frame["seq"] != end) {
            frames.extend(read_to(client, end).await);
        }
        assert!(resets(&frames).is_empty(), "told once: {frames:?}");
        let numbers: Vec<u64> = entries(&frames).iter().map(seq).filter(|number| *number > kept).collect();
        assert_eq!(numbers, (lost..=end).collect::<Vec<_>>());
    }
    // The branch that was lost is known for ever: numbers that are taken again do not fool anyone.
    scene.a.vanish();
    let node = &scene.cluster.nodes[1];
    let resume = scene.party.connect(node, &scene.speaker).resume(&epoch, lost);
    let (ahead, welcome) = resume.welcomed().await;
    assert_eq!(
        (&welcome["data"]["recovered"], &welcome["data"]["reason"]),
        (&json!(false), &json!("diverged"))
    );
    ahead.vanish();
    let resume = scene.party.connect(node, &scene.speaker).resume(&epoch, kept);
    let (mut within, welcome) = resume.welcomed().await;
    assert_eq!(welcome["data"]["recovered"], true, "{welcome}");
    let missed = entries(&read_to(&mut within, end).await);
    assert_eq!(missed.iter().map(seq).collect::<Vec<_>>(), (lost..=end).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_emptied_redis_ends_every_connection_with_4404() {
    let mut scene = Scene::set().await;
    say(&mut scene.a, 1, "before").await;
    scene.redis.cli(&["FLUSHALL"]).await;
    assert_eq!(scene.a.expect_close().await.0, 4404);
    assert_eq!(scene.b.expect_close().await.0, 4404);
    let mut again = scene.party.connect(&scene.cluster.nodes[0], &scene.speaker).open().await.unwrap();
    assert_eq!(again.expect_close().await.0, 4404, "never a new log under old positions");
    assert!(scene.redis.keys_without_ttl().await.is_empty());
}

#[tokio::test]
async fn a_redis_that_returns_empty_ends_every_connection_with_4404() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let speaker = party.host();
    let a = party.seat(&cluster.nodes[0], &speaker).await.0;
    let b = party.seat(&cluster.nodes[1], &party.guest()).await.0;
    let mut scene = Scene { redis, cluster, party, speaker, a, b };
    say(&mut scene.a, 1, "before").await;
    scene.kill_redis().await;
    scene.restart_redis().await;
    assert_eq!(scene.a.expect_close().await.0, 4404);
    assert_eq!(scene.b.expect_close().await.0, 4404);
}
