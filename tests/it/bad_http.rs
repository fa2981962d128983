//! Bad requests (FAULTS, rows H4 to H9, A6, A7, A9 and M7 over HTTP): each has its status and its code, and nothing else happens.
//!
//! What hyper answers by itself (431, 414, 400 for a head that does not parse) carries no body and no request id, because
//! no request exists yet; it is asserted as it is. Upgrades are in `bad_upgrade`.

use bytes::Bytes;
use serde_json::{Value, json};

use super::support::api::{Answer, bearer};
use super::support::mint::random_uuid;
use super::support::node::Node;
use super::support::raw::{Head, RawClient};
use super::support::redis_server::RedisServer;
use super::support::single::{PASSWORD, Party, has_request_id, metric};

/// Header fields.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// Sends bytes as they are and reads one answer.
async fn answer_to(node: &Node, bytes: &[u8]) -> (RawClient, Head) {
    let mut client = RawClient::connect(node.addr()).await;
    client.send(bytes).await;
    let head = client.read_head().await;
    (client, head)
}

fn code_of(head: &Head) -> String {
    let body: Value = serde_json::from_slice(&head.body).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn h4_too_many_headers_too_long_a_header_too_long_an_address() {
    let node = Node::start(&[]).await;
    let headers: String = (0..101).map(|number| format!("X-{number}: y\r\n")).collect();
    let many = format!("GET /api/clock HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let long = format!("GET /api/clock HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(17 * 1024));
    for request in [many, long] {
        let (mut client, head) = answer_to(&node, request.as_bytes()).await;
        assert_eq!(head.status, 431, "{request:.60}");
        assert_eq!(head.header("connection"), Some("close"));
        assert!(client.ended().await);
    }
    let address = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(9 * 1024));
    let (_, head) = answer_to(&node, address.as_bytes()).await;
    assert_eq!((head.status, code_of(&head).as_str()), (414, "uri_too_long"));
    let query = format!("GET /api/clock?{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(9 * 1024));
    assert_eq!(answer_to(&node, query.as_bytes()).await.1.status, 414);
    let fine = format!("GET /api/clock?{} HTTP/1.1\r\nHost: x\r\n\r\n", "y".repeat(8000));
    assert_eq!(answer_to(&node, fine.as_bytes()).await.1.status, 200, "RFC 9110, 4.1: 8000 octets");
    Party::serves(&node).await;
}

#[tokio::test]
async fn h5_who_does_not_finish_a_head_is_closed() {
    let node = Node::start(&[]).await;
    let mut silent = RawClient::connect(node.addr()).await;
    let mut started = RawClient::connect(node.addr()).await;
    started.send(b"GET /api/clock HTTP/1.1\r\nHost: x\r\nX-Slow: ").await;
    // A byte whenever a ping on the side has come home: they trickle without a clock of ours.
    let mut trickling = RawClient::connect(node.addr()).await;
    let mut sent = 0;
    while trickling.send(b"G").await {
        node.api().get("/health/live", None).await.expect(200);
        sent += 1;
        assert!(sent < 100_000, "a trickle is never ended");
        if trickling.has_ended() {
            break;
        }
    }
    assert!(silent.ended().await, "said nothing");
    assert!(started.ended().await, "began a head");

    let (mut tls, head) = answer_to(&node, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await;
    assert_eq!(head.status, 400, "a TLS hello on the plain port");
    assert!(tls.ended().await);
    Party::serves(&node).await;
}

#[tokio::test]
async fn an_idle_connection_outlives_the_time_of_a_head() {
    let node = Node::start(&[]).await;
    let mut kept = RawClient::connect(node.addr()).await;
    for _ in 0..2 {
        kept.send_head("GET", "/api/clock", &[]).await;
        let head = kept.read_head().await;
        assert_eq!((head.status, head.header("connection")), (200, None));
        // The end of a connection that came later and said nothing tells that the time of a head is over.
        assert!(RawClient::connect(node.addr()).await.ended().await);
    }
}

#[tokio::test]
async fn h5_a_second_head_on_a_kept_connection_has_the_same_time() {
    let node = Node::start(&[]).await;
    let mut client = RawClient::connect(node.addr()).await;
    client.send_head("GET", "/api/clock", &[]).await;
    assert_eq!(client.read_head().await.status, 200);
    client.send(b"GET /api/clock HTTP/1.1\r\n").await;
    // The idle time is 75 s, well past the deadline of every wait here: it is the head's time that ends this.
    assert!(client.ended().await);
}

#[tokio::test]
async fn h6_heads_that_two_servers_could_read_differently() {
    let node = Node::start(&[]).await;
    for (what, request) in [
        ("folded header", &b"GET /api/clock HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n"[..]),
        ("NUL in a header", b"GET /api/clock HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
        ("bare CR in a header", b"GET /api/clock HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n"),
        ("space before the colon", b"GET /api/clock HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n"),
        (
            "two lengths",
            b"POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        ),
        ("signed length", b"POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n"),
        (
            "unknown coding",
            b"POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
        ),
        (
            "chunked not last",
            b"POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
        ),
        (
            "coding in 1.0",
            b"POST /api/sessions/join HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("no method", b"\r\n\0\0\0\r\n\r\n"),
        ("no host", b"GET /health HTTP/1.1\r\n\r\n"),
        ("no host beside a whole address", b"GET http://x/health HTTP/1.1\r\n\r\n"),
        ("two hosts", b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
        ("one host twice", b"GET /health HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        ("two hosts in 1.0", b"GET /health HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
    ] {
        let (mut client, head) = answer_to(&node, request).await;
        assert_eq!(head.status, 400, "{what}");
        assert_eq!(head.header("connection"), Some("close"), "{what}");
        assert!(client.ended().await, "{what}");
    }
    // Health checks of the last century name no host, and say so by their version.
    let (_, head) = answer_to(&node, b"GET /health HTTP/1.0\r\n\r\n").await;
    assert_eq!(head.status, 200);
    Party::serves(&node).await;
}

/// hyper takes both lines, believes the coding and closes behind the answer (RFC 9112, 6.3): what a smuggler put behind the
/// body is never read as a request.
#[tokio::test]
async fn h6_a_length_with_a_coding_smuggles_nothing() {
    let node = Node::start(&[]).await;
    for lines in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let request = format!(
            "POST /api/sessions/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{lines}\r\n\r\n\
             2\r\n{{}}\r\n0\r\n\r\nGET /api/clock HTTP/1.1\r\nHost: x\r\n\r\n"
        );
        let (mut client, head) = answer_to(&node, request.as_bytes()).await;
        assert_eq!((head.status, code_of(&head).as_str()), (400, "invalid_request"), "{lines}");
        assert_eq!(head.header("connection"), Some("close"), "{lines}");
        assert!(client.ended().await, "{lines}");
    }
}

#[tokio::test]
async fn h7_addresses_that_are_none_touch_nothing() {
    let redis = RedisServer::start().await;
    let node = Node::start(&[("REDIS_URL", &redis.url())]).await;
    let party = Party::on(&node).await;
    let before = redis.keys().await;
    let id = &party.id;
    let spellings = [
        id.to_uppercase(),
        format!("{{{id}}}"),
        format!("{{{id}}}:s"),
        format!("urn:uuid:{id}"),
        id[..35].to_owned(),
        format!("{id}0"),
        id.replace('-', ""),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "*".to_owned(),
        format!("%2e%2e/{id}"),
        format!("{id}%00"),
        format!("{id}%0d%0a"),
        format!("%c0%ae{id}"),
        format!("%C0%80{id}"),
        format!("/{id}"),
        "%".to_owned(),
        "..".to_owned(),
    ];
    for spelling in &spellings {
        for path in [
            format!("/api/sessions/{spelling}"),
            format!("/api/sessions/{spelling}/messages"),
            format!("//api/sessions/{spelling}"),
        ] {
            let mut client = RawClient::connect(node.addr()).await;
            client.send_head("GET", &path, &[("Authorization", &format!("Bearer {}", party.token))]).await;
            let head = client.read_head().await;
            assert!(matches!(head.status, 400 | 404), "{path}: {head:?}");
            assert!(head.status == 400 || head.header("x-request-id").is_some(), "{path}");
        }
    }
    let absolute = format!("http://elsewhere.example/api/sessions/{}", random_uuid());
    let mut client = RawClient::connect(node.addr()).await;
    client.send_head("GET", &absolute, &[]).await;
    assert_eq!(client.read_head().await.status, 404);
    assert_eq!(redis.keys().await, before, "no address made, moved or took a key");
    Party::serves(&node).await;
}

async fn lookups_until_limited(node: &Node, forwarded: impl Fn(usize) -> String) -> usize {
    for count in 0..20 {
        let headers = [("x-forwarded-for".to_owned(), forwarded(count))];
        let path = format!("/api/sessions/{}", random_uuid());
        let answer = node.api().request("GET", &path, &headers, None).await;
        has_request_id(&answer);
        if answer.status == 429 {
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!(seconds >= 1);
            answer.problem(429, "rate_limited");
            return count;
        }
        answer.problem(404, "session_not_found");
    }
    20
}

#[tokio::test]
async fn h8_forged_addresses_change_no_bucket() {
    let settings = [("RATE_LIMIT_LOOKUP", "1/h:5")];
    let node = Node::start(&settings).await;
    assert_eq!(
        lookups_until_limited(&node, |count| format!("192.0.2.{count}")).await,
        5,
        "nobody is trusted"
    );

    let trusting = [settings[0], ("TRUSTED_PROXIES", "127.0.0.1/32")];
    let node = Node::start(&trusting).await;
    let hops = |count: usize| {
        (0..200).map(|hop| format!("10.{count}.{hop}.1, ")).collect::<String>() + "198.51.100.9"
    };
    assert_eq!(
        lookups_until_limited(&node, hops).await,
        5,
        "what stands left of the proxy's own word is hearsay"
    );
    for one_bucket in ["", "nonsense", "for=\"[::1]:x\""] {
        assert!(lookups_until_limited(&node, |_| one_bucket.to_owned()).await <= 5, "{one_bucket:?}");
    }
    assert_eq!(
        lookups_until_limited(&node, |_| "::ffff:198.51.100.9".to_owned()).await,
        0,
        "the same bucket, v4-mapped"
    );
    assert_eq!(lookups_until_limited(&node, |count| format!("2001:db8::{count}")).await, 5, "one /64");
    assert_eq!(
        lookups_until_limited(&node, |count| format!("203.0.113.{count}")).await,
        20,
        "others have their own"
    );
}

#[tokio::test]
async fn h9_bodies_that_are_not_read() {
    let node = Node::start(&[]).await;
    let good = json!({"name": "Movie night", "password": PASSWORD}).to_string();
    let json_type = ("content-type", "application/json");
    let cases: [(Lines<'_>, Bytes, u16, &str); 6] = [
        (&[("content-type", "text/plain")], good.clone().into(), 415, "unsupported_media_type"),
        (&[], good.clone().into(), 415, "unsupported_media_type"),
        (&[json_type, ("content-encoding", "gzip")], gzip_bomb(), 415, "unsupported_media_type"),
        (&[json_type], "x".repeat(2 * 1024 * 1024).into(), 413, "payload_too_large"),
        (&[json_type], "[".repeat(16 * 1024).into(), 400, "invalid_request"),
        (&[json_type], Bytes::from_static(b"{\"name\":\"\xff\"}"), 400, "invalid_request"),
    ];
    for (headers, body, status, code) in cases {
        let mut head =
            format!("POST /api/sessions/create HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut client = RawClient::connect(node.addr()).await;
        // The server may answer and close before it has all of it.
        client.send(head.as_bytes()).await;
        client.send(&body[..body.len().min(1024)]).await;
        let head = client.read_head().await;
        assert_eq!((head.status, code_of(&head).as_str()), (status, code), "{headers:?}");
    }
    let chunked = format!(
        "POST /api/sessions/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\n{}\r\n",
        "x".repeat(0x5000)
    );
    let (_, head) = answer_to(&node, chunked.as_bytes()).await;
    assert_eq!(
        (head.status, code_of(&head).as_str()),
        (413, "payload_too_large"),
        "over the bound without saying so"
    );
    Party::serves(&node).await;
}

/// The head of a gzip stream that goes on for ever; nothing of it may be inflated, so its rest does not matter.
fn gzip_bomb() -> Bytes {
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.resize(1024, 0);
    bytes.into()
}

#[tokio::test]
async fn a6_passwords_of_every_length() {
    let node = Node::start(&[]).await;
    let create = |password: Value| {
        let api = node.api();
        async move {
            api.post("/api/sessions/create", None, json!({"name": "Movie night", "password": password})).await
        }
    };
    for (bad, field) in [
        (json!(""), "password"),
        (json!("five5"), "password"),
        (json!("x".repeat(72)), "password"),
        (json!("x".repeat(200)), "password"),
        (json!("🎬".repeat(18)), "password"),
        (json!("with\0nul"), "password"),
        (json!(123_456), "password"),
        (json!(null), "password"),
        (json!(["secret"]), "password"),
    ] {
        let answer = create(bad.clone()).await;
        has_request_id(&answer);
        let body = answer.problem(400, "invalid_request");
        assert_eq!(body["errors"][0]["field"], field, "{bad}");
    }
    for good in ["sixsix".to_owned(), "x".repeat(71), "🎬🍿".to_owned(), "é".repeat(35)] {
        let made = create(json!(good)).await.expect(201);
        let id = made["id"].as_str().unwrap();
        node.api().join(id, &good, None).await.expect(200);
        let almost = format!("{}!", &good[..good.char_indices().last().unwrap().0]);
        assert_eq!(node.api().join(id, &almost, None).await.status / 100, 4, "{good}");
    }
}

#[tokio::test]
async fn m7_names_and_numbers_out_of_their_range() {
    let node = Node::start(&[]).await;
    let refused = |field: &'static str, value: Value| {
        let api = node.api();
        async move {
            let mut body = json!({"name": "Movie night", "password": PASSWORD});
            body[field] = value.clone();
            let answer = api.post("/api/sessions/create", None, body).await.problem(400, "invalid_request");
            assert_eq!(answer["errors"][0]["field"], field, "{value}");
        }
    };
    let hidden = [
        "\u{200b}\u{200b}\u{200b}",
        "\u{feff}abc",
        "\u{2066}abc\u{2069}",
        "abc\u{200b}",
        "abc\u{202e}def",
        "\u{2800}\u{2800}\u{2800}",
    ];
    for name in hidden {
        refused("name", json!(name)).await;
        refused("display_name", json!(name)).await;
    }
    for name in ["", "ab", "  ab  ", "a\u{7}b c", "line\nbreak", "next\u{85}line", &"x".repeat(51)] {
        refused("name", json!(name)).await;
    }
    for name in ["", "  ", "a\0b", "tab\tbed", &"x".repeat(41)] {
        refused("display_name", json!(name)).await;
    }
    for seats in
        [json!(0), json!(-1), json!(1001), json!(1_000_000_000), json!(1.5), json!("10"), json!(true)]
    {
        refused("max_participants", seats.clone()).await;
        let body = json!({"name": "Movie night", "password": PASSWORD, "max_participants": seats});
        let answer = node.api().post("/api/sessions/create", None, body).await;
        assert_eq!(
            answer.body["errors"][0]["message"], "must be a whole number from 1 to 1000",
            "one rule: {seats}"
        );
    }
    refused("surprise", json!(1)).await;
    // Right-to-left without a control, and characters that are one with their neighbours.
    let name = "\u{5e2}\u{5e8}\u{5d1} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    let readable = json!({"name": name, "password": PASSWORD, "display_name": name});
    let made = node.api().post("/api/sessions/create", None, readable).await.expect(201);
    assert_eq!(made["name"], name);
    for body in ["null", "[]", "7", "", "{", r#"{"name":"abc","name":"abd","password":"secret"}"#] {
        let json_type = [("content-type".to_owned(), "application/json".to_owned())];
        let answer = node.api().send("POST", "/api/sessions/create", &json_type, body.into()).await;
        answer.problem(400, "invalid_request");
    }
}

#[tokio::test]
async fn a9_what_only_a_host_may_do() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let other = Party::on(&node).await;
    let host = party.host_client().await;
    let (member, token) = party.member();
    let mut guest =
        super::support::client::Connect::to(party.addr, &party.id).bearer(&token).welcomed().await.0;
    guest.settle().await;
    let before = party.log().await;

    let ask = |method: &'static str, path: String, token: &str, body: Option<Value>| {
        let (api, headers) = (party.api, bearer(Some(token)));
        async move { api.request(method, &path, &headers, body).await }
    };
    for token in [&token, &other.token] {
        ask("PATCH", party.path(""), token, Some(json!({"locked": true}))).await.problem(403, "forbidden");
        ask("DELETE", party.path(""), token, None).await.problem(403, "forbidden");
        ask("DELETE", party.path(&format!("/participants/{}", party.host)), token, None)
            .await
            .problem(403, "forbidden");
    }
    for nobody in [party.host.clone(), random_uuid(), "~host".to_owned(), member.to_uppercase()] {
        let path = party.path(&format!("/participants/{nobody}"));
        let answer = ask("DELETE", path, &party.token, None).await.problem(400, "invalid_request");
        assert_eq!(answer["errors"][0]["field"], "participant_id", "{nobody}");
    }
    assert_eq!(party.log().await, before, "the log is as it was");
    host.close().await;
    guest.close().await;
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let api = node.api();
    let unknown = format!("/api/sessions/{}", random_uuid());
    let answers: Vec<(Answer, u16)> = vec![
        (api.get("/", None).await, 200),
        (api.get("/health", None).await, 200),
        (api.get("/metrics", None).await, 200),
        (api.get("/openapi.json", None).await, 200),
        (api.get("/api/clock", None).await, 200),
        (api.get(&party.path(""), None).await, 200),
        (api.get("/nowhere", None).await, 404),
        (api.get(&unknown, None).await, 404),
        (api.get(&party.path("/messages"), None).await, 401),
        (api.get(&party.path("/messages"), Some("x")).await, 401),
        (api.post("/api/clock", None, json!({})).await, 405),
        (api.post("/api/sessions/create", None, json!({})).await, 400),
        (api.get(&party.socket_path(), None).await, 426),
        (
            api.request("OPTIONS", "/api/clock", &[("origin".into(), "https://a.example".into())], None)
                .await,
            200,
        ),
        (
            api.post(
                &party.path("/messages"),
                Some(&party.token),
                json!({"type": "chat", "data": {"text": "x"}}),
            )
            .await,
            400,
        ),
    ];
    for (answer, status) in &answers {
        assert_eq!(answer.status, *status, "{answer:?}");
        has_request_id(answer);
        if *status >= 400 {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
        }
    }
    let named = [("x-request-id".to_owned(), "mine-1".to_owned())];
    assert_eq!(api.request("GET", "/api/clock", &named, None).await.header("x-request-id"), Some("mine-1"));
    assert_eq!(metric(&api, "watchparty_http_requests_total", &["class=\"5xx\""]).await, 0.0);
}
