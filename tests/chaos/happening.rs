//! What happened in a run, one JSON line each: what clients did and were told, what nodes said of themselves, what was broken when.
//!
//! It is the checker's only source beside the final logs, so every field stands for something a client could see or the nemesis did.
//! Nothing here judges, and nothing is the gateway's own: a client that is not ours could write these lines. Who writes them keeps three
//! rules. A `send` is written before its bytes go out. What a client got is written in the order it got it. Payloads are unique
//! in a session (the author's id and a count in the text are enough), so that an entry can be traced to its `send`.
#![allow(unreachable_pub, reason = "visibility ends at the test binary")]

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Microseconds since the run began, monotonic; one clock for the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MonoUs(pub u64);

/// Milliseconds since the Unix epoch, as this machine's clock says; the same base as an entry's `ts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallMs(pub u64);

/// A session's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Session(pub Uuid);

/// A participant's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Participant(pub Uuid);

/// The branch of history that a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub Uuid);

/// An entry's number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    pub epoch: Epoch,
    pub seq: Seq,
}

/// A node of the cluster, by index; a restarted one keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Node(pub u16);

/// Which fault, counted over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u32);

/// A fingerprint of bytes: equal bytes, equal digest (FNV-1a, 64 bits: against accidents, not against attackers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub u64);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Digest(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
    }
}

/// What makes a message safe to send again; with its author it names one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repetition {
    /// `n` of a socket's message.
    N(u64),
    /// An `Idempotency-Key` by HTTP, as a number of the harness's own.
    Key(u64),
}

/// Whose connection it happened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Who {
    pub session: Session,
    pub participant: Participant,
    /// The participant's how-manieth connection, from 1; 0 for what is done without one (HTTP, the nemesis).
    pub connection: u32,
}

/// The kinds of entries, by their names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    #[serde(rename = "chat")]
    Chat,
    #[serde(rename = "event")]
    Event,
    #[serde(rename = "playback")]
    Playback,
    #[serde(rename = "participant.joined")]
    Joined,
    #[serde(rename = "participant.left")]
    Left,
    #[serde(rename = "participant.updated")]
    Updated,
    #[serde(rename = "host.changed")]
    HostChanged,
    #[serde(rename = "session.updated")]
    SessionUpdated,
    #[serde(rename = "session.ended")]
    SessionEnded,
}

/// Why somebody left, as `participant.left` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftBecause {
    Left,
    Timeout,
    Kicked,
}

/// What an entry did to seats; nothing for chats, events and the film.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// `participant.joined`
    Joined { participant: Participant },
    /// `participant.left`; `host` is who is host from here on.
    Left { participant: Participant, because: LeftBecause, host: Participant },
    /// `host.changed`
    Host { host: Participant },
    /// `session.updated`
    Capacity { max_participants: u32 },
}

/// An entry as somebody got it, or as the final log holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// In a client: its number, under the epoch that `welcome`, `reset` and `status` told this client of. In a final log: under the epoch
    /// that the log was read in, however old the entry is.
    pub at: Position,
    pub kind: Kind,
    /// `from`; none when a node or a server key speaks.
    pub author: Option<Participant>,
    pub n: Option<u64>,
    /// `ts`, the cluster's time.
    pub ts: WallMs,
    /// Of the whole JSON text of the frame, as received.
    pub frame: Digest,
    /// Of what the author wrote: a chat's text, an event's body. None for other kinds.
    pub payload: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<Change>,
}

/// Why a position was not continued; the words of `welcome` and `reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No position was given; of `welcome` only.
    Fresh,
    Trimmed,
    Diverged,
    UnknownEpoch,
}

/// How a fault is made; which one it is decides what it excuses (`checker::faults`). The names follow FAULTS section 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// F1, F34, F36: SIGKILL.
    NodeKilled,
    /// F2: SIGTERM and a drain.
    NodeStopped,
    /// F3: SIGSTOP.
    NodeFrozen,
    /// F4: clients reset their connections.
    ClientsReset,
    /// F6: readers that are slow or stand still.
    ReadersSlow,
    /// F8: the node's links to Redis are cut, with RST.
    LinkCut,
    /// F9: they fall silent.
    LinkSilent,
    /// F10: Redis hears, the node does not.
    LinkHalfOpen,
    /// F11: only the subscriber link goes.
    SubscriberCut,
    /// F12: replies are lost after the script ran.
    RepliesLost,
    /// F13: delay and jitter.
    LinkDelayed,
    /// F14: `CLIENT KILL TYPE pubsub`.
    SubscriberKilled,
    /// F15: killed for its output buffer.
    SubscriberOverrun,
    /// F16: `kill -9` and restart; the disk keeps everything.
    RedisKilled,
    /// F17: the same, and the end of the append-only file is gone.
    RedisTailLost,
    /// F18: nothing is left.
    RedisEmptied,
    /// F20: SIGSTOP, `DEBUG SLEEP`.
    RedisFrozen,
    /// F22: `maxmemory` reached, or the disk is full.
    RedisFull,
    /// F23: a failover that loses nothing.
    FailoverClean,
    /// F24, F25, F27: the primary dies, or is cut off, and its replica lags.
    FailoverLossy,
    /// F28: a hash slot moves.
    SlotMoved,
    /// F30: no client is let in, a wrong password, LOADING.
    RedisRefuses,
    /// F32: descriptors or the hashing pool run out.
    NodeStarved,
    /// F35, F37: what participants do to each other.
    Crowd,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum What {
    // A client's connection.
    /// A socket or stream was opened to a node, to go on from a position if there is one.
    Open { node: Node, resume: Option<Position> },
    /// `welcome`. `resumed_from` repeats what was asked for; `last_n` is the participant's own.
    Welcome {
        epoch: Epoch,
        head: Seq,
        recovered: bool,
        reason: Option<Reason>,
        resumed_from: Option<Position>,
        last_n: u64,
    },
    /// `reset`
    Reset { reason: Reason, epoch: Epoch, head: Seq },
    /// `status`; `begins` is there when it carries an epoch: that epoch, and the last number before it.
    Status { degraded: bool, begins: Option<Position> },
    /// An entry came.
    Receive(Entry),
    /// The client's own dedup by (author, n) passed an entry on to the application.
    Deliver { at: Position, author: Option<Participant>, n: Option<u64>, payload: Option<Digest> },
    /// `goaway`
    GoAway,
    /// The connection is over; no code when it broke.
    Closed { code: Option<u16>, reason: String },

    // A client's operations. One `send` for each time the bytes go out, and after it one outcome of it, if it ever had one.
    /// A durable message goes out. `target` is whom a kick or a transfer means.
    Send { op: Repetition, kind: Kind, payload: Option<Digest>, target: Option<Participant> },
    /// `ack`, or 202.
    Ack { op: Repetition, at: Position, duplicate: bool },
    /// `error`, or a problem. `last_n` comes with `gap`. `unavailable` is not said here: its outcome is [`What::Unknown`].
    Refused { op: Repetition, code: String, last_n: Option<u64> },
    /// Nobody knows: `unavailable`, a timeout, or the connection ended before an answer.
    Unknown { op: Repetition },

    // Who is there.
    /// A list of participants somebody was shown: in `welcome`, in `reset`, by HTTP. `listed` may be cut short, `total` is not.
    Roster { listed: Vec<Participant>, total: u32, host: Participant },
    /// The participant is gone for good without saying `leave`; `silently` when their socket did not end (a cable was pulled).
    Died { silently: bool },

    // Nodes.
    /// A node's process listens.
    NodeUp { node: Node },
    /// A node's process is gone.
    NodeDown { node: Node },
    /// `/health/ready`; none when nobody answered in time.
    Ready { node: Node, status: Option<u16> },
    /// What a node holds for its connections. `outboxes` is its gauge of all outboxes' bytes, `slow` how many connections the harness keeps
    /// slow on it.
    Memory { node: Node, resident_bytes: u64, outbox_bytes: u64, connections: u32, slow: u32 },

    // The run.
    /// The nemesis begins. `row` is the fault's name in FAULTS (`F17`); `nodes` whom it hits (empty: all); `deaf` where nothing can be
    /// delivered while it lasts.
    FaultBegan { id: FaultId, row: String, kind: FaultKind, nodes: Vec<Node>, deaf: Vec<Node> },
    /// What was broken is whole again: from here on the gateway has to find its way by itself.
    FaultEnded { id: FaultId },
    /// Publishers rest, and whoever is connected had all the time the harness gives to get the rest.
    Settled,
}

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    pub mono_us: MonoUs,
    pub wall_ms: WallMs,
    /// None for nodes and the run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub who: Option<Who>,
    pub what: What,
}

impl Happening {
    /// As a line of a file, without its end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a happening is plain data")
    }

    /// The happening on a line.
    pub fn from_line(line: &str) -> Result<Happening, serde_json::Error> {
        serde_json::from_str(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_line_reads_as_it_was_written() {
        let at = Position { epoch: Epoch(id(1)), seq: Seq(7) };
        let left = Change::Left {
            participant: Participant(id(2)),
            because: LeftBecause::Kicked,
            host: Participant(id(3)),
        };
        let entry = Entry {
            at,
            kind: Kind::Left,
            author: None,
            n: Some(4),
            ts: WallMs(9),
            frame: Digest(u64::MAX),
            payload: None,
            change: Some(left),
        };
        let who = Who { session: Session(id(4)), participant: Participant(id(2)), connection: 1 };
        for what in [
            What::Receive(entry),
            What::Settled,
            What::Ack { op: Repetition::Key(3), at, duplicate: true },
            What::Closed { code: None, reason: String::new() },
            What::FaultBegan {
                id: FaultId(1),
                row: "F17".to_owned(),
                kind: FaultKind::RedisTailLost,
                nodes: vec![],
                deaf: vec![Node(2)],
            },
        ] {
            let happening = Happening { mono_us: MonoUs(1), wall_ms: WallMs(2), who: Some(who), what };
            let line = happening.to_line();
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(Happening::from_line(&line).unwrap(), happening, "{line}");
        }
    }

    #[test]
    fn a_line_is_flat_enough_to_be_searched() {
        let what = What::Send { op: Repetition::N(3), kind: Kind::Chat, payload: None, target: None };
        let happening = Happening { mono_us: MonoUs(1), wall_ms: WallMs(2), who: None, what };
        let expected = r#"{"mono_us":1,"wall_ms":2,"what":{"type":"send","op":{"n":3},"kind":"chat","payload":null,"target":null}}"#;
        assert_eq!(happening.to_line(), expected);
    }

    #[test]
    fn a_digest_is_fnv_1a() {
        // Test vectors of the algorithm's authors.
        assert_eq!(Digest::of(b""), Digest(0xcbf2_9ce4_8422_2325));
        assert_eq!(Digest::of(b"foobar"), Digest(0x8594_4171_f739_67e8));
    }
}
