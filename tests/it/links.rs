//! The links between a node and Redis are cut, fall silent, or lose one direction: no hole, no repetition, and the truth meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::chaos_proxy::{ChaosProxy, Direction};
use crate::support::client::TestClient;
use crate::support::node::{Cluster, ClusterOptions};
use crate::support::party::{Guest, Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::resp::{self, Reply};
use crate::support::wait;

/// Two nodes, each behind a proxy of its own; the first one's link is broken. Someone speaks and someone listens through each.
struct Scene {
    redis: RedisServer,
    cluster: Cluster,
    party: Party,
    near: TestClient,
    far: TestClient,
    guests: [Guest; 2],
    /// The position from which both have to see everything.
    from: u64,
}

impl Scene {
    async fn set() -> Scene {
        Scene::on(RedisServer::start().await).await
    }

    async fn on(redis: RedisServer) -> Scene {
        let options = ClusterOptions { proxied: true, settings: &[] };
        let cluster = Cluster::start_with(2, &redis, options).await;
        let party = Party::found(&cluster.nodes[0], 10).await;
        let guests = [party.host(), party.guest()];
        let mut near = party.seat(&cluster.nodes[0], &guests[0]).await.0;
        let (mut far, welcome) = party.seat(&cluster.nodes[1], &guests[1]).await;
        let from = welcome["data"]["head"].as_u64().unwrap();
        read_to(&mut near, from).await;
        for client in [&mut near, &mut far] {
            client.settle().await;
            client.seen();
        }
        Scene { redis, cluster, party, near, far, guests, from }
    }

    fn proxy(&self) -> &ChaosProxy {
        &self.cluster.proxies[0]
    }

    async fn entries_in_log(&self) -> i64 {
        let key = format!("wp:{{{}}}:x", self.party.session);
        match self.redis.ask(&["XLEN", &key]).await {
            Reply::Number(length) => length,
            other => panic!("{other:?}"),
        }
    }

    /// The first node's room has read the log because of its link, and not because something newer came.
    async fn wait_for_resync(&self) {
        let api = self.cluster.nodes[0].api();
        wait::until("a resync because of the link", || async move {
            let page = api.get("/metrics", None).await;
            let text = String::from_utf8_lossy(&page.bytes).into_owned();
            let count =
                text.lines().find_map(|line| line.strip_prefix("watchparty_resyncs_total{cause=\"link\"} "));
            (count.expect("there from the start") != "0").then_some(())
        })
        .await;
    }

    /// Both listeners have everything up to `end`, once, in order, without a reset.
    async fn assert_whole(&mut self, end: u64) {
        let from = self.from;
        for (side, client) in [("near", &mut self.near), ("far", &mut self.far)] {
            let mut frames = client.seen();
            if frames.iter().all(|frame| frame["seq"] != end) {
                frames.extend(read_to(client, end).await);
            }
            assert!(frames.iter().all(|frame| frame["type"] != "reset"), "{side}: {frames:?}");
            let entries = entries(&frames);
            assert_contiguous(&entries);
            let ends = (entries.first().map(seq), entries.last().map(seq));
            assert_eq!(ends, (Some(from + 1), Some(end)), "{side}: no hole at either end");
        }
    }

    /// The chats of the log are exactly these texts, by author.
    async fn assert_said(&self, near: &[String], far: &[String]) {
        let chats = self.party.chats(&self.cluster.nodes[1]).await;
        for (guest, expected) in self.guests.iter().zip([near, far]) {
            let said: Vec<&String> =
                chats.iter().filter(|(who, ..)| *who == guest.id).map(|(_, _, text)| text).collect();
            assert_eq!(said, expected.iter().collect::<Vec<_>>(), "each once, in order");
        }
    }
}

fn texts(side: &str, count: u64) -> Vec<String> {
    (1..=count).map(|n| format!("{side} {n}")).collect()
}

/// What a fault of the whole link does: the node tells, acks nothing, and when it is over nobody has missed anything.
async fn outage(break_link: fn(&ChaosProxy)) {
    let mut scene = Scene::set().await;
    say(&mut scene.near, 1, "near 1").await;
    say(&mut scene.far, 1, "far 1").await;

    break_link(scene.proxy());
    scene.near.send(chat(2, "near 2")).await;
    say(&mut scene.far, 2, "far 2").await;
    scene.cluster.nodes[0].wait_ready_is(503).await;
    assert_eq!(scene.near.earliest("status").await["data"]["backend"], "degraded");
    assert_eq!(
        scene.cluster.nodes[1].api().get("/health/ready", None).await.status,
        200,
        "the other is well"
    );
    let refused = answer(&mut scene.near, 2).await;
    assert_eq!(refused["data"]["code"], "unavailable", "no ack during the cut: {refused}");
    say(&mut scene.far, 3, "far 3").await;

    scene.proxy().heal();
    scene.cluster.nodes[0].wait_ready().await;
    scene.wait_for_resync().await;
    say(&mut scene.near, 2, "near 2").await;
    say(&mut scene.near, 3, "near 3").await;
    let end = seq(&say(&mut scene.far, 4, "far 4").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 3), &texts("far", 4)).await;
}

#[tokio::test]
async fn a_cut_link_costs_time_and_nothing_else() {
    outage(ChaosProxy::cut).await;
}

#[tokio::test]
async fn a_silent_link_is_noticed_and_costs_nothing_else() {
    outage(ChaosProxy::blackhole).await;
}

#[tokio::test]
async fn a_link_that_stalls_one_way_recovers_on_its_own() {
    outage(|proxy| proxy.pause(Direction::Down, true)).await;
}

#[tokio::test]
async fn a_deaf_subscriber_is_noticed_replaced_and_made_up_for() {
    let mut scene = Scene::set().await;
    // A node opens two connections, the second one to listen.
    assert_eq!(scene.proxy().accepted(), 2);
    scene.proxy().deafen(2);
    let mut end = 0;
    for n in 1..=10 {
        // Publishing works, through the deaf node too, and nothing tells it that it hears nothing: only its own marker does.
        end = seq(&say(&mut scene.near, n, &format!("near {n}")).await["data"]);
    }
    // One lost marker is a proof: the node says that it hears nothing, before it has mended that.
    scene.cluster.nodes[0].wait_ready_is(503).await;
    assert_eq!(scene.near.earliest("status").await["data"]["backend"], "degraded");
    scene.wait_for_resync().await;
    scene.assert_whole(end).await;
    scene.from = end;
    // One replacement is enough: a probe that judged the next connection too would never see the end of it.
    scene.cluster.nodes[0].wait_ready().await;
    assert_eq!(scene.near.earliest("status").await["data"]["backend"], "up");
    let again = seq(&say(&mut scene.far, 1, "far 1").await["data"]);
    scene.assert_whole(again).await;
    let home = wait::until("a marker to come home", || async {
        let page = scene.cluster.nodes[0].api().get("/metrics", None).await;
        let text = String::from_utf8_lossy(&page.bytes).into_owned();
        let lines = text.lines().filter(|line| line.starts_with("watchparty_backend_probe_seconds_count "));
        lines
            .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
            .next()
            .filter(|count| *count >= 3)
    })
    .await;
    assert!(home >= 3, "before it, and after it again");
    assert_eq!(scene.proxy().accepted(), 3, "one connection was replaced, once");
}

#[tokio::test]
async fn a_blink_of_the_link_delays_acks_and_refuses_none() {
    let mut scene = Scene::set().await;
    for n in 1..=20 {
        scene.near.send(chat(n, &format!("near {n}"))).await;
        scene.far.send(chat(n, &format!("far {n}"))).await;
        if n % 5 == 0 {
            scene.proxy().reset_connections();
        }
    }
    for n in 1..=20 {
        for client in [&mut scene.near, &mut scene.far] {
            let ack = answer(client, n).await;
            assert_eq!(ack["type"], "ack", "sent again until it is known: {ack}");
        }
    }
    let end = seq(&say(&mut scene.far, 21, "far 21").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 20), &texts("far", 21)).await;
}

#[tokio::test]
async fn a_blink_of_the_link_refuses_no_reader_and_no_newcomer() {
    let scene = Scene::set().await;
    let (node, party) = (&scene.cluster.nodes[0], &scene.party);
    scene.proxy().cut();
    node.wait_log("redis cannot be used").await;
    // Two seconds of this would be an outage, in which everybody is refused at once.
    let healed = async { scene.proxy().heal() };
    let ((), log, (newcomer, _)) =
        tokio::join!(healed, party.log(node), party.connect(node, &party.guest()).welcomed());
    assert!(!log.is_empty(), "who was here before is in the log");
    newcomer.close().await;
}

#[tokio::test]
async fn a_subscriber_that_dies_alone_leaves_no_silent_gap() {
    let mut scene = Scene::set().await;
    // One after another, so that some are said while nobody listens.
    for n in 1..=40 {
        if n % 8 == 0 {
            let redis = &scene.redis;
            // Both nodes' subscribers at once: each is back from the time before.
            wait::until("two subscribers to kill", || async {
                let listed = redis.cli(&["CLIENT", "LIST", "TYPE", "pubsub"]).await;
                (listed.lines().filter(|line| !line.is_empty()).count() == 2).then_some(())
            })
            .await;
            assert_eq!(redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await, "2");
        }
        let ack = say(&mut scene.far, n, &format!("far {n}")).await;
        assert_eq!(ack["data"].get("duplicate"), None, "publishing is not concerned: {ack}");
    }
    let end = seq(&say(&mut scene.near, 1, "near 1").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 1), &texts("far", 40)).await;
}

#[tokio::test]
async fn a_publish_whose_reply_is_never_heard_makes_one_entry() {
    let mut scene = Scene::set().await;
    say(&mut scene.near, 1, "near 1").await;
    let before = scene.entries_in_log().await;
    // Redis hears and is not heard.
    scene.proxy().half_open(Direction::Down);
    scene.near.send(chat(2, "near 2")).await;
    wait::until("the entry to be in the log", || async {
        (scene.entries_in_log().await == before + 1).then_some(())
    })
    .await;
    scene.proxy().heal();
    let ack = answer(&mut scene.near, 2).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let again = say(&mut scene.near, 2, "near 2").await;
    assert_eq!(again["data"]["seq"], ack["data"]["seq"], "{again} {ack}");
    let end = seq(&say(&mut scene.near, 3, "near 3").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 3), &[]).await;
}

#[tokio::test]
async fn a_link_closed_anywhere_within_a_call_or_its_reply_makes_one_entry() {
    let mut scene = Scene::set().await;
    let mut n = 0;
    // Up: within the call, at its end, or within the next one. Down: before, within or after the reply.
    for (direction, bytes) in [
        (Direction::Up, 1),
        (Direction::Up, 300),
        (Direction::Up, 700),
        (Direction::Up, 900),
        (Direction::Up, 1300),
        (Direction::Down, 1),
        (Direction::Down, 30),
        (Direction::Down, 60),
        (Direction::Down, 100),
        (Direction::Down, 200),
    ] {
        let accepted = scene.proxy().accepted();
        scene.proxy().close_after(direction, bytes);
        // Until the fault has happened: the probes alone carry enough bytes for that, sooner or later.
        while scene.proxy().accepted() == accepted {
            n += 1;
            let ack = say(&mut scene.near, n, &format!("near {n}")).await;
            assert_eq!(ack["type"], "ack", "{ack}");
        }
        scene.proxy().heal();
    }
    let end = seq(&say(&mut scene.far, 1, "far 1").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", n), &texts("far", 1)).await;
}

#[tokio::test]
async fn a_storm_of_killed_subscribers_is_resynced_and_never_a_reset() {
    let mut scene = Scene::set().await;
    let port = scene.redis.port();
    let killed = Arc::new(AtomicU64::new(0));
    let mut storm = JoinSet::new();
    let count = killed.clone();
    storm.spawn(async move {
        loop {
            let reply = resp::ask(port, &["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();
            count.fetch_add(reply.text().parse().unwrap(), Ordering::Relaxed);
        }
    });
    for n in 1..=60 {
        say(&mut scene.far, n, &format!("far {n}")).await;
    }
    storm.shutdown().await;
    assert!(killed.load(Ordering::Relaxed) > 2, "it was a storm");
    let end = seq(&say(&mut scene.near, 1, "near 1").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 1), &texts("far", 60)).await;
    let series = "watchparty_resets_total{reason=\"diverged\"} 0";
    for node in &scene.cluster.nodes {
        let page = node.api().get("/metrics", None).await;
        assert!(String::from_utf8_lossy(&page.bytes).contains(series));
    }
}

#[tokio::test]
async fn a_slow_and_uneven_link_keeps_the_order() {
    let mut scene = Scene::set().await;
    scene.proxy().delay(Duration::from_millis(50), Duration::from_millis(50));
    for n in 1..=30 {
        scene.near.send(chat(n, &format!("near {n}"))).await;
        scene.far.send(chat(n, &format!("far {n}"))).await;
    }
    for n in 1..=30 {
        for client in [&mut scene.near, &mut scene.far] {
            assert_eq!(answer(client, n).await["type"], "ack");
        }
    }
    let end = seq(&say(&mut scene.far, 31, "far 31").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 30), &texts("far", 31)).await;
}

#[tokio::test]
async fn a_subscriber_killed_for_its_output_buffer_reads_what_it_missed() {
    /// Together far more than the buffers of kernels, proxy and Redis hold.
    const MESSAGES: u64 = 300;
    let options = RedisOptions {
        extra: vec!["client-output-buffer-limit pubsub 2mb 2mb 0".to_owned()],
        ..RedisOptions::default()
    };
    let mut scene = Scene::on(RedisServer::start_with(options).await).await;
    scene.proxy().pause(Direction::Down, true);
    // Awake, it would give the connection up by itself where Redis takes its time.
    scene.cluster.nodes[0].freeze();
    let body = "x".repeat(50_000);
    for n in 1..=MESSAGES {
        let data = json!({"topic": "large", "body": body});
        scene.far.send(json!({"type": "event", "id": format!("c{n}"), "n": n, "data": data})).await;
        if n % 20 == 0 {
            assert_eq!(answer(&mut scene.far, n).await["type"], "ack");
        }
    }
    let redis = &scene.redis;
    wait::until("Redis to kill the slow subscriber", || async {
        redis.log().contains("for overcoming of output buffer limits").then_some(())
    })
    .await;
    scene.proxy().heal();
    scene.cluster.nodes[0].thaw();
    scene.cluster.nodes[0].wait_ready().await;
    let end = seq(&say(&mut scene.near, 1, "near 1").await["data"]);
    scene.assert_whole(end).await;
    scene.assert_said(&texts("near", 1), &[]).await;
}
