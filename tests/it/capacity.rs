//! A session never has more participants than it admits, however many come at once and through whichever node.

use crate::support::node::{Cluster, Node};
use crate::support::party::{Arrival, Guest, Party, arrive, say, seq};
use crate::support::redis_server::RedisServer;
use serde_json::Value;
use tokio::task::JoinSet;

fn guests(party: &Party, count: usize) -> Vec<Guest> {
    (0..count).map(|_| party.guest()).collect()
}

/// Seated after each entry of a log.
fn seated(log: &[Value]) -> Vec<usize> {
    let mut seated = std::collections::HashSet::new();
    let mut counts = Vec::new();
    for entry in log {
        match entry["type"].as_str() {
            Some("participant.joined") => {
                let id = entry["data"]["id"].as_str().unwrap();
                assert!(seated.insert(id.to_owned()), "joined twice: {entry}");
            }
            Some("participant.left") => {
                let id = entry["data"]["participant_id"].as_str().unwrap();
                assert!(seated.remove(id), "left without a seat: {entry}");
            }
            _ => {}
        }
        counts.push(seated.len());
    }
    counts
}

#[tokio::test]
async fn two_seats_admit_two_of_fifty_who_come_at_once_through_three_nodes() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(3, &redis).await;
    let party = Party::found(&cluster.nodes[0], 2).await;
    let nodes: Vec<&Node> = cluster.nodes.iter().collect();

    let arrivals = arrive(&party, &nodes, &guests(&party, 50)).await;

    let mut inside = Vec::new();
    for arrival in arrivals {
        match arrival {
            Arrival::Seated(client) => inside.push(client),
            Arrival::Refused(code) => assert_eq!(code, 4430),
            Arrival::Lost => panic!("a refusal is told, not a cut"),
        }
    }
    assert_eq!(inside.len(), 2, "not one more and not one less");
    for node in &nodes {
        let view = node.api().get(&format!("/api/sessions/{}", party.session), None).await.expect(200);
        assert_eq!(view["participants"], 2, "{view}");
    }
    for client in &mut inside {
        say(client, 1, "we sit").await;
    }

    // A seat given up is free at once, for one.
    let mut gone = inside.pop().unwrap();
    gone.send(serde_json::json!({"type": "leave"})).await;
    assert_eq!(gone.expect_close().await.0, 1000);
    let again = arrive(&party, &nodes, &guests(&party, 6)).await;
    let seated_now = again.iter().filter(|arrival| matches!(arrival, Arrival::Seated(_))).count();
    assert_eq!(seated_now, 1, "{again:?}");
    assert_eq!(seated(&party.log(nodes[1]).await).into_iter().max(), Some(2));
}

#[tokio::test]
async fn a_race_of_joins_with_a_node_killed_on_the_way_stays_within_the_seats() {
    const SEATS: usize = 20;
    let redis = RedisServer::start().await;
    let mut cluster = Cluster::start(3, &redis).await;
    let party = Party::found(&cluster.nodes[0], 20).await;
    let doomed = cluster.nodes.pop().unwrap();
    let nodes: Vec<&Node> = cluster.nodes.iter().collect();

    // The third of them comes through a node that dies under their feet.
    let (through_doomed, others) = (guests(&party, 20), guests(&party, 40));
    let kill = async {
        // As soon as one of them sits, so that the others are on their way.
        crate::support::wait::until("somebody to sit", || async {
            let log = party.log(nodes[0]).await;
            (!log.is_empty()).then_some(())
        })
        .await;
        let pid = doomed.pid().to_string();
        std::process::Command::new("kill").args(["-9", &pid]).status().unwrap();
    };
    let attempts = async {
        // A task each: a refused connection is part of a death, and panics in its own task only.
        let mut attempts = JoinSet::new();
        for guest in &through_doomed {
            attempts.spawn(party.connect(&doomed, guest).open());
        }
        while attempts.join_next().await.is_some() {}
    };
    let (arrivals, (), ()) = tokio::join!(arrive(&party, &nodes, &others), attempts, kill);

    let log = party.log(nodes[1]).await;
    let counts = seated(&log);
    assert!(counts.iter().all(|count| *count <= SEATS), "{counts:?}");
    let sitting = arrivals.iter().filter(|arrival| matches!(arrival, Arrival::Seated(_))).count();
    let refused = arrivals.iter().filter(|arrival| matches!(arrival, Arrival::Refused(4430))).count();
    assert_eq!(sitting + refused, 40, "the living nodes answered everybody: {arrivals:?}");
    assert_eq!(counts.last().copied(), Some(SEATS), "all seats are taken, none is lost");
    assert_eq!(log.iter().map(seq).max(), Some(log.len() as u64));
}
