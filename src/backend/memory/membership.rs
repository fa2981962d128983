//! The port of seats over memory.
//!
//! Responsible for locking and for telling every node of a seat that was taken over. Not responsible for who gets one (`seats`).

use std::time::Duration;

use async_trait::async_trait;

use super::Node;
use crate::backend::error::BackendError;
use crate::backend::membership::{Beat, JoinRefusal, JoinRequest, Joined, Membership, Standing};
use crate::model::id::{ParticipantId, SessionId};
use crate::model::seat::{Participant, Seat, Snapshot};

#[async_trait]
impl Membership for Node {
    async fn join(&self, request: JoinRequest) -> Result<Result<Joined, JoinRefusal>, BackendError> {
        let joined = self.store.change(
            request.session,
            |session, now| session.join(&request, now),
            |joined, listeners| {
                let Ok(Joined { seat, resumed: true, .. }) = joined else { return };
                for listener in listeners {
                    listener.deliver.replaced(seat.session, seat.participant, seat.generation);
                }
            },
        );
        Ok(joined.unwrap_or(Err(JoinRefusal::NoSession)))
    }

    async fn leave(&self, seat: Seat) -> Result<(), BackendError> {
        self.store.change(seat.session, |session, now| session.leave(seat, now), |(), _| {});
        Ok(())
    }

    async fn beat(&self, session: SessionId, seats: &[Seat], lease: Duration) -> Result<Beat, BackendError> {
        let beat = self.store.change(session, |session, now| session.beat(seats, lease, now), |_, _| {});
        Ok(beat.unwrap_or_else(|| Beat { head: None, lost: seats.to_vec() }))
    }

    async fn snapshot(&self, session: SessionId, roster: usize) -> Result<Option<Snapshot>, BackendError> {
        Ok(self.store.look_live(session, |session, now| session.snapshot(roster, now)))
    }

    async fn roster(
        &self,
        session: SessionId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<Participant>, BackendError> {
        let roster = self.store.look_live(session, |session, now| session.roster(after, limit, now));
        Ok(roster.unwrap_or_default())
    }

    async fn standing(
        &self,
        session: SessionId,
        participant: ParticipantId,
    ) -> Result<Option<Standing>, BackendError> {
        Ok(self.store.look_live(session, |session, now| session.standing(participant, now)))
    }
}
