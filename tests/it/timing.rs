//! What a guess costs (FAULTS, rows A7 and A8): an unknown session hashes like a known one, and limits come before hashing.
//!
//! Times are not measured, because a busy machine would decide the outcome: what takes the time is counted. A check of the same
//! cost is the same work, and `password_hash_duration_seconds_count` says how many there were.

use serde_json::Value;

use super::support::api::{Answer, Api};
use super::support::mint::random_uuid;
use super::support::node::Node;
use super::support::single::{PASSWORD, Party, metric};

async fn hashes(api: &Api) -> f64 {
    metric(api, "watchparty_password_hash_duration_seconds_count", &[]).await
}

/// Everything a guesser sees: status, headers and body, without the request's own id and the date.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, Value) {
    let mut body = answer.body.clone();
    body["request_id"] = Value::Null;
    let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
    let own = ["x-request-id", "date"];
    (answer.status, headers.filter(|(name, _)| !own.contains(&name.as_str())).collect(), body)
}

#[tokio::test]
async fn a8_an_unknown_session_and_a_wrong_password_are_one_answer_for_the_same_work() {
    let node = Node::start(&[("RATE_LIMIT_JOIN", "1000/s"), ("RATE_LIMIT_JOIN_FAILURES", "1000/s")]).await;
    let party = Party::on(&node).await;
    let locked = Party::on(&node).await;
    let patch = serde_json::json!({"locked": true});
    let host = super::support::api::bearer(Some(&locked.token));
    locked.api.request("PATCH", &locked.path(""), &host, Some(patch)).await.expect(200);

    let mut one = None;
    for session in [&party.id, &random_uuid(), &locked.id, &random_uuid()] {
        let before = hashes(&party.api).await;
        for guess in ["wrong password", "another wrong one"] {
            let answer = party.api.join(session, guess, None).await;
            let mut now = seen(&answer);
            answer.problem(401, "unauthorized");
            // What is left in the bucket differs by one each time, whatever was asked.
            now.1.retain(|(name, _)| name != "ratelimit");
            assert_eq!(*one.get_or_insert(now.clone()), now, "{session}");
        }
        assert_eq!(hashes(&party.api).await, before + 2.0, "{session}: each guess was worked on");
    }
    party.api.join(&party.id, PASSWORD, None).await.expect(200);
    locked.api.join(&locked.id, PASSWORD, None).await.problem(423, "session_locked");
}

#[tokio::test]
async fn a7_limits_come_before_hashing() {
    let node = Node::start(&[("RATE_LIMIT_JOIN", "1/h:5"), ("RATE_LIMIT_CREATE", "1/h:2")]).await;
    let party = Party::on(&node).await;
    let before = hashes(&party.api).await;
    for count in 0..200 {
        let answer = party.api.join(&party.id, "wrong password", None).await;
        if count < 5 {
            answer.problem(401, "unauthorized");
            continue;
        }
        let wait: u64 = answer.header("retry-after").expect("says when to come back").parse().unwrap();
        assert!(wait > 1000, "{wait}");
        assert!(answer.header("ratelimit").unwrap().contains("r=0"), "{answer:?}");
        let body = answer.problem(429, "rate_limited");
        assert!(body["retry_after_ms"].as_u64().unwrap() > 1_000_000, "{body}");
    }
    party.api.join(&party.id, PASSWORD, None).await.problem(429, "rate_limited");
    assert_eq!(hashes(&party.api).await, before + 5.0, "only what the bucket let through was hashed");

    node.api().create("Another", PASSWORD, None).await.expect(201);
    for _ in 0..20 {
        node.api().create("Another", PASSWORD, None).await.problem(429, "rate_limited");
    }
    assert_eq!(hashes(&party.api).await, before + 6.0);
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"join\""]).await, 196.0);
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"create\""]).await, 20.0);
}

#[tokio::test]
async fn a7_guesses_at_one_session_are_counted_together_from_everywhere() {
    let node =
        Node::start(&[("RATE_LIMIT_JOIN_FAILURES", "1/h:3"), ("TRUSTED_PROXIES", "127.0.0.1/32")]).await;
    let party = Party::on(&node).await;
    let other = Party::on(&node).await;
    let before = hashes(&party.api).await;
    let guess = |number: usize, session: String, password: &'static str| {
        let api = party.api;
        let from = [("x-forwarded-for".to_owned(), format!("198.51.100.{number}"))];
        let body = serde_json::json!({"session_id": session, "password": password});
        async move { api.request("POST", "/api/sessions/join", &from, Some(body)).await }
    };
    for number in 0..3 {
        guess(number, party.id.clone(), "wrong password").await.problem(401, "unauthorized");
    }
    for number in 3..20 {
        let answer = guess(number, party.id.clone(), PASSWORD).await;
        assert!(answer.header("retry-after").is_some());
        answer.problem(429, "rate_limited");
    }
    assert_eq!(hashes(&party.api).await, before + 3.0);
    guess(1, other.id.clone(), PASSWORD).await.expect(200);
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"join_failures\""]).await, 17.0);
    let joins = async |result: &str| {
        metric(&party.api, "watchparty_session_joins_total", &[&format!("result=\"{result}\"")]).await
    };
    let (kept_out, wrong, by_address) =
        (joins("too_many_failures").await, joins("refused").await, joins("rate_limited").await);
    assert_eq!(
        (kept_out, wrong, by_address),
        (17.0, 3.0, 0.0),
        "guests kept out are told from guesses and from floods"
    );
}

#[tokio::test]
async fn a7_what_is_wrong_by_its_form_is_not_hashed() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let before = hashes(&party.api).await;
    for password in ["", "five5", &"x".repeat(72), "nul\0nul"] {
        party.api.join(&party.id, password, None).await.problem(400, "invalid_request");
        party.api.create("Movie night", password, None).await.problem(400, "invalid_request");
    }
    party.api.create("Movie night", PASSWORD, Some(1_000_000)).await.problem(400, "invalid_request");
    assert_eq!(hashes(&party.api).await, before);
}

#[tokio::test]
async fn a_full_hashing_queue_refuses_at_once() {
    let settings = [("BCRYPT_COST", "12"), ("BCRYPT_WORKERS", "1"), ("BCRYPT_QUEUE", "1")];
    let node = Node::start(&settings).await;
    let party = Party::on(&node).await;
    let before = hashes(&party.api).await;
    let joins = (0..30).map(|_| party.api.join(&party.id, PASSWORD, None));
    let answers = futures_util::future::join_all(joins).await;
    let mut admitted = 0.0;
    for answer in answers {
        if answer.status == 200 {
            admitted += 1.0;
            continue;
        }
        let wait: u64 = answer.header("retry-after").expect("says when to come back").parse().unwrap();
        assert!(wait >= 1);
        answer.problem(503, "unavailable");
    }
    assert!((1.0..30.0).contains(&admitted), "{admitted} of 30 at once, with room for 2");
    assert_eq!(hashes(&party.api).await, before + admitted, "who was refused was not hashed");
    Party::serves(&node).await;
}
