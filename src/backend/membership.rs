//! The port of seats: who takes part, who is host.

use std::time::Duration;

use async_trait::async_trait;

use super::error::BackendError;
use crate::model::entry::Seq;
use crate::model::id::{NodeId, ParticipantId, SessionId};
use crate::model::seat::{Participant, Profile, Seat, Snapshot};

/// How long a host who was lost can come back and be host again (`PLAYBACK`, section 2).
pub const RECLAIM: Duration = Duration::from_mins(10);

/// Someone wants a seat, or their own back.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// In which session.
    pub session: SessionId,
    /// Who.
    pub participant: ParticipantId,
    /// On which node their connection is.
    pub node: NodeId,
    /// How they look when the seat is new; a seat taken over keeps its profile.
    pub profile: Profile,
    /// How long the seat outlives its last beat.
    pub lease: Duration,
    /// How many participants the snapshot lists at most.
    pub roster: usize,
}

/// A seat was taken.
#[derive(Debug, Clone)]
pub struct Joined {
    /// The seat.
    pub seat: Seat,
    /// The session after the join, at one position. `participant.joined` and a `host.changed` of this join are within it.
    pub snapshot: Snapshot,
    /// The participant's last number in the log, 0 for none.
    pub last_n: u64,
    /// Whether the seat was held already, and is now taken over without an entry.
    pub resumed: bool,
}

/// Why there is no seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefusal {
    /// No such session, or it ended.
    NoSession,
    /// They were kicked and may not come back yet.
    Banned,
    /// All seats are taken.
    Full,
    /// New participants are refused.
    Locked,
}

/// What a beat found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The log's head after it, so that a room sees whether it missed something. `None`: no such session.
    pub head: Option<Seq>,
    /// Those of the given seats that are no longer the given connection's.
    pub lost: Vec<Seat>,
}

/// What the session thinks of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether they hold a seat.
    pub seated: bool,
    /// Whether they are host.
    pub host: bool,
    /// Whether they are banned now.
    pub banned: bool,
    /// The version of the record this was decided on.
    pub version: u64,
}

/// Seats. Contract:
///
/// - **Capacity is never exceeded**: `join` first frees seats whose lease ran out, then admits or refuses, in one step. It admits a
///   participant who holds a seat even to a full or locked session.
/// - **No generation of a session is given twice**, whatever the store lost: after a restart or promotion they go on from its clock.
/// - A new seat appends `participant.joined` `{id, name, color, role, joined_at}`; a seat taken over appends nothing, gets a newer
///   generation and has every node told by [`Deliver::replaced`](super::log::Deliver::replaced).
/// - **One host**: when the host's seat goes (lease, leave, kick), the longest-seated participant becomes host in the same step, told by
///   `host_id` in the `participant.left` entry. A session nobody sits in keeps its host; another participant who then enters becomes
///   host by `host.changed` (`promoted`). A host lost by lease, or absent when another entered, who returns within [`RECLAIM`] is host again
///   by `host.changed` (`reclaimed`), unless `host.transfer` came between; whoever can do that passes the lock. Host changes make the
///   record's version grow.
/// - **Leases** run by the store's clock. Those found run out by `join` and `beat` are removed once each with a `participant.left`
///   `{participant_id, reason:"timeout", host_id}`. `leave` does the same with reason `left`, if the generation is the seat's.
/// - Counts and lists leave out seats whose lease has run out.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Takes a seat, or takes one's own over.
    async fn join(&self, request: JoinRequest) -> Result<Result<Joined, JoinRefusal>, BackendError>;

    /// Gives a seat up. A seat that is not this generation's is left alone.
    async fn leave(&self, seat: Seat) -> Result<(), BackendError>;

    /// Renews the leases of one session's seats on this node, frees those that ran out, refreshes times to live, trims the log.
    async fn beat(&self, session: SessionId, seats: &[Seat], lease: Duration) -> Result<Beat, BackendError>;

    /// The session at its newest position; `None` when there is no such session, or it ended.
    async fn snapshot(&self, session: SessionId, roster: usize) -> Result<Option<Snapshot>, BackendError>;

    /// Seated participants in order of joining after the given one (who may have left), at most `limit`.
    async fn roster(
        &self,
        session: SessionId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<Participant>, BackendError>;

    /// What the session thinks of one participant; `None` when there is no such session, or it ended.
    async fn standing(
        &self,
        session: SessionId,
        participant: ParticipantId,
    ) -> Result<Option<Standing>, BackendError>;
}
