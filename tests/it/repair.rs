//! A room that may have missed something is brought into step by one read of the log, however many listen; and the node says so meanwhile.
//!
//! What a broken link must not cost is in `links`; here is what its repair may cost. An inbox that overflows is in `src/hub/tests.rs`.

use futures_util::future::join_all;

use crate::support::client::TestClient;
use crate::support::node::{Cluster, ClusterOptions};
use crate::support::party::{Arrival, Guest, Party, arrive, assert_contiguous, entries, read_to, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::resp::Reply;
use crate::support::single::metric;
use crate::support::wait::until;

/// Who listen to one room of the node whose link fails.
const LISTENERS: usize = 50;

/// A room with many listeners on the first node, whose way to Redis can be broken, and a speaker on the second.
struct Scene {
    redis: RedisServer,
    cluster: Cluster,
    party: Party,
    speaker: TestClient,
    listeners: Vec<TestClient>,
    said: u64,
    /// All listeners have everything up to here.
    at: u64,
}

impl Scene {
    async fn set(listeners: usize) -> Scene {
        Scene::on(RedisServer::start().await, listeners).await
    }

    async fn on(redis: RedisServer, listeners: usize) -> Scene {
        let options = ClusterOptions { proxied: true, settings: &[] };
        let cluster = Cluster::start_with(2, &redis, options).await;
        let party = Party::found(&cluster.nodes[0], 100).await;
        let speaker = party.seat(&cluster.nodes[1], &party.host()).await.0;
        let guests: Vec<Guest> = (0..listeners).map(|_| party.guest()).collect();
        let arrivals = arrive(&party, &[&cluster.nodes[0]], &guests).await;
        let seated = arrivals.into_iter().map(|arrival| match arrival {
            Arrival::Seated(client) => *client,
            other => panic!("{other:?}"),
        });
        let listeners = seated.collect();
        let mut scene = Scene { redis, cluster, party, speaker, listeners, said: 0, at: 0 };
        let end = scene.say(1).await;
        join_all(scene.listeners.iter_mut().map(|client| read_to(client, end))).await;
        scene.at = end;
        scene
    }

    /// So many more words through the healthy node; the last one's number.
    async fn say(&mut self, words: u64) -> u64 {
        let mut end = 0;
        for _ in 0..words {
            self.said += 1;
            end = seq(&say(&mut self.speaker, self.said, "a word").await["data"]);
        }
        end
    }

    /// Everyone has everything up to `end`, once, in order, and was not reset.
    async fn assert_whole(&mut self, end: u64) {
        let all = join_all(self.listeners.iter_mut().map(|client| read_to(client, end))).await;
        for frames in all {
            assert!(frames.iter().all(|frame| frame["type"] != "reset"), "{frames:?}");
            let entries = entries(&frames);
            assert_contiguous(&entries);
            assert_eq!((seq(&entries[0]), entries.last().map(seq)), (self.at + 1, Some(end)));
        }
        self.at = end;
    }

    async fn reads(&self) -> f64 {
        let labels = &["command=\"read\""];
        metric(&self.cluster.nodes[0].api(), "watchparty_backend_command_duration_seconds_count", labels)
            .await
    }

    async fn resyncs(&self, cause: &str) -> f64 {
        metric(&self.cluster.nodes[0].api(), "watchparty_resyncs_total", &[cause]).await
    }

    async fn wait_in_step(&self) {
        until("every room to be in step", || async {
            let behind = metric(&self.cluster.nodes[0].api(), "watchparty_rooms_behind", &[]).await;
            (behind == 0.0).then_some(())
        })
        .await;
    }

    fn channel(&self) -> String {
        format!("wp:{{{}}}:c", self.party.session)
    }
}

#[tokio::test]
async fn after_a_cut_one_read_serves_fifty_listeners() {
    let mut scene = Scene::set(LISTENERS).await;
    let (before, resyncs) = (scene.reads().await, scene.resyncs("cause=\"link\"").await);
    scene.cluster.proxies[0].cut();
    scene.cluster.nodes[0].wait_ready_is(503).await;
    let end = scene.say(20).await;
    scene.cluster.proxies[0].heal();
    scene.cluster.nodes[0].wait_ready().await;
    scene.assert_whole(end).await;
    assert_eq!(scene.reads().await, before + 1.0, "one read for the room");
    assert_eq!(scene.resyncs("cause=\"link\"").await, resyncs + 1.0);
    scene.wait_in_step().await;
}

#[tokio::test]
async fn killed_subscribers_cost_a_read_each_time_and_not_one_per_listener() {
    const KILLS: f64 = 5.0;
    let mut scene = Scene::set(LISTENERS).await;
    let before = scene.reads().await;
    let mut end = 0;
    for round in 1..=5 {
        scene.redis.cli(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        end = scene.say(4).await;
        until("the link to be made up for", || async {
            (scene.resyncs("cause=\"link\"").await >= f64::from(round)).then_some(())
        })
        .await;
    }
    scene.assert_whole(end).await;
    let read = scene.reads().await - before;
    // What is announced between the subscription and the repair can ask once or twice more.
    assert!((KILLS..=3.0 * KILLS).contains(&read), "{read} reads after {KILLS} kills");
}

#[tokio::test]
async fn nonsense_on_a_channel_is_counted_and_made_up_for_by_one_read() {
    let mut scene = Scene::set(LISTENERS).await;
    let before = scene.reads().await;
    let channel = scene.channel();
    assert_eq!(scene.redis.ask(&["SPUBLISH", &channel, "w1 e what"]).await, Reply::Number(2));
    until("a read", || async { (scene.reads().await > before).then_some(()) }).await;
    let end = scene.say(3).await;
    scene.assert_whole(end).await;
    assert_eq!(scene.reads().await, before + 1.0);
    let api = scene.cluster.nodes[0].api();
    assert_eq!(metric(&api, "watchparty_announcements_dropped_total", &["malformed"]).await, 1.0);
}

#[tokio::test]
async fn an_announcement_of_what_the_log_does_not_have_costs_a_few_reads() {
    let mut scene = Scene::set(LISTENERS).await;
    let before = scene.reads().await;
    let epoch = scene.redis.cli(&["HGET", &format!("wp:{{{}}}:s", scene.party.session), "e"]).await;
    let record = r#"chat "data":{"text":"from nowhere"}}"#;
    let lie = format!("w1 e {epoch} {} 1 1 {}:{record}", scene.at + 100, record.len());
    let channel = scene.channel();
    assert_eq!(scene.redis.ask(&["SPUBLISH", &channel, &lie]).await, Reply::Number(2));
    until("reads", || async { (scene.reads().await > before).then_some(()) }).await;
    scene.wait_in_step().await;
    let end = scene.say(3).await;
    scene.assert_whole(end).await;
    let read = scene.reads().await - before;
    assert!(read <= 5.0, "{read} reads for one lie");
}

/// A Redis Cluster of one primary: the only Redis that takes channels away by itself.
async fn redis_that_moves_slots() -> RedisServer {
    let extra = ["cluster-enabled yes", "cluster-require-full-coverage no"];
    let options = RedisOptions { extra: extra.map(str::to_owned).to_vec(), ..RedisOptions::default() };
    let redis = RedisServer::start_with(options).await;
    redis.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    until("the cluster to serve", || async {
        redis.cli(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok").then_some(())
    })
    .await;
    redis
}

#[tokio::test]
async fn a_channel_that_redis_takes_away_is_subscribed_again_and_made_up_for() {
    let mut scene = Scene::on(redis_that_moves_slots().await, 5).await;
    let before = scene.proxy_connections();
    let slot = scene.redis.cli(&["CLUSTER", "KEYSLOT", &scene.channel()]).await;
    // Moved away and back: who was subscribed is told `sunsubscribe`, which nobody had asked for, and is deaf on a connection that is well.
    scene.redis.cli(&["CLUSTER", "DELSLOTS", &slot]).await;
    scene.redis.cli(&["CLUSTER", "ADDSLOTS", &slot]).await;
    until("the channel to be subscribed again", || async {
        let link = scene.resyncs("cause=\"link\"").await;
        (link >= 1.0 && scene.proxy_connections() > before).then_some(())
    })
    .await;
    let end = scene.say(5).await;
    scene.assert_whole(end).await;
}

impl Scene {
    /// Connections that the first node has opened to Redis so far.
    fn proxy_connections(&self) -> u64 {
        self.cluster.proxies[0].accepted()
    }
}
