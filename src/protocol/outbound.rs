//! Server frames, encoded: one function or struct per type of `docs/PROTOCOL.md`'s last table, each to JSON text.
//!
//! An entry is not serialised again: its record is already JSON and gets `type`, `seq` and `ts` in front, once per node.

use std::io::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::entry::{Entry, Epoch, Position, Seq};
use crate::model::id::{ParticipantId, SessionId};
use crate::model::participant::Role;
use crate::model::seat::Slot;
use crate::model::session::{Control, SessionName, SessionRecord};
use crate::model::time::ClusterMs;
use crate::protocol::close::Ending;
use crate::protocol::inbound::Kind;
use crate::protocol::peers::Listed;
use crate::protocol::problem::Fault;

/// Appends an entry's frame: the same bytes for every receiver.
pub fn put_entry(entry: &Entry, out: &mut BytesMut) {
    let record = &entry.record;
    out.reserve(record.stored().len() + 64);
    let mut writer = out.writer();
    // Writing to memory cannot fail.
    let _ =
        write!(writer, r#"{{"type":"{}","seq":{},"ts":{},"#, record.kind().as_str(), entry.seq, entry.ts.0);
    out.put_slice(record.tail());
}

/// A frame with what every frame can have. `D` is its data.
#[derive(Serialize)]
struct Frame<'a, D: Serialize> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    data: D,
}

/// A frame of a type with data: what most of this file is.
fn frame<D: Serialize>(kind: &'static str, id: Option<&str>, n: Option<u64>, data: D) -> Bytes {
    // Our own structs always serialise; an empty frame would be a bug that a golden test shows.
    Bytes::from(serde_json::to_vec(&Frame { kind, id, n, data }).unwrap_or_default())
}

/// The entry is in the log.
#[must_use]
pub fn ack(id: Option<&str>, n: Option<u64>, at: Position, duplicate: bool) -> Bytes {
    #[derive(Serialize)]
    struct Ack {
        epoch: Epoch,
        seq: Seq,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    }
    frame("ack", id, n, Ack { epoch: at.epoch, seq: at.seq, duplicate })
}

/// Something was wrong with a message.
#[must_use]
pub fn error(id: Option<&str>, n: Option<u64>, fault: &Fault) -> Bytes {
    #[derive(Serialize)]
    struct Error<'a> {
        code: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        last_n: Option<u64>,
    }
    let (retry_after_ms, last_n) = (fault.retry_after_ms, fault.last_n);
    let data = Error { code: fault.code.as_str(), message: &fault.detail, retry_after_ms, last_n };
    frame("error", id, n, data)
}

/// The answer to a request.
#[must_use]
pub fn reply(id: Option<&str>, data: &impl Serialize) -> Bytes {
    frame("reply", id, None, data)
}

/// Both clocks, in answer to `ping`.
#[must_use]
pub fn pong(id: Option<&str>, t0: &serde_json::Number, t1: ClusterMs, t2: ClusterMs) -> Bytes {
    #[derive(Serialize)]
    struct Pong<'a> {
        t0: &'a serde_json::Number,
        t1: ClusterMs,
        t2: ClusterMs,
    }
    frame("pong", id, None, Pong { t0, t1, t2 })
}

/// A `signal` or a `notify` on its way.
#[must_use]
pub fn relayed(
    kind: Kind,
    from: ParticipantId,
    to: Option<ParticipantId>,
    ts: ClusterMs,
    data: &RawValue,
) -> Bytes {
    #[derive(Serialize)]
    struct Relayed<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        from: ParticipantId,
        #[serde(skip_serializing_if = "Option::is_none")]
        to: Option<ParticipantId>,
        ts: ClusterMs,
        data: &'a RawValue,
    }
    let relayed = Relayed { kind: kind.as_str(), from, to, ts, data };
    Bytes::from(serde_json::to_vec(&relayed).unwrap_or_default())
}

/// Whether publishing works, and where a new epoch begins: everything after this frame belongs to `epoch`.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Status {
    /// `up` or `degraded`.
    pub backend: &'static str,
    /// The epoch that begins here, after `head`, when one does (DELIVERY, "a clean restart costs nobody anything").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// The last number of the epoch before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Seq>,
}

impl Status {
    /// Publishing works, or is suspended.
    #[must_use]
    pub fn of(up: bool) -> Self {
        Self { backend: if up { "up" } else { "degraded" }, epoch: None, head: None }
    }

    /// A new epoch begins after `head`; the log that told us is there, so publishing works.
    #[must_use]
    pub fn new_epoch(epoch: Epoch, head: Seq) -> Self {
        Self { backend: "up", epoch: Some(epoch), head: Some(head) }
    }

    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        frame("status", None, None, self)
    }
}

/// The token will run out.
#[must_use]
pub fn token_expiring(expires_at: ClusterMs) -> Bytes {
    #[derive(Serialize)]
    struct Expiring {
        expires_at: ClusterMs,
    }
    frame("token.expiring", None, None, Expiring { expires_at })
}

/// The node is stopping: come back after so long.
#[must_use]
pub fn goaway(reconnect_after_ms: u32, reason: &'static str) -> Bytes {
    #[derive(Serialize)]
    struct Goaway {
        reconnect_after_ms: u32,
        reason: &'static str,
    }
    frame("goaway", None, None, Goaway { reconnect_after_ms, reason })
}

/// The last event of an event stream, which has no close codes: what a socket's close frame would say.
#[must_use]
pub fn ended(ending: Ending) -> Bytes {
    #[derive(Serialize)]
    struct Ended {
        code: &'static str,
        message: String,
        close: u16,
    }
    let data = Ended { code: ending.label(), message: ending.reason(), close: ending.code() };
    frame("error", None, None, data)
}

/// A session as its participants see it.
#[derive(Debug, Clone, Serialize)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Its name.
    pub name: SessionName,
    /// Who is host.
    pub host_id: ParticipantId,
    /// Seats.
    pub max_participants: u32,
    /// Whether new participants are refused.
    pub locked: bool,
    /// Who may move the film.
    pub control: Control,
    /// When it was created.
    pub created_at: ClusterMs,
    /// When it dies if nothing happens.
    pub expires_at: ClusterMs,
}

impl From<&SessionRecord> for SessionView {
    fn from(record: &SessionRecord) -> Self {
        Self {
            id: record.id,
            name: record.name.clone(),
            host_id: record.host,
            max_participants: record.capacity,
            locked: record.locked,
            control: record.control,
            created_at: record.created_at,
            expires_at: record.expires_at,
        }
    }
}

/// Named slots as a JSON object: their values are JSON already.
pub struct Slots<'a>(pub &'a [Slot]);

impl Serialize for Slots<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|slot| {
            let value: &RawValue = serde_json::from_str(&slot.value).unwrap_or(RawValue::NULL);
            (slot.name.as_str(), value)
        }))
    }
}

/// What a connection may send.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Limits {
    /// Bytes of one message.
    pub message_bytes: usize,
    /// Messages a second, sustained; 0: unlimited.
    pub messages_per_second: u32,
}

/// The first frame to a participant.
#[derive(Serialize)]
pub struct Welcome<'a> {
    /// Who they are.
    pub participant_id: ParticipantId,
    /// Host or member, now.
    pub role: Role,
    /// The session.
    pub session: SessionView,
    /// The log's branch.
    pub epoch: Epoch,
    /// The snapshot's position.
    pub head: Seq,
    /// Whether every entry since the given position follows.
    pub recovered: bool,
    /// Why not.
    pub reason: Option<&'static str>,
    /// Their last number in the log.
    pub last_n: u64,
    /// What an ack means.
    pub durability: &'static str,
    /// At most 100 of those seated.
    pub participants: &'a [Listed],
    /// How many there are.
    pub participants_total: u32,
    /// Who is host.
    pub host_id: ParticipantId,
    /// Named state.
    pub slots: Slots<'a>,
    /// How often the server pings a silent connection.
    pub ping_interval_ms: u64,
    /// What the connection may send.
    pub limits: Limits,
    /// The cluster's time.
    pub now_ms: ClusterMs,
}

impl Welcome<'_> {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        frame("welcome", None, None, self)
    }
}

/// Continuity broke: the snapshot stands for the past.
#[derive(Serialize)]
pub struct Reset<'a> {
    /// Why.
    pub reason: &'static str,
    /// The session.
    pub session: SessionView,
    /// The log's branch now.
    pub epoch: Epoch,
    /// The snapshot's position: live entries start after it.
    pub head: Seq,
    /// At most 100 of those seated.
    pub participants: &'a [Listed],
    /// How many there are.
    pub participants_total: u32,
    /// Who is host.
    pub host_id: ParticipantId,
    /// Named state.
    pub slots: Slots<'a>,
    /// The cluster's time.
    pub now_ms: ClusterMs,
}

impl Reset<'_> {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        frame("reset", None, None, self)
    }
}

/// A page of the past.
#[must_use]
pub fn entries(epoch: Epoch, head: Seq, entries: &[Entry]) -> Box<RawValue> {
    page(Position { epoch, seq: head }, "", entries)
}

/// A page asked for after a position: it says whether it goes on from there, or why it does not.
#[must_use]
pub fn entries_since(head: Position, reason: Option<&'static str>, entries: &[Entry]) -> Box<RawValue> {
    let told = match reason {
        None => r#""recovered":true,"reason":null,"#.to_owned(),
        Some(reason) => format!(r#""recovered":false,"reason":"{reason}","#),
    };
    page(head, &told, entries)
}

/// A page with the members `told` before its entries.
fn page(Position { epoch, seq: head }: Position, told: &str, entries: &[Entry]) -> Box<RawValue> {
    let mut out = BytesMut::new();
    let _ = write!((&mut out).writer(), r#"{{"epoch":"{epoch}","head":{head},{told}"entries":["#);
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        put_entry(entry, &mut out);
    }
    out.put_slice(b"]}");
    let text = String::from_utf8(out.to_vec()).unwrap_or_default();
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::{EntryKind, Record};

    #[test]
    fn an_entry_is_its_record_with_a_place_in_front() {
        let from: ParticipantId = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap();
        let record = Record::new(EntryKind::Chat, Some(from), Some(3), r#"{"text":"hi"}"#);
        let entry = Entry { seq: Seq(7), ts: ClusterMs(1000), record };
        let mut out = BytesMut::new();
        put_entry(&entry, &mut out);
        let expected = r#"{"type":"chat","seq":7,"ts":1000,"from":"8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42","n":3,"data":{"text":"hi"}}"#;
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        let epoch = Epoch::new_random();
        let page = entries(epoch, Seq(7), &[entry.clone(), entry]);
        assert_eq!(
            page.get(),
            format!(r#"{{"epoch":"{epoch}","head":7,"entries":[{expected},{expected}]}}"#)
        );
    }

    #[test]
    fn a_page_after_a_position_says_whether_it_goes_on() {
        let head = Position { epoch: Epoch::new_random(), seq: Seq(7) };
        for (reason, told) in [
            (None, r#""recovered":true,"reason":null"#),
            (Some("diverged"), r#""recovered":false,"reason":"diverged""#),
        ] {
            let expected = format!(r#"{{"epoch":"{}","head":7,{told},"entries":[]}}"#, head.epoch);
            assert_eq!(entries_since(head, reason, &[]).get(), expected);
        }
    }

    #[test]
    fn small_frames_leave_out_what_they_do_not_have() {
        let at = Position { epoch: Epoch::new_random(), seq: Seq(4) };
        assert_eq!(
            ack(None, Some(2), at, false),
            format!(r#"{{"type":"ack","n":2,"data":{{"epoch":"{}","seq":4}}}}"#, at.epoch)
        );
        assert_eq!(Status::of(false).encode(), r#"{"type":"status","data":{"backend":"degraded"}}"#);
    }
}
