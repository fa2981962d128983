//! The weakness that Centrifugo's own publish script shows on a Redis that lost the tail of its file: offsets are used again under the
//! same epoch. Ten messages, the last five lost in a power cut, six new ones: the offset is 11, and a client at 10 is told `recovered: true`,
//! gets one of the six and never learns of the other five. Here the same steps, and what must happen instead.

use serde_json::{Value, json};

use crate::support::client::TestClient;
use crate::support::node::Cluster;
use crate::support::party::{Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::redis_server::{RedisOptions, RedisServer};

/// Bytes of a message of which the file loses whole ones: large against everything else that is written meanwhile.
const LARGE: usize = 2000;

fn large(text: &str) -> String {
    format!("{text} {}", "x".repeat(LARGE - 100))
}

/// The first word of a chat: what it said, without its bulk.
fn word(entry: &Value) -> String {
    entry["data"]["text"].as_str().unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
}

fn words(frames: &[Value]) -> Vec<String> {
    entries(frames).iter().filter(|entry| entry["type"] == "chat").map(word).collect()
}

fn told(welcome: &Value) -> (bool, Option<&str>) {
    (welcome["data"]["recovered"].as_bool().unwrap(), welcome["data"]["reason"].as_str())
}

fn epoch_of(ack: &Value) -> String {
    ack["data"]["epoch"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn centrifugo_weakness_offsets_used_again_after_a_lost_tail_are_diverged_and_never_recovered() {
    let mut redis = RedisServer::start_with(RedisOptions::durable()).await;
    let cluster = Cluster::start(2, &redis).await;
    let nodes = &cluster.nodes;
    let party = Party::found(&nodes[0], 10).await;
    let (speaker, reader) = (party.host(), party.guest());
    let mut speaks = party.seat(&nodes[0], &speaker).await.0;
    let mut stays = party.seat(&nodes[1], &party.guest()).await.0;
    let mut reads = party.seat(&nodes[1], &reader).await.0;

    // Ten messages, and somebody who has them all and goes away.
    let mut acks = Vec::new();
    for n in 1..=10 {
        acks.push(say(&mut speaks, n, &large(&format!("old-{n}"))).await);
    }
    let (epoch, at) = (epoch_of(&acks[9]), seq(&acks[9]["data"]));
    assert_eq!(words(&read_to(&mut reads, at).await).last().map(String::as_str), Some("old-10"));
    read_to(&mut stays, at).await;
    reads.vanish();

    // Power cut: the last messages never reached the disk.
    redis.crash().await;
    for node in nodes {
        node.wait_ready_is(503).await;
    }
    redis.cut_aof_tail(5 * LARGE as u64);
    redis.restart().await;
    for node in nodes {
        node.wait_ready().await;
    }
    let reset = stays.expect("reset").await;
    assert_eq!(reset["data"]["reason"], "diverged", "{reset}");
    let kept = reset["data"]["head"].as_u64().unwrap();
    let lost = at - kept;
    assert!((4..=6).contains(&lost), "{lost} of ten are lost");

    // New messages, until the numbers have passed what the reader has seen.
    let first = 10 - lost + 1;
    speaks.send(chat(11, "beyond")).await;
    let gap = answer(&mut speaks, 11).await;
    assert_eq!((&gap["data"]["code"], &gap["data"]["last_n"]), (&json!("gap"), &json!(first - 1)), "{gap}");
    let mut end = 0;
    for n in first..=first + lost {
        let ack = say(&mut speaks, n, &format!("new-{n}")).await;
        assert_eq!(ack["data"].get("duplicate"), None, "{ack}");
        end = seq(&ack["data"]);
    }
    assert!(end > at, "the old head is passed: {end}");
    let new: Vec<String> = (first..=first + lost).map(|n| format!("new-{n}")).collect();

    // The reader comes back at its old position, on either node: it is told, and given no part of the new entries as if they followed.
    for node in nodes {
        let (back, welcome) = party.connect(node, &reader).resume(&epoch, at).welcomed().await;
        assert_eq!(told(&welcome), (false, Some("diverged")), "{welcome}");
        assert!(welcome["data"]["head"].as_u64().unwrap() >= end, "it starts at the present: {welcome}");
        assert_nothing_replayed(back).await;
    }
    // So does one that is anywhere in the lost part; one that is within what survived goes on, and gets all of it.
    let within = party.connect(&nodes[0], &reader).resume(&epoch, kept + 1).welcomed().await;
    assert_eq!(told(&within.1), (false, Some("diverged")), "{}", within.1);
    within.0.vanish();
    let (mut back, welcome) = party.connect(&nodes[0], &reader).resume(&epoch, kept).welcomed().await;
    assert_eq!(told(&welcome), (true, None), "{welcome}");
    let frames = read_to(&mut back, end).await;
    assert_contiguous(&entries(&frames));
    assert_eq!((seq(&entries(&frames)[0]), words(&frames)), (kept + 1, new.clone()));

    // Who stayed connected was told before anything new, and then got the same.
    let before = words(&stays.seen());
    assert!(before.iter().all(|word| !word.starts_with("new")), "nothing new before the reset: {before:?}");
    let frames = read_to(&mut stays, end).await;
    assert_contiguous(&entries(&frames));
    assert_eq!(words(&frames), new);
}

/// Whatever comes after this `welcome` is said after it.
async fn assert_nothing_replayed(mut client: TestClient) {
    client.settle().await;
    assert_eq!(words(&client.seen()), Vec::<String>::new());
    client.vanish();
}
