//! Who is not let in (FAULTS, rows A1 to A5): every forged, old or foreign token has one answer, on the socket and over HTTP.

use serde_json::{Value, json};

use super::support::api::Answer;
use super::support::client::Connect;
use super::support::mint::{Mint, claims, now_seconds, random_uuid, unsigned};
use super::support::node::Node;
use super::support::raw::{RawClient, RawFrame};
use super::support::single::{Party, has_request_id, metric};

/// The good claims of somebody new, with members replaced; `null` removes one.
fn but(party: &Party, changes: &Value) -> Value {
    let mut all = claims(&party.id, &random_uuid(), "member");
    let members = all.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    all
}

fn header_but(party: &Party, changes: &Value) -> Value {
    let mut header = party.mint.header();
    header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    header
}

/// Rows A2: the envelope is not ours.
fn foreign_envelopes(party: &Party) -> Vec<(&'static str, String)> {
    let good = claims(&party.id, &random_uuid(), "host");
    let forge = |changes: Value| party.mint.forge(&header_but(party, &changes), &good);
    let token = party.mint.sign(&good);
    let (head, rest) = token.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    vec![
        ("empty", String::new()),
        ("no token", "x".to_owned()),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{token}.{signature}")),
        ("alg none", unsigned(&good)),
        ("alg none, signed", forge(json!({"alg": "none"}))),
        ("alg NONE", forge(json!({"alg": "NONE"}))),
        ("alg RS256", forge(json!({"alg": "RS256"}))),
        ("alg HS384", forge(json!({"alg": "HS384"}))),
        ("alg ES256", forge(json!({"alg": "ES256"}))),
        ("alg missing", party.mint.forge(&json!({"kid": party.mint.kid()}), &good)),
        ("kid unknown", forge(json!({"kid": "00000000"}))),
        ("kid a path", forge(json!({"kid": "../../"}))),
        ("kid a number", forge(json!({"kid": 7}))),
        ("kid missing", party.mint.forge(&json!({"typ": "JWT", "alg": "HS256"}), &good)),
        ("crit", forge(json!({"crit": ["exp"]}))),
        ("another secret", Mint::new("another-secret-another-secret-another").sign(&good)),
        (
            "another secret, our kid",
            Mint::new("another-secret-another-secret-another").forge(&party.mint.header(), &good),
        ),
        ("signature cut", token[..token.len() - 2].to_owned()),
        ("signature of another", format!("{head}.{body}.{}", party.member().1.rsplit_once('.').unwrap().1)),
        ("10 KiB", format!("{token}{}", "x".repeat(10 * 1024))),
    ]
}

/// Rows A3: well signed, and wrong in what it says.
fn impossible_claims(party: &Party) -> Vec<(&'static str, String)> {
    let now = now_seconds();
    let table = [
        ("exp past, and for somebody else", json!({"exp": now - 10, "iat": now - 20, "aud": "somebody"})),
        ("exp a float", json!({"exp": now as f64 + 60.5})),
        ("exp text", json!({"exp": (now + 60).to_string()})),
        ("exp negative", json!({"exp": -1})),
        ("exp in ten years", json!({"exp": now + 10 * 365 * 86_400})),
        ("exp beyond numbers", json!({"exp": u64::MAX})),
        ("exp missing", json!({"exp": null})),
        ("iat and exp far ahead", json!({"iat": now + 86_400 * 30, "exp": now + 86_400 * 31})),
        ("nbf ahead", json!({"nbf": now + 3600})),
        ("nbf text", json!({"nbf": "now"})),
        ("aud missing", json!({"aud": null})),
        ("aud another", json!({"aud": "somebody"})),
        ("aud a list", json!({"aud": ["watchparty"]})),
        ("iss missing", json!({"iss": null})),
        ("iss wrong", json!({"iss": "somebody"})),
        ("sub missing", json!({"sub": null})),
        ("sub no id", json!({"sub": "~host"})),
        ("sid missing", json!({"sid": null})),
        ("sid no id", json!({"sid": "{a}:s"})),
        ("role unknown", json!({"role": "admin"})),
        ("jti missing", json!({"jti": null})),
    ];
    table.into_iter().map(|(what, changes)| (what, party.mint.sign(&but(party, &changes)))).collect()
}

/// What an answer says, its request's own id apart.
fn said(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("request_id").expect("a problem names its request");
    body
}

#[tokio::test]
async fn a_token_that_is_only_expired_is_told_so_and_a_forged_one_is_not() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let now = now_seconds();
    let claims = but(&party, &json!({"exp": now - 10, "iat": now - 20}));
    let expired = party.mint.sign(&claims);
    let (message, _) = expired.rsplit_once('.').unwrap();
    let other = party.mint.sign(&but(&party, &json!({"exp": now + 60})));
    let (_, foreign) = other.rsplit_once('.').unwrap();
    for (token, detail, reason) in [
        (expired.clone(), "The token has expired", "token_expired"),
        (format!("{message}.{foreign}"), "Session, password or token not accepted", "token_invalid"),
    ] {
        let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
        for path in [party.path("/messages"), party.path("/events"), party.path("")] {
            let answer = party.api.request("GET", &path, &headers, None).await;
            assert_eq!((answer.status, &answer.body["code"]), (401, &json!("unauthorized")), "{path}");
            assert_eq!(answer.body["detail"], detail, "{path}");
        }
        let mut client = Connect::to(party.addr, &party.id).hello(&token).open().await.unwrap();
        assert_eq!(client.expect_close().await, (4401, reason.to_owned()), "in the hello");
        let mut client = Connect::to(party.addr, &party.id).bearer(&token).open().await.unwrap();
        assert_eq!(client.expect_close().await, (4401, reason.to_owned()), "in the header");
    }
}

#[tokio::test]
async fn a2_and_a3_no_forged_token_is_believed_and_all_have_one_answer() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let before = party.log().await;
    let mut one_body = None;
    let tokens: Vec<_> = foreign_envelopes(&party).into_iter().chain(impossible_claims(&party)).collect();
    for (what, token) in &tokens {
        let headers = [("authorization".to_owned(), format!("Bearer {token}"))];
        let answer = party.api.request("GET", &party.path("/messages"), &headers, None).await;
        has_request_id(&answer);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        let body = said(&answer);
        answer.problem(401, "unauthorized");
        assert_eq!(*one_body.get_or_insert(body.clone()), body, "{what}");

        // An empty bearer is no token on an upgrade, and a hello is awaited.
        if !token.is_empty() {
            let mut client = Connect::to(party.addr, &party.id).bearer(token).open().await.unwrap();
            let close = client.expect_close().await;
            assert_eq!(close, (4401, "token_invalid".to_owned()), "{what} in the header");
        }
        let hello = json!({"type": "hello", "token": token});
        if hello.to_string().len() < 6 * 1024 {
            let mut client = Connect::to(party.addr, &party.id).hello(token).open().await.unwrap();
            assert_eq!(
                client.expect_close().await,
                (4401, "token_invalid".to_owned()),
                "{what} in the hello"
            );
        }
    }
    assert_eq!(party.log().await, before, "none of them was seated");
    let failures = metric(&party.api, "watchparty_token_failures_total", &[]).await;
    assert!(failures >= 2.0 * tokens.len() as f64, "{failures}");

    // The table's own teeth: unspoiled, the same path lets somebody in.
    let good = party.mint.forge(&party.mint.header(), &but(&party, &json!({"nbf": now_seconds()})));
    Connect::to(party.addr, &party.id).hello(&good).welcomed().await.0.close().await;
}

#[tokio::test]
async fn a2_other_schemes_and_two_tokens_are_no_token() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let good = format!("Bearer {}", party.token);
    for lines in [&[][..], &["Basic aG9zdDpob3N0"], &["Bearer"], &[&good, &good], &[&party.token]] {
        let headers: Vec<_> =
            lines.iter().map(|line| ("authorization".to_owned(), line.to_string())).collect();
        let answer = party.api.request("GET", &party.path("/messages"), &headers, None).await;
        answer.problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn a1_who_does_not_say_hello_is_4401() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut silent = party.unknown().await;
    for first in [
        json!({"type": "chat", "n": 1, "data": {"text": "first!"}}),
        json!({"type": "ping", "data": {"t0": 1}}),
        json!({"type": "surprise"}),
        json!({"type": "leave"}),
        json!({}),
    ] {
        let mut client = Connect::to(party.addr, &party.id).open().await.unwrap();
        client.send(first.clone()).await;
        assert_eq!(client.expect_close().await, (4401, "hello_expected".to_owned()), "{first}");
    }
    for nonsense in ["", "hello", "[]", "null", "{\"type\":\"hello\""] {
        let mut raw = party.unknown().await;
        raw.send_frame(&RawFrame::text(nonsense)).await;
        assert_eq!(raw.read_close().await.map(|close| close.0), Some(4400), "{nonsense}");
    }
    let mut big = party.unknown().await;
    let hello = json!({"type": "hello", "token": "x".repeat(10 * 1024)}).to_string();
    big.send_frame(&RawFrame::text(&hello)).await;
    assert_eq!(big.read_close().await.map(|close| close.0), Some(1009), "4 KiB and a little before hello");
    // Pings neither count as hello nor push the deadline; too many of them end the wait early.
    let mut pinging = party.unknown().await;
    for _ in 0..21 {
        pinging.send_frame(&RawFrame::new(9, "x")).await;
    }
    assert_eq!(pinging.read_close().await.map(|close| close.0), Some(4429));
    assert_eq!(silent.read_close().await, Some((4401, "hello_timeout".to_owned())));
    Party::serves(&node).await;
}

#[tokio::test]
async fn m9_a_hello_with_a_wrong_field_is_told_and_may_be_said_again() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let token = party.member().1;
    let mut client = Connect::to(party.addr, &party.id).open().await.unwrap();
    for (id, wrong) in [
        ("a", json!({"resume": {"epoch": "e", "seq": -1}})),
        ("b", json!({"resume": {"epoch": "e", "seq": 1.5}})),
        ("c", json!({"resume": {"epoch": 7, "seq": 1}})),
        ("d", json!({"resume": {"epoch": "e", "seq": "1"}})),
        ("e", json!({"resume": {"seq": 1}})),
        ("f", json!({"client": {"name": "x".repeat(65)}})),
        ("g", json!({"token": 7})),
        ("h", json!({"data": {}})),
    ] {
        let mut hello = json!({"type": "hello", "id": id, "token": token});
        hello.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        client.send(hello).await;
        let error = client.expect_id(id).await;
        assert_eq!(
            (&error["type"], &error["data"]["code"]),
            (&json!("error"), &json!("invalid_request")),
            "{wrong}"
        );
    }
    client.send(json!({"type": "hello", "token": token})).await;
    client.expect("welcome").await;
    client.close().await;
}

#[tokio::test]
async fn a4_a_token_of_another_session_opens_nothing_here() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let other = Party::on(&node).await;
    for (method, path) in [
        ("GET", party.path("/messages")),
        ("GET", party.path("/events")),
        ("GET", party.path("/ice")),
        ("POST", party.path("/token")),
        ("GET", party.path("")),
        ("DELETE", party.path("")),
    ] {
        let headers = super::support::api::bearer(Some(&other.token));
        let answer = party.api.request(method, &path, &headers, None).await;
        answer.problem(403, "forbidden");
    }
    for connect in [
        Connect::to(party.addr, &party.id).hello(&other.token),
        Connect::to(party.addr, &party.id).bearer(&other.token),
    ] {
        let mut client = connect.open().await.unwrap();
        assert_eq!(client.expect_close().await.0, 4401);
    }
}

#[tokio::test]
async fn a4_who_was_kicked_or_banned_stays_out_with_a_valid_token() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut host = party.host_client().await;
    for ban in [json!(null), json!(3600)] {
        let (participant, token) = party.member();
        let mut guest = Connect::to(party.addr, &party.id).hello(&token).welcomed().await.0;
        let mut kick = json!({"type": "kick", "id": "k", "data": {"participant_id": participant}});
        if !ban.is_null() {
            kick["data"]["ban_seconds"] = ban;
        }
        host.send(kick).await;
        assert_eq!(host.expect_id("k").await["type"], "ack");
        assert_eq!(guest.expect_close().await.0, 4403);
        for connect in [
            Connect::to(party.addr, &party.id).hello(&token),
            Connect::to(party.addr, &party.id).bearer(&token),
        ] {
            let mut client = connect.open().await.unwrap();
            assert_eq!(client.expect_close().await.0, 4403);
        }
        party.api.get(&party.path("/messages"), Some(&token)).await.problem(403, "forbidden");
        party.api.post(&party.path("/token"), Some(&token), json!({})).await.problem(403, "forbidden");
        let headers =
            [super::support::api::bearer(Some(&token)), vec![("idempotency-key".into(), "1".into())]]
                .concat();
        let chat = json!({"type": "chat", "data": {"text": "still here"}});
        let answer = party.api.request("POST", &party.path("/messages"), &headers, Some(chat)).await;
        answer.problem(403, "forbidden");
    }
    host.close().await;
}

#[tokio::test]
async fn a5_a_token_in_the_query_is_not_looked_at() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let path = format!("{}?token={}&access_token={0}", party.socket_path(), party.token);
    let (mut raw, _) = RawClient::upgrade(party.addr, &path, &[]).await;
    raw.send_frame(&RawFrame::text(r#"{"type":"ping","data":{"t0":1}}"#)).await;
    assert_eq!(raw.read_close().await, Some((4401, "hello_expected".to_owned())));
    let path = party.path(&format!("/token?token={}", party.token));
    party.api.post(&path, None, json!({})).await.problem(401, "unauthorized");
    assert!(!node.log().iter().any(|line| line.contains(&party.token)), "a token stands in a log line");
}
