//! One order on every node: what two sides say at once arrives everywhere in the same order and in the same bytes, and once.

use std::ops::Range;

use serde_json::{Value, json};

use crate::support::client::TestClient;
use crate::support::node::{Cluster, Node};
use crate::support::party::{Guest, Party, answer, assert_contiguous, chat, entries, read_to, say, seq};
use crate::support::raw::RawClient;
use crate::support::redis_server::RedisServer;

/// Messages of each side.
const EACH: u64 = 50;
/// Messages of each side that are under way at once.
const ROUND: usize = 5;

async fn listen(node: &Node, party: &Party) -> RawClient {
    let token = format!("Bearer {}", party.guest().token);
    let path = format!("/ws/{}", party.session);
    RawClient::upgrade(node.addr(), &path, &[("Authorization", &token)]).await.0
}

/// The next so many chats, as the bytes they came in.
async fn chats(listener: &mut RawClient, count: usize) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while found.len() < count {
        let frame = listener.read_frame().await.expect("the connection stands");
        if frame.opcode == 1 && frame.json()["type"] == "chat" {
            found.push(frame.payload);
        }
    }
    found
}

/// Both sides at once, a few messages and their acks at a time: so neither is done before the other begins. The acks of both.
async fn say_all(clients: [&mut TestClient; 2]) -> [Vec<Value>; 2] {
    let [a, b] = clients;
    let mut acks = [Vec::new(), Vec::new()];
    for start in (1..=EACH).step_by(ROUND) {
        let round = start..start + ROUND as u64;
        let (left, right) = tokio::join!(say_some(a, "left", round.clone()), say_some(b, "right", round));
        acks[0].extend(left);
        acks[1].extend(right);
    }
    acks
}

async fn say_some(client: &mut TestClient, side: &str, numbers: Range<u64>) -> Vec<Value> {
    for n in numbers.clone() {
        client.send(chat(n, &format!("{side} {n}"))).await;
    }
    let mut acks = Vec::new();
    for n in numbers {
        acks.push(answer(client, n).await);
    }
    acks
}

#[tokio::test]
async fn messages_of_two_nodes_arrive_on_both_in_one_order_and_in_the_same_bytes() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let (one, two) = (&cluster.nodes[0], &cluster.nodes[1]);
    let party = Party::found(one, 10).await;
    let (mut here, mut there) = (listen(one, &party).await, listen(two, &party).await);
    let (left, right) = (party.host(), party.guest());
    let (mut a, mut b) = (party.seat(one, &left).await.0, party.seat(two, &right).await.0);

    let [from_a, from_b] = say_all([&mut a, &mut b]).await;

    let all = usize::try_from(2 * EACH).unwrap();
    let (on_one, on_two) = tokio::join!(chats(&mut here, all), chats(&mut there, all));
    assert_eq!(on_one, on_two, "the same bytes in the same order");
    let frames: Vec<Value> = on_one.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
    assert_contiguous(&frames);
    for (who, acks) in [(&left, from_a), (&right, from_b)] {
        let theirs: Vec<&Value> = frames.iter().filter(|frame| frame["from"] == who.id).collect();
        let numbers: Vec<u64> = theirs.iter().map(|frame| frame["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=EACH).collect::<Vec<_>>(), "everyone's own order is kept");
        for (frame, ack) in theirs.iter().zip(&acks) {
            assert_eq!(ack["type"], "ack", "{ack}");
            assert_eq!(ack["data"]["seq"], frame["seq"], "an ack names its entry: {ack} {frame}");
            assert_eq!(ack["data"].get("duplicate"), None, "{ack}");
        }
    }
    let interleaved = frames.windows(2).filter(|pair| pair[0]["from"] != pair[1]["from"]).count();
    assert!(interleaved >= 10, "in each of ten rounds both sides spoke: {interleaved}");

    // Those who speak get the same frames as those who listen.
    let last = seq(frames.last().unwrap());
    for client in [&mut a, &mut b] {
        client.settle().await;
        let own: Vec<Value> =
            entries(&client.seen()).into_iter().filter(|entry| entry["type"] == "chat").collect();
        assert_eq!(own, frames);
        assert_eq!(seq(own.last().unwrap()), last);
    }
}

#[tokio::test]
async fn a_number_sent_again_on_another_node_is_a_duplicate_and_the_first_stays() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let (one, two) = (&cluster.nodes[0], &cluster.nodes[1]);
    let party = Party::found(one, 10).await;
    let who: Guest = party.guest();
    let mut old = party.seat(one, &who).await.0;
    let mut first = Vec::new();
    for n in 1..=3 {
        first.push(say(&mut old, n, &format!("first {n}")).await);
    }

    let (mut new, welcome) = party.seat(two, &who).await;
    assert_eq!(welcome["data"]["last_n"], 3, "{welcome}");
    assert_eq!(old.expect_close().await.0, 4409, "the newer connection wins, on whatever node");
    for n in 1..=3 {
        let again = say(&mut new, n, "another text").await;
        let ack = &first[usize::try_from(n).unwrap() - 1];
        assert_eq!(again["data"]["duplicate"], true, "{again}");
        assert_eq!(again["data"]["seq"], ack["data"]["seq"], "{again} {ack}");
        assert_eq!(again["data"]["epoch"], ack["data"]["epoch"]);
    }
    new.send(chat(9, "too far")).await;
    let gap = answer(&mut new, 9).await;
    assert_eq!((&gap["type"], &gap["data"]["code"]), (&json!("error"), &json!("gap")), "{gap}");
    assert_eq!(gap["data"]["last_n"], 3, "{gap}");
    let fourth = say(&mut new, 4, "first 4").await;
    assert_eq!(fourth["data"].get("duplicate"), None, "a refused number is not used up: {fourth}");

    let expected: Vec<_> = (1..=4).map(|n| (who.id.clone(), n, format!("first {n}"))).collect();
    assert_eq!(party.chats(one).await, expected);
}

#[tokio::test]
async fn an_idempotency_key_holds_on_every_node() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let mut listener = party.seat(&cluster.nodes[1], &party.guest()).await.0;
    let path = format!("/api/sessions/{}/messages", party.session);
    let headers = [
        ("authorization".to_owned(), format!("Bearer {}", party.token)),
        ("idempotency-key".to_owned(), "the-one".to_owned()),
    ];
    let mut answers = Vec::new();
    for node in [0, 1, 0] {
        let body = json!({"type": "chat", "data": {"text": "once"}});
        let api = cluster.nodes[node].api();
        answers.push(api.request("POST", &path, &headers, Some(body)).await.expect(202));
    }
    assert_eq!(answers[0], answers[1], "the same entry, whichever node is asked");
    assert_eq!(answers[0], answers[2]);
    let head = answers[0]["seq"].as_u64().unwrap();
    read_to(&mut listener, head).await;
    assert_eq!(party.log(&cluster.nodes[1]).await.last().map(seq), Some(head), "one entry, not three");
}
