//! What connected participants say to each other and to the server, on one node in memory.

use serde_json::{Value, json};

use crate::support::golden::like;
use crate::support::mint::{claims, now_seconds, random_uuid};
use crate::support::node::Node;
use crate::support::raw::{RawClient, RawFrame};
use crate::support::session::{Member, TestSession};

impl Member {
    /// Says something durable and returns the number of its entry.
    async fn say(&mut self, text: &str) -> u64 {
        let id = random_uuid();
        self.client.send(json!({"type": "chat", "id": id, "data": {"text": text}})).await;
        let ack = self.client.expect_id(&id).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        ack["data"]["seq"].as_u64().unwrap()
    }

    /// Sends a request and returns what answers it.
    async fn ask(&mut self, mut frame: Value) -> Value {
        let id = random_uuid();
        frame["id"] = json!(id);
        self.client.send(frame).await;
        self.client.expect_id(&id).await
    }
}

async fn pair(session: &TestSession) -> (Member, Member) {
    let host = session.host().await;
    (host, session.member().await)
}

#[tokio::test]
async fn welcome_says_everything_there_is_to_know() {
    let node = Node::start(&[("RATE_LIMIT_MESSAGES", "20/s:60")]).await;
    let session = TestSession::with_seats(&node, Some(7)).await;
    let clock = session.api().get("/api/clock", None).await.expect(200)["now_ms"].as_u64();
    let host = session.host().await;
    like("server.welcome", &host.welcome);
    let (_, token) = session.participant();
    let (member, welcome) = session.connect_bearer(&token).protocol("watchparty.v1").welcomed().await;
    assert_eq!(member.header("sec-websocket-protocol"), Some("watchparty.v1"));
    like("server.welcome", &welcome);
    let data = &welcome["data"];
    assert_eq!((&host.welcome["data"]["role"], &data["role"]), (&json!("host"), &json!("member")));
    assert_eq!((&data["recovered"], &data["reason"]), (&json!(false), &json!("fresh")));
    assert_eq!(data["head"], 2, "both joins are entries, and part of the snapshot");
    assert_eq!((&data["last_n"], &data["durability"]), (&json!(0), &json!("memory")));
    assert_eq!((&data["host_id"], &data["participants_total"]), (&json!(session.host_id), &json!(2)));
    let seated: Vec<_> = data["participants"].as_array().unwrap().iter().collect();
    assert_eq!((&seated[0]["id"], &seated[0]["role"]), (&json!(session.host_id), &json!("host")));
    assert_eq!((&seated[1]["id"], &seated[1]["role"]), (&data["participant_id"], &json!("member")));
    assert_eq!((&seated[1]["name"], &seated[1]["color"]), (&json!("Minted"), &Value::Null));
    let view = &data["session"];
    assert_eq!((&view["id"], &view["name"]), (&json!(session.id), &json!("Movie night")));
    assert_eq!((&view["max_participants"], &view["control"]), (&json!(7), &json!("everyone")));
    assert_eq!((&view["locked"], &view["host_id"]), (&json!(false), &json!(session.host_id)));
    assert_eq!(data["ping_interval_ms"], 25_000);
    assert_eq!(data["limits"], json!({"message_bytes": 65_536, "messages_per_second": 20}));
    assert_eq!(data["slots"], json!({}));
    assert!(data["now_ms"].as_u64() >= clock);
}

#[tokio::test]
async fn everyone_is_told_who_comes() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, member) = pair(&session).await;
    let joined = host.client.expect("participant.joined").await;
    like("server.participant.joined", &joined);
    assert_eq!((&joined["from"], &joined["data"]["id"]), (&json!(member.id), &json!(member.id)));
    assert_eq!((&joined["seq"], &joined["data"]["role"]), (&json!(2), &json!("member")));
    assert_eq!(host.client.seen(), Vec::<Value>::new(), "nobody hears of their own coming");
}

#[tokio::test]
async fn an_entry_is_acked_and_the_same_bytes_for_everyone() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut readers = Vec::new();
    for _ in 0..3 {
        let authorization = format!("Bearer {}", session.participant().1);
        let headers = [("Authorization", authorization.as_str())];
        let (mut reader, _) =
            RawClient::upgrade(session.addr, &format!("/ws/{}", session.id), &headers).await;
        // Who listens only now would have what follows behind them.
        assert_eq!(reader.read_text().await.unwrap().json()["type"], "welcome");
        readers.push(reader);
    }
    // The spelling is kept: spaces, an escape that need not be one, a number's zeros.
    let body = r#"{ "topic":"poll" , "body":[1.50,"\u0041\/","é",{"z":1,"a":2}] }"#;
    let event = format!(r#"{{"data":{body},"type":"event","id":"e","n":1}}"#);
    readers[0].send_frame(&RawFrame::text(&event)).await;
    let chat = r#"{"type":"chat","id":"c","n":2,"data":{"text":"hi","reply_to":4}}"#;
    readers[0].send_frame(&RawFrame::text(chat)).await;

    let mut heard: Vec<Vec<String>> = Vec::new();
    for reader in &mut readers {
        let mut entries = Vec::new();
        while entries.len() < 2 {
            let text = String::from_utf8(reader.read_text().await.unwrap().payload).unwrap();
            if text.starts_with(r#"{"type":"event""#) || text.starts_with(r#"{"type":"chat""#) {
                entries.push(text);
            }
        }
        heard.push(entries);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    assert!(heard[0][0].ends_with(&format!(r#""n":1,"data":{body}}}"#)), "{}", heard[0][0]);
    like("server.event", &serde_json::from_str(&heard[0][0]).unwrap());
    like("server.chat", &serde_json::from_str(&heard[0][1]).unwrap());
}

#[tokio::test]
async fn acks_tell_where_an_entry_is() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    host.client.send(json!({"type": "chat", "id": "x", "n": 1, "data": {"text": "one"}})).await;
    let ack = host.client.expect("ack").await;
    like("server.ack", &ack);
    assert_eq!((&ack["id"], &ack["n"]), (&json!("x"), &json!(1)));
    assert_eq!((&ack["data"]["epoch"], &ack["data"]["seq"]), (&host.welcome["data"]["epoch"], &json!(2)));
    host.client.send(json!({"type": "event", "data": {"topic": "t", "body": null}})).await;
    let bare = host.client.expect("ack").await;
    assert_eq!(bare, json!({"type": "ack", "data": {"epoch": ack["data"]["epoch"], "seq": 3}}));
    let entries = session.log().await;
    assert_eq!((&entries[1]["n"], &entries[1]["data"]["text"]), (&json!(1), &json!("one")));
    assert_eq!((&entries[2]["n"], &entries[2]["data"]["body"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_number_is_one_entry_and_leaves_no_hole() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let chat = |n: u64| json!({"type": "chat", "n": n, "data": {"text": format!("number {n}")}});
    let first = host.ask(chat(1)).await;
    let again = host.ask(chat(1)).await;
    like("server.ack.duplicate", &again);
    assert_eq!((&again["data"]["seq"], &again["data"]["duplicate"]), (&first["data"]["seq"], &json!(true)));
    let gap = host.ask(chat(3)).await;
    like("server.error.gap", &gap);
    assert_eq!(
        (&gap["n"], &gap["data"]["code"], &gap["data"]["last_n"]),
        (&json!(3), &json!("gap"), &json!(1))
    );
    assert_eq!(host.ask(chat(2)).await["type"], "ack", "a refused number can be used");
    assert_eq!(host.ask(chat(3)).await["type"], "ack");
    // A message that was refused for another reason consumed nothing either.
    let refused = host.ask(json!({"type": "chat", "n": 4, "data": {"text": ""}})).await;
    assert_eq!((&refused["data"]["code"], &refused["n"]), (&json!("invalid_request"), &json!(4)));
    assert_eq!(host.ask(chat(4)).await["type"], "ack");
    let texts: Vec<Value> = session.log().await.iter().skip(1).map(|entry| entry["n"].clone()).collect();
    assert_eq!(texts, [1, 2, 3, 4].map(|n| json!(n)));
    let (_, welcome) = session.connect(&session.host_token).welcomed().await;
    assert_eq!(welcome["data"]["last_n"], 4);
}

#[tokio::test]
async fn many_voices_have_one_order_for_all() {
    const EACH: u64 = 50;
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut members = Vec::new();
    for _ in 0..4 {
        members.push(session.member().await);
    }
    for n in 1..=EACH {
        for member in &mut members {
            member.client.send(json!({"type": "chat", "n": n, "data": {"text": format!("{n}")}})).await;
        }
    }
    let mut heard: Vec<Vec<Value>> = Vec::new();
    for member in &mut members {
        let mut chats = Vec::new();
        while chats.len() < 4 * usize::try_from(EACH).unwrap() {
            chats.push(member.client.expect("chat").await);
        }
        let acks = member.client.seen().iter().filter(|frame| frame["type"] == "ack").count();
        // The last acks may follow the last entry.
        for _ in acks..usize::try_from(EACH).unwrap() {
            member.client.expect("ack").await;
        }
        heard.push(chats);
    }
    let log: Vec<Value> = session.log().await.into_iter().filter(|entry| entry["type"] == "chat").collect();
    for chats in &heard {
        assert_eq!(chats, &log);
    }
    for member in &members {
        let own = log.iter().filter(|entry| entry["from"] == member.id).map(|entry| entry["n"].as_u64());
        assert!(own.eq((1..=EACH).map(Some)), "an author's order is kept");
    }
}

#[tokio::test]
async fn a_wrong_message_is_answered_and_the_connection_stays() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    for (frame, code) in [
        (json!({"type": "gossip"}), "unknown_type"),
        (json!({"type": "play", "data": {}}), "conflict"),
        (json!({"data": {}}), "invalid_request"),
        (json!({"type": "chat", "data": {"text": "x".repeat(2001)}}), "invalid_request"),
        (json!({"type": "chat", "data": {"text": "x"}, "to": session.host_id}), "invalid_request"),
        (json!({"type": "notify", "n": 1, "data": {"topic": "t", "body": 1}}), "invalid_request"),
        (json!({"type": "hello", "token": session.host_token}), "invalid_request"),
        (json!({"type": "host.transfer", "data": {"participant_id": random_uuid()}}), "invalid_request"),
        (json!({"type": "kick", "data": {"participant_id": session.host_id}}), "invalid_request"),
    ] {
        let error = host.ask(frame.clone()).await;
        like(
            "server.error",
            &json!({"type": error["type"], "id": error["id"], "n": 1, "data": error["data"]}),
        );
        assert_eq!(error["data"]["code"], code, "{frame}");
    }
    assert_eq!(host.say("still here").await, 2, "nothing of it is in the log");
}

#[tokio::test]
async fn notify_goes_to_all_or_to_one_and_is_not_kept() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, mut member) = pair(&session).await;
    let mut third = session.member().await;
    let head = session.head().await;
    let data = json!({"topic": "typing", "body": {"on": true}});
    member.client.send(json!({"type": "notify", "id": "a", "data": data})).await;
    let from = json!(member.id);
    for listener in [&mut host, &mut member, &mut third] {
        let notify = listener.client.expect("notify").await;
        like("server.notify", &notify);
        assert_eq!((&notify["from"], &notify["data"]), (&from, &data), "the sender hears it too");
    }
    member.client.send(json!({"type": "notify", "to": host.id, "data": {"topic": "call", "body": 1}})).await;
    let call = host.client.expect("notify").await;
    assert_eq!((&call["to"], &call["data"]["topic"]), (&json!(host.id), &json!("call")));
    // What was relayed before an entry reaches a listener before it, or never.
    member.say("marker").await;
    third.client.expect("chat").await;
    assert!(third.client.seen().iter().all(|frame| frame["type"] != "notify"));
    member.client.settle().await;
    assert!(member.client.seen().iter().all(|frame| frame["type"] != "notify" && frame["type"] != "error"));
    assert_eq!(session.head().await, head + 1, "only the marker is an entry");
    let gone = member.ask(json!({"type": "notify", "to": random_uuid(), "data": data})).await;
    assert_eq!(gone["data"]["code"], "peer_unreachable");
}

#[tokio::test]
async fn a_signal_reaches_one_in_order_or_says_that_it_cannot() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, mut member) = pair(&session).await;
    let mut third = session.member().await;
    for (number, kind) in ["offer", "candidate", "candidate", "bye"].into_iter().enumerate() {
        let data = json!({"kind": kind, "link": "cam.1", "payload": {"number": number}});
        member.client.send(json!({"type": "signal", "to": host.id, "data": data})).await;
    }
    for number in 0..4 {
        let signal = host.client.expect("signal").await;
        like("server.signal", &signal);
        assert_eq!((&signal["from"], &signal["to"]), (&json!(member.id), &json!(host.id)));
        assert_eq!(signal["data"]["payload"]["number"], number);
    }
    let offer = json!({"kind": "offer", "link": "cam.1", "payload": null});
    let nobody = member.ask(json!({"type": "signal", "to": random_uuid(), "data": offer})).await;
    assert_eq!(nobody["data"]["code"], "peer_unreachable");
    third.client.send(json!({"type": "leave"})).await;
    assert_eq!(third.client.expect_close().await, (1000, "left".to_owned()));
    assert!(third.client.seen().iter().all(|frame| frame["type"] != "signal"));
    let gone = member.ask(json!({"type": "signal", "to": third.id, "data": offer})).await;
    assert_eq!(gone["data"]["code"], "peer_unreachable");
}

#[tokio::test]
async fn the_past_and_the_people_can_be_asked_for() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, member) = pair(&session).await;
    for number in 0..10 {
        host.say(&format!("{number}")).await;
    }
    let log = session.log().await;
    let numbers = |reply: &Value| -> Vec<u64> {
        reply["data"]["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["seq"].as_u64().unwrap())
            .collect()
    };
    for (data, expected) in [
        (json!({}), (1..=12).collect::<Vec<u64>>()),
        (json!({"limit": 3}), vec![10, 11, 12]),
        (json!({"before": 5, "limit": 2}), vec![3, 4]),
        (json!({"after": 5, "limit": 2}), vec![6, 7]),
        (json!({"after": 12}), vec![]),
    ] {
        let reply = host.ask(json!({"type": "history", "data": data})).await;
        like(
            "server.reply.history",
            &json!({"type": "reply", "id": "x", "data": {
            "epoch": reply["data"]["epoch"], "head": reply["data"]["head"], "entries": []}}),
        );
        assert_eq!(numbers(&reply), expected, "{data}");
        let entries = reply["data"]["entries"].as_array().unwrap();
        assert!(entries.iter().all(|entry| log.contains(entry)), "history has the frames that were sent");
        assert_eq!(
            (&reply["data"]["head"], &reply["data"]["epoch"]),
            (&json!(12), &host.welcome["data"]["epoch"])
        );
    }
    let people = host.ask(json!({"type": "participants"})).await;
    like("server.reply.participants", &people);
    let ids = |reply: &Value| -> Vec<Value> {
        reply["data"]["participants"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
    };
    assert_eq!(ids(&people), [json!(host.id), json!(member.id)]);
    let first = host.ask(json!({"type": "participants", "data": {"limit": 1}})).await;
    assert_eq!(ids(&first), [json!(host.id)]);
    let rest = host.ask(json!({"type": "participants", "data": {"after": host.id}})).await;
    assert_eq!(ids(&rest), [json!(member.id)]);
}

#[tokio::test]
async fn ping_is_answered_with_both_clocks() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let before = session.api().get("/api/clock", None).await.expect(200)["now_ms"].as_u64().unwrap();
    let pong = host.ask(json!({"type": "ping", "data": {"t0": 1_767_225_599_990.5}})).await;
    like("server.pong", &pong);
    let data = &pong["data"];
    assert_eq!(data["t0"], 1_767_225_599_990.5);
    let (t1, t2) = (data["t1"].as_u64().unwrap(), data["t2"].as_u64().unwrap());
    assert!(before <= t1 && t1 <= t2, "{before} {data}");
    // A report is heard and answered by nothing.
    host.client
        .send(json!({"type": "report", "id": "r", "data": {"drift_ms": -3.5, "status": "playing"}}))
        .await;
    host.client.settle().await;
    assert!(host.client.seen().iter().all(|frame| frame["id"] != "r"));
}

#[tokio::test]
async fn a_profile_is_told_to_everyone_and_kept() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, mut member) = pair(&session).await;
    let both = json!({"type": "profile", "n": 1, "data": {"name": " Grace H. ", "color": "#3366cc"}});
    assert_eq!(member.ask(both).await["type"], "ack");
    let updated = host.client.expect("participant.updated").await;
    like("server.participant.updated", &updated);
    assert_eq!(updated["data"], json!({"id": member.id, "name": "Grace H.", "color": "#3366cc"}));
    assert_eq!((&updated["from"], &updated["n"]), (&json!(member.id), &json!(1)));
    member.ask(json!({"type": "profile", "data": {"color": "#000000"}})).await;
    let updated = host.client.expect("participant.updated").await;
    assert_eq!(updated["data"], json!({"id": member.id, "color": "#000000"}), "changed keys only");
    let people = host.ask(json!({"type": "participants", "data": {"after": host.id}})).await;
    let seated = &people["data"]["participants"][0];
    assert_eq!((&seated["name"], &seated["color"]), (&json!("Grace H."), &json!("#000000")));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_runs_out() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let id = random_uuid();
    let mut soon_over = claims(&session.id, &id, "member");
    let exp = now_seconds() + 40;
    soon_over["exp"] = json!(exp);
    let mut member = session.enter(&id, &node.mint().sign(&soon_over)).await;
    let expiring = member.client.expect("token.expiring").await;
    like("server.token.expiring", &expiring);
    assert_eq!(expiring["data"]["expires_at"], exp * 1000);

    let other = session.participant().1;
    let elsewhere = TestSession::create(&node).await;
    let away = node.mint().token(&elsewhere.id, &id, "member");
    for (token, code) in [(other.as_str(), "forbidden"), (&away, "forbidden"), ("nonsense", "unauthorized")] {
        let refused = member.ask(json!({"type": "refresh", "data": {"token": token}})).await;
        assert_eq!(refused["data"]["code"], code);
    }
    let fresh =
        session.api().post(&session.path("/token"), Some(&member.token), Value::Null).await.expect(200);
    let replaced = member.ask(json!({"type": "refresh", "data": {"token": fresh["token"]}})).await;
    like("server.reply.refresh", &replaced);
    assert_eq!(replaced["data"]["expires_at"], fresh["expires_at"]);
    // Lets one more frame go by: a second notice would stand before it.
    member.say("on").await;
    assert!(member.client.seen().iter().all(|frame| frame["type"] != "token.expiring"));
}

#[tokio::test]
async fn who_leaves_gives_the_seat_up_after_a_last_word() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, mut member) = pair(&session).await;
    // Nothing is awaited between them: the node has the leave while it still owes answers.
    for n in 1..=20 {
        member.client.send(json!({"type": "chat", "n": n, "data": {"text": "bye"}})).await;
    }
    member.client.send(json!({"type": "leave"})).await;
    assert_eq!(member.client.expect_close().await, (1000, "left".to_owned()));
    let acks = member.client.seen().into_iter().filter(|frame| frame["type"] == "ack");
    let acked: Vec<Value> = acks.map(|ack| ack["n"].clone()).collect();
    assert_eq!(acked, (1..=20).map(|n| json!(n)).collect::<Vec<_>>(), "what was said before is answered");

    let left = host.client.expect("participant.left").await;
    like("server.participant.left", &left);
    assert_eq!(left["from"], member.id);
    assert_eq!(left["data"], json!({"participant_id": member.id, "reason": "left", "host_id": host.id}));
    let chats = host.client.seen().iter().filter(|frame| frame["type"] == "chat").count();
    assert_eq!(chats, 20, "and is in the log before the leave");
    let shown = session.api().get(&session.path(""), None).await.expect(200);
    assert_eq!(shown["participants"], 1);
}
