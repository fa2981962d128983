//! Writes a run down: every client's, every node's and the nemesis' happenings, in one order by one clock.
//!
//! It translates frames into the checker's words (`happening`) and judges nothing. Lines are kept in memory until the run is over, so that writing
//! them costs the run nothing, and are then one JSONL file.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::happening::{
    Change, Digest, Entry, Epoch, FaultId, FaultKind, Happening, Kind, LeftBecause, MonoUs, Node,
    Participant, Position, Reason, Repetition, Seq, Session, WallMs, What, Who,
};

struct Inner {
    begun: Instant,
    lines: Mutex<Vec<Happening>>,
    faults: AtomicU32,
    keys: AtomicU64,
    row: &'static str,
}

/// The journal of one run.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Inner>);

impl Journal {
    /// Of a row, from now on.
    pub(crate) fn begin(row: &'static str) -> Journal {
        let (lines, faults, keys) = (Mutex::default(), AtomicU32::new(0), AtomicU64::new(0));
        Journal(Arc::new(Inner { begun: Instant::now(), lines, faults, keys, row }))
    }

    /// Something nobody did on a connection.
    pub(crate) fn note(&self, what: What) {
        self.write(None, what);
    }

    fn write(&self, who: Option<Who>, what: What) {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall_ms = WallMs(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that lines are in the order of their clock.
        let mono_us = MonoUs(u64::try_from(self.0.begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        lines.push(Happening { mono_us, wall_ms, who, what });
    }

    /// A fault begins on some nodes; `deaf` are those that cannot deliver while it lasts.
    pub(crate) fn fault(&self, kind: FaultKind, nodes: &[usize], deaf: &[usize]) -> FaultId {
        let id = FaultId(self.0.faults.fetch_add(1, Ordering::Relaxed));
        let named = |nodes: &[usize]| nodes.iter().map(|at| node(*at)).collect();
        let row = self.0.row.to_owned();
        self.note(What::FaultBegan { id, row, kind, nodes: named(nodes), deaf: named(deaf) });
        id
    }

    /// Somebody's pen.
    pub(crate) fn voice(&self, session: &str, participant: &str) -> Voice {
        let (session, participant) = (Session(uuid(session)), Participant(uuid(participant)));
        Voice { journal: self.clone(), session, participant, connections: AtomicU32::new(0) }
    }

    /// A number for an operation by HTTP.
    pub(crate) fn key(&self) -> u64 {
        self.0.keys.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks through everything so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&[Happening]) -> T) -> T {
        look(&self.0.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As a file of lines.
    pub(crate) fn save(&self, path: &Path) -> std::io::Result<()> {
        let mut file = BufWriter::new(std::fs::File::create(path)?);
        self.look(|lines| lines.iter().try_for_each(|line| writeln!(file, "{}", line.to_line())))?;
        file.flush()
    }
}

/// A node by its place.
pub(crate) fn node(at: usize) -> Node {
    Node(u16::try_from(at).expect("a handful of nodes"))
}

/// An id as the wire writes it.
pub(crate) fn uuid(text: &str) -> Uuid {
    Uuid::parse_str(text).unwrap_or_else(|error| panic!("{text} is no id: {error}"))
}

/// One participant's pen.
pub(crate) struct Voice {
    journal: Journal,
    session: Session,
    participant: Participant,
    connections: AtomicU32,
}

impl Voice {
    fn say(&self, what: What) {
        let connection = self.connections.load(Ordering::Relaxed);
        let (session, participant) = (self.session, self.participant);
        self.journal.write(Some(Who { session, participant, connection }), what);
    }

    /// A socket is open.
    pub(crate) fn opened(&self, at: usize, resume: Option<Position>) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.say(What::Open { node: node(at), resume });
    }

    /// It is over; 1006 is a connection that broke.
    pub(crate) fn closed(&self, code: u16, reason: &str) {
        self.say(What::Closed { code: (code != 1006).then_some(code), reason: reason.to_owned() });
    }

    pub(crate) fn said_goaway(&self) {
        self.say(What::GoAway);
    }

    /// Bytes of a message go out.
    pub(crate) fn sent(&self, n: u64, text: &str) {
        let payload = Some(Digest::of(text.as_bytes()));
        self.say(What::Send { op: Repetition::N(n), kind: kind_of(text), payload, target: None });
    }

    pub(crate) fn acked(&self, n: u64, data: &Value) -> Option<()> {
        let at = Position { epoch: epoch(&data["epoch"])?, seq: Seq(data["seq"].as_u64()?) };
        self.say(What::Ack { op: Repetition::N(n), at, duplicate: data["duplicate"] == true });
        Some(())
    }

    pub(crate) fn refused(&self, n: u64, data: &Value) -> Option<()> {
        let (op, code) = (Repetition::N(n), data["code"].as_str()?.to_owned());
        self.say(match code.as_str() {
            "unavailable" => What::Unknown { op },
            _ => What::Refused { op, code, last_n: data["last_n"].as_u64() },
        });
        Some(())
    }

    pub(crate) fn unknown(&self, n: u64) {
        self.say(What::Unknown { op: Repetition::N(n) });
    }

    pub(crate) fn received(&self, epoch: Epoch, frame: &Value, text: &str) -> Option<Entry> {
        let entry = entry(epoch, frame, text)?;
        self.say(What::Receive(entry));
        Some(entry)
    }

    /// The application was shown an entry.
    pub(crate) fn delivered(&self, entry: &Entry) {
        let Entry { at, author, n, payload, .. } = *entry;
        self.say(What::Deliver { at, author, n, payload });
    }

    pub(crate) fn welcomed(&self, data: &Value, resumed_from: Option<Position>) -> Option<()> {
        self.say(What::Welcome {
            epoch: epoch(&data["epoch"])?,
            head: Seq(data["head"].as_u64()?),
            recovered: data["recovered"].as_bool()?,
            reason: reason(&data["reason"]),
            resumed_from,
            last_n: data["last_n"].as_u64()?,
        });
        self.roster(data)
    }

    pub(crate) fn reset(&self, data: &Value) -> Option<()> {
        let (epoch, head) = (epoch(&data["epoch"])?, Seq(data["head"].as_u64()?));
        self.say(What::Reset { reason: reason(&data["reason"])?, epoch, head });
        self.roster(data)
    }

    pub(crate) fn status(&self, data: &Value) -> Option<()> {
        let begins = match (epoch(&data["epoch"]), data["head"].as_u64()) {
            (Some(epoch), Some(head)) => Some(Position { epoch, seq: Seq(head) }),
            _ => None,
        };
        self.say(What::Status { degraded: data["backend"].as_str()? == "degraded", begins });
        Some(())
    }

    /// Gone for good, without a word.
    pub(crate) fn died(&self) {
        self.say(What::Died { silently: false });
    }

    fn roster(&self, data: &Value) -> Option<()> {
        let listed = data["participants"].as_array()?.iter();
        let listed = listed.map(|person| participant(&person["id"])).collect::<Option<Vec<_>>>()?;
        let total = u32::try_from(data["participants_total"].as_u64()?).ok()?;
        self.say(What::Roster { listed, total, host: participant(&data["host_id"])? });
        Some(())
    }
}

/// A host kicks somebody, by HTTP.
pub(crate) struct Kick(Voice, Repetition);

/// Written before the request goes out.
pub(crate) fn kicks(journal: &Journal, session: &str, host: &str, target: &str) -> Kick {
    let voice = journal.voice(session, host);
    let op = Repetition::Key(journal.key());
    voice.say(What::Send { op, kind: Kind::Left, payload: None, target: Some(Participant(uuid(target))) });
    Kick(voice, op)
}

impl Kick {
    /// The status of the answer, if there was one. A 204 says no position, so a success is not an `ack`: the log shows it.
    pub(crate) fn answered(self, status: Option<u16>) {
        let Kick(voice, op) = self;
        match status {
            Some(status) if (400..500).contains(&status) => {
                voice.say(What::Refused { op, code: status.to_string(), last_n: None });
            }
            Some(204) => {}
            _ => voice.say(What::Unknown { op }),
        }
    }
}

/// An entry's frame in the checker's words; none when it is no entry of the protocol.
pub(crate) fn entry(epoch: Epoch, frame: &Value, text: &str) -> Option<Entry> {
    let kind: Kind = serde_json::from_value(frame["type"].clone()).ok()?;
    let data = &frame["data"];
    let payload = match kind {
        Kind::Chat => Some(&data["text"]),
        Kind::Event => Some(&data["body"]),
        _ => None,
    };
    Some(Entry {
        at: Position { epoch, seq: Seq(frame["seq"].as_u64()?) },
        kind,
        author: participant(&frame["from"]),
        n: frame["n"].as_u64(),
        ts: WallMs(frame["ts"].as_u64()?),
        frame: Digest::of(text.as_bytes()),
        payload: payload.and_then(Value::as_str).map(|text| Digest::of(text.as_bytes())),
        change: change(kind, data),
    })
}

fn change(kind: Kind, data: &Value) -> Option<Change> {
    match kind {
        Kind::Joined => Some(Change::Joined { participant: participant(&data["id"])? }),
        Kind::Left => {
            let because: LeftBecause = serde_json::from_value(data["reason"].clone()).ok()?;
            let (participant, host) = (participant(&data["participant_id"])?, participant(&data["host_id"])?);
            Some(Change::Left { participant, because, host })
        }
        Kind::HostChanged => Some(Change::Host { host: participant(&data["host_id"])? }),
        Kind::SessionUpdated => {
            let max_participants = u32::try_from(data["max_participants"].as_u64()?).ok()?;
            Some(Change::Capacity { max_participants })
        }
        _ => None,
    }
}

/// What a text is sent as: more than a chat may hold goes as an event.
pub(crate) fn kind_of(text: &str) -> Kind {
    /// Characters of a chat at most.
    const CHAT: usize = 2000;
    if text.len() > CHAT { Kind::Event } else { Kind::Chat }
}

/// An epoch on the wire.
pub(crate) fn epoch(value: &Value) -> Option<Epoch> {
    Uuid::parse_str(value.as_str()?).ok().map(Epoch)
}

fn participant(value: &Value) -> Option<Participant> {
    Uuid::parse_str(value.as_str()?).ok().map(Participant)
}

fn reason(value: &Value) -> Option<Reason> {
    serde_json::from_value(value.clone()).ok()
}
