//! Who leads a session, what they may do, and who follows when they go; on one node in memory.

use serde_json::{Value, json};

use crate::support::golden::like;
use crate::support::mint::random_uuid;
use crate::support::node::Node;
use crate::support::session::{Member, TestSession};

/// The shortest lease there can be; beats come each 5 s.
const SHORT_LEASE: &[(&str, &str)] = &[("PARTICIPANT_LEASE", "10")];

impl Member {
    /// Does something and returns the answer: `ack` or `error`.
    async fn act(&mut self, kind: &str, data: Value) -> Value {
        let id = random_uuid();
        let mut frame = json!({"type": kind, "id": id});
        if !data.is_null() {
            frame["data"] = data;
        }
        self.client.send(frame).await;
        self.client.expect_id(&id).await
    }

    async fn done(&mut self, kind: &str, data: Value) {
        let answer = self.act(kind, data).await;
        assert_eq!(answer["type"], "ack", "{answer}");
    }
}

#[tokio::test]
async fn the_host_changes_the_session() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    let change = json!({"name": "Second film", "max_participants": 5, "control": "host"});
    host.done("session.update", change).await;
    let updated = member.client.expect("session.updated").await;
    like(
        "server.session.updated",
        &json!({"type": updated["type"], "seq": updated["seq"], "ts": updated["ts"],
        "from": updated["from"], "n": 1, "data": updated["data"]}),
    );
    let view = &updated["data"];
    assert_eq!((&view["name"], &view["control"]), (&json!("Second film"), &json!("host")));
    assert_eq!((&view["max_participants"], &view["locked"]), (&json!(5), &json!(false)));
    assert_eq!(updated["from"], host.id);
    let (_, welcome) = session.connect(&member.token).welcomed().await;
    for name in ["name", "control", "max_participants", "locked"] {
        assert_eq!(welcome["data"]["session"][name], view[name], "{name}");
    }
    let beyond = host.act("session.update", json!({"max_participants": 100_000})).await;
    assert_eq!(beyond["data"]["code"], "invalid_request");
}

#[tokio::test]
async fn a_locked_session_shuts_out_the_new_and_nobody_else() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let member = session.member().await;
    host.done("session.update", json!({"locked": true})).await;
    let (_, stranger) = session.participant();
    let mut shut_out = session.connect(&stranger).open().await.unwrap();
    assert_eq!(shut_out.expect_close().await, (4430, "locked".to_owned()));
    member.client.vanish();
    session.enter(&member.id, &member.token).await;
    host.done("session.update", json!({"locked": false})).await;
    session.connect(&stranger).welcomed().await;
}

#[tokio::test]
async fn seats_are_counted_and_held() {
    let node = Node::start(&[]).await;
    let session = TestSession::with_seats(&node, Some(2)).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    let (_, third) = session.participant();
    let mut refused = session.connect(&third).open().await.unwrap();
    assert_eq!(refused.expect_close().await, (4430, "full".to_owned()));
    session.api().join(&session.id, "popcorn", None).await.problem(409, "session_full");
    // A lost connection keeps its seat, and its owner can come back to it.
    member.client.vanish();
    let mut refused = session.connect(&third).open().await.unwrap();
    assert_eq!(refused.expect_close().await, (4430, "full".to_owned()));
    member = session.enter(&member.id, &member.token).await;
    member.client.send(json!({"type": "leave"})).await;
    member.client.expect_close().await;
    session.connect(&third).welcomed().await;
    // Who is seated stays when there are fewer seats.
    host.done("session.update", json!({"max_participants": 1})).await;
    assert_eq!(session.api().get(&session.path(""), None).await.expect(200)["participants"], 2);
}

#[tokio::test]
async fn the_crown_is_given_away() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    host.done("host.transfer", json!({"participant_id": member.id})).await;
    let changed = member.client.expect("host.changed").await;
    like("server.host.changed", &changed);
    assert_eq!(changed["data"], json!({"host_id": member.id, "reason": "transferred"}));
    assert_eq!(changed["from"], host.id);
    assert_eq!(host.act("session.update", json!({"locked": true})).await["data"]["code"], "forbidden");
    member.done("session.update", json!({"locked": true})).await;
    let (_, welcome) = session.connect(&session.host_token).welcomed().await;
    assert_eq!(
        (&welcome["data"]["role"], &welcome["data"]["host_id"]),
        (&json!("member"), &json!(member.id)),
        "the session's state counts, not the token's role"
    );
}

#[tokio::test]
async fn a_verb_sent_again_is_one_entry_even_if_its_author_could_not_do_it_any_more() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let (mut host, member) = (session.host().await, session.member().await);
    let transfer =
        json!({"type": "host.transfer", "id": "crown", "n": 1, "data": {"participant_id": member.id}});
    host.client.send(transfer.clone()).await;
    let first = host.client.expect_id("crown").await;
    assert_eq!(first["type"], "ack", "{first}");
    host.client.send(transfer).await;
    let again = host.client.expect_id("crown").await;
    assert_eq!(again["type"], "ack", "{again}");
    assert_eq!((&again["data"]["seq"], &again["data"]["duplicate"]), (&first["data"]["seq"], &json!(true)));
    // What was never said is still refused, and uses no number up.
    host.client.send(json!({"type": "session.end", "id": "end", "n": 2})).await;
    assert_eq!(host.client.expect_id("end").await["data"]["code"], "forbidden");
    host.client.send(json!({"type": "chat", "id": "chat", "n": 2, "data": {"text": "bye"}})).await;
    assert_eq!(host.client.expect_id("chat").await["type"], "ack");
}

#[tokio::test]
async fn who_is_kicked_is_closed_and_banned() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    let mut other = session.member().await;
    host.done("kick", json!({"participant_id": member.id, "ban_seconds": 600})).await;
    assert_eq!(member.client.expect_close().await, (4403, "kicked".to_owned()));
    let told = member.client.seen();
    assert_eq!(told.last().unwrap()["type"], "participant.left", "they are told before the close");
    let left = other.client.expect("participant.left").await;
    assert_eq!(&left, told.last().unwrap());
    assert_eq!(
        (&left["from"], &left["data"]),
        (&json!(host.id), &json!({"participant_id": member.id, "reason": "kicked", "host_id": host.id}))
    );
    let mut back = session.connect(&member.token).open().await.unwrap();
    assert_eq!(back.expect_close().await, (4403, "kicked".to_owned()));
    // A ban of no length takes the seat only.
    host.done("kick", json!({"participant_id": other.id, "ban_seconds": 0})).await;
    assert_eq!(other.client.expect_close().await.0, 4403);
    session.enter(&other.id, &other.token).await;
}

#[tokio::test]
async fn the_host_ends_the_session_for_all() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut member = session.member().await;
    host.client.send(json!({"type": "session.end", "id": "end", "n": 1})).await;
    assert_eq!(host.client.expect_close().await, (4410, "session_ended".to_owned()));
    let seen = host.client.seen();
    let of = |kind: &str| seen.iter().find(|frame| frame["type"] == kind).unwrap();
    assert_eq!((&of("ack")["id"], &of("ack")["n"]), (&json!("end"), &json!(1)), "the last verb is acked too");
    like("server.session.ended", of("session.ended"));
    assert_eq!(of("ack")["data"]["seq"], of("session.ended")["seq"]);
    assert_eq!(member.client.expect_close().await, (4410, "session_ended".to_owned()));
    assert_eq!(member.client.seen().last(), Some(of("session.ended")));
    let mut late = session.connect(&member.token).open().await.unwrap();
    assert_eq!(late.expect_close().await, (4404, "no_session".to_owned()));
}

#[tokio::test]
async fn a_member_rules_nothing() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let host = session.host().await;
    let mut member = session.member().await;
    let mut other = session.member().await;
    let log = session.log().await;
    for (kind, data) in [
        ("session.update", json!({"locked": true})),
        ("session.update", json!({"password": "my own now"})),
        ("host.transfer", json!({"participant_id": member.id})),
        ("kick", json!({"participant_id": other.id})),
        ("kick", json!({"participant_id": host.id})),
        ("session.end", Value::Null),
    ] {
        let refused = member.act(kind, data.clone()).await;
        assert_eq!(refused["data"]["code"], "forbidden", "{kind} {data}");
    }
    assert_eq!(session.log().await, log);
    assert_eq!(session.api().get(&session.path(""), None).await.expect(200)["locked"], false);
    session.api().join(&session.id, "popcorn", None).await.expect(200);
    other.client.settle().await;
    assert_eq!(other.client.seen(), Vec::<Value>::new());
}

#[tokio::test]
async fn when_the_host_leaves_the_longest_seated_follows() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    let mut eldest = session.member().await;
    let mut youngest = session.member().await;
    host.client.send(json!({"type": "leave"})).await;
    assert_eq!(host.client.expect_close().await, (1000, "left".to_owned()));
    let follows = json!({"participant_id": host.id, "reason": "left", "host_id": eldest.id});
    for listener in [&mut eldest, &mut youngest] {
        let left = listener.client.expect("participant.left").await;
        assert_eq!(left["data"], follows, "one entry says both");
    }
    assert_eq!(session.api().get(&session.path(""), None).await.expect(200)["host_id"], eldest.id);
    assert_eq!(youngest.act("session.update", json!({"locked": true})).await["data"]["code"], "forbidden");
    eldest.done("session.update", json!({"name": "Under new lead"})).await;
    // Who gave the crown up by leaving does not get it back by returning.
    let back = session.enter(&session.host_id, &session.host_token).await;
    assert_eq!(
        (&back.welcome["data"]["role"], &back.welcome["data"]["host_id"]),
        (&json!("member"), &json!(eldest.id))
    );
}

#[tokio::test]
async fn an_empty_session_keeps_its_host_until_somebody_else_comes() {
    let node = Node::start(&[]).await;
    let session = TestSession::create(&node).await;
    let mut host = session.host().await;
    host.client.send(json!({"type": "leave"})).await;
    host.client.expect_close().await;
    assert_eq!(session.api().get(&session.path(""), None).await.expect(200)["host_id"], session.host_id);
    let member = session.member().await;
    assert_eq!(member.welcome["data"]["role"], "host");
    let last = session.log().await.pop().unwrap();
    assert_eq!(
        (&last["type"], &last["data"]),
        (&json!("host.changed"), &json!({"host_id": member.id, "reason": "promoted"}))
    );
    assert_eq!(last["from"], Value::Null);
}

#[tokio::test]
async fn a_lost_host_is_replaced_after_the_lease_and_reclaims_on_return() {
    let node = Node::start(SHORT_LEASE).await;
    let session = TestSession::create(&node).await;
    let host = session.host().await;
    let mut member = session.member().await;
    host.client.vanish();
    let left = member.client.expect("participant.left").await;
    like("server.participant.left", &left);
    assert_eq!(left["from"], Value::Null, "the lost do not speak");
    assert_eq!(
        left["data"],
        json!({"participant_id": session.host_id, "reason": "timeout", "host_id": member.id})
    );
    member.done("session.update", json!({"name": "Meanwhile"})).await;
    let mut back = session.enter(&session.host_id, &session.host_token).await;
    assert_eq!(back.welcome["data"]["role"], "host");
    let joined = member.client.expect("participant.joined").await;
    let changed = member.client.expect("host.changed").await;
    like("server.host.changed", &changed);
    assert_eq!(joined["data"]["id"], session.host_id);
    assert_eq!(changed["data"], json!({"host_id": session.host_id, "reason": "reclaimed"}));
    assert_eq!(member.act("session.update", json!({"locked": true})).await["data"]["code"], "forbidden");
    back.done("session.update", json!({"locked": true})).await;
}

#[tokio::test]
async fn a_transfer_in_between_ends_the_claim() {
    let node = Node::start(SHORT_LEASE).await;
    let session = TestSession::create(&node).await;
    let host = session.host().await;
    let mut member = session.member().await;
    let other = session.member().await;
    host.client.vanish();
    member.client.expect("participant.left").await;
    member.done("host.transfer", json!({"participant_id": other.id})).await;
    let back = session.enter(&session.host_id, &session.host_token).await;
    assert_eq!(
        (&back.welcome["data"]["role"], &back.welcome["data"]["host_id"]),
        (&json!("member"), &json!(other.id))
    );
}
