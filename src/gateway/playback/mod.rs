//! The film: a command becomes an entry and the slot's next version in one step, and a wait ends without anybody owning it.
//!
//! - Here: what is asked of the film, decided at its turn in the session's queue on the slot as it is then. The compare in the publish
//!   step makes a decision on an old slot or an old permission fail, and it is decided anew.
//! - `redate`: films that a clock which is gone dated, told anew.
//! - `watch`: what this node knows of a room's film and viewers. `barrier`: waits, and what nodes tell each other.
//!
//! The rules are `model/playback`'s, which knows no node.

mod barrier;
mod redate;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub(super) use watch::{Here, Watch};

use super::Gateway;
use super::error::GatewayError;
use super::publish::{Answer, Asked, Draft, TurnDraft};
use crate::backend::log::{Dedup, Effect, Publish};
use crate::model::id::{ConnectionId, ParticipantId, SessionId};
use crate::model::playback::barrier::start;
use crate::model::playback::command::{Command, Moment, Outcome, apply};
use crate::model::playback::redate::rewrite;
use crate::model::playback::report::{Report, lead};
use crate::model::playback::{Playback, Reason, SLOT};
use crate::model::record::{EntryKind, Record};
use crate::model::seat::{Seat, Slot, Snapshot};
use crate::model::session::{Control, SessionRecord};
use crate::protocol::problem::{Code, Fault};

impl Gateway {
    /// Puts a participant's wish for the film into the session's queue; `respond` is called once.
    pub fn submit_film(
        self: &Arc<Self>,
        seat: Seat,
        n: Option<u64>,
        command: Command,
        respond: impl FnOnce(Answer) + Send + 'static,
    ) {
        let draft = TurnDraft {
            author: Some(seat.participant),
            generation: Some(seat.generation),
            dedup: n.map_or(Dedup::None, Dedup::Number),
            asked: Asked::Film(command),
        };
        self.submit(seat.session, Draft::Turn(draft), Box::new(respond));
    }

    /// A player is ready for a version of the film. What it is not asked for is ignored.
    pub fn film_ready(&self, seat: Seat, connection: ConnectionId, version: u64) {
        let Some(presence) = self.rooms.find(seat.session) else { return };
        presence.watch().ready(seat.participant, connection, version);
        presence.wake.notify_one();
    }

    /// A player reported how it fares. It informs only.
    pub fn film_report(&self, seat: Seat, connection: ConnectionId, report: Report) {
        if let Some(drift) = report.drift_ms {
            self.parts.metrics.sessions.drift.record(Duration::from_millis(drift.unsigned_abs()));
        }
        if let Some(presence) = self.rooms.find(seat.session) {
            presence.watch().report(seat.participant, connection, report);
        }
    }

    /// Decides a command on the session as it is now.
    ///
    /// # Errors
    /// `session_not_found`; `forbidden` for who may not; `conflict` when no film is loaded; `unavailable`.
    pub(super) async fn resolve_film(
        &self,
        session: SessionId,
        draft: &TurnDraft,
        author: ParticipantId,
        command: &Command,
    ) -> Result<Publish, GatewayError> {
        let Snapshot { record, slots, .. } = self.snapshot(session).await?;
        if !may_control(&record, author) {
            return Err(GatewayError::of(Code::Forbidden));
        }
        let (film, moment) = (film_of(&slots)?, self.moment(session));
        let told = film.clone().map(|film| self.told(film, moment));
        let (film, effect) = match (apply(told.as_ref(), command, author, moment), film) {
            (Outcome::Changed(next), _) => {
                let effect = slot_effect(&next);
                (next, effect)
            }
            // It is said nevertheless: `n` stays without a hole, and everybody sees who wanted it. It compares all the same: said after
            // another's `play`, a `pause` that found nothing to do before it would be last in the log, and the film would run on.
            (Outcome::Unchanged, Some(film)) => {
                let effect = Effect::SlotIs { name: SLOT.to_owned(), version: film.version };
                (film, effect)
            }
            (Outcome::Unchanged, None) => return Err(GatewayError::of(Code::Internal)),
            (Outcome::Refused(refusal), _) => {
                return Err(Fault::because(Code::Conflict, refusal.to_string()).into());
            }
        };
        let n = match draft.dedup {
            Dedup::Number(n) => Some(n),
            Dedup::None | Dedup::Key(_) => None,
        };
        Ok(Publish {
            author: draft.author,
            generation: draft.generation,
            dedup: draft.dedup,
            record: Record::new(EntryKind::Playback, draft.author, n, &film.to_json()),
            // Host, `control` and lock: a permission decided on an old record cannot land after a new one.
            if_version: Some(record.version),
            effect: Some(effect),
        })
    }

    /// The end of a wait, said by a node.
    ///
    /// # Errors
    /// `conflict` when the film does not wait for this version any more: then there is nothing to do. `unavailable`.
    pub(super) async fn resolve_start(
        &self,
        session: SessionId,
        version: u64,
        reason: Reason,
    ) -> Result<Publish, GatewayError> {
        let film = film_of(&self.snapshot(session).await?.slots)?;
        let moment = self.moment(session);
        let next = film.and_then(|film| start(&self.told(film, moment), version, reason, moment));
        next.map(said_by_a_node).ok_or_else(|| GatewayError::of(Code::Conflict))
    }

    /// A film that another clock dated, told by this node's.
    ///
    /// # Errors
    /// `conflict` when it is at another version by now, or was not moved: then there is nothing to do. `unavailable`.
    pub(super) async fn resolve_redate(
        &self,
        session: SessionId,
        version: u64,
    ) -> Result<Publish, GatewayError> {
        let film = film_of(&self.snapshot(session).await?.slots)?.filter(|film| film.version == version);
        let moment = self.moment(session);
        let next = film.and_then(|film| rewrite(&film, moment.clock, self.ahead(&film, moment)?));
        next.map(said_by_a_node).ok_or_else(|| GatewayError::of(Code::Conflict))
    }

    /// How many milliseconds the clock of a moment here is ahead of the one that dated a film; `None` when that is not known.
    fn ahead(&self, film: &Playback, moment: Moment) -> Option<i64> {
        self.parts.backend.clock.between(film.clock?, moment.clock?)
    }

    /// A film by the clock of a moment here.
    fn told(&self, film: Playback, moment: Moment) -> Playback {
        match self.ahead(&film, moment) {
            Some(ahead_ms) => film.told_by(moment.clock, ahead_ms),
            None => film,
        }
    }

    async fn snapshot(&self, session: SessionId) -> Result<Snapshot, GatewayError> {
        let nobody = 0;
        let snapshot = self.parts.backend.membership.snapshot(session, nobody).await?;
        snapshot.ok_or_else(|| GatewayError::of(Code::SessionNotFound))
    }

    fn moment(&self, session: SessionId) -> Moment {
        let presence = self.rooms.find(session);
        let lead = presence.map_or_else(|| lead([]), |presence| lead(presence.watch().round_trips()));
        let (now, clock) = self.parts.backend.clock.read();
        Moment { now, clock, lead }
    }
}

/// The host always, the others unless the session says otherwise.
fn may_control(record: &SessionRecord, participant: ParticipantId) -> bool {
    match record.control {
        Control::Everyone => true,
        Control::Host => record.host == participant,
    }
}

/// The film in a session's slots; `None` when it is idle.
///
/// # Errors
/// `internal`, when the slot is not one of this version's.
pub(super) fn film_of(slots: &[Slot]) -> Result<Option<Playback>, GatewayError> {
    let Some(slot) = slots.iter().find(|slot| slot.name == SLOT) else { return Ok(None) };
    match Playback::from_json(&slot.value) {
        Some(film) => Ok(Some(film)),
        None => {
            tracing::error!(version = slot.version, "the playback slot cannot be read");
            Err(GatewayError::of(Code::Internal))
        }
    }
}

/// What nobody asked for: it has no author, and no number.
fn said_by_a_node(film: Playback) -> Publish {
    Publish {
        author: None,
        generation: None,
        dedup: Dedup::None,
        record: Record::new(EntryKind::Playback, None, None, &film.to_json()),
        if_version: None,
        effect: Some(slot_effect(&film)),
    }
}

fn slot_effect(film: &Playback) -> Effect {
    Effect::Slot(Slot { name: SLOT.to_owned(), version: film.version, value: film.to_json() })
}
