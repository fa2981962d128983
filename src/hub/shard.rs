//! A shard: one task, some rooms, one inbox. It drains the inbox in batches, so that what gathers while a batch is written goes out
//! in one write per socket; idle latency stays zero, because nothing waits for a timer.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::behind::Behind;
use super::noted::Noted;
use super::outbox::{Closing, Outbox};
use super::room::{Live, Step, hand};
use super::{Commons, Flooded, Repair, Room};
use crate::backend::log::{Announcement, Relay};
use crate::metrics::label::{AnnouncementDrop, ParticipantChange, ResyncCause, SentKind};
use crate::model::entry::Seq;
use crate::model::history::History;
use crate::model::id::{ConnectionId, ParticipantId, SessionId};
use crate::model::seat::{Generation, Seat};
use crate::protocol::close::Ending;
use crate::protocol::framing::Framing;
use crate::protocol::peers;

/// Events taken from the inbox at once.
const BATCH: usize = 256;

/// Listeners served before others may run: a direct write does not count against the runtime's budget.
const YIELD_EVERY: usize = 256;

/// Listeners up to which they are told how each other's players fare. In a larger room nobody looks at every face, and each change
/// would go to all.
const PEERS_SHOWN: usize = 50;

/// What can come to a shard.
#[derive(Debug)]
pub(super) enum Event {
    Open(Arc<Room>),
    Begin(SessionId, History),
    Close(SessionId),
    Attach(SessionId, Arc<Outbox>),
    Detach(SessionId, ConnectionId),
    Announced(SessionId, Announcement),
    Relayed(SessionId, Relay),
    Replaced(SessionId, ParticipantId, Generation),
    Repair(SessionId, Repair),
    Expect(SessionId, Seq),
    Lose(SessionId, Seq, Vec<Seat>),
    TellAll(&'static str, Bytes),
    /// Rooms were flooded or interrupted while the inbox may have been empty.
    Look,
}

pub(super) struct Shard {
    inbox: mpsc::Receiver<Event>,
    flooded: Arc<Flooded>,
    behind: Arc<Behind>,
    noted: Arc<Noted>,
    commons: Commons,
    rooms: HashMap<SessionId, Live>,
    /// Rooms with entries that wait to be written.
    dirty: Vec<SessionId>,
}

impl Shard {
    pub(super) fn new(
        inbox: mpsc::Receiver<Event>,
        flooded: Arc<Flooded>,
        (behind, noted): (Arc<Behind>, Arc<Noted>),
        commons: Commons,
    ) -> Self {
        Self { inbox, flooded, behind, noted, commons, rooms: HashMap::new(), dirty: Vec::new() }
    }

    pub(super) async fn run(mut self) {
        let mut events = Vec::with_capacity(BATCH);
        while self.inbox.recv_many(&mut events, BATCH).await > 0 {
            let arrived = Instant::now();
            for event in events.drain(..) {
                self.take(event, arrived).await;
            }
            for session in self.flooded.take() {
                self.step(session, Some(ResyncCause::Link), Live::interrupted);
            }
            self.flush(arrived).await;
        }
    }

    async fn take(&mut self, event: Event, arrived: Instant) {
        match event {
            Event::Announced(session, announcement) => self.announced(session, announcement, arrived).await,
            Event::Relayed(session, relay) => self.relayed(session, &relay),
            other => {
                // Whatever changes who listens, or where a room is, sees all earlier entries written.
                self.flush(arrived).await;
                self.change(other);
            }
        }
    }

    fn change(&mut self, event: Event) {
        match event {
            Event::Open(room) => {
                self.rooms.insert(room.session, Live::new(room));
            }
            Event::Close(session) => {
                if self.rooms.remove(&session).is_some_and(|room| room.is_behind()) {
                    self.commons.metrics.fan_out.rooms_behind.decrement(1);
                }
            }
            Event::Begin(session, history) => {
                self.step(session, Some(ResyncCause::NewRoom), |room| room.begin(&history));
            }
            Event::Attach(session, outbox) => match self.rooms.get_mut(&session) {
                Some(room) => room.attach(outbox),
                // The room was closed under a listener that had just come: it resumes into a new one.
                None => outbox.finish(Closing::Ours(Ending::SeatLost)),
            },
            Event::Detach(session, connection) => {
                if let Some(room) = self.rooms.get_mut(&session) {
                    room.detach(connection);
                }
            }
            Event::Replaced(session, participant, newest) => self.replaced(session, participant, newest),
            Event::Repair(session, repair) => self.repair(session, repair),
            Event::Expect(session, head) => {
                self.step(session, Some(ResyncCause::Gap), |room| room.expect(head))
            }
            Event::Lose(session, head, seats) => {
                self.step(session, None, |room| {
                    room.lose(head, seats);
                    Step::Done
                });
            }
            Event::TellAll(event, frame) => {
                for listener in self.rooms.values().flat_map(Live::listeners) {
                    listener.send(event, &frame);
                }
            }
            Event::Look | Event::Announced(..) | Event::Relayed(..) => {}
        }
    }

    async fn announced(&mut self, session: SessionId, announcement: Announcement, arrived: Instant) {
        let Some(room) = self.rooms.get_mut(&session) else { return };
        let was_behind = room.is_behind();
        let (step, cause, old) = room.announced(announcement);
        let (due, is_behind) = (room.is_due(), room.is_behind());
        if old {
            self.commons.metrics.fan_out.announcements_dropped.get(AnnouncementDrop::Old).increment(1);
        }
        self.after(session, was_behind, is_behind, step, cause);
        self.dirty.push(session);
        if due {
            self.flush(arrived).await;
        }
    }

    fn relayed(&self, session: SessionId, relay: &Relay) {
        let Some(room) = self.rooms.get(&session) else { return };
        if peers::is_from_a_node(&relay.frame) {
            self.noted.peers(session, relay.frame.clone());
            if room.listeners().len() > PEERS_SHOWN || peers::is_question(&relay.frame) {
                return;
            }
        }
        let metrics = &self.commons.metrics;
        let (mut sockets, mut streams) = (None, None);
        for listener in room.listeners() {
            let theirs =
                listener.seat().is_some_and(|(seat, _)| relay.to.is_none_or(|to| to == seat.participant));
            if !theirs {
                continue;
            }
            let framing = listener.framing();
            let encoded = if framing == Framing::WebSocket { &mut sockets } else { &mut streams };
            let bytes = encoded.get_or_insert_with(|| {
                let mut out = BytesMut::new();
                framing.encode(relay.event(), None, &relay.frame, &mut out);
                out.freeze()
            });
            let sent =
                if relay.to.is_some() { listener.send_direct(bytes) } else { listener.send_ephemeral(bytes) };
            if sent {
                metrics.sockets.frames_sent.get(SentKind::Direct).increment(1);
            } else {
                metrics.fan_out.ephemeral_dropped.increment(1);
            }
        }
    }

    fn replaced(&mut self, session: SessionId, participant: ParticipantId, newest: Generation) {
        let Some(room) = self.rooms.get_mut(&session) else { return };
        room.replaced(participant, newest);
        self.commons.metrics.sessions.participant_changes.get(ParticipantChange::Replaced).increment(1);
    }

    fn repair(&mut self, session: SessionId, repair: Repair) {
        match repair {
            Repair::Page(page) => self.step(session, None, |room| room.repaired(page)),
            Repair::Reset { frame, history } => self.step(session, None, |room| room.reset(&frame, &history)),
            Repair::Gone => {
                let listeners = self.rooms.get(&session).map(Live::listeners).unwrap_or_default();
                listeners.iter().for_each(|listener| listener.finish(Closing::Ours(Ending::NoSession)));
            }
        }
    }

    /// Lets a room take a step and sees to what follows from it.
    fn step(&mut self, session: SessionId, cause: Option<ResyncCause>, act: impl FnOnce(&mut Live) -> Step) {
        let Some(room) = self.rooms.get_mut(&session) else { return };
        let was_behind = room.is_behind();
        let step = act(room);
        let is_behind = room.is_behind();
        self.after(session, was_behind, is_behind, step, cause);
        self.dirty.push(session);
    }

    fn after(&self, session: SessionId, was: bool, is: bool, step: Step, cause: Option<ResyncCause>) {
        let fan_out = &self.commons.metrics.fan_out;
        if was != is {
            fan_out.rooms_behind.increment(if is { 1.0 } else { -1.0 });
        }
        if let Step::Ask(at) = step {
            if let Some(cause) = cause {
                fan_out.resyncs.get(cause).increment(1);
            }
            self.behind.ask(session, at);
        }
    }

    /// Writes what waits, room by room.
    async fn flush(&mut self, arrived: Instant) {
        for session in std::mem::take(&mut self.dirty) {
            let Some(room) = self.rooms.get_mut(&session) else { continue };
            let (socket, stream, entries) = room.take_runs();
            if !entries.is_empty() {
                let mut sent = 0u64;
                for (index, listener) in room.listeners().iter().enumerate() {
                    sent += u64::from(hand(listener, socket.as_ref(), stream.as_ref()));
                    if index % YIELD_EVERY == YIELD_EVERY - 1 {
                        tokio::task::yield_now().await;
                    }
                }
                let fan_out = &self.commons.metrics.fan_out;
                let deliveries = sent * entries.len() as u64;
                fan_out.deliveries.increment(deliveries);
                self.commons.metrics.sockets.frames_sent.get(SentKind::Entry).increment(deliveries);
                let (took, now) = (arrived.elapsed(), self.commons.clock.now());
                let lag = fan_out.delivery_lag.get(self.commons.origin);
                for ts in entries {
                    fan_out.broadcast.record(took);
                    lag.record(now.since(ts));
                }
            }
            room.follow_up();
            let changes = &self.commons.metrics.sessions.participant_changes;
            room.take_changes().into_iter().for_each(|change| changes.get(change).increment(1));
            room.report(&self.noted);
        }
    }
}
