//! A listener comes and goes, and the node's room with it.
//!
//! The first listener of a session puts the room in the hub's map, has its announcements confirmed, and only then takes a seat:
//! what is appended after that is announced here, and what was before is in the snapshot. The room stays for a while after the last
//! listener went, so that a reload costs no resubscription.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Gateway;
use super::error::GatewayError;
use super::playback::{Here, Watch};
use super::recovery::{Recovery, recover};
use crate::auth::token::Claims;
use crate::backend::membership::{JoinRequest, Joined};
use crate::hub::Room;
use crate::hub::outbox::Outbox;
use crate::model::id::{ConnectionId, SessionId};
use crate::model::participant::Role;
use crate::model::rate::RateLimit;
use crate::model::seat::{Participant, Profile, Seat};
use crate::protocol::framing::Framing;
use crate::protocol::inbound::Resume;
use crate::protocol::outbound::{Limits, SessionView, Slots, Status, Welcome};
use crate::protocol::peers::Listed;
use crate::protocol::problem::Code;

/// How long a room outlives its last listener: a page's reload and a short cut are over by then.
const LINGER: Duration = Duration::from_secs(30);

/// Participants a snapshot lists at most; `participants_total` says how many there are.
pub(super) const ROSTER: usize = 100;

/// One session's presence on this node.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) session: SessionId,
    /// Held while the room is opened or closed, so that both happen once. Holds the room while there is one.
    opening: tokio::sync::Mutex<Option<Arc<Room>>>,
    state: Mutex<State>,
    watch: Mutex<Watch>,
    /// Something changed that a wait may turn on.
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Listeners, and those about to be.
    users: usize,
    /// When `users` fell to zero.
    empty_since: Option<Instant>,
    seats: HashMap<ConnectionId, Seat>,
}

impl State {
    fn is_idle(&self, now: Instant) -> bool {
        self.users == 0 && self.empty_since.is_none_or(|since| now - since >= LINGER)
    }
}

impl Presence {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room's film and viewers as this node knows them. Never held while waiting.
    pub(super) fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Participants, and how they fare.
    pub(super) fn list(&self, participants: Vec<Participant>) -> Vec<Listed> {
        let watch = self.watch();
        let listed = |participant: Participant| {
            let fares = watch.fares(participant.id);
            Listed::new(participant, Some(fares))
        };
        participants.into_iter().map(listed).collect()
    }

    /// Whether nobody here listens.
    pub(super) fn is_unused(&self) -> bool {
        self.lock().users == 0
    }

    /// The seats taken through this node.
    pub(super) fn seats(&self) -> Vec<Seat> {
        self.lock().seats.values().copied().collect()
    }
}

/// Sessions present on this node.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    map: Mutex<HashMap<SessionId, Arc<Presence>>>,
}

impl Rooms {
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Presence>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn all(&self) -> Vec<Arc<Presence>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn find(&self, session: SessionId) -> Option<Arc<Presence>> {
        self.lock().get(&session).cloned()
    }

    /// Enters: the presence cannot be closed until the stay is dropped.
    fn enter(&self, session: SessionId) -> Stay {
        let mut map = self.lock();
        let presence = map.entry(session).or_insert_with(|| {
            let opening = tokio::sync::Mutex::new(None);
            let (watch, wake) = (Mutex::default(), Notify::new());
            Arc::new(Presence { session, opening, state: Mutex::default(), watch, wake })
        });
        presence.lock().users += 1;
        Stay(presence.clone())
    }

    /// Presences that nobody has used for [`LINGER`].
    fn idle(&self, now: Instant) -> Vec<Arc<Presence>> {
        let idle = |presence: &Arc<Presence>| presence.lock().is_idle(now);
        self.lock().values().filter(|presence| idle(presence)).cloned().collect()
    }

    /// Forgets presences whose room is closed. Who enters does so under the same lock, so nobody is forgotten.
    fn forget_closed(&self) {
        let closed = |presence: &Presence| {
            presence.lock().users == 0 && presence.opening.try_lock().is_ok_and(|room| room.is_none())
        };
        self.lock().retain(|_, presence| !closed(presence));
    }
}

/// Keeps a presence open.
#[derive(Debug)]
struct Stay(Arc<Presence>);

impl Drop for Stay {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.users -= 1;
        if state.users == 0 {
            state.empty_since = Some(Instant::now());
        }
    }
}

/// A listener with a seat. Dropped without [`Gateway::detach`], its seat is held by no beat and runs out with its lease.
#[derive(Debug)]
pub struct Attached {
    /// The seat.
    pub seat: Seat,
    /// The room it listens to.
    pub room: Arc<Room>,
    stay: Stay,
}

impl Gateway {
    /// Gives a token's holder a seat and lets them listen: `welcome` is the outbox's first message, and what they missed follows.
    ///
    /// # Errors
    /// `session_not_found`, `forbidden` (banned), `session_full`, `session_locked`, `unavailable`.
    pub async fn attach(
        self: &Arc<Self>,
        claims: &Claims,
        resume: Option<Resume>,
        outbox: &Arc<Outbox>,
    ) -> Result<Attached, GatewayError> {
        let stay = self.rooms.enter(claims.sid);
        let room = self.opened(&stay.0).await?;
        let mut joined = self.take_seat(claims).await?;
        let seat = joined.seat;
        self.parts.hub.begin(claims.sid, joined.snapshot.history.clone()).await;

        let recovery = recover(&joined.snapshot.history, resume);
        self.parts.metrics.fan_out.recoveries.get(recovery.result).increment(1);
        let speaks = outbox.framing() != Framing::EventStream;
        let since = joined.snapshot.history.head;
        {
            let mut watch = stay.0.watch();
            watch.seated(joined.snapshot.participants_total);
            watch.arrived(seat.participant, Here { connection: outbox.connection, speaks, since });
        }
        let people = stay.0.list(std::mem::take(&mut joined.snapshot.participants));
        let welcome = self.welcome(&joined, &people, &recovery);
        outbox.start(seat, joined.snapshot.history.head, recovery.cursor, &welcome);

        stay.0.lock().seats.insert(outbox.connection, seat);
        self.see_slots(&stay.0, &joined.snapshot.slots);
        self.parts.hub.attach(claims.sid, outbox.clone()).await;
        // Once it is in the room: what changes from now on, the room is told.
        let health = self.parts.backend.health.borrow().clone();
        if !health.starting && !health.delivers(claims.sid) {
            // Who is here already was told when it began.
            outbox.send("status", &Status::of(false).encode());
        }
        Ok(Attached { seat, room, stay })
    }

    /// A listener goes. `leaving` gives the seat up at once; otherwise it is held for the lease, to come back to.
    pub async fn detach(&self, attached: Attached, connection: ConnectionId, leaving: bool) {
        let Attached { seat, stay, .. } = attached;
        stay.0.lock().seats.remove(&connection);
        stay.0.watch().left(seat.participant, connection);
        stay.0.wake.notify_one();
        self.parts.hub.detach(seat.session, connection).await;
        if !leaving {
            return;
        }
        if let Err(error) = self.parts.backend.membership.leave(seat).await {
            tracing::warn!(%error, "seat not given up, its lease will run out");
        }
    }

    /// Closes rooms that nobody has used for a while. Called with every beat.
    pub(super) async fn close_idle(&self) {
        for presence in self.rooms.idle(Instant::now()) {
            let mut opening = presence.opening.lock().await;
            // Who enters now waits for this lock, and opens the room again.
            if opening.is_some() && presence.lock().is_idle(Instant::now()) {
                self.parts.backend.log.unsubscribe(presence.session).await;
                self.parts.hub.close(presence.session).await;
                *opening = None;
            }
        }
        self.rooms.forget_closed();
    }

    async fn opened(&self, presence: &Presence) -> Result<Arc<Room>, GatewayError> {
        let mut opening = presence.opening.lock().await;
        if let Some(room) = &*opening {
            return Ok(room.clone());
        }
        let room = self.parts.hub.open(presence.session).await;
        if let Err(error) = self.parts.backend.log.subscribe(presence.session).await {
            self.parts.hub.close(presence.session).await;
            return Err(error.into());
        }
        presence.watch().opened();
        *opening = Some(room.clone());
        Ok(room)
    }

    async fn take_seat(&self, claims: &Claims) -> Result<Joined, GatewayError> {
        let name = Self::called(claims.name.as_ref()).ok_or_else(|| GatewayError::of(Code::Internal))?;
        let request = JoinRequest {
            session: claims.sid,
            participant: claims.sub,
            node: self.parts.node,
            profile: Profile { name, color: None },
            lease: self.parts.config.sessions.participant_lease,
            roster: ROSTER,
        };
        Ok(self.parts.backend.membership.join(request).await??)
    }

    fn welcome(&self, joined: &Joined, people: &[Listed], recovery: &Recovery) -> bytes::Bytes {
        let snapshot = &joined.snapshot;
        let host_id = snapshot.record.host;
        let participant_id = joined.seat.participant;
        let messages_per_second = match self.parts.config.limits.messages {
            RateLimit::Off => 0,
            RateLimit::At(rate) => rate.count / u32::try_from(rate.per.as_secs().max(1)).unwrap_or(u32::MAX),
        };
        let message_bytes = self.parts.config.sessions.message_bytes;
        Welcome {
            participant_id,
            role: if host_id == participant_id { Role::Host } else { Role::Member },
            session: SessionView::from(&snapshot.record),
            epoch: snapshot.history.epoch,
            head: snapshot.history.head,
            recovered: recovery.recovered(),
            reason: recovery.reason(),
            last_n: joined.last_n,
            durability: self.parts.backend.health.borrow().durability.as_str(),
            participants: people,
            participants_total: snapshot.participants_total,
            host_id,
            slots: Slots(&snapshot.slots),
            ping_interval_ms: crate::model::time::millis(self.parts.config.connections.ping_interval),
            limits: Limits { message_bytes, messages_per_second },
            now_ms: self.now(),
        }
        .encode()
    }
}
