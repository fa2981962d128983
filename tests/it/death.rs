//! A node dies or freezes: its participants leave once each, a host follows, and what it says too late is not heard.

use std::time::Duration;

use serde_json::Value;

use crate::support::client::{Received, TestClient};
use crate::support::node::{Cluster, ClusterOptions};
use crate::support::party::{Party, answer, assert_contiguous, chat, entries, say, seq};
use crate::support::redis_server::RedisServer;

/// The shortest lease there is, so that a test does not take a minute.
const LEASE: &[(&str, &str)] = &[("PARTICIPANT_LEASE", "10")];

/// Lease and beat (10 s + 5 s) is the promise; a busy machine gets as much again.
const GONE_WITHIN: Duration = Duration::from_secs(30);

async fn left(client: &mut TestClient) -> Value {
    let left = tokio::time::timeout(GONE_WITHIN, client.expect("participant.left")).await;
    left.unwrap_or_else(|_| panic!("nobody left within {GONE_WITHIN:?}"))
}

#[tokio::test]
async fn participants_of_a_killed_node_leave_once_each_and_a_host_follows() {
    let redis = RedisServer::start().await;
    let options = ClusterOptions { settings: LEASE, proxied: false };
    let mut cluster = Cluster::start_with(2, &redis, options).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let (host, other, eldest, youngest) = (party.host(), party.guest(), party.guest(), party.guest());
    let _host = party.seat(&cluster.nodes[0], &host).await.0;
    let (mut survivor, welcome) = party.seat(&cluster.nodes[1], &eldest).await;
    assert_eq!(welcome["data"]["host_id"], host.id, "{welcome}");
    let _other = party.seat(&cluster.nodes[0], &other).await.0;
    let mut second = party.seat(&cluster.nodes[1], &youngest).await.0;
    survivor.settle().await;
    survivor.seen();

    cluster.nodes[0].kill9();
    let died = crate::support::mint::now_seconds() * 1000;

    let gone = [left(&mut survivor).await, left(&mut survivor).await];
    let ids: Vec<&Value> = gone.iter().map(|entry| &entry["data"]["participant_id"]).collect();
    assert!(
        ids.contains(&&Value::from(host.id.clone())) && ids.contains(&&Value::from(other.id.clone())),
        "{gone:?}"
    );
    for entry in &gone {
        assert_eq!(entry["data"]["reason"], "timeout", "{entry}");
        if entry["data"]["participant_id"] == host.id {
            assert_eq!(
                entry["data"]["host_id"], eldest.id,
                "the longest seated follows, in the same entry: {entry}"
            );
        }
        let after = entry["ts"].as_u64().unwrap().saturating_sub(died);
        // The seat was last renewed at most a beat before the node died, and is missed by a beat after its lease.
        assert!(after >= 4_000, "nobody is sent away early: {after} ms");
    }
    assert_eq!(gone[1]["data"]["host_id"], eldest.id, "{gone:?}");

    // Once each, on every listener, and the session goes on.
    let last = say(&mut survivor, 1, "we go on").await["data"]["seq"].as_u64().unwrap();
    crate::support::party::read_to(&mut second, last).await;
    let log = party.log(&cluster.nodes[1]).await;
    let times = log.iter().filter(|entry| entry["type"] == "participant.left").count();
    assert_eq!(times, 2, "{log:?}");
    let path = format!("/api/sessions/{}", party.session);
    let view = cluster.nodes[1].api().get(&path, Some(&eldest.token)).await.expect(200);
    assert_eq!(
        (&view["host_id"], &view["participants"]),
        (&Value::from(eldest.id), &Value::from(2)),
        "{view}"
    );
}

#[tokio::test]
async fn a_node_that_froze_past_the_lease_writes_nothing_when_it_wakes() {
    let redis = RedisServer::start().await;
    let options = ClusterOptions { settings: LEASE, proxied: false };
    let cluster = Cluster::start_with(2, &redis, options).await;
    let (frozen, awake) = (&cluster.nodes[0], &cluster.nodes[1]);
    let party = Party::found(awake, 10).await;
    let mut watcher = party.seat(awake, &party.host()).await.0;
    let guest = party.guest();
    let mut late = party.seat(frozen, &guest).await.0;
    say(&mut late, 1, "in time").await;

    frozen.freeze();
    // Into the kernel's buffer: the node reads it when it wakes, long after the seat was given to nobody.
    late.send(chat(2, "too late")).await;
    let gone = left(&mut watcher).await;
    assert_eq!(gone["data"]["participant_id"], guest.id);
    assert_eq!(gone["data"]["reason"], "timeout");
    frozen.thaw();

    // The late one is told `stale`, or loses the connection, or both: never an ack.
    let code = loop {
        match late.next().await {
            Received::Frame(frame) if frame["id"] == "c2" => {
                assert_eq!(
                    (&frame["type"], &frame["data"]["code"]),
                    (&"error".into(), &"stale".into()),
                    "{frame}"
                );
            }
            Received::Frame(_) => {}
            Received::Closed(code, _) => break code,
            Received::Lost => break 1006,
        }
    };
    assert_eq!(code, 1012, "a lost seat is resumed at once");
    let said: Vec<String> = party.chats(awake).await.into_iter().map(|(_, _, text)| text).collect();
    assert_eq!(said, ["in time"]);

    // It can come back, and its number was not used up.
    let (mut back, welcome) = party.seat(frozen, &guest).await;
    assert_eq!(welcome["data"]["last_n"], 1, "{welcome}");
    let last = say(&mut back, 2, "again").await["data"]["seq"].as_u64().unwrap();
    let mut seen = entries(&watcher.seen());
    seen.push(gone);
    seen.extend(entries(&crate::support::party::read_to(&mut watcher, last).await));
    assert_contiguous(&seen);
    assert_eq!(seen.last().map(seq), Some(last));
}

#[tokio::test]
async fn what_a_killed_node_acked_is_there_once_and_what_it_did_not_can_be_said_again() {
    let redis = RedisServer::start().await;
    let mut cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[1], 10).await;
    let mut watcher = party.seat(&cluster.nodes[1], &party.host()).await.0;
    let speaker = party.guest();
    let mut client = party.seat(&cluster.nodes[0], &speaker).await.0;
    let (mut sent, mut acked) = (0, Vec::new());
    for _ in 0..4 {
        // The node dies with messages on their way: some in the log without an ack, some nowhere.
        for _ in 0..25 {
            sent += 1;
            client.send(chat(sent, &format!("said {sent}"))).await;
        }
        acked.push(answer(&mut client, sent - 20).await);
        cluster.nodes[0].kill9();
        loop {
            match client.next().await {
                Received::Frame(frame) if frame["type"] == "ack" => acked.push(frame),
                Received::Frame(_) => {}
                Received::Closed(..) | Received::Lost => break,
            }
        }
        cluster.nodes[0].restart().await;
        let (next, welcome) = party.seat(&cluster.nodes[0], &speaker).await;
        client = next;
        let last_n = welcome["data"]["last_n"].as_u64().unwrap();
        assert!(
            acked.iter().all(|ack| ack["n"].as_u64().unwrap() <= last_n),
            "an ack outlives its node: {welcome}"
        );
        // From an old one on, so that duplicates are among them.
        for n in (last_n - 3)..=sent {
            let again = say(&mut client, n, &format!("said {n}")).await;
            assert_eq!(again["data"]["duplicate"] == true, n <= last_n, "{again}");
            acked.push(again);
        }
    }
    let end = seq(&acked.last().unwrap()["data"]);
    crate::support::party::read_to(&mut watcher, end).await;
    let expected: Vec<_> = (1..=sent).map(|n| (speaker.id.clone(), n, format!("said {n}"))).collect();
    assert_eq!(party.chats(&cluster.nodes[1]).await, expected, "each once, in order");
    let log = party.log(&cluster.nodes[1]).await;
    for ack in acked {
        let entry = log.iter().find(|entry| seq(entry) == seq(&ack["data"])).unwrap();
        assert_eq!(
            (&entry["n"], &entry["from"]),
            (&ack["n"], &Value::from(speaker.id.clone())),
            "{ack} {entry}"
        );
    }
}
