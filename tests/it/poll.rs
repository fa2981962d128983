//! Who only polls learns of a loss too: a Redis that lost the tail of its file uses numbers again, and a page after a number alone would pass
//! the new entries off as those that followed.
//!
//! Nobody holds a socket here, so nothing but the reads and the publishes themselves can find out.

use serde_json::{Value, json};

use crate::support::golden::like;
use crate::support::node::Cluster;
use crate::support::party::{assert_contiguous, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::session::TestSession;

/// Bytes of a message of which the file loses whole ones: large against everything else that is written meanwhile.
const LARGE: usize = 2000;

/// The log's reader and publisher over one node, by the host's token.
struct Poller(TestSession);

impl Poller {
    async fn ask(&self, query: &str) -> Value {
        let path = self.0.path(&format!("/messages?{query}"));
        self.0.api().get(&path, Some(&self.0.host_token)).await.expect(200)
    }

    async fn since(&self, epoch: &Value, after: u64) -> Value {
        self.ask(&format!("after={after}&epoch={}", epoch.as_str().unwrap())).await
    }

    /// Publishes under the text as its key. The position.
    async fn say(&self, text: &str) -> Value {
        let message =
            json!({"type": "chat", "data": {"text": format!("{text} {}", "x".repeat(LARGE - 100))}});
        let key = ("idempotency-key".to_owned(), text.to_owned());
        let bearer = ("authorization".to_owned(), format!("Bearer {}", self.0.host_token));
        let path = self.0.path("/messages");
        self.0.api().request("POST", &path, &[key, bearer], Some(message)).await.expect(202)
    }
}

/// The first words of a page's chats.
fn words(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().unwrap();
    assert_contiguous(entries);
    let word = |entry: &Value| entry["data"]["text"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    entries.iter().filter(|entry| entry["type"] == "chat").map(word).collect()
}

fn told(page: &Value) -> (bool, Option<&str>) {
    (page["recovered"].as_bool().unwrap(), page["reason"].as_str())
}

fn named(name: &str, range: std::ops::RangeInclusive<u64>) -> Vec<String> {
    range.map(|n| format!("{name}-{n}")).collect()
}

#[tokio::test]
async fn a_poller_goes_on_over_a_clean_restart_and_is_told_of_a_lost_tail() {
    let mut redis = RedisServer::start_with(RedisOptions::durable()).await;
    let cluster = Cluster::start(1, &redis).await;
    let node = &cluster.nodes[0];
    let poller = Poller(TestSession::create(node).await);
    for n in 1..=3 {
        poller.say(&format!("first-{n}")).await;
    }
    let first = poller.ask("after=0").await;
    let (epoch, at) = (&first["epoch"], first["head"].as_u64().unwrap());
    assert_eq!(first.get("recovered"), None, "nothing is judged without an epoch: {first}");

    // A restart that loses nothing: the old position goes on, before and after the new epoch begins.
    redis.crash().await;
    node.wait_ready_is(503).await;
    redis.restart().await;
    node.wait_ready().await;
    let quiet = poller.since(epoch, at).await;
    assert_eq!((told(&quiet), words(&quiet)), ((true, None), vec![]), "{quiet}");
    let mut acked = Vec::new();
    for n in 1..=6 {
        acked.push(poller.say(&format!("old-{n}")).await);
    }
    assert_ne!(&acked[0]["epoch"], epoch, "the publisher sees that the epoch changed");
    let page = poller.since(epoch, at).await;
    assert_eq!((told(&page), words(&page)), ((true, None), named("old", 1..=6)), "{page}");
    let (epoch, at) = (&page["epoch"], page["head"].as_u64().unwrap());
    assert_eq!(acked[5], json!({"epoch": epoch, "seq": at}));

    // A power cut: the last messages never reached the disk.
    redis.crash().await;
    node.wait_ready_is(503).await;
    redis.cut_aof_tail(3 * LARGE as u64);
    redis.restart().await;
    node.wait_ready().await;

    // Before anybody wrote, the log has the old epoch and fewer entries.
    let page = poller.since(epoch, at).await;
    assert_eq!(told(&page), (false, Some("diverged")), "{page}");
    let kept = page["head"].as_u64().unwrap();
    let lost = at - kept;
    assert!((2..=4).contains(&lost), "{lost} of six are lost");
    assert_eq!(words(&page).last(), Some(&format!("old-{}", 6 - lost)), "the newest entries: {page}");

    // New messages, until the numbers have passed what the reader has seen.
    let mut end = Value::Null;
    for n in 1..=lost + 2 {
        end = poller.say(&format!("new-{n}")).await;
    }
    assert!(seq(&end) > at && &end["epoch"] != epoch, "{end}");
    let new = named("new", 1..=lost + 2);
    for after in [at, kept + 1] {
        let page = poller.since(epoch, after).await;
        like("http.messages.diverged", &page);
        assert_eq!(told(&page), (false, Some("diverged")), "{page}");
        assert!(words(&page).ends_with(&new), "none of the new ones is left out: {page}");
        assert_eq!((&page["epoch"], &page["head"]), (&end["epoch"], &end["seq"]));
    }
    // Within what survived the reader goes on, and gets all of it; a stranger's position is none of this log's.
    let page = poller.since(epoch, kept).await;
    assert_eq!((told(&page), words(&page)), ((true, None), new), "{page}");
    let page = poller.since(&json!("6c8349cc-7260-4e62-a3b1-1396831a8398"), kept).await;
    assert_eq!(told(&page), (false, Some("unknown_epoch")), "{page}");

    // The publisher says again what it said under the old epoch: what survived has its place, what was lost gets one.
    for (n, ack) in (1..=6).zip(&acked) {
        let again = poller.say(&format!("old-{n}")).await;
        if n <= 6 - lost {
            assert_eq!(again["seq"], ack["seq"], "old-{n} survived");
        } else {
            assert!(seq(&again) > seq(&end), "old-{n} was lost: {again}");
        }
    }
    let page = poller.since(&end["epoch"], seq(&end)).await;
    assert_eq!((told(&page), words(&page)), ((true, None), named("old", 7 - lost..=6)), "each once: {page}");
}
