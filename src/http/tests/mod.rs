//! The edge as a whole, driven without sockets: what every request meets, whatever the gateway says.

mod page;
mod verbs;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

use super::{Edge, layers, router};
use crate::config::Config;
use crate::config::source::MapSource;
use crate::gateway::Gateway;
use crate::hub::wheel::Wheels;
use crate::metrics::Metrics;
use crate::metrics::label::BackendKind;
use crate::metrics::process::Build;
use crate::ws::Sockets;

const ID: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";

/// An edge over a gateway that knows nobody.
fn edge<const N: usize>(settings: [(&str, &str); N]) -> Edge {
    let (config, _) = Config::read(&MapSource::from(settings)).expect("settings of a test are right");
    let build = Build { version: "0.0.0", revision: "test", backend: BackendKind::Memory };
    let metrics = Arc::new(Metrics::new(build, Handle::current()));
    let gateway = Gateway::for_tests(Arc::new(config), metrics);
    let sockets = Sockets::new(gateway.clone(), 100);
    Edge::new(gateway, sockets, Wheels::new(1, Duration::from_secs(15), None))
}

fn app() -> Router {
    router::public(&edge([]))
}

struct Answer {
    response: Response,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The code of a problem, having checked what every problem must have.
    fn code(&self) -> String {
        let problem = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], self.status());
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert_eq!(problem["type"], format!("urn:watchparty:problem:{}", problem["code"].as_str().unwrap()));
        problem["code"].as_str().unwrap().to_owned()
    }
}

async fn send(app: &Router, request: axum::http::request::Builder, body: impl Into<Body>) -> Answer {
    let peer = ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 4000)));
    send_from(peer, app, request, body).await
}

async fn send_from(
    peer: ConnectInfo<SocketAddr>,
    app: &Router,
    request: axum::http::request::Builder,
    body: impl Into<Body>,
) -> Answer {
    let mut request: Request = request.body(body.into()).unwrap();
    request.extensions_mut().insert(peer);
    let mut response = app.clone().oneshot(request).await.unwrap();
    let body = std::mem::take(response.body_mut());
    Answer { body: to_bytes(body, 2 << 20).await.unwrap().to_vec(), response }
}

fn ask(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "watch.example")
}

async fn fetch(app: &Router, path: &str) -> Answer {
    send(app, ask(Method::GET, path), "").await
}

fn post(path: &str) -> axum::http::request::Builder {
    ask(Method::POST, path).header("content-type", "application/json")
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let app = app();
    for path in
        ["/nothing", "/api", "/api/sessions", "/api/sessions/", "/sdk/x.js", "//", "/api//clock", "/ws"]
    {
        let answer = fetch(&app, path).await;
        assert_eq!((answer.status(), answer.code().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_names_those_that_are() {
    let app = app();
    for (method, path, allow) in [
        (Method::GET, "/api/sessions/create".to_owned(), vec!["POST"]),
        (Method::PUT, format!("/api/sessions/{ID}"), vec!["DELETE", "GET", "HEAD", "PATCH"]),
        (Method::DELETE, format!("/api/sessions/{ID}/messages"), vec!["GET", "HEAD", "POST"]),
        (Method::POST, "/health".to_owned(), vec!["GET", "HEAD"]),
        (Method::TRACE, "/".to_owned(), vec!["GET", "HEAD"]),
    ] {
        let answer = send(&app, ask(method.clone(), &path), "").await;
        assert_eq!((answer.status(), answer.code().as_str()), (405, "method_not_allowed"), "{method} {path}");
        let mut methods: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
        methods.sort_unstable();
        assert_eq!(methods, allow, "{method} {path}");
    }
}

#[tokio::test]
async fn h7_an_id_that_is_none_is_a_session_we_do_not_have() {
    let app = app();
    let upper = ID.to_uppercase();
    for id in [
        &upper,
        "x",
        "%7Ba%7D:s",
        "%2e%2e",
        "%00",
        "%c0%af",
        &ID[1..],
        &format!("{ID}0"),
        "urn:uuid:1",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for path in [
            format!("/api/sessions/{id}"),
            format!("/api/sessions/{id}/messages"),
            format!("/api/sessions/{id}/ice"),
        ] {
            let answer = fetch(&app, &path).await;
            assert_eq!((answer.status(), answer.code().as_str()), (404, "session_not_found"), "{path}");
        }
    }
    let path = format!("/api/sessions/{ID}/participants/~host");
    let answer = send(&app, ask(Method::DELETE, &path), "").await;
    assert_eq!(answer.status(), 401, "who asks comes before whom they name");
}

#[tokio::test]
async fn nobody_unknown_gets_in() {
    let app = app();
    let known = format!("/api/sessions/{ID}");
    for (method, path) in [
        (Method::PATCH, known.clone()),
        (Method::DELETE, known.clone()),
        (Method::GET, format!("{known}/messages")),
        (Method::POST, format!("{known}/messages")),
        (Method::POST, format!("{known}/token")),
        (Method::GET, format!("{known}/ice")),
        (Method::DELETE, format!("{known}/participants/{ID}")),
    ] {
        for token in [None, Some("Bearer nonsense"), Some("Basic eDp5")] {
            let mut request = ask(method.clone(), &path);
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            let answer = send(&app, request, "not even JSON").await;
            assert_eq!((answer.status(), answer.code().as_str()), (401, "unauthorized"), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let looked_up = send(&app, ask(Method::GET, &known).header("authorization", "Basic eDp5"), "").await;
    assert_eq!(looked_up.code(), "unauthorized", "a bad token is not taken for none");
}

#[tokio::test]
async fn h9_bodies_are_refused_before_they_are_read() {
    let app = app();
    for path in ["/api/sessions/create", "/api/sessions/join"] {
        let answer = send(&app, ask(Method::POST, path).header("content-type", "text/plain"), "{}").await;
        assert_eq!((answer.status(), answer.code().as_str()), (415, "unsupported_media_type"));
        let answer = send(&app, post(path).header("content-encoding", "gzip"), "{}").await;
        assert_eq!((answer.status(), answer.code().as_str()), (415, "unsupported_media_type"));
        let answer = send(&app, post(path), vec![b' '; 2 * 1024 * 1024]).await;
        assert_eq!((answer.status(), answer.code().as_str()), (413, "payload_too_large"));
        let answer = send(&app, post(path), "{\"a\":1,\"a\":2}").await;
        assert_eq!((answer.status(), answer.code().as_str()), (400, "invalid_request"));
        assert_eq!(answer.json()["errors"][0]["field"], "body");
        let answer = send(&app, post(path), "{\"password\":7,\"x\":1}").await;
        let fields: Vec<Value> =
            answer.json()["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
        assert!(fields.contains(&"password".into()) && fields.contains(&"x".into()), "{fields:?}");
    }
}

#[tokio::test]
async fn limited_routes_say_how_the_bucket_stands() {
    let app = app();
    for (request, name) in [
        (post("/api/sessions/create"), "create"),
        (post("/api/sessions/join"), "join"),
        (ask(Method::GET, &format!("/api/sessions/{ID}/messages")), "lookup"),
        (post(&format!("/api/sessions/{ID}/messages")), "publish"),
    ] {
        let answer = send(&app, request, "{}").await;
        assert!(
            answer.header("ratelimit").starts_with(&format!("\"{name}\";r=")),
            "{}",
            answer.header("ratelimit")
        );
        assert!(answer.header("ratelimit-policy").starts_with(&format!("\"{name}\";q=")), "{name}");
    }
    let answer = fetch(&app, "/api/clock").await;
    assert_eq!((answer.status(), answer.header("ratelimit")), (200, ""));
}

#[tokio::test]
async fn a7_a_spent_limit_is_told_before_anything_is_read() {
    let edge = edge([("RATE_LIMIT_JOIN", "1/h:2"), ("TRUSTED_PROXIES", "192.0.2.0/24")]);
    let app = router::public(&edge);
    for left in ["1", "0"] {
        let answer = send(&app, post("/api/sessions/join"), "{}").await;
        let expected = format!("\"join\";r={left};t=");
        assert_eq!(answer.status(), 400);
        assert!(answer.header("ratelimit").starts_with(&expected), "{}", answer.header("ratelimit"));
    }
    // Of the wrong media type too, which nobody gets to see.
    let spent = send(&app, ask(Method::POST, "/api/sessions/join"), "{}").await;
    assert_eq!((spent.status(), spent.code().as_str()), (429, "rate_limited"));
    let (seconds, ms) = (
        spent.header("retry-after").parse::<u64>().unwrap(),
        spent.json()["retry_after_ms"].as_u64().unwrap(),
    );
    assert_eq!(seconds, ms.div_ceil(1000));
    assert!(spent.header("ratelimit").starts_with("\"join\";r=0;t="), "{}", spent.header("ratelimit"));
    assert_eq!(spent.header("ratelimit-policy"), "\"join\";q=2;w=7200");
    assert!(edge.metrics.render().contains("watchparty_rate_limited_total{scope=\"join\"} 1"));

    let elsewhere = post("/api/sessions/join").header("x-forwarded-for", "198.51.100.9");
    assert_eq!(send(&app, elsewhere, "{}").await.status(), 400, "another client behind the trusted proxy");
    let forged = post("/api/sessions/join").header("x-forwarded-for", "192.0.2.1");
    let outside = ConnectInfo(SocketAddr::from(([203, 0, 113, 5], 1)));
    assert_eq!(send_from(outside, &app, forged, "{}").await.status(), 400, "an untrusted peer is itself");
    assert_eq!(send(&app, post("/api/sessions/create"), "{}").await.status(), 400, "another bucket");
    assert_eq!(send(&app, ask(Method::PUT, "/api/sessions/join"), "").await.status(), 405, "costs nothing");
}

#[tokio::test]
async fn a_limit_that_is_off_says_nothing() {
    let app = router::public(&edge([("RATE_LIMIT_CREATE", "off")]));
    let answer = send(&app, post("/api/sessions/create"), "{}").await;
    assert_eq!(
        (answer.status(), answer.header("ratelimit"), answer.header("ratelimit-policy")),
        (400, "", "")
    );
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_safe_headers() {
    let app = app();
    for path in ["/health", "/nothing", "/", "/api/clock", "/openapi.json", "/metrics"] {
        let answer = send(&app, ask(Method::GET, path).header("x-request-id", "trace-1"), "").await;
        assert_eq!(answer.header("x-request-id"), "trace-1", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        let answer = send(&app, ask(Method::GET, path).header("x-request-id", "a b"), "").await;
        assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = app();
    for path in ["/health", "/", "/nothing", &format!("/api/sessions/{ID}/messages")] {
        let (got, head) = (fetch(&app, path).await, send(&app, ask(Method::HEAD, path), "").await);
        assert_eq!((head.status(), head.body.len()), (got.status(), 0), "{path}");
        assert_eq!(head.header("content-type"), got.header("content-type"), "{path}");
        assert_eq!(got.header("content-length"), got.body.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_an_internal_problem_and_tells_nothing() {
    async fn broken() -> StatusCode {
        panic!("canary")
    }
    let edge = edge([]);
    let app = layers::wrap(Router::new().route("/broken", get(broken)), &edge);
    let answer = fetch(&app, "/broken").await;
    assert_eq!((answer.status(), answer.code().as_str()), (500, "internal"));
    assert!(!String::from_utf8(answer.body).unwrap().contains("canary"));
    let page = edge.metrics.render();
    assert!(page.contains("watchparty_http_requests_total{route=\"other\",class=\"5xx\"} 1"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_begins_is_unavailable() {
    let app = layers::wrap(Router::new().route("/slow", get(std::future::pending::<StatusCode>)), &edge([]));
    let answer = fetch(&app, "/slow").await;
    assert_eq!(
        (answer.status(), answer.code().as_str(), answer.header("retry-after")),
        (503, "unavailable", "1")
    );
}

#[tokio::test]
async fn pages_of_allowed_origins_may_read_answers() {
    let app = router::public(&edge([("ALLOWED_ORIGINS", "https://good.example")]));
    let from = |origin: &str| ask(Method::GET, "/api/clock").header("origin", origin);
    let answer = send(&app, from("https://good.example"), "").await;
    assert_eq!(
        (answer.status(), answer.header("access-control-allow-origin")),
        (200, "https://good.example")
    );
    assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    for origin in ["https://good.example.evil.example", "null", "http://good.example"] {
        let answer = send(&app, from(origin), "").await;
        assert_eq!((answer.status(), answer.code().as_str()), (403, "forbidden"), "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
    }
    assert_eq!(fetch(&app, "/api/clock").await.status(), 200, "no origin, no page");
}

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_origins_only() {
    let app = router::public(&edge([("ALLOWED_ORIGINS", "https://good.example")]));
    let preflight = |origin: &str| {
        ask(Method::OPTIONS, "/api/sessions/create")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key")
    };
    let answer = send(&app, preflight("https://good.example"), "").await;
    assert_eq!(
        (answer.status(), answer.header("access-control-allow-origin")),
        (200, "https://good.example")
    );
    assert!(answer.header("access-control-allow-methods").contains("PATCH"));
    let allowed = answer.header("access-control-allow-headers");
    for header in ["authorization", "content-type", "idempotency-key", "x-request-id", "last-event-id"] {
        assert!(allowed.contains(header), "{header} in {allowed}");
    }
    assert_eq!(send(&app, preflight("https://evil.example"), "").await.code(), "forbidden");
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_ask() {
    let app = app();
    let zipped = send(&app, ask(Method::GET, "/openapi.json").header("accept-encoding", "gzip"), "").await;
    assert_eq!((zipped.status(), zipped.header("content-encoding")), (200, "gzip"));
    let plain = fetch(&app, "/openapi.json").await;
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.json()["openapi"], "3.1.0");
    assert!(zipped.body.len() < plain.body.len() / 2);
    let short = send(&app, ask(Method::GET, "/health").header("accept-encoding", "gzip"), "").await;
    assert_eq!(short.header("content-encoding"), "");
}

#[tokio::test]
async fn events_are_never_held_back_by_a_compressor() {
    async fn events() -> ([(&'static str, &'static str); 1], String) {
        ([("content-type", "text/event-stream")], "x".repeat(4096))
    }
    let app = layers::wrap(Router::new().route("/events", get(events)), &edge([]));
    let answer = send(&app, ask(Method::GET, "/events").header("accept-encoding", "gzip"), "").await;
    assert_eq!((answer.header("content-encoding"), answer.body.len()), ("", 4096));
}

#[tokio::test]
async fn each_listener_serves_its_own() {
    let public = router::public(&edge([("ADMIN_ADDR", "127.0.0.1:9"), ("WEB", "false")]));
    for path in ["/metrics", "/", "/sdk/index.js", &format!("/s/{ID}")] {
        assert_eq!(fetch(&public, path).await.code(), "not_found", "{path}");
    }
    assert_eq!(fetch(&public, "/health/ready").await.status(), 200);
    let admin = router::admin(&edge([]));
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        assert_eq!(fetch(&admin, path).await.status(), 200, "{path}");
    }
    assert_eq!(fetch(&admin, "/api/clock").await.code(), "not_found");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_class() {
    let edge = edge([]);
    let app = router::public(&edge);
    fetch(&app, "/api/clock").await;
    fetch(&app, "/nothing").await;
    send(&app, post("/api/sessions/create"), "{}").await;
    send(&app, post("/api/sessions/join").header("content-encoding", "gzip"), "{}").await;
    let page = edge.metrics.render();
    for line in [
        "watchparty_http_requests_total{route=\"clock\",class=\"2xx\"} 1",
        "watchparty_http_requests_total{route=\"other\",class=\"4xx\"} 1",
        "watchparty_http_requests_total{route=\"create\",class=\"4xx\"} 1",
        "watchparty_sessions_created_total{result=\"invalid\"} 1",
        "watchparty_session_joins_total{result=\"refused\"} 1",
        "watchparty_http_request_duration_seconds_count{route=\"create\"} 1",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[tokio::test]
async fn health_tells_people_and_machines() {
    let app = app();
    let health = fetch(&app, "/health").await.json();
    assert_eq!((&health["status"], &health["ready"]), (&"ok".into(), &true.into()));
    assert!(
        health["version"].is_string() && health["backend"].is_string() && health["uptime_seconds"].is_u64()
    );
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(fetch(&app, path).await.json(), serde_json::json!({"status": "ok"}), "{path}");
    }
    assert!(fetch(&app, "/api/clock").await.json()["now_ms"].is_u64());
}
