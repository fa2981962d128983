//! Messages that are well-formed frames and wrong in what they say (FAULTS, rows M1 to M6, M8, M9, and A9 over the socket): an
//! `error` and the connection stays, or a close code where nothing can be told any more.

use serde_json::{Value, json};

use super::support::client::{Connect, TestClient};
use super::support::mint::random_uuid;
use super::support::node::Node;
use super::support::raw::RawFrame;
use super::support::single::{Party, metric};
use tokio_tungstenite::tungstenite::Message;

/// Sends a text as it is.
async fn say(client: &mut TestClient, text: impl Into<String>) {
    client.send_raw(Message::text(text.into())).await;
}

/// The next `error`: its code.
async fn refused(client: &mut TestClient) -> String {
    let error = client.expect("error").await;
    assert!(error["data"]["message"].is_string(), "{error}");
    error["data"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn m1_what_is_no_object_closes_4400() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let deep = format!(
        r#"{{"type":"event","data":{{"topic":"t","body":{}{}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let deep_objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    for text in [
        "",
        " ",
        "{",
        "}",
        "hello",
        "null",
        "true",
        "[]",
        "\"x\"",
        "7",
        "-",
        "1e999",
        "{} {}",
        "{'type':'chat'}",
        "{\"type\":\"chat\",}",
        "\u{feff}{}",
        "NaN",
        &"[".repeat(65_536),
        &"{\"a\":".repeat(10_000),
        &deep,
        &deep_objects,
    ] {
        let mut raw = party.raw().await;
        raw.send_frame(&RawFrame::text(text)).await;
        assert_eq!(raw.read_close().await, Some((4400, "malformed".to_owned())), "{text:.40}");
    }
    Party::serves(&node).await;
}

#[tokio::test]
async fn m2_and_m8_wrong_members_are_told_and_nothing_happens() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut host = party.host_client().await;
    host.settle().await;
    let before = party.head().await;
    let someone = random_uuid();
    let members: String = (0..4_000).map(|number| format!(r#","x{number}":{number}"#)).collect();
    let long = "x".repeat(10 * 1024);
    let table: Vec<(String, &str)> = [
        (r#"{"type":"surprise"}"#, "unknown_type"),
        (r#"{"type":""}"#, "unknown_type"),
        (r#"{"type":"CHAT","data":{"text":"x"}}"#, "unknown_type"),
        (r#"{"type":"ack"}"#, "unknown_type"),
        (r#"{"type":"welcome"}"#, "unknown_type"),
        (r#"{}"#, "invalid_request"),
        (r#"{"type":7}"#, "invalid_request"),
        (r#"{"type":null}"#, "invalid_request"),
        (r#"{"type":"chat"}"#, "invalid_request"),
        (r#"{"type":"chat","data":null}"#, "invalid_request"),
        (r#"{"type":"chat","data":"x"}"#, "invalid_request"),
        (r#"{"type":"chat","data":{}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":""}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":7}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x","more":1}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x"},"more":1}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x"},"seq":1}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x"},"from":"me"}"#, "invalid_request"),
        (r#"{"type":"chat","type":"chat","data":{"text":"x"}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x","text":"y"}}"#, "invalid_request"),
        (r#"{"type":"chat","data":{"text":"x","te\u0078t":"y"}}"#, "invalid_request"),
        (r#"{"type":"event","data":{"topic":"t","body":{"a":1,"a":2}}}"#, "invalid_request"),
        (r#"{"type":"event","data":{"topic":"t","body":9007199254740992}}"#, "invalid_request"),
        (r#"{"type":"event","data":{"topic":"t","body":1e300}}"#, "invalid_request"),
        (r#"{"type":"chat","id":7,"data":{"text":"x"}}"#, "invalid_request"),
        (
            r#"{"type":"signal","to":"~host","data":{"kind":"offer","link":"a","payload":1}}"#,
            "invalid_request",
        ),
        (r#"{"type":"signal","to":"a,b","data":{"kind":"offer","link":"a","payload":1}}"#, "invalid_request"),
        (r#"{"type":"signal","to":["a"],"data":{"kind":"offer","link":"a","payload":1}}"#, "invalid_request"),
        (r#"{"type":"signal","data":{"kind":"offer","link":"a","payload":1}}"#, "invalid_request"),
        (r#"{"type":"notify","to":"~host","data":{"topic":"t","body":1}}"#, "invalid_request"),
        (r#"{"type":"kick","data":{"participant_id":"~host"}}"#, "invalid_request"),
        (r#"{"type":"kick","data":{"participant_id":"a,b"}}"#, "invalid_request"),
        (r#"{"type":"host.transfer","data":{"participant_id":"~host"}}"#, "invalid_request"),
        (r#"{"type":"hello","token":"again"}"#, "invalid_request"),
        (r#"{"type":"chat","token":"x","data":{"text":"x"}}"#, "invalid_request"),
        (r#"{"type":"history","data":{"limit":257}}"#, "invalid_request"),
        (r#"{"type":"history","data":{"after":-1}}"#, "invalid_request"),
        (r#"{"type":"participants","data":{"after":"a,b"}}"#, "invalid_request"),
        (r#"{"type":"refresh","data":{"token":"x"}}"#, "unauthorized"),
        (r#"{"type":"session.update","data":{"max_participants":1000000000}}"#, "invalid_request"),
        (r#"{"type":"session.update","data":{"password":"short"}}"#, "invalid_request"),
    ]
    .into_iter()
    .map(|(text, code)| (text.to_owned(), code))
    .chain([
        (format!(r#"{{"type":"chat","data":{{"text":"x"}}{members}}}"#), "invalid_request"),
        (format!(r#"{{"type":"chat","data":{{"text":"x"{members}}}}}"#), "invalid_request"),
        (format!(r#"{{"type":"chat","data":{{"text":"{}"}}}}"#, "x".repeat(2001)), "invalid_request"),
        (format!(r#"{{"type":"chat","id":"{}","data":{{"text":"x"}}}}"#, "x".repeat(65)), "invalid_request"),
        (format!(r#"{{"type":"chat","to":"{someone}","data":{{"text":"x"}}}}"#), "invalid_request"),
        (
            format!(r#"{{"type":"signal","to":"{long}","data":{{"kind":"offer","link":"a","payload":1}}}}"#),
            "invalid_request",
        ),
        (
            format!(
                r#"{{"type":"signal","to":"{someone}","data":{{"kind":"offer","link":"a","payload":1}}}}"#
            ),
            "peer_unreachable",
        ),
        (format!(r#"{{"type":"kick","data":{{"participant_id":"{long}"}}}}"#), "invalid_request"),
        (
            format!(r#"{{"type":"notify","data":{{"topic":"t","body":"{}"}}}}"#, "x".repeat(4096)),
            "invalid_request",
        ),
    ])
    .collect();
    for (text, code) in table {
        say(&mut host, text.clone()).await;
        assert_eq!(refused(&mut host).await, code, "{text:.100}");
    }
    host.settle().await;
    assert_eq!(party.head().await, before, "nothing of it is in the log");
    host.close().await;
    Party::serves(&node).await;
}

#[tokio::test]
async fn a9_host_verbs_by_a_member_and_kicking_oneself_or_nobody() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut host = party.host_client().await;
    let mut guest = party.client().await;
    guest.settle().await;
    let before = party.log().await;
    for (kind, data) in [
        ("kick", json!({"participant_id": party.host})),
        ("host.transfer", json!({"participant_id": party.host})),
        ("session.update", json!({"locked": true})),
        ("session.end", json!({})),
    ] {
        guest.send(json!({"type": kind, "id": kind, "data": data})).await;
        let error = guest.expect_id(kind).await;
        assert_eq!(
            (&error["type"], &error["data"]["code"]),
            (&json!("error"), &json!("forbidden")),
            "{kind}"
        );
    }
    for (kind, whom) in [
        ("kick", party.host.clone()),
        ("kick", random_uuid()),
        ("host.transfer", party.host.clone()),
        ("host.transfer", random_uuid()),
    ] {
        host.send(json!({"type": kind, "id": whom, "data": {"participant_id": whom}})).await;
        let error = host.expect_id(&whom).await;
        assert_eq!(error["data"]["code"], "invalid_request", "{kind} {whom}");
    }
    assert_eq!(party.log().await, before, "the log is as it was");
    host.close().await;
    guest.close().await;
}

#[tokio::test]
async fn m3_and_m4_numbers() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut client = party.client().await;
    let chat =
        |n: &str, text: &str| format!(r#"{{"type":"chat","id":"x","n":{n},"data":{{"text":"{text}"}}}}"#);
    say(&mut client, chat("1", "one")).await;
    let first = client.expect("ack").await;
    for n in ["0", "-1", "1.5", "9007199254740992", "18446744073709551616", "\"1\"", "true", "[1]"] {
        say(&mut client, chat(n, "bad")).await;
        assert_eq!(refused(&mut client).await, "invalid_request", "n {n}");
    }
    for other in [
        r#"{"type":"notify","n":2,"data":{"topic":"t","body":1}}"#,
        r#"{"type":"ping","n":2,"data":{"t0":1}}"#,
    ] {
        say(&mut client, other).await;
        assert_eq!(refused(&mut client).await, "invalid_request", "{other}");
    }
    say(&mut client, chat("4", "a hole")).await;
    let error = client.expect("error").await;
    assert_eq!((&error["data"]["code"], &error["data"]["last_n"]), (&json!("gap"), &json!(1)), "{error}");
    for text in ["one", "another"] {
        say(&mut client, chat("1", text)).await;
        let ack = client.expect("ack").await;
        assert_eq!(
            (&ack["data"]["seq"], &ack["data"]["duplicate"]),
            (&first["data"]["seq"], &json!(true)),
            "{ack}"
        );
    }
    say(&mut client, chat("2", "two")).await;
    assert_eq!(client.expect("ack").await["n"], 2, "none of it moved the count");
    let log = party.log().await;
    let texts: Vec<_> = log["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["data"]["text"].as_str())
        .collect();
    assert_eq!(texts, ["one", "two"]);
    client.close().await;
}

#[tokio::test]
async fn m5_many_unacknowledged_messages_are_all_taken_in_order() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut raw = party.raw().await;
    // All of them in the socket before the first answer is read: more than the 32 the node takes at a time.
    let burst: Vec<u8> = (1..=330)
        .flat_map(|n| {
            RawFrame::text(&format!(r#"{{"type":"chat","n":{n},"data":{{"text":"{n}"}}}}"#)).encode()
        })
        .collect();
    raw.send(&burst).await;
    let mut acked = 0;
    while acked < 330 {
        let frame = raw.read_frame().await.expect("the connection stays").json();
        assert_ne!(frame["type"], "error", "{frame}");
        if frame["type"] == "ack" {
            acked += 1;
            assert_eq!(frame["n"], acked);
        }
    }
}

#[tokio::test]
async fn m5_who_goes_on_over_the_rate_is_closed() {
    let node = Node::start(&[("RATE_LIMIT_MESSAGES", "1/h:5")]).await;
    let party = Party::on(&node).await;
    let mut client = party.client().await;
    for n in 1..=5 {
        client.send(json!({"type": "chat", "n": n, "data": {"text": "x"}})).await;
        client.expect("ack").await;
    }
    for count in 0..100 {
        client.send(json!({"type": "chat", "id": "over", "n": 6, "data": {"text": "x"}})).await;
        let error = client.expect_id("over").await;
        assert_eq!(error["data"]["code"], "rate_limited", "{count}");
        assert!(error["data"]["retry_after_ms"].as_u64().unwrap() > 1000, "{error}");
        assert_eq!(error["n"], 6, "what was refused can be named");
    }
    client.send(json!({"type": "chat", "n": 6, "data": {"text": "x"}})).await;
    assert_eq!(client.expect_close().await, (4429, "rate_abused".to_owned()));
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"messages\""]).await, 101.0);
}

#[tokio::test]
async fn m5_bytes_and_signals_have_rates_of_their_own() {
    let node = Node::start(&[("RATE_LIMIT_BYTES", "1/h:65536"), ("RATE_LIMIT_SIGNALS", "1/h:1")]).await;
    let party = Party::on(&node).await;
    let mut client = party.client().await;
    let signal = json!({"type": "signal", "id": "s", "to": random_uuid(), "data": {"kind": "bye", "link": "a", "payload": 1}});
    client.send(signal.clone()).await;
    assert_eq!(client.expect_id("s").await["data"]["code"], "peer_unreachable");
    client.send(signal).await;
    assert_eq!(client.expect_id("s").await["data"]["code"], "rate_limited");
    let event =
        |size: usize| json!({"type": "event", "id": "e", "data": {"topic": "t", "body": "x".repeat(size)}});
    client.send(event(60_000)).await;
    assert_eq!(client.expect_id("e").await["type"], "ack");
    client.send(event(60_000)).await;
    assert_eq!(client.expect_id("e").await["data"]["code"], "rate_limited");
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"bytes\""]).await, 1.0);
    assert_eq!(metric(&party.api, "watchparty_rate_limited_total", &["scope=\"signals\""]).await, 1.0);
    client.close().await;
}

#[tokio::test]
async fn m6_no_text_is_special_to_anything_on_its_way() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut sender = party.raw().await;
    let mut receiver = party.raw().await;
    let texts = [
        r"a\u0000b",
        r"\r\n",
        r"*1\r\n$4\r\nPING\r\n",
        "]]",
        "]]>",
        "{x}",
        "{{x}}",
        "\u{2028}",
        r"a\u2028b",
        "\u{202e}abc",
        "%s%n",
        "<script>",
        r"\ud83c\udfac",
        "🎬",
        r#"\"}}"#,
        "EVAL",
        "'; --",
        r"\u001b[31m",
    ];
    for (index, text) in texts.iter().enumerate() {
        let data = match index % 2 {
            0 => format!(r#"{{"text":"{text}"}}"#),
            _ => format!(r#"{{ "topic":"t" , "body":{{"{text}":[1.50,"{text}"]}}}}"#),
        };
        let kind = ["chat", "event"][index % 2];
        sender.send_frame(&RawFrame::text(&format!(r#"{{"type":"{kind}","data":{data}}}"#))).await;
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        for (raw, bytes) in [(&mut sender, &mut mine), (&mut receiver, &mut theirs)] {
            *bytes = loop {
                let frame = raw.read_frame().await.unwrap();
                if frame.json()["type"] == kind {
                    break frame.payload;
                }
            };
        }
        assert_eq!(mine, theirs, "{text}: the same bytes for everybody");
        let payload = String::from_utf8(mine).unwrap();
        assert!(payload.contains(&data), "{data} in {payload}");
    }
    // A lone surrogate is no text: refused, not replaced.
    sender.send_frame(&RawFrame::text(r#"{"type":"chat","data":{"text":"\ud83c"}}"#)).await;
    let close = sender.read_close().await;
    assert_eq!(close.map(|close| close.0), Some(4400));
}

#[tokio::test]
async fn m9_positions_that_never_were() {
    let node = Node::start(&[]).await;
    let party = Party::on(&node).await;
    let mut host = party.host_client().await;
    host.send(json!({"type": "chat", "data": {"text": "x"}})).await;
    let ack = host.expect("ack").await;
    let epoch = ack["data"]["epoch"].as_str().unwrap().to_owned();
    let long = "e".repeat(4 * 1024);
    for (at, seq, reason) in [
        (epoch.as_str(), 9_007_199_254_740_991, "diverged"),
        (&epoch, 1_000_000, "diverged"),
        ("", 1, "unknown_epoch"),
        ("=;", 1, "unknown_epoch"),
        ("../../etc", 0, "unknown_epoch"),
        ("\u{0}", 1, "unknown_epoch"),
        (&long, 1, "unknown_epoch"),
        (&random_uuid(), 1, "unknown_epoch"),
    ] {
        let connect = Connect::to(party.addr, &party.id).hello(&party.member().1).resume(at, seq);
        let (client, welcome) = connect.welcomed().await;
        let told = (&welcome["data"]["recovered"], &welcome["data"]["reason"]);
        assert_eq!(told, (&json!(false), &json!(reason)), "{at:.40} {seq}");
        client.close().await;
    }
    for query in [
        "?epoch=&seq=",
        "?seq=-1",
        "?epoch=%00&seq=1",
        "?epoch==;&seq=99999999999999999999999",
        "?seq=1&seq=2",
    ] {
        let path = format!("{}{query}", party.socket_path());
        let authorization = format!("Bearer {}", party.member().1);
        let headers = [("Authorization", authorization.as_str())];
        let (mut raw, _) = super::support::raw::RawClient::upgrade(party.addr, &path, &headers).await;
        let welcome: Value = raw.read_frame().await.unwrap().json();
        assert_eq!(
            (&welcome["type"], &welcome["data"]["recovered"]),
            (&json!("welcome"), &json!(false)),
            "{query}"
        );
    }
    host.close().await;
}
