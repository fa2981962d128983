//! One film for everybody: commands, waits and who ends them, over the memory backend and over two nodes with one Redis.

use serde_json::{Value, json};

use crate::support::client::{Connect, TestClient};
use crate::support::node::{Cluster, Node};
use crate::support::pair::Pair;
use crate::support::redis_server::RedisServer;
use crate::support::wait;

const PASSWORD: &str = "open sesame";
/// The lead while nobody has reported a round trip, and the one for a round trip of 300 ms.
const LEAD_UNKNOWN: u64 = 250;
const LEAD_300: u64 = 210;

/// A session whose host has joined through `node`.
async fn session(node: &Node) -> (String, TestClient) {
    let created = node.api().create("Film night", PASSWORD, Some(20)).await.expect(201);
    let session = text(&created["id"]);
    let token = text(&created["token"]);
    let (host, _) = Connect::to(node.addr(), &session).bearer(&token).welcomed().await;
    (session, host)
}

async fn member(node: &Node, session: &str) -> (TestClient, Value) {
    let joined = node.api().join(session, PASSWORD, Some("Ada")).await.expect(200);
    let connect = Connect::to(node.addr(), session).bearer(&text(&joined["token"]));
    let (client, welcome) = connect.welcomed().await;
    (client, welcome["data"].clone())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string: {value}")).to_owned()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn load() -> Value {
    let media = json!({"kind": "sample", "src": "sample", "title": "Timecode", "duration_ms": 120_000});
    json!({"type": "load", "data": {"media": media}})
}

fn ready(film: &Value) -> Value {
    json!({"type": "ready", "data": {"version": film["waiting"]["version"]}})
}

/// Sends a command with an id, and gives the answer.
async fn ask(client: &mut TestClient, mut frame: Value) -> Value {
    let id = format!("ask-{:x}", fastrand::u64(..));
    frame["id"] = json!(id);
    client.send(frame).await;
    // An entry that comes first stays for `film`.
    client.expect_id(&id).await
}

/// The next frame that `accept`s, also if it has been passed over.
async fn passed_or_next(client: &mut TestClient, what: &str, accept: impl Fn(&Value) -> bool) -> Value {
    let mut seen = client.seen();
    let found = seen.iter().position(&accept).map(|at| seen.remove(at));
    client.keep(seen);
    match found {
        Some(frame) => frame,
        None => client.expect_where(what, accept).await,
    }
}

async fn film_frame(client: &mut TestClient) -> Value {
    passed_or_next(client, "a playback entry", |frame| frame["type"] == "playback").await
}

async fn film(client: &mut TestClient) -> Value {
    film_frame(client).await["data"].clone()
}

/// Sends a command and gives the state that everybody in `others` got too.
async fn command(client: &mut TestClient, others: &mut [&mut TestClient], frame: Value) -> Value {
    let answer = ask(client, frame).await;
    assert_eq!(answer["type"], "ack", "{answer}");
    let entry = film_frame(client).await;
    assert_eq!(entry["seq"], answer["data"]["seq"]);
    for other in others {
        assert_eq!(film_frame(other).await, entry);
    }
    entry["data"].clone()
}

/// The cluster's time as the node says it.
async fn clock(client: &mut TestClient) -> u64 {
    let pong = ask(client, json!({"type": "ping", "data": {"t0": 0}})).await;
    number(&pong["data"]["t1"])
}

/// A client whose film waits for everybody at 0, after a load and a play of its host.
async fn wait_at_the_beginning(host: &mut TestClient, others: &mut [&mut TestClient]) -> Value {
    command(host, others, load()).await;
    let waiting = command(host, others, json!({"type": "play"})).await;
    assert_eq!(waiting["phase"], "waiting", "{waiting}");
    assert_eq!(number(&waiting["waiting"]["deadline_ms"]), number(&waiting["waiting"]["since_ms"]) + 3000);
    waiting
}

#[tokio::test]
async fn everybody_has_the_same_film_through_every_command() {
    let node = Node::start(&[]).await;
    let (session, mut host) = session(&node).await;
    let (mut ada, welcome) = member(&node, &session).await;
    assert_eq!(welcome["slots"], json!({}), "no slot is an idle session");
    let me = text(&welcome["participant_id"]);
    let refused = ask(&mut ada, json!({"type": "play"})).await;
    assert_eq!(
        (refused["type"].as_str(), refused["data"]["code"].as_str()),
        (Some("error"), Some("conflict"))
    );

    let loaded = command(&mut host, &mut [&mut ada], load()).await;
    assert_eq!(
        (number(&loaded["version"]), &loaded["phase"], &loaded["rate"]),
        (1, &json!("paused"), &json!(1))
    );
    let waiting = command(&mut ada, &mut [&mut host], json!({"type": "play", "n": 1})).await;
    assert_eq!((number(&waiting["version"]), &waiting["phase"]), (2, &json!("waiting")));
    assert_ne!(waiting["actor"], json!(me), "whoever loaded it put it where it is");
    let before = clock(&mut ada).await;
    host.send(ready(&waiting)).await;
    ada.send(ready(&waiting)).await;
    let started = film_frame(&mut ada).await;
    assert_eq!(film_frame(&mut host).await, started);
    assert_eq!((&started["from"], &started["data"]["reason"]), (&Value::Null, &json!("ready")));
    let after = clock(&mut ada).await;
    let effective = number(&started["data"]["effective_at_ms"]);
    assert!((before + LEAD_UNKNOWN..=after + LEAD_UNKNOWN).contains(&effective), "{started}");
    assert_eq!(started["data"]["anchor_ms"], started["data"]["effective_at_ms"]);

    let at = clock(&mut ada).await;
    let shown = at.saturating_sub(effective) + 40;
    let pause = json!({"type": "pause", "n": 2, "data": {"at_ms": at, "position_ms": shown}});
    let paused = command(&mut ada, &mut [&mut host], pause).await;
    assert_eq!(
        (number(&paused["version"]), &paused["phase"], &paused["actor"]),
        (4, &json!("paused"), &json!(me))
    );
    assert_eq!(number(&paused["position_ms"]), shown, "everybody holds the actor's frame");
    let again = command(&mut host, &mut [&mut ada], json!({"type": "pause"})).await;
    assert_eq!(again, paused, "said, and nothing changed");

    let playing = command(&mut host, &mut [&mut ada], json!({"type": "play"})).await;
    assert_eq!((number(&playing["version"]), &playing["reason"]), (5, &json!("play")));
    let rate = json!({"type": "rate", "n": 3, "data": {"rate": 1.25}});
    let faster = command(&mut ada, &mut [&mut host], rate).await;
    assert_eq!(
        (number(&faster["version"]), &faster["rate"], &faster["phase"]),
        (6, &json!(1.25), &json!("playing"))
    );
    let seek = json!({"type": "seek", "n": 4, "data": {"position_ms": 999_999}});
    let sought = command(&mut ada, &mut [&mut host], seek).await;
    assert_eq!((number(&sought["version"]), &sought["phase"]), (7, &json!("waiting")));
    assert_eq!(number(&sought["position_ms"]), 120_000, "not past the end");

    let (_late, welcome) = member(&node, &session).await;
    assert_eq!(welcome["slots"]["playback"], sought);
}

#[tokio::test]
async fn the_lead_follows_the_reported_round_trips() {
    let node = Node::start(&[]).await;
    let (_, mut host) = session(&node).await;
    command(&mut host, &mut [], load()).await;
    let far = json!({"drift_ms": -120.4, "rtt_ms": 300.2, "status": "playing"});
    host.send(json!({"type": "report", "data": far})).await;
    let waiting = command(&mut host, &mut [], json!({"type": "play"})).await;
    let before = clock(&mut host).await;
    host.send(ready(&waiting)).await;
    let started = film(&mut host).await;
    let after = clock(&mut host).await;
    let effective = number(&started["effective_at_ms"]);
    assert!((before + LEAD_300..=after + LEAD_300).contains(&effective), "{before} {started} {after}");
    let api = node.api();
    let line = "watchparty_playback_drift_seconds_bucket{le=\"0.2\"} 1";
    wait::until(line, || async move {
        let page = api.get("/metrics", None).await;
        std::str::from_utf8(&page.bytes).unwrap().contains(line).then_some(())
    })
    .await;
    let peers =
        passed_or_next(&mut host, "the nodes' own words", |frame| frame["data"]["topic"] == "peers").await;
    assert_eq!(peers["from"], Value::Null);
    let told = peers["data"]["body"].as_object().unwrap().values().next().unwrap();
    assert_eq!((&told["drift_ms"], &told["rtt_ms"]), (&json!(-120), &json!(300)), "{peers}");
}

#[tokio::test]
async fn one_who_is_never_ready_costs_the_deadline_and_no_more() {
    let node = Node::start(&[]).await;
    let (session, mut host) = session(&node).await;
    let (mut ada, _) = member(&node, &session).await;
    let waiting = wait_at_the_beginning(&mut host, &mut [&mut ada]).await;
    host.send(ready(&waiting)).await;
    let started = film(&mut host).await;
    assert_eq!((&started["reason"], &started["phase"]), (&json!("deadline"), &json!("playing")));
    assert!(number(&started["anchor_ms"]) >= number(&waiting["waiting"]["deadline_ms"]) + LEAD_UNKNOWN);
    assert_eq!(number(&started["version"]), number(&waiting["version"]) + 1);
    assert_eq!(film(&mut ada).await, started);
}

#[tokio::test]
async fn most_are_enough_after_a_second() {
    let node = Node::start(&[]).await;
    let (session, mut host) = session(&node).await;
    let (mut ada, _) = member(&node, &session).await;
    let (mut bo, _) = member(&node, &session).await;
    let (mut cy, _) = member(&node, &session).await;
    let waiting = wait_at_the_beginning(&mut host, &mut [&mut ada, &mut bo, &mut cy]).await;
    for client in [&mut host, &mut ada, &mut bo] {
        client.send(ready(&waiting)).await;
    }
    let started = film(&mut cy).await;
    assert_eq!(started["reason"], "quorum");
    assert!(number(&started["anchor_ms"]) >= number(&waiting["waiting"]["since_ms"]) + 1000 + LEAD_UNKNOWN);
}

#[tokio::test]
async fn neither_who_joins_nor_who_is_away_holds_the_film() {
    let node = Node::start(&[]).await;
    let (session, mut host) = session(&node).await;
    let (mut ada, _) = member(&node, &session).await;
    let waiting = wait_at_the_beginning(&mut host, &mut [&mut ada]).await;
    let since = number(&waiting["waiting"]["since_ms"]);
    while clock(&mut host).await <= since {}
    let (mut late, welcome) = member(&node, &session).await;
    assert_eq!(welcome["slots"]["playback"], waiting);
    host.send(ready(&waiting)).await;
    ada.vanish();
    let started = film(&mut host).await;
    assert_eq!(started["reason"], "ready", "all who are waited for: {started}");
    assert_eq!(film(&mut late).await, started);
}

#[tokio::test]
async fn only_the_host_moves_a_film_that_is_the_hosts() {
    let node = Node::start(&[]).await;
    let (session, mut host) = session(&node).await;
    let (mut ada, _) = member(&node, &session).await;
    let loaded = command(&mut ada, &mut [&mut host], load()).await;
    let update = json!({"type": "session.update", "data": {"control": "host"}});
    assert_eq!(ask(&mut host, update).await["type"], "ack");
    ada.expect("session.updated").await;
    let history = json!({"type": "history", "data": {"limit": 1}});
    let before = ask(&mut ada, history.clone()).await["data"].clone();
    let seek = json!({"type": "seek", "n": 1, "data": {"position_ms": 5000}});
    let rate = json!({"type": "rate", "n": 1, "data": {"rate": 2}});
    let load = json!({"n": 1, "type": "load", "data": {"media": {"kind": "sample", "src": "other"}}});
    for frame in [seek.clone(), rate, load, json!({"type": "play", "n": 1}), json!({"type": "pause", "n": 1})]
    {
        let refused = ask(&mut ada, frame).await;
        assert_eq!(
            (refused["type"].as_str(), refused["data"]["code"].as_str()),
            (Some("error"), Some("forbidden"))
        );
    }
    assert_eq!(ask(&mut ada, history).await["data"], before, "the log is as it was");
    let sought =
        command(&mut host, &mut [&mut ada], json!({"type": "seek", "data": {"position_ms": 9000}})).await;
    assert_eq!(number(&sought["version"]), number(&loaded["version"]) + 1);
    let update = json!({"type": "session.update", "data": {"control": "everyone"}});
    assert_eq!(ask(&mut host, update).await["type"], "ack");
    let sought = command(&mut ada, &mut [&mut host], seek).await;
    assert_eq!(number(&sought["position_ms"]), 5000, "with the number that was refused");
}

#[tokio::test]
async fn two_nodes_wait_together_and_start_once() {
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let (session, mut host) = session(&cluster.nodes[0]).await;
    let (mut ada, _) = member(&cluster.nodes[1], &session).await;
    let mut version = 0;
    for round in 1..=5u64 {
        let waiting = match round {
            1 => wait_at_the_beginning(&mut host, &mut [&mut ada]).await,
            _ => {
                let seek = json!({"type": "seek", "data": {"position_ms": round * 15_000}});
                command(&mut ada, &mut [&mut host], seek).await
            }
        };
        host.send(ready(&waiting)).await;
        ada.send(ready(&waiting)).await;
        let started = film_frame(&mut host).await;
        assert_eq!(started["data"]["reason"], "ready", "each node knows of the other's people: {started}");
        assert_eq!(film_frame(&mut ada).await, started);
        version = number(&started["data"]["version"]);
        assert_eq!(version, number(&waiting["version"]) + 1);
    }
    // Whatever a node had tried besides would stand in the log before this.
    let paused = command(&mut host, &mut [&mut ada], json!({"type": "pause"})).await;
    assert_eq!(number(&paused["version"]), version + 1);
}

#[tokio::test]
async fn seeks_from_two_nodes_at_once_end_in_one_state() {
    const EACH: u64 = 20;
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(2, &redis).await;
    let (session, mut host) = session(&cluster.nodes[0]).await;
    let (mut ada, _) = member(&cluster.nodes[1], &session).await;
    let loaded = command(&mut host, &mut [&mut ada], load()).await;
    let mut clients = [host, ada];
    for at in 0..EACH {
        for (index, client) in clients.iter_mut().enumerate() {
            let position = at * 1000 + index as u64;
            let seek = json!({"type": "seek", "id": "seek", "data": {"position_ms": position}});
            client.send(seek).await;
        }
    }
    let mut written = 0;
    for client in &mut clients {
        for _ in 0..EACH {
            let answer = client.expect_id("seek").await;
            // Three tries may not be enough against another node that never rests: then nothing was written.
            match answer["type"].as_str() {
                Some("ack") => written += 1,
                _ => assert_eq!(answer["data"]["code"], "conflict", "{answer}"),
            }
        }
    }
    assert!(written >= EACH, "at least one of two seeks lands: {written}");
    let [mut host, mut ada] = clients;
    let mut last = loaded;
    for _ in 0..written {
        let entry = film_frame(&mut host).await;
        assert_eq!(film_frame(&mut ada).await, entry);
        assert_eq!(number(&entry["data"]["version"]), number(&last["version"]) + 1);
        last = entry["data"].clone();
    }
    for node in &cluster.nodes {
        let (_late, welcome) = member(node, &session).await;
        assert_eq!(welcome["slots"]["playback"], last);
    }
}

/// A command of some kind; which, only the seed decides.
fn any_command(random: &mut fastrand::Rng) -> Value {
    let position = random.u64(0..120_000);
    match random.u8(0..8) {
        0 => load(),
        1 | 2 => json!({"type": "play"}),
        3 => json!({"type": "play", "data": {"position_ms": position}}),
        4 | 5 => json!({"type": "pause"}),
        6 => json!({"type": "seek", "data": {"position_ms": position}}),
        _ => json!({"type": "rate", "data": {"rate": random.u64(1..=16) as f64 / 4.0}}),
    }
}

/// Sends so many commands one after another and says who is ready whenever asked; how many were acked.
async fn command_at_will(client: &mut TestClient, seed: u64, commands: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut acked = 0;
    for n in 1..=commands {
        // What lost three races is given up, and its number goes to the next one.
        let mut frame = any_command(&mut random);
        frame["n"] = json!(acked + 1);
        let answer = ask(client, frame).await;
        match answer["type"].as_str() {
            Some("ack") => acked += 1,
            _ => assert_eq!(answer["data"]["code"], "conflict", "{n}: {answer}"),
        }
        let asks = client.seen();
        let waiting = asks.iter().rev().find(|frame| frame["data"]["phase"] == "waiting").cloned();
        client.keep(asks);
        if let Some(waiting) = waiting.filter(|_| random.bool()) {
            client.send(ready(&waiting["data"])).await;
        }
    }
    acked
}

#[tokio::test]
async fn any_interleaving_of_commands_from_three_nodes_ends_in_one_state() {
    const COMMANDS: u64 = 25;
    let redis = RedisServer::start().await;
    let cluster = Cluster::start(3, &redis).await;
    for seed in 1..=4u64 {
        let (session, mut host) = session(&cluster.nodes[0]).await;
        let (mut ada, _) = member(&cluster.nodes[1], &session).await;
        let (mut bo, _) = member(&cluster.nodes[2], &session).await;
        let first = command(&mut host, &mut [&mut ada, &mut bo], load()).await;
        let acked = tokio::join!(
            command_at_will(&mut host, seed, COMMANDS),
            command_at_will(&mut ada, seed + 100, COMMANDS),
            command_at_will(&mut bo, seed + 200, COMMANDS),
        );
        // The last word: nothing waits after it, so nothing comes by itself.
        let last = ask(&mut host, json!({"type": "pause", "n": acked.0 + 1})).await;
        assert_eq!(last["type"], "ack", "{last}");
        let mut told = Vec::new();
        for client in [&mut host, &mut ada, &mut bo] {
            let mut films: Vec<Value> = Vec::new();
            while films.last().is_none_or(|film| film["seq"] != last["data"]["seq"]) {
                films.push(film_frame(client).await);
            }
            told.push(films);
        }
        assert!(told.iter().all(|films| *films == told[0]), "seed {seed}: everybody is told the same");
        let mut before = first;
        for film in &told[0] {
            let (state, version) = (&film["data"], number(&before["version"]));
            let next = number(&state["version"]) == version + 1;
            assert!(next || *state == before, "seed {seed}: {state} after {before}");
            before = state.clone();
        }
        let by_people = told[0].iter().filter(|film| !film["from"].is_null()).count() as u64;
        assert_eq!(by_people, acked.0 + acked.1 + acked.2 + 1, "seed {seed}: what was acked was said, once");
        for node in &cluster.nodes {
            let (_late, welcome) = member(node, &session).await;
            assert_eq!(welcome["slots"]["playback"], before, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_wait_outlives_the_node_that_began_it() {
    let redis = RedisServer::start().await;
    let mut cluster = Cluster::start(2, &redis).await;
    let (session, mut host) = session(&cluster.nodes[0]).await;
    let waiting = wait_at_the_beginning(&mut host, &mut []).await;
    cluster.nodes[0].kill9();
    let (mut ada, welcome) = member(&cluster.nodes[1], &session).await;
    assert_eq!(welcome["slots"]["playback"], waiting);
    let started = film(&mut ada).await;
    assert_eq!(started["reason"], "deadline", "the room opened while it waited");
    assert_eq!(number(&started["version"]), number(&waiting["version"]) + 1);
}

/// A film that plays on two nodes, after all of its viewers were ready.
async fn play(host: &mut TestClient, ada: &mut TestClient) -> Value {
    let waiting = wait_at_the_beginning(host, &mut [ada]).await;
    host.send(ready(&waiting)).await;
    ada.send(ready(&waiting)).await;
    let playing = film(host).await;
    assert_eq!((&playing["phase"], &film(ada).await), (&json!("playing"), &playing));
    playing
}

#[tokio::test]
async fn a_failover_to_a_host_whose_clock_is_off_moves_no_film() {
    const AHEAD_S: i64 = -20;
    let mut pair = Pair::start_apart(AHEAD_S).await;
    let url = pair.url();
    let nodes = [Node::start(&[("REDIS_URL", &url)]).await, Node::start(&[("REDIS_URL", &url)]).await];
    let (session, mut host) = session(&nodes[0]).await;
    let (mut ada, _) = member(&nodes[1], &session).await;
    let playing = play(&mut host, &mut ada).await;
    let before = clock(&mut host).await;
    // The replica has it.
    let (key, version) = (format!("wp:{{{session}}}:s"), playing["version"].to_string());
    wait::until("the replica to have the film", || async {
        let slot = pair.replica.cli(&["HGET", &key, "slot:playback"]).await;
        slot.starts_with(&version).then_some(())
    })
    .await;
    pair.primary.kill9();
    pair.fail_over().await;

    let entry = film_frame(&mut host).await;
    assert_eq!(film_frame(&mut ada).await, entry, "both nodes tried, and one state is everybody's");
    let told = entry["data"].clone();
    assert_eq!(
        (&entry["from"], &told["reason"], &told["phase"]),
        (&Value::Null, &json!("clock"), &json!("playing"))
    );
    assert_eq!(number(&told["version"]), number(&playing["version"]) + 1);
    assert_ne!(told["clock"], playing["clock"]);
    for kept in ["position_ms", "rate", "media", "actor"] {
        assert_eq!(told[kept], playing[kept]);
    }
    let moved = told["anchor_ms"].as_i64().unwrap() - playing["anchor_ms"].as_i64().unwrap();
    // As exactly as a node reads a clock; how quick that was is the machine's.
    assert!((moved - AHEAD_S * 1000).abs() < 2000, "{moved} {told} {playing}");
    assert!(clock(&mut host).await < before, "the cluster's time is the new host's");

    // What was decided since goes on from there, and nobody told the film a second time.
    for node in &nodes {
        node.wait_ready_is(200).await;
    }
    let paused = command(&mut host, &mut [&mut ada], json!({"type": "pause"})).await;
    assert_eq!(number(&paused["version"]), number(&told["version"]) + 1);
    assert_eq!(paused["clock"], told["clock"]);
}
