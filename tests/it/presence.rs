//! How people fare, as lists show it: what their own node knows, what other nodes tell, and what a node asks that came later.

use serde_json::{Value, json};

use crate::support::client::TestClient;
use crate::support::node::{Cluster, Node};
use crate::support::party::{Guest, Party};
use crate::support::redis_server::RedisServer;
use crate::support::wait;

/// `who`, as the `participants` that `client` asks for show them.
async fn shown(client: &mut TestClient, who: &Guest) -> Value {
    client.send(json!({"type": "participants", "id": "people"})).await;
    let reply = client.expect_id("people").await;
    find(&reply["data"]["participants"], who)
}

fn find(list: &Value, who: &Guest) -> Value {
    let list = list.as_array().unwrap_or_else(|| panic!("a list: {list}"));
    list.iter()
        .find(|one| one["id"] == who.id)
        .cloned()
        .unwrap_or_else(|| panic!("{} is in {list:?}", who.id))
}

/// What a list says beside who somebody is.
fn fares(one: &Value) -> Value {
    let mut one = one.clone();
    for known in ["id", "name", "color", "role", "joined_at"] {
        assert!(one.as_object_mut().unwrap().remove(known).is_some(), "{one} has {known}");
    }
    one
}

/// `client` reads on until its node has heard that `who` fares so.
async fn hears(client: &mut TestClient, who: &Guest, member: &str, value: Value) {
    client
        .expect_where("the nodes' words of somebody", |frame| {
            frame["data"]["topic"] == "peers" && frame["data"]["body"][&who.id][member] == value
        })
        .await;
}

/// Until the node behind `client` lists `who` so: it takes in what nodes say beside telling it to its people.
async fn lists(client: &mut TestClient, who: &Guest, expected: Value) {
    let deadline = tokio::time::Instant::now() + wait::DEADLINE;
    loop {
        let listed = fares(&shown(client, who).await);
        if listed == expected {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{listed} instead of {expected}");
        tokio::task::yield_now().await;
    }
}

async fn listed_over_http(node: &Node, party: &Party, who: &Guest) -> Value {
    let answer = node.api().get(&format!("/api/sessions/{}", party.session), Some(&party.token)).await;
    find(&answer.body["participant_list"], who)
}

fn report() -> Value {
    json!({"type": "report", "data": {"drift_ms": -12.4, "rtt_ms": 80.2, "status": "hidden"}})
}

fn reported() -> Value {
    json!({"connection": "connected", "status": "hidden", "drift_ms": -12, "rtt_ms": 80})
}

#[tokio::test]
async fn lists_show_how_people_fare_whatever_node_they_are_on() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(3, &redis).await;
    let [first, second, third] = &cluster.nodes[..] else { panic!("three") };
    let party = Party::found(first, 10).await;
    let (mut host, _) = party.seat(first, &party.host()).await;
    let guest = party.guest();
    let (mut ada, welcome) = party.seat(second, &guest).await;
    let connected = json!({"connection": "connected"});
    assert_eq!(fares(&find(&welcome["data"]["participants"], &guest)), connected, "they are here themselves");
    assert_eq!(fares(&shown(&mut host, &guest).await), connected);

    ada.send(report()).await;
    ada.settle().await;
    assert_eq!(fares(&shown(&mut ada, &guest).await), reported(), "their own node knows at once");
    hears(&mut host, &guest, "status", json!("hidden")).await;
    lists(&mut host, &guest, reported()).await;
    assert_eq!(fares(&listed_over_http(first, &party, &guest).await), reported());
    let (_, welcome) = party.seat(first, &party.guest()).await;
    assert_eq!(
        fares(&find(&welcome["data"]["participants"], &guest)),
        reported(),
        "and so does who comes later"
    );
    // Nobody of the session is on the third node: it has heard nothing.
    assert_eq!(fares(&listed_over_http(third, &party, &guest).await), json!({}));

    let (mut late, welcome) = party.seat(third, &party.guest()).await;
    assert_eq!(
        fares(&find(&welcome["data"]["participants"], &guest)),
        connected,
        "told before this node listened"
    );
    hears(&mut late, &guest, "status", json!("hidden")).await;
    lists(&mut late, &guest, reported()).await;
    for client in [&mut host, &mut ada, &mut late] {
        client.settle().await;
        let asked = client.seen().into_iter().find(|frame| frame["data"]["body"] == json!({}));
        assert_eq!(asked, None, "what nodes ask each other is not for people");
    }
}

#[tokio::test]
async fn who_lost_their_connection_is_shown_so_until_they_are_back() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let party = Party::found(&cluster.nodes[0], 10).await;
    let (mut host, _) = party.seat(&cluster.nodes[0], &party.host()).await;
    let guest = party.guest();
    let (mut ada, _) = party.seat(&cluster.nodes[1], &guest).await;
    ada.send(report()).await;
    hears(&mut host, &guest, "status", json!("hidden")).await;
    ada.vanish();
    hears(&mut host, &guest, "connection", json!("reconnecting")).await;
    lists(&mut host, &guest, json!({"connection": "reconnecting"})).await;
    let (_ada, welcome) = party.seat(&cluster.nodes[1], &guest).await;
    let connected = json!({"connection": "connected"});
    assert_eq!(fares(&find(&welcome["data"]["participants"], &guest)), connected, "they know best");
    hears(&mut host, &guest, "connection", json!("connected")).await;
    lists(&mut host, &guest, connected).await;
}
