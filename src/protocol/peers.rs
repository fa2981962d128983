//! What nodes tell each other of the people on them: the `notify` of topic `peers`, from nobody.
//!
//! It goes the way of every `notify`, so participants can see it too, and it needs no message of its own between nodes. A participant
//! cannot say it: what they send carries their id as `from`. It tells changes only; who is not mentioned is connected and unknown. A node
//! that opens a room has missed the changes before: it asks, by such a frame about nobody, and the others tell once more.
//!
//! Who is listed by name carries the same members ([`Listed`]), so that a client has one way to show people.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::model::id::ParticipantId;
use crate::model::playback::report::PlayerStatus;
use crate::model::seat::Participant;
use crate::model::time::ClusterMs;

/// How every such frame begins: `from` stands before everything that a participant could have written.
const BEGINNING: &[u8] = br#"{"type":"notify","from":null,"#;
/// The topic.
const TOPIC: &str = "peers";

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connection {
    /// A connection of theirs stands.
    #[default]
    Connected,
    /// It is gone, and their seat is held for them.
    Reconnecting,
}

/// A participant as the node they are connected to knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Peer {
    /// Whether they are there.
    pub connection: Connection,
    /// How their player fares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<PlayerStatus>,
    /// How far it is from the room, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ms: Option<i64>,
    /// Their round trip, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt_ms: Option<u32>,
    /// The newest version their player was ready for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u64>,
}

/// A participant as `welcome`, `reset` and lists show them: who they are, and how they fare as far as this node knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    #[serde(flatten)]
    participant: Participant,
    #[serde(flatten)]
    fares: Option<Peer>,
}

impl Listed {
    /// `None`: this node knows nothing of anybody in the session, as nobody on it is there.
    #[must_use]
    pub fn new(participant: Participant, fares: Option<Peer>) -> Self {
        // What a player is ready for is for nodes.
        Self { participant, fares: fares.map(|fares| Peer { ready: None, ..fares }) }
    }
}

/// What changed, by participant.
pub type Peers = BTreeMap<ParticipantId, Peer>;

#[derive(Serialize, Deserialize)]
struct Data<P> {
    topic: String,
    body: P,
}

/// The frame.
#[must_use]
pub fn encode(ts: ClusterMs, peers: &Peers) -> Bytes {
    #[derive(Serialize)]
    struct Frame<'a> {
        r#type: &'static str,
        from: Option<ParticipantId>,
        ts: ClusterMs,
        data: Data<&'a Peers>,
    }
    let data = Data { topic: TOPIC.to_owned(), body: peers };
    // Our own plain structs always serialise.
    Bytes::from(serde_json::to_vec(&Frame { r#type: "notify", from: None, ts, data }).unwrap_or_default())
}

/// The frame that asks the others to tell everything once more.
#[must_use]
pub fn question(ts: ClusterMs) -> Bytes {
    encode(ts, &Peers::new())
}

/// Whether a frame that [`is_from_a_node`] is a [`question`], which is nothing for participants.
#[must_use]
pub fn is_question(frame: &[u8]) -> bool {
    frame.ends_with(br#""data":{"topic":"peers","body":{}}}"#)
}

/// Whether a relayed frame is the nodes' own; cheap, for every frame that passes.
#[must_use]
pub fn is_from_a_node(frame: &[u8]) -> bool {
    frame.starts_with(BEGINNING)
}

/// Reads a frame that [`is_from_a_node`]; `None` when it is of another topic or another version.
#[must_use]
pub fn read(frame: &[u8]) -> Option<Peers> {
    #[derive(Deserialize)]
    struct Frame {
        data: Data<Peers>,
    }
    let Frame { data } = serde_json::from_slice(frame).ok()?;
    (data.topic == TOPIC).then_some(data.body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::participant::{DisplayName, Role};
    use crate::protocol::inbound::Kind;
    use crate::protocol::outbound::relayed;

    #[test]
    fn what_one_node_writes_another_reads() {
        let ada: ParticipantId = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap();
        let bo: ParticipantId = "9f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap();
        let status = Some(PlayerStatus::Ready);
        let there = Peer { status, drift_ms: Some(-7), rtt_ms: Some(80), ready: Some(4), ..Peer::default() };
        let gone = Peer { connection: Connection::Reconnecting, ..Peer::default() };
        let peers = Peers::from([(ada, there), (bo, gone)]);
        let frame = encode(ClusterMs(9), &peers);
        let expected = format!(
            concat!(
                r#"{{"type":"notify","from":null,"ts":9,"data":{{"topic":"peers","body":{{"#,
                r#""{}":{{"connection":"connected","status":"ready","drift_ms":-7,"rtt_ms":80,"ready":4}},"#,
                r#""{}":{{"connection":"reconnecting"}}}}}}}}"#
            ),
            ada, bo
        );
        assert_eq!(frame, expected);
        assert!(is_from_a_node(&frame) && !is_question(&frame));
        assert_eq!(read(&frame), Some(peers));
    }

    #[test]
    fn a_question_is_about_nobody() {
        let frame = question(ClusterMs(9));
        assert!(is_from_a_node(&frame) && is_question(&frame));
        assert_eq!(read(&frame), Some(Peers::new()));
    }

    #[test]
    fn who_is_listed_shows_what_is_known_and_nothing_of_waits() {
        let ada: ParticipantId = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap();
        let participant = Participant {
            id: ada,
            name: DisplayName::new("Ada").unwrap(),
            color: None,
            role: Role::Host,
            joined_at: ClusterMs(9),
        };
        let json = |fares| serde_json::to_string(&Listed::new(participant.clone(), fares)).unwrap();
        let plain = format!(r#"{{"id":"{ada}","name":"Ada","color":null,"role":"host","joined_at":9}}"#);
        assert_eq!(json(None), plain);
        let with = |more: &str| plain.replace('}', more);
        assert_eq!(json(Some(Peer::default())), with(r#","connection":"connected"}"#));
        let status = Some(PlayerStatus::Hidden);
        let fares = Peer { status, drift_ms: Some(-7), rtt_ms: Some(80), ready: Some(4), ..Peer::default() };
        let shown = r#","connection":"connected","status":"hidden","drift_ms":-7,"rtt_ms":80}"#;
        assert_eq!(json(Some(fares)), with(shown));
    }

    #[test]
    fn a_participant_cannot_speak_for_a_node() {
        let body = r#"{"topic":"peers","body":{}}"#.to_owned();
        let data = serde_json::value::RawValue::from_string(body).unwrap();
        let frame = relayed(Kind::Notify, ParticipantId::new_random(), None, ClusterMs(9), &data);
        assert!(!is_from_a_node(&frame));
    }

    #[test]
    fn another_topic_is_not_ours() {
        assert_eq!(read(br#"{"type":"notify","from":null,"ts":1,"data":{"topic":"call","body":{}}}"#), None);
        assert_eq!(read(b"nonsense"), None);
    }
}
