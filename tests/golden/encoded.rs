//! The frames of the server, encoded by the code itself from fixed inputs.
//!
//! Where the data of an entry is written elsewhere (verbs, seats, scripts), it is the input here; that the live server writes the same
//! members is for `tests/it` to see.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde_json::value::RawValue;
use watchparty::model::entry::{Entry, Epoch, Position, Seq};
use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::participant::{DisplayName, Role};
use watchparty::model::playback::media::{Media, MediaKind, MediaMs, RateMilli};
use watchparty::model::playback::redate::rewrite;
use watchparty::model::playback::report::PlayerStatus;
use watchparty::model::playback::{Phase, Playback, Reason, Waiting};
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::Participant;
use watchparty::model::session::{Control, SessionName};
use watchparty::model::time::{ClockName, ClusterMs};
use watchparty::protocol::close::Ending;
use watchparty::protocol::inbound::Kind;
use watchparty::protocol::outbound::{self, Limits, Reset, SessionView, Slots, Status, Welcome};
use watchparty::protocol::peers::{self, Connection, Listed, Peer, Peers};
use watchparty::protocol::problem::{Code, Fault};

/// 2026-01-01T00:00:00Z.
const START: u64 = 1_767_225_600_000;

/// The host.
pub(crate) fn ada() -> ParticipantId {
    "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().expect("an id")
}

/// The member.
pub(crate) fn grace() -> ParticipantId {
    "c9f0f895-fb98-4b91-99f2-f4a1b2c3d4e5".parse().expect("an id")
}

/// The log's branch.
pub(crate) fn epoch() -> Epoch {
    Epoch::parse("6c8349cc-7260-4e62-a3b1-1396831a8398").expect("an epoch")
}

/// A place in it.
pub(crate) fn seq(number: u64) -> Seq {
    Seq(number)
}

fn next_epoch() -> Epoch {
    Epoch::parse("d3d94468-02a4-4325-9b1d-3a4e5f6a7b8c").expect("an epoch")
}

fn at(later: u64) -> ClusterMs {
    ClusterMs(START + later)
}

fn view() -> SessionView {
    let id: SessionId = "0b5e9c1a-6f0d-4a57-9d1e-3c2f7a8b9c10".parse().expect("an id");
    SessionView {
        id,
        name: SessionName::parse("Movie night").expect("a name"),
        host_id: ada(),
        max_participants: 10,
        locked: false,
        control: Control::Everyone,
        created_at: at(0),
        expires_at: at(86_400_000),
    }
}

fn seated() -> [Participant; 2] {
    let named = |name: &str| DisplayName::new(name).expect("a name");
    let color = Some("#ffaa00".parse().expect("a colour"));
    [
        Participant { id: ada(), name: named("Ada"), color, role: Role::Host, joined_at: at(1000) },
        Participant {
            id: grace(),
            name: named("Grace"),
            color: None,
            role: Role::Member,
            joined_at: at(2000),
        },
    ]
}

/// The host as a node knows who has reported, and the member as one who has not.
fn listed() -> [Listed; 2] {
    let (host, member) = (Some(reported()), Some(Peer::default()));
    let [ada, grace] = seated();
    [Listed::new(ada, host), Listed::new(grace, member)]
}

fn reported() -> Peer {
    let status = Some(PlayerStatus::Ready);
    Peer { status, drift_ms: Some(-7), rtt_ms: Some(80), ready: Some(7), ..Peer::default() }
}

fn entry(kind: EntryKind, number: u64, from: Option<ParticipantId>, n: Option<u64>, data: &str) -> Entry {
    Entry { seq: Seq(number), ts: at(number * 1000), record: Record::new(kind, from, n, data) }
}

fn json(data: &impl serde::Serialize) -> String {
    serde_json::to_string(data).expect("plain data")
}

fn chat() -> Entry {
    entry(EntryKind::Chat, 41, Some(grace()), Some(3), r#"{"text":"Ready when you are.","reply_to":40}"#)
}

fn event() -> Entry {
    let data = r#"{"topic":"poll","body":{"question":"Popcorn?","answers":["yes","no"]}}"#;
    entry(EntryKind::Event, 42, Some(ada()), Some(7), data)
}

/// Every frame by the name of its golden.
pub(crate) fn frames() -> BTreeMap<&'static str, String> {
    let mut frames = entries();
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).expect("JSON is UTF-8");
    frames.extend(answers().map(|(name, frame)| (name, text(frame))));
    frames.extend(told().map(|(name, frame)| (name, text(frame))));
    frames
}

fn entries() -> BTreeMap<&'static str, String> {
    let [_, member] = seated();
    let changed = SessionView { locked: true, max_participants: 4, control: Control::Host, ..view() };
    let left = format!(r#"{{"participant_id":"{}","reason":"timeout","host_id":"{}"}}"#, ada(), grace());
    let updated = format!(r##"{{"id":"{}","name":"Grace H.","color":"#3366cc"}}"##, grace());
    let host = format!(r#"{{"host_id":"{}","reason":"reclaimed"}}"#, ada());
    let all = [
        chat(),
        event(),
        entry(EntryKind::ParticipantJoined, 2, Some(grace()), None, &json(&member)),
        entry(EntryKind::ParticipantLeft, 43, None, None, &left),
        entry(EntryKind::ParticipantUpdated, 44, Some(grace()), Some(4), &updated),
        entry(EntryKind::HostChanged, 45, None, None, &host),
        entry(EntryKind::SessionUpdated, 46, Some(ada()), Some(8), &json(&changed)),
        entry(EntryKind::SessionEnded, 47, Some(ada()), Some(11), r#"{"reason":"ended"}"#),
    ];
    let mut frames: BTreeMap<&'static str, String> =
        all.iter().map(|entry| (entry.record.kind().as_str(), encode(entry))).collect();
    frames.extend(films());
    frames
}

fn encode(entry: &Entry) -> String {
    let mut out = BytesMut::new();
    outbound::put_entry(entry, &mut out);
    String::from_utf8(out.to_vec()).expect("JSON is UTF-8")
}

/// A film that plays, the wait after it was moved, and the same film after a failover to a host whose clock is ten seconds behind.
fn films() -> [(&'static str, String); 3] {
    let media = Media {
        kind: MediaKind::Url,
        src: "https://media.example/film.mp4".to_owned(),
        title: Some("The Film".to_owned()),
        duration_ms: Some(MediaMs(5_400_000)),
    };
    let rate = |factor| RateMilli::from_factor(factor).expect("a rate");
    let playing = Playback {
        version: 6,
        phase: Phase::Playing,
        media,
        position: MediaMs(754_200),
        anchor: at(48_180),
        rate: rate(1.0),
        effective_at: at(48_180),
        actor: grace(),
        reason: Reason::Play,
        clock: ClockName::of_branch("5f2a9c04d1e87b36"),
    };
    let waiting = Playback {
        version: 7,
        phase: Phase::Waiting(Waiting { version: 7, since_ms: at(49_000), deadline_ms: at(52_000) }),
        position: MediaMs(900_000),
        anchor: at(49_000),
        rate: rate(1.25),
        effective_at: at(49_000),
        reason: Reason::Seek,
        ..playing.clone()
    };
    let film = |number, n, film: &Playback| {
        encode(&entry(EntryKind::Playback, number, Some(grace()), Some(n), &film.to_json()))
    };
    let redated = rewrite(&playing, ClockName::of_branch("c81e03b7f49a6d25"), -10_000).expect("it plays");
    let redated = Entry { ts: at(39_000), ..entry(EntryKind::Playback, 49, None, None, &redated.to_json()) };
    [
        ("playback", film(48, 13, &playing)),
        ("playback.waiting", film(49, 15, &waiting)),
        ("playback.clock", encode(&redated)),
    ]
}

fn peers() -> Bytes {
    let gone = Peer { connection: Connection::Reconnecting, ..Peer::default() };
    peers::encode(at(43_000), &Peers::from([(ada(), reported()), (grace(), gone)]))
}

fn answers() -> [(&'static str, Bytes); 9] {
    #[derive(serde::Serialize)]
    struct Roster {
        participants: Vec<Listed>,
    }
    #[derive(serde::Serialize)]
    struct Refreshed {
        expires_at: ClusterMs,
    }
    let [_, member] = seated();
    let place = Position { epoch: epoch(), seq: Seq(41) };
    let gap = Fault { last_n: Some(3), ..Fault::of(Code::Gap) };
    let limited = Fault::of(Code::RateLimited).retry_after(350);
    let t0 = serde_json::Number::from_f64(1_767_225_599_990.5).expect("finite");
    [
        ("ack", outbound::ack(Some("a1"), Some(3), place, false)),
        ("ack.duplicate", outbound::ack(Some("a1"), Some(3), place, true)),
        ("error", outbound::error(Some("a5"), Some(10), &Fault::of(Code::Forbidden))),
        ("error.gap", outbound::error(Some("a1"), Some(9), &gap)),
        ("error.rate_limited", outbound::error(Some("a1"), Some(3), &limited)),
        ("reply.history", outbound::reply(Some("a9"), &outbound::entries(epoch(), Seq(42), &[chat()]))),
        (
            "reply.participants",
            outbound::reply(
                Some("b1"),
                &Roster { participants: vec![Listed::new(member, Some(Peer::default()))] },
            ),
        ),
        ("reply.refresh", outbound::reply(Some("b3"), &Refreshed { expires_at: at(86_400_000) })),
        ("pong", outbound::pong(Some("b2"), &t0, at(43_000), at(43_001))),
    ]
}

fn told() -> [(&'static str, Bytes); 10] {
    let raw = |text: &str| -> Box<RawValue> { serde_json::from_str(text).expect("JSON") };
    let offer = raw(r#"{"kind":"offer","link":"cam.1","payload":{"sdp":"v=0"}}"#);
    let typing = raw(r#"{"topic":"typing","body":{"on":true}}"#);
    [
        ("welcome", welcome()),
        ("reset", reset()),
        ("signal", outbound::relayed(Kind::Signal, grace(), Some(ada()), at(43_000), &offer)),
        ("notify", outbound::relayed(Kind::Notify, grace(), None, at(43_000), &typing)),
        ("notify.peers", peers()),
        ("status", Status::of(false).encode()),
        ("status.epoch", Status::new_epoch(next_epoch(), Seq(42)).encode()),
        ("token.expiring", outbound::token_expiring(at(86_400_000))),
        ("goaway", outbound::goaway(750, "draining")),
        ("error.closed", outbound::ended(Ending::Kicked)),
    ]
}

fn welcome() -> Bytes {
    Welcome {
        participant_id: grace(),
        role: Role::Member,
        session: view(),
        epoch: epoch(),
        head: Seq(42),
        recovered: true,
        reason: None,
        last_n: 3,
        durability: "aof",
        participants: &listed(),
        participants_total: 2,
        host_id: ada(),
        slots: Slots(&[]),
        ping_interval_ms: 25_000,
        limits: Limits { message_bytes: 65_536, messages_per_second: 20 },
        now_ms: at(43_000),
    }
    .encode()
}

fn reset() -> Bytes {
    Reset {
        reason: "diverged",
        session: view(),
        epoch: next_epoch(),
        head: Seq(40),
        participants: &listed(),
        participants_total: 2,
        host_id: ada(),
        slots: Slots(&[]),
        now_ms: at(43_000),
    }
    .encode()
}
