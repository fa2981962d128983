//! The port of the log: entries in one order, announced to every node that listens.

use async_trait::async_trait;
use bytes::Bytes;

use super::error::BackendError;
use crate::model::entry::{Entry, Epoch, Position, Seq};
use crate::model::history::History;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::record::Record;
use crate::model::seat::{Generation, Profile, Slot};
use crate::model::session::SessionPatch;
use crate::model::time::ClusterMs;
use std::time::Duration;

/// How a publish is recognised when it is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedup {
    /// It is not: sending it twice makes two entries.
    None,
    /// By the author's own count: 1, 2, 3 … without a hole for the life of the session.
    Number(u64),
    /// By a key digest, remembered as long as the session lives (the `Idempotency-Key` of an HTTP publish).
    Key(IdempotencyKey),
}

/// A digest over author and `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub [u8; 16]);

/// One entry to append.
#[derive(Debug, Clone)]
pub struct Publish {
    /// Who speaks; `None` for a node or a server key.
    pub author: Option<ParticipantId>,
    /// The seat's generation when a connection speaks; `None` over HTTP, where only a ban is checked.
    pub generation: Option<Generation>,
    /// How a repetition is recognised.
    pub dedup: Dedup,
    /// What is said.
    pub record: Record,
    /// Only if the session's record still has this version.
    pub if_version: Option<u64>,
    /// What else changes in the same step. A publish with an effect is the last of its batch.
    pub effect: Option<Effect>,
}

/// A change of session state that lands together with its entry, or not at all.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Sets a slot whose version is still one less than this one's (0: no slot yet).
    Slot(Slot),
    /// Changes nothing, and lands only while a slot has this version (0: no slot yet): what is said of it is true where it stands in the log.
    SlotIs {
        /// Which slot.
        name: String,
        /// The version it must have.
        version: u64,
    },
    /// Changes the record; its version grows.
    Patch(SessionPatch),
    /// Makes a seated participant host; the version grows and nobody can reclaim.
    Transfer(ParticipantId),
    /// Takes a seat away and refuses the participant for `ban`.
    Kick {
        /// Who goes; must be seated.
        participant: ParticipantId,
        /// For how long they cannot come back.
        ban: Duration,
    },
    /// Changes how the author, who must be seated, looks.
    Profile(Profile),
    /// Ends the session: nothing can be appended, joined or read as a session any more.
    End,
}

/// What became of one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is in the log.
    Accepted(Position),
    /// It already was, there.
    Duplicate(Position),
    /// It is not, and its number or key is not used up.
    Refused(Refusal),
}

/// Why a publish was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No such session, or it ended.
    NoSession,
    /// The seat was taken over, lost or given up: the generation is not the seat's.
    Stale,
    /// The number is beyond the next one; the last one in the log is given.
    Gap {
        /// The author's last number in the log, 0 for none.
        last_n: u64,
    },
    /// The record's or the slot's version has moved on.
    Conflict,
    /// The participant that an effect names is not seated.
    NoSuchParticipant,
    /// The author is banned.
    Banned,
}

/// Which entries to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The oldest first after this number.
    After(Seq),
    /// The newest before this number, given in rising order.
    Before(Seq),
}

/// Bytes of records after which a page ends, with the entry that reaches them: 256 of the largest messages are 16 MiB, which on a thin
/// link to the store would not come within any sensible deadline, and a room that needs them would be behind for ever.
pub const READ_BYTES: usize = 1024 * 1024;

/// How much a read may bring: it ends at whichever bound comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Entries, at most.
    pub entries: usize,
    /// Bytes of records after which the page ends, with the entry that reaches them: at least one entry, if there is one.
    pub bytes: usize,
}

impl From<usize> for Most {
    /// So many entries, and no more bytes than any page has.
    fn from(entries: usize) -> Self {
        Self { entries, bytes: READ_BYTES }
    }
}

/// Entries of a log and what it knows of itself, read in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The log at that moment.
    pub history: History,
    /// Contiguous and rising; fewer than asked for only at the log's end, or because they reached the bytes asked for.
    pub entries: Vec<Entry>,
}

/// A frame to pass on without keeping it: `signal` and `notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// The one receiver; `None` for everybody in the session.
    pub to: Option<ParticipantId>,
    /// The whole JSON frame, its `type` first.
    pub frame: Bytes,
}

impl Relay {
    /// The frame's type: an event stream names it outside the frame too.
    #[must_use]
    pub fn event(&self) -> &'static str {
        if self.frame.starts_with(b"{\"type\":\"signal\"") { "signal" } else { "notify" }
    }
}

/// The log. Contract:
///
/// - **One order.** `seq` of a session is 1, 2, 3 … without holes; every listener is told of entries in that order.
/// - **Once.** A `Dedup::Number` is appended only as the author's next one; an older one is `Duplicate` with the position its
///   entry has, a later one `Gap`. A `Key` seen before is `Duplicate`. Both hold on any node for the session's life.
/// - **Fenced.** A `generation` that is not the seat's own writes nothing.
/// - **Atomic.** One call appends its accepted entries in batch order, with their effects, in one step, and announces them in
///   that step: what was announced can be read, and what can be read was announced or will be found by a resync.
/// - **Epochs.** When the store restarted or was promoted since the last write, the first write of any kind gives the log a new
///   epoch, adds the old one with the surviving head to the lineage and announces it before any entry. An ended session takes no
///   writes, and an empty batch is none.
/// - **Kept.** What [`Retention`](crate::model::history::Retention) says can be read, and in the long run not much more.
/// - `publish` answers one [`Published`] for each item, in order. `BackendError::Unknown` leaves it open for the whole batch.
#[async_trait]
pub trait Log: Send + Sync {
    /// Appends a batch to one session's log.
    async fn publish(&self, session: SessionId, batch: &[Publish]) -> Result<Vec<Published>, BackendError>;

    /// Reads at most `limit` entries, and no more than reach [`READ_BYTES`]; see [`Log::read_most`].
    async fn read(&self, session: SessionId, cut: Cut, limit: usize) -> Result<Option<Page>, BackendError> {
        self.read_most(session, cut, limit.into()).await
    }

    /// Reads entries within bounds; `None` when there is no such session, or it ended (an ended one can still be read until it is
    /// forgotten, so that a room that is behind learns of its `session.ended`).
    async fn read_most(&self, session: SessionId, cut: Cut, most: Most)
    -> Result<Option<Page>, BackendError>;

    /// Starts announcements of a session to this node's [`Deliver`]. Returns when they are confirmed: whatever is appended
    /// afterwards is announced here, or the room is told that it is behind.
    async fn subscribe(&self, session: SessionId) -> Result<(), BackendError>;

    /// Stops them.
    async fn unsubscribe(&self, session: SessionId);

    /// Passes a frame to the session's listeners on every node; nothing is kept. `false`: `to` holds no seat.
    async fn relay(&self, session: SessionId, relay: Relay) -> Result<bool, BackendError>;
}

/// Entries of one append, as announced; or that an epoch begins, without any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The log's epoch when they were appended.
    pub epoch: Epoch,
    /// The number of the first; the others follow without holes.
    pub first: Seq,
    /// When the log took them.
    pub ts: ClusterMs,
    /// The entries. None when an epoch begins, which is told before its first entry, by a step without entries too (a beat): who listens to an
    /// idle session learns of a restart by it.
    pub records: Vec<Record>,
}

/// Where an adapter delivers to: the one way up. Implementations must not block, wait or call the backend.
pub trait Deliver: Send + Sync {
    /// Entries were appended. Called in log order for each session.
    fn announced(&self, session: SessionId, announcement: Announcement);

    /// A frame to pass on.
    fn relayed(&self, session: SessionId, relay: Relay);

    /// A participant's seat was taken over by a newer connection: any older one here must close.
    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation);

    /// Announcements may have been missed: of one session, or of all (`None`).
    fn interrupted(&self, session: Option<SessionId>);
}
