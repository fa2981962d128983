//! The port of seats on Redis.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Shared;
use super::reply::{Reply, parse, unreadable};
use super::rows;
use super::scripts::{self, Call, Script};
use crate::backend::error::BackendError;
use crate::backend::membership::{Beat, JoinRefusal, JoinRequest, Joined, Membership, RECLAIM, Standing};
use crate::model::entry::Seq;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::seat::{Generation, Participant, Seat, Snapshot};
use crate::model::time::millis;

/// Seats renewed by one call: each costs Redis about 2 microseconds.
const BEAT_SEATS: usize = 1000;

/// Seats, through scripts.
pub(super) struct RedisMembership(pub(super) Arc<Shared>);

impl RedisMembership {
    fn read(&self, script: &'static Script, session: SessionId) -> Call {
        Call::new(script, &self.0.keys.session(session))
    }

    async fn ask(&self, session: SessionId, call: Call) -> Result<Reply, BackendError> {
        Reply::array(self.0.routes.run(session, call).await?)
    }

    async fn beat_some(
        &self,
        session: SessionId,
        seats: &[Seat],
        lease: Duration,
    ) -> Result<Beat, BackendError> {
        let mut call = self.0.write(&scripts::BEAT, session).arg(millis(lease)).arg(millis(RECLAIM));
        for seat in seats {
            call = call.arg(seat.participant.to_string()).arg(seat.generation.0);
        }
        let mut reply = self.ask(session, call).await?;
        if reply.left() == 0 {
            return Ok(Beat { head: None, lost: seats.to_vec() });
        }
        let head = Some(Seq(reply.next_number()?));
        let mut lost = Vec::with_capacity(reply.left());
        while reply.left() > 0 {
            let at = usize::try_from(reply.next_number()?).unwrap_or(0);
            let seat = at.checked_sub(1).and_then(|at| seats.get(at));
            lost.push(*seat.ok_or_else(|| unreadable("the index of a seat"))?);
        }
        Ok(Beat { head, lost })
    }
}

#[async_trait]
impl Membership for RedisMembership {
    async fn join(&self, request: JoinRequest) -> Result<Result<Joined, JoinRefusal>, BackendError> {
        let JoinRequest { session, participant, node, profile, lease, roster } = request;
        let call = self
            .0
            .write(&scripts::JOIN, session)
            .arg(participant.to_string())
            .arg(node.to_string())
            .arg(profile.to_json())
            .arg(millis(lease))
            .arg(roster)
            .arg(millis(RECLAIM));
        // The welcome says how far the participant's own numbers got, which is as good as an ack.
        let mut reply = Reply::array(self.0.routes.commit(session, call).await?)?;
        let refusal = match reply.next_text()?.as_str() {
            "ok" => None,
            "none" => Some(JoinRefusal::NoSession),
            "banned" => Some(JoinRefusal::Banned),
            "locked" => Some(JoinRefusal::Locked),
            "full" => Some(JoinRefusal::Full),
            _ => return Err(unreadable("the answer to a join")),
        };
        if let Some(refusal) = refusal {
            return Ok(Err(refusal));
        }
        let generation = Generation(reply.next_number()?);
        let resumed = reply.next_number()? == 1;
        let numbers = reply.next_text()?;
        let last_n = numbers.split(' ').next().filter(|n| !n.is_empty());
        let last_n = last_n.map_or(Ok(0), |n| parse(n.as_bytes()))?;
        let snapshot = rows::snapshot(session, reply.next_array()?)?;
        Ok(Ok(Joined { seat: Seat { session, participant, generation }, snapshot, last_n, resumed }))
    }

    async fn leave(&self, seat: Seat) -> Result<(), BackendError> {
        let call = self.0.write(&scripts::LEAVE, seat.session);
        let call = call.arg(seat.participant.to_string()).arg(seat.generation.0);
        self.0.routes.run(seat.session, call).await.map(drop)
    }

    async fn beat(&self, session: SessionId, seats: &[Seat], lease: Duration) -> Result<Beat, BackendError> {
        let mut beat = self.beat_some(session, seats.get(..BEAT_SEATS).unwrap_or(seats), lease).await?;
        for more in seats.chunks(BEAT_SEATS).skip(1) {
            let next = self.beat_some(session, more, lease).await?;
            beat.head = next.head;
            beat.lost.extend(next.lost);
        }
        Ok(beat)
    }

    async fn snapshot(&self, session: SessionId, roster: usize) -> Result<Option<Snapshot>, BackendError> {
        let reply = self.ask(session, self.read(&scripts::SNAPSHOT, session).arg(roster)).await?;
        if reply.left() == 0 {
            return Ok(None);
        }
        rows::snapshot(session, reply).map(Some)
    }

    async fn roster(
        &self,
        session: SessionId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<Participant>, BackendError> {
        let after = after.map(|after| after.to_string()).unwrap_or_default();
        let mut reply = self.ask(session, self.read(&scripts::ROSTER, session).arg(after).arg(limit)).await?;
        if reply.left() == 0 {
            return Ok(Vec::new());
        }
        let host = rows::participant_id(&reply.next_text()?)?;
        rows::participants(reply, host)
    }

    async fn standing(
        &self,
        session: SessionId,
        participant: ParticipantId,
    ) -> Result<Option<Standing>, BackendError> {
        let call = self.read(&scripts::STANDING, session).arg(participant.to_string());
        let mut reply = self.ask(session, call).await?;
        if reply.left() == 0 {
            return Ok(None);
        }
        let version = reply.next_number()?;
        let host = rows::participant_id(&reply.next_text()?)? == participant;
        let (lease, ban, now) = (reply.next_number()?, reply.next_number()?, reply.next_number()?);
        Ok(Some(Standing { seated: lease > now, host, banned: ban > now, version }))
    }
}
