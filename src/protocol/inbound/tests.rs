//! What a client may say and what it is told otherwise: tables of frames (FAULTS, rows M1-M9).

mod random;

use super::*;
use crate::model::playback::media::{Media, MediaKind, MediaMs, RateMilli};
use crate::model::playback::report::PlayerStatus;
use crate::model::time::ClusterMs;
use crate::protocol::problem::Code;

const SOMEONE: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";

fn refused(text: &str) -> (Option<String>, Option<u64>, Fault) {
    match parse(text).expect_err(text).rejected {
        Rejected::Refused { id, n, fault } => (id, n, fault),
        Rejected::Malformed => panic!("malformed: {text:.60}"),
    }
}

#[test]
fn what_is_no_object_is_malformed() {
    let deep = format!(r#"{{"type":"event","data":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for text in ["", " ", "x", "null", "[]", "[{}]", "\"x\"", "7", "{", "{}{}", &"[".repeat(65_536), &deep] {
        assert_eq!(parse(text).expect_err(text).rejected, Rejected::Malformed, "{text:.40}");
    }
}

#[test]
fn an_unknown_type_is_named_so() {
    for text in [r#"{"type":"gossip"}"#, r#"{"type":"CHAT","data":{"text":"x"}}"#, r#"{"type":""}"#] {
        assert_eq!(refused(text).2.code, Code::UnknownType, "{text}");
    }
}

#[test]
fn every_wrong_field_is_a_field_error() {
    let long = "x".repeat(2001);
    let topic = "x".repeat(65);
    let many: String = (0..10_000).map(|at| format!(r#","f{at}":1"#)).collect();
    let table = [
        r#"{}"#.to_owned(),
        r#"{"type":7}"#.to_owned(),
        r#"{"type":"chat"}"#.to_owned(),
        r#"{"type":"chat","data":{}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":""}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":"   "}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":"\u200b\ufeff"}}"#.to_owned(),
        r#"{"type":"profile","data":{"name":"Ada\u200b"}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":7}}"#.to_owned(),
        format!(r#"{{"type":"chat","data":{{"text":"{long}"}}}}"#),
        r#"{"type":"chat","data":{"text":"x","extra":1}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":"x","reply_to":0}}"#.to_owned(),
        r#"{"type":"chat","data":{"text":"x"},"extra":1}"#.to_owned(),
        r#"{"type":"chat","data":{"text":"x","text":"y"}}"#.to_owned(),
        r#"{"type":"chat","type":"chat","data":{"text":"x"}}"#.to_owned(),
        format!(r#"{{"type":"chat","data":{{"text":"x"}}{many}}}"#),
        format!(r#"{{"type":"chat","to":"{SOMEONE}","data":{{"text":"x"}}}}"#),
        r#"{"type":"chat","token":"x","data":{"text":"x"}}"#.to_owned(),
        r#"{"type":"event","data":{"topic":"","body":1}}"#.to_owned(),
        r#"{"type":"event","data":{"topic":"a"}}"#.to_owned(),
        format!(r#"{{"type":"event","data":{{"topic":"{topic}","body":1}}}}"#),
        r#"{"type":"event","data":{"topic":"a","body":9007199254740992}}"#.to_owned(),
        r#"{"type":"event","data":{"topic":"a","body":{"x":1,"x":2}}}"#.to_owned(),
        format!(r#"{{"type":"notify","data":{{"topic":"a","body":"{}"}}}}"#, "x".repeat(4096)),
        r#"{"type":"signal","data":{"kind":"offer","link":"cam"}}"#.to_owned(),
        format!(r#"{{"type":"signal","to":"{SOMEONE}","data":{{"kind":"shout","link":"cam"}}}}"#),
        format!(r#"{{"type":"signal","to":"{SOMEONE}","data":{{"kind":"offer","link":""}}}}"#),
        r#"{"type":"kick","data":{"participant_id":"~host"}}"#.to_owned(),
        r#"{"type":"kick","data":{"participant_id":"a,b"}}"#.to_owned(),
        format!(r#"{{"type":"kick","data":{{"participant_id":"{}"}}}}"#, "x".repeat(10_240)),
        format!(r#"{{"type":"kick","data":{{"participant_id":"{SOMEONE}","ban_seconds":-1}}}}"#),
        r#"{"type":"profile","data":{}}"#.to_owned(),
        r#"{"type":"profile","data":{"name":"a\u0007b"}}"#.to_owned(),
        format!(r#"{{"type":"profile","data":{{"name":"{}"}}}}"#, "x".repeat(41)),
        r#"{"type":"profile","data":{"color":"red"}}"#.to_owned(),
        r#"{"type":"session.update","data":{}}"#.to_owned(),
        r#"{"type":"session.update","data":{"name":"ab"}}"#.to_owned(),
        r#"{"type":"session.update","data":{"password":"short"}}"#.to_owned(),
        r#"{"type":"session.update","data":{"max_participants":0}}"#.to_owned(),
        r#"{"type":"history","data":{"limit":0}}"#.to_owned(),
        r#"{"type":"history","data":{"limit":257}}"#.to_owned(),
        r#"{"type":"history","data":{"after":1,"before":2}}"#.to_owned(),
        r#"{"type":"history","data":{"after":-1}}"#.to_owned(),
        r#"{"type":"ping","data":{}}"#.to_owned(),
        r#"{"type":"ping","data":{"t0":"1"}}"#.to_owned(),
        r#"{"type":"leave","data":{"why":"x"}}"#.to_owned(),
        r#"{"type":"refresh","data":{}}"#.to_owned(),
        r#"{"type":"report","data":{"status":"dancing"}}"#.to_owned(),
        r#"{"type":"report","data":{"rtt_ms":-1}}"#.to_owned(),
        r#"{"type":"report","data":{"drift_ms":86400001}}"#.to_owned(),
        r#"{"type":"play","data":{"position_ms":-1}}"#.to_owned(),
        r#"{"type":"play","data":{"position_ms":1.5}}"#.to_owned(),
        r#"{"type":"pause","data":{"at":1}}"#.to_owned(),
        r#"{"type":"seek"}"#.to_owned(),
        r#"{"type":"seek","data":{"position_ms":"1"}}"#.to_owned(),
        r#"{"type":"rate","data":{"rate":0.2}}"#.to_owned(),
        r#"{"type":"rate","data":{"rate":4.001}}"#.to_owned(),
        r#"{"type":"load","data":{"media":{"kind":"url","src":"http://a.example/a"}}}"#.to_owned(),
        r#"{"type":"load","data":{"media":{"kind":"tape","src":"x"}}}"#.to_owned(),
        r#"{"type":"load","data":{"media":{"kind":"sample","src":"x","size":1}}}"#.to_owned(),
        format!(r#"{{"type":"load","data":{{"media":{{"kind":"file","src":"{}"}}}}}}"#, "x".repeat(2049)),
        r#"{"type":"ready","data":{}}"#.to_owned(),
        r#"{"type":"ready","n":1,"data":{"version":1}}"#.to_owned(),
        r#"{"type":"hello"}"#.to_owned(),
        r#"{"type":"hello","token":"x","resume":{"epoch":"e","seq":-1}}"#.to_owned(),
    ];
    for text in table {
        assert_eq!(refused(&text).2.code, Code::InvalidRequest, "{text:.120}");
    }
}

#[test]
fn numbers_are_whole_and_belong_to_durable_messages() {
    for n in ["0", "-1", "1.5", "9007199254740992", "\"1\"", "null", "true"] {
        let text = format!(r#"{{"type":"chat","n":{n},"data":{{"text":"x"}}}}"#);
        if n == "null" {
            // JSON's null is no number given.
            assert!(parse(&text).is_ok());
            continue;
        }
        assert_eq!(refused(&text).2.code, Code::InvalidRequest, "{n}");
    }
    let notify = r#"{"type":"notify","n":1,"data":{"topic":"a","body":1}}"#;
    assert_eq!(refused(notify).2.code, Code::InvalidRequest);
}

#[test]
fn a_refusal_keeps_what_could_be_read() {
    let (id, n, _) = refused(r#"{"type":"chat","id":"a","n":3,"data":{"text":""}}"#);
    assert_eq!((id.as_deref(), n), (Some("a"), Some(3)));
    let (id, n, _) = refused(r#"{"type":"chat","id":"a","n":3,"surprise":1}"#);
    assert_eq!((id.as_deref(), n), (Some("a"), Some(3)));
    let text = format!(r#"{{"type":"chat","id":"{}","data":{{"text":"x"}}}}"#, "x".repeat(65));
    assert_eq!(refused(&text).0, None);
}

#[test]
fn a_wrong_value_is_not_repeated() {
    let (_, _, fault) = refused(r#"{"type":"session.update","data":{"locked":"hunter22"}}"#);
    assert_eq!(fault.detail, "data: expected a boolean");
    let (_, _, fault) = refused(r#"{"type":"kick","data":{"participant_id":"hunter22"}}"#);
    assert!(!fault.detail.contains("hunter22"), "{}", fault.detail);
}

#[test]
fn the_applications_json_is_kept_as_it_came() {
    let body = r#"{ "a" : [1, 2.50, "\u0000\r\n*1\r\n]]{x}\u2028"] }"#;
    let text = format!(r#"{{"type":"event","data":{{"topic":"t","body":{body}}}}}"#);
    let Message::Say { data, .. } = parse(&text).expect("parses").message else { panic!("an event") };
    assert_eq!(data.get(), format!(r#"{{"topic":"t","body":{body}}}"#));
}

#[test]
fn the_film_is_asked_in_its_own_words() {
    let message = |text: &str| parse(text).expect(text).message;
    let film = |text: &str| match message(text) {
        Message::Film(command) => command,
        other => panic!("{other:?}"),
    };
    assert_eq!(film(r#"{"type":"play"}"#), Command::Play { position: None });
    let position = Some(MediaMs(5));
    assert_eq!(film(r#"{"type":"play","n":1,"data":{"position_ms":5}}"#), Command::Play { position });
    let pause = r#"{"type":"pause","data":{"position_ms":5,"at_ms":1700000000000}}"#;
    assert_eq!(film(pause), Command::Pause { position, at: Some(ClusterMs(1_700_000_000_000)) });
    assert_eq!(film(r#"{"type":"seek","data":{"position_ms":0}}"#), Command::Seek { position: MediaMs(0) });
    let half = RateMilli::from_factor(1.5).expect("a rate");
    assert_eq!(film(r#"{"type":"rate","data":{"rate":1.5}}"#), Command::Rate(half));
    let media = Media { kind: MediaKind::Sample, src: "sample".to_owned(), title: None, duration_ms: None };
    let load = r#"{"type":"load","data":{"media":{"kind":"sample","src":"sample"}}}"#;
    assert_eq!(film(load), Command::Load { media, position: MediaMs(0) });
    let ready = message(r#"{"type":"ready","data":{"version":4}}"#);
    assert!(matches!(ready, Message::Ready { version: 4 }));
    let report = r#"{"type":"report","data":{"drift_ms":-12.6,"rtt_ms":80.4,"status":"playing"}}"#;
    let Message::Report(report) = message(report) else { panic!("a report") };
    let status = Some(PlayerStatus::Playing);
    assert_eq!(report, Report { drift_ms: Some(-13), rtt_ms: Some(80), status });
}

#[test]
fn a_hello_says_who_and_where() {
    let epoch = Epoch::new_random();
    let client = r#""client":{"name":"sdk","version":"1.0.0"}"#;
    let text = format!(r#"{{"type":"hello","token":"t","resume":{{"epoch":"{epoch}","seq":7}},{client}}}"#);
    let Message::Hello(hello) = parse(&text).expect("parses").message else { panic!("a hello") };
    assert_eq!(hello.token, "t");
    assert_eq!(hello.resume, Some(Resume { epoch: Some(epoch), seq: Seq(7) }));
    for epoch in ["", "=;", "x", &"e".repeat(4096)] {
        let text = format!(r#"{{"type":"hello","token":"t","resume":{{"epoch":"{epoch}","seq":7}}}}"#);
        let Message::Hello(hello) = parse(&text).expect("parses").message else { panic!("a hello") };
        assert_eq!(hello.resume, Some(Resume { epoch: None, seq: Seq(7) }));
    }
}

#[test]
fn a_position_in_an_address_is_whole_or_unknown() {
    let epoch = Epoch::new_random();
    let unknown = |seq| Some(Resume { epoch: None, seq: Seq(seq) });
    assert_eq!(Resume::from_query(""), None);
    assert_eq!(Resume::from_query("token=x"), None);
    let whole = Some(Resume { epoch: Some(epoch), seq: Seq(7) });
    assert_eq!(Resume::from_query(&format!("epoch={epoch}&seq=7")), whole);
    assert_eq!(Some(Resume::from_event_id(&format!("{epoch}:7"))), whole);
    assert_eq!(Resume::from_query("seq=7"), unknown(7));
    assert_eq!(Resume::from_query(&format!("epoch={epoch}")), unknown(0));
    assert_eq!(Resume::from_query(&format!("epoch={epoch}&seq=-1")), unknown(0));
    assert_eq!(Resume::from_event_id("nonsense"), Resume { epoch: None, seq: Seq(0) });
}

#[test]
fn the_types_and_their_words_agree() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(kind));
    }
}
