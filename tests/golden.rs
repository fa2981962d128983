//! The golden frames: one example of each message, held to the code on one side and to `docs/PROTOCOL.md` on the other.
//!
//! `client.*` are frames that clients send and must be read as their type; `server.*` must be, byte for byte, what
//! `protocol::outbound` encodes from fixed inputs; `http.*` are bodies, whose shapes `tests/it` compares with live answers. Files are laid
//! out for people: white space between tokens does not count. An SDK is held to the same files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[path = "golden/encoded.rs"]
mod encoded;

use watchparty::model::playback::command::Command;
use watchparty::model::record::EntryKind;
use watchparty::model::verb::Verb;
use watchparty::protocol::inbound::{self, Inbound, Kind, Message};

/// Every golden by name, as it lies in its file.
fn golden() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let paths =
        std::fs::read_dir(root).expect("the directory is there").map(|file| file.expect("readable").path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("text"))
    })
    .collect()
}

/// The same JSON without white space between its tokens.
fn compact(json: &str) -> String {
    let (mut text, mut escaped) = (false, false);
    json.chars()
        .filter(|character| {
            let kept = text || !character.is_ascii_whitespace();
            if *character == '"' && !escaped {
                text = !text;
            }
            escaped = text && *character == '\\' && !escaped;
            kept
        })
        .collect()
}

fn sent_by(side: &str) -> BTreeMap<String, String> {
    let of_side = |name: String| name.strip_prefix(side).map(str::to_owned);
    golden().into_iter().filter_map(|(name, text)| Some((of_side(name)?, compact(&text)))).collect()
}

fn type_of(frame: &str) -> String {
    let frame: serde_json::Value = serde_json::from_str(frame).expect("JSON");
    frame["type"].as_str().expect("a type").to_owned()
}

fn client(name: &str) -> Inbound {
    inbound::parse(&sent_by("client.")[name]).unwrap_or_else(|misread| panic!("{name}: {misread:?}"))
}

#[test]
fn every_client_frame_is_read_as_its_type() {
    let frames = sent_by("client.");
    for (name, text) in &frames {
        let inbound = client(name);
        let of_file =
            name == inbound.kind.as_str() || name.starts_with(&format!("{}.", inbound.kind.as_str()));
        assert!(of_file, "{name} is read as {}", inbound.kind.as_str());
        assert_eq!(type_of(text), inbound.kind.as_str());
    }
    let shown: BTreeSet<&str> = frames.keys().map(String::as_str).collect();
    for kind in Kind::ALL {
        assert!(shown.contains(kind.as_str()), "{}", kind.as_str());
    }
}

#[test]
fn client_frames_mean_what_the_protocol_says() {
    let id = |name: &str| client(name).id.unwrap_or_default();
    assert_eq!((client("chat").n, id("chat").as_str()), (Some(3), "a1"));
    let Message::Hello(hello) = client("hello").message else { panic!("a hello") };
    let resume = hello.resume.expect("a position");
    assert_eq!((resume.epoch, resume.seq), (Some(encoded::epoch()), encoded::seq(41)));
    assert!(matches!(client("chat").message, Message::Say { kind: EntryKind::Chat, data }
        if data.get() == r#"{"text":"Ready when you are.","reply_to":40}"#));
    assert!(matches!(client("event").message, Message::Say { kind: EntryKind::Event, .. }));
    assert!(matches!(client("session.update").message, Message::Do(Verb::Update(change))
        if change.locked == Some(true) && change.max_participants == Some(4)));
    assert!(
        matches!(client("host.transfer").message, Message::Do(Verb::Transfer(to)) if to == encoded::grace())
    );
    assert!(matches!(client("kick").message, Message::Do(Verb::Kick { participant, ban: Some(ban) })
        if participant == encoded::grace() && ban.as_secs() == 600));
    assert!(matches!(client("session.end").message, Message::Do(Verb::End)));
    assert!(matches!(
        client("profile").message,
        Message::Do(Verb::Profile { name: Some(_), color: Some(_) })
    ));
    assert!(matches!(client("signal").message, Message::Relay(signal) if signal.to == Some(encoded::ada())));
    assert!(matches!(client("notify").message, Message::Relay(notify) if notify.to.is_none()));
    assert!(
        matches!(client("notify.to").message, Message::Relay(notify) if notify.to == Some(encoded::ada()))
    );
    assert!(matches!(client("report").message, Message::Report(_)));
    assert!(matches!(client("history").message, Message::History(page)
        if page.before == Some(encoded::seq(41)) && page.after.is_none() && page.limit == 50));
    assert!(matches!(client("participants").message, Message::Participants { after, limit: 256 }
        if after == Some(encoded::ada())));
    assert!(
        matches!(client("ping").message, Message::Ping { t0 } if t0.as_f64() == Some(1_767_225_599_990.5))
    );
    assert!(matches!(client("refresh").message, Message::Refresh { token } if token == hello.token));
    assert!(matches!(client("leave").message, Message::Leave));
    assert!(matches!(client("ready").message, Message::Ready { version: 7 }));
    assert!(matches!(client("play").message, Message::Film(Command::Play { position: None })));
    assert!(matches!(
        client("pause").message,
        Message::Film(Command::Pause { position: Some(_), at: Some(_) })
    ));
    assert!(
        matches!(client("seek").message, Message::Film(Command::Seek { position }) if position.0 == 900_000)
    );
    assert!(matches!(client("rate").message, Message::Film(Command::Rate(_))));
    assert!(
        matches!(client("load").message, Message::Film(Command::Load { media, .. }) if media.check().is_ok())
    );
}

#[test]
fn every_server_frame_is_what_the_code_encodes() {
    let frames = sent_by("server.");
    let encoded = encoded::frames();
    for (name, frame) in &encoded {
        assert_eq!(Some(frame), frames.get(*name), "server.{name}");
    }
    let made: BTreeSet<&str> = encoded.keys().copied().collect();
    let shown: BTreeSet<&str> = frames.keys().map(String::as_str).collect();
    assert_eq!(shown, made, "a golden that nothing encodes, or a frame without a golden");
    for kind in EntryKind::ALL {
        assert!(shown.contains(kind.as_str()), "{}", kind.as_str());
    }
}

#[test]
fn the_contract_shows_every_golden_and_nothing_else() {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/PROTOCOL.md");
    let contract = std::fs::read_to_string(contract).expect("the contract is there");
    let blocks = contract.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let mut examples: Vec<String> = blocks.map(compact).collect();
    for (name, text) in golden() {
        let text = compact(&text);
        let at = examples.iter().position(|example| *example == text);
        let at = at.unwrap_or_else(|| panic!("docs/PROTOCOL.md does not show {name}"));
        examples.swap_remove(at);
    }
    assert!(examples.is_empty(), "not golden: {examples:#?}");
}

#[test]
fn white_space_is_dropped_between_tokens_only() {
    assert_eq!(compact("{ \"a b\" :\n [1, \"\\\" \\\\\" , 2]}\n"), r#"{"a b":[1,"\" \\",2]}"#);
}
