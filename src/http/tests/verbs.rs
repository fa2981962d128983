//! The product's verbs over HTTP, on the memory backend: what a client sees when all is well, and who may not.

use axum::Router;
use axum::http::Method;
use serde_json::{Value, json};

use super::{Answer, app, ask, fetch, post, send};

const PASSWORD: &str = "s3cret";

async fn create(app: &Router) -> Value {
    let body =
        json!({"name": " Movie night ", "password": PASSWORD, "max_participants": 3, "display_name": "Ada"});
    let answer = send(app, post("/api/sessions/create"), body.to_string()).await;
    assert_eq!(answer.status(), 201, "{}", answer.json());
    let session = answer.json();
    assert_eq!(answer.header("location"), path(&session, ""));
    session
}

async fn join(app: &Router, session: &Value, password: &str) -> Answer {
    let body = json!({"session_id": session, "password": password}).to_string();
    send(app, post("/api/sessions/join"), body).await
}

fn path(session: &Value, rest: &str) -> String {
    format!("/api/sessions/{}{rest}", session["id"].as_str().unwrap())
}

/// A call with the token of an admission.
async fn call(app: &Router, as_of: &Value, method: Method, path: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", as_of["token"].as_str().unwrap());
    let request =
        ask(method, path).header("authorization", bearer).header("content-type", "application/json");
    send(app, request.header("idempotency-key", "key-1"), body.to_string()).await
}

#[tokio::test]
async fn a_created_session_is_told_whole() {
    let app = app();
    let session = create(&app).await;
    let id = session["id"].as_str().unwrap();
    assert_eq!(session["name"], "Movie night");
    assert_eq!(session["share_url"], format!("http://watch.example/s/{id}"));
    assert_eq!(session["ws_url"], format!("ws://watch.example/ws/{id}"));
    assert_eq!(session["max_participants"], 3);
    assert!(session["expires_at"].as_u64() > session["created_at"].as_u64());
    assert_eq!(session.as_object().unwrap().len(), 9);

    let anyone = fetch(&app, &path(&session, "")).await.json();
    assert_eq!(anyone["host_id"], session["participant_id"]);
    assert_eq!((&anyone["participants"], &anyone["locked"]), (&json!(0), &json!(false)));
    assert_eq!(anyone.get("participant_list"), None);
    let known = call(&app, &session, Method::GET, &path(&session, ""), &Value::Null).await.json();
    assert_eq!(known["participant_list"], json!([]), "nobody is connected yet");
}

#[tokio::test]
async fn a8_failed_joins_are_the_same_bytes() {
    let app = app();
    let session = create(&app).await;
    let joined = join(&app, &session["id"], PASSWORD).await;
    assert_eq!(joined.status(), 200);
    assert_ne!(joined.json()["participant_id"], session["participant_id"]);

    let wrong = join(&app, &session["id"], "wrong password").await;
    let unknown = join(&app, &json!(super::ID), PASSWORD).await;
    assert_eq!((wrong.status(), wrong.code().as_str()), (401, "unauthorized"));
    let without_id = |answer: &Answer| {
        let text = String::from_utf8(answer.body.clone()).unwrap();
        text.replace(answer.header("x-request-id"), "-")
    };
    assert_eq!(without_id(&wrong), without_id(&unknown));
    let names = |answer: &Answer| {
        answer.response.headers().keys().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!((unknown.status(), names(&unknown)), (401, names(&wrong)));
}

#[tokio::test]
async fn a_message_sent_twice_is_one_entry() {
    let app = app();
    let session = create(&app).await;
    let messages = path(&session, "/messages");
    let message = json!({"type": "event", "data": {"topic": "poll", "body": {"yes": 1}}});
    let first = call(&app, &session, Method::POST, &messages, &message).await;
    assert_eq!(first.status(), 202, "{}", first.json());
    let again = call(&app, &session, Method::POST, &messages, &message).await;
    assert_eq!((again.status(), again.json()), (202, first.json()));

    let page = call(&app, &session, Method::GET, &messages, &Value::Null).await.json();
    assert_eq!((&page["epoch"], &page["head"]), (&first.json()["epoch"], &first.json()["seq"]));
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    let entry = &page["entries"][0];
    assert_eq!((&entry["type"], &entry["data"]), (&message["type"], &message["data"]));
    assert_eq!(entry["from"], session["participant_id"]);

    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let unnamed = send(&app, post(&messages).header("authorization", bearer), message.to_string()).await;
    assert_eq!(unnamed.json()["errors"][0]["field"], "Idempotency-Key");
    let after = call(&app, &session, Method::GET, &format!("{messages}?after=x"), &Value::Null).await;
    assert_eq!((after.status(), &after.json()["errors"][0]["field"]), (400, &json!("after")));
}

#[tokio::test]
async fn a_page_says_whether_it_goes_on_from_a_position() {
    let app = app();
    let session = create(&app).await;
    let messages = path(&session, "/messages");
    let message = json!({"type": "chat", "data": {"text": "hi"}});
    let ack = call(&app, &session, Method::POST, &messages, &message).await.json();
    let (epoch, seq) = (ack["epoch"].as_str().unwrap(), ack["seq"].as_u64().unwrap());
    let ask = async |after: u64, epoch: &str| {
        let at = format!("{messages}?after={after}&epoch={epoch}");
        call(&app, &session, Method::GET, &at, &Value::Null).await
    };
    for (after, epoch, told, numbers) in [
        (0, epoch, json!([true, null]), vec![seq]),
        (seq, epoch, json!([true, null]), vec![]),
        (seq + 1, epoch, json!([false, "diverged"]), vec![seq]),
        (0, super::ID, json!([false, "unknown_epoch"]), vec![seq]),
    ] {
        let page = ask(after, epoch).await.json();
        assert_eq!(json!([page["recovered"], page["reason"]]), told, "{after} {page}");
        let read: Vec<u64> =
            page["entries"].as_array().unwrap().iter().filter_map(|entry| entry["seq"].as_u64()).collect();
        assert_eq!(read, numbers, "{after} {page}");
        assert_eq!((&page["epoch"], &page["head"]), (&ack["epoch"], &ack["seq"]));
    }
    let nonsense = ask(0, "new").await;
    assert_eq!((nonsense.status(), &nonsense.json()["errors"][0]["field"]), (400, &json!("epoch")));
    let plain = call(&app, &session, Method::GET, &format!("{messages}?after=0"), &Value::Null).await.json();
    assert_eq!(
        (plain.get("recovered"), plain.get("reason")),
        (None, None),
        "who gives no epoch is told nothing"
    );
}

#[tokio::test]
async fn a4_a9_others_may_not() {
    let app = app();
    let (session, other) = (create(&app).await, create(&app).await);
    let member = join(&app, &session["id"], PASSWORD).await.json();
    let kick = path(&session, &format!("/participants/{}", session["participant_id"].as_str().unwrap()));
    for (caller, method, at, body) in [
        (&other, Method::GET, path(&session, ""), Value::Null),
        (&other, Method::GET, path(&session, "/messages"), Value::Null),
        (&other, Method::POST, path(&session, "/token"), Value::Null),
        (&other, Method::GET, path(&session, "/ice"), Value::Null),
        (&other, Method::PATCH, path(&session, ""), json!({"locked": true})),
        (&other, Method::DELETE, path(&session, ""), Value::Null),
        (&member, Method::PATCH, path(&session, ""), json!({"locked": true})),
        (&member, Method::DELETE, path(&session, ""), Value::Null),
        (&member, Method::DELETE, kick.clone(), Value::Null),
    ] {
        let answer = call(&app, caller, method.clone(), &at, &body).await;
        assert_eq!((answer.status(), answer.code().as_str()), (403, "forbidden"), "{method} {at}");
    }
    let oneself = call(&app, &session, Method::DELETE, &kick, &Value::Null).await;
    assert_eq!((oneself.status(), &oneself.json()["errors"][0]["field"]), (400, &json!("participant_id")));
    let nobody = path(&session, &format!("/participants/{}", super::ID));
    let nobody = call(&app, &session, Method::DELETE, &nobody, &Value::Null).await;
    assert_eq!((nobody.status(), &nobody.json()["errors"][0]["field"]), (400, &json!("participant_id")));
    let page = call(&app, &session, Method::GET, &path(&session, "/messages"), &Value::Null).await.json();
    assert_eq!(page["head"], 0, "the log is unchanged");
}

#[tokio::test]
async fn a_host_changes_and_ends_a_session() {
    let app = app();
    let session = create(&app).await;
    let here = path(&session, "");
    let change = json!({"name": "Late show", "locked": true, "max_participants": 2});
    let changed = call(&app, &session, Method::PATCH, &here, &change).await;
    assert_eq!(changed.status(), 200, "{}", changed.json());
    assert_eq!((&changed.json()["name"], &changed.json()["locked"]), (&json!("Late show"), &json!(true)));
    let nothing = call(&app, &session, Method::PATCH, &here, &json!({})).await;
    assert_eq!((nothing.status(), nothing.code().as_str()), (400, "invalid_request"));
    let late = join(&app, &session["id"], PASSWORD).await;
    assert_eq!((late.status(), late.code().as_str()), (423, "session_locked"));

    let fresh = call(&app, &session, Method::POST, &path(&session, "/token"), &Value::Null).await;
    assert_eq!(fresh.status(), 200);
    assert!(fresh.json()["expires_at"].as_u64() > session["created_at"].as_u64());
    let ice = call(&app, &fresh.json(), Method::GET, &path(&session, "/ice"), &Value::Null).await;
    assert_eq!((ice.status(), &ice.json()["ice_servers"]), (200, &json!([])));

    let ended = call(&app, &fresh.json(), Method::DELETE, &here, &Value::Null).await;
    assert_eq!((ended.status(), ended.body.len()), (204, 0));
    assert_eq!(fetch(&app, &here).await.code(), "session_not_found");
    assert_eq!(join(&app, &session["id"], PASSWORD).await.code(), "unauthorized", "as if it had never been");
}
