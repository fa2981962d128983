//! A shard: one task, some rooms, one inbox; and beside it the parts of other shards' large rooms (`spread`). It drains the inbox in
//! batches, so that what gathers while a batch is written goes out in one write per socket; idle latency stays zero, because nothing
//! waits for a timer.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::act::{Act, Batch};
use super::behind::Behind;
use super::listeners::Turn;
use super::noted::Noted;
use super::outbox::{Closing, Outbox};
use super::room::{Live, Step};
use super::spread::{Others, Parts, Spread, Word};
use super::{Commons, Flooded, Repair, Room};
use crate::backend::log::{Announcement, Relay};
use crate::metrics::label::{AnnouncementDrop, ParticipantChange, ResyncCause};
use crate::model::entry::Seq;
use crate::model::history::History;
use crate::model::id::{ConnectionId, ParticipantId, SessionId};
use crate::model::seat::{Generation, Seat};
use crate::protocol::close::Ending;
use crate::protocol::peers;

/// Events taken from the inbox at once.
const BATCH: usize = 256;

/// Listeners up to which they are told how each other's players fare. In a larger room nobody looks at every face, and each change
/// would go to all.
const PEERS_SHOWN: usize = 50;

/// Which frame the listeners of a session are told, if any.
#[derive(Clone)]
pub struct Telling(Arc<dyn Fn(SessionId) -> Option<Bytes> + Send + Sync>);

impl Telling {
    /// What this says of each session; asked once for each room, by the room's own shard.
    pub fn by(choose: impl Fn(SessionId) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        Self(Arc::new(choose))
    }
}

/// What can come to a shard.
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
    TellEach(&'static str, Telling),
    /// Rooms were flooded or interrupted while the inbox may have been empty.
    Look,
}

/// A room with its listeners.
struct Here {
    rules: Live,
    listeners: Spread,
    /// On the list of rooms that have something to write.
    dirty: bool,
}

/// How a shard is reached, and whom it tells.
pub(super) struct Ways {
    pub(super) inbox: mpsc::Receiver<Event>,
    pub(super) parts: mpsc::Receiver<Word>,
    pub(super) others: Others,
    pub(super) flooded: Arc<Flooded>,
    pub(super) behind: Arc<Behind>,
    pub(super) noted: Arc<Noted>,
}

pub(super) struct Shard {
    ways: Ways,
    commons: Commons,
    rooms: HashMap<SessionId, Here>,
    /// Rooms with entries that wait to be written.
    dirty: Vec<SessionId>,
    turn: Turn,
}

impl Shard {
    pub(super) fn new(ways: Ways, commons: Commons) -> Self {
        Self { ways, commons, rooms: HashMap::new(), dirty: Vec::new(), turn: Turn::default() }
    }

    /// Serves the rooms, and the parts of others' rooms, until the hub is gone.
    pub(super) async fn run(mut self) {
        let (_, none) = mpsc::channel(1);
        let parts = Parts::new(std::mem::replace(&mut self.ways.parts, none), self.commons.clone());
        // One task: a room with its own shard alone costs one wake, and as many cores work as there are shards.
        tokio::join!(self.serve(), parts.run());
    }

    async fn serve(mut self) {
        let mut events = Vec::with_capacity(BATCH);
        while self.ways.inbox.recv_many(&mut events, BATCH).await > 0 {
            let arrived = Instant::now();
            for event in events.drain(..) {
                self.take(event, arrived).await;
            }
            for session in self.ways.flooded.take() {
                self.step(session, Some(ResyncCause::Link), Live::interrupted).await;
            }
            self.flush(arrived).await;
        }
    }

    async fn take(&mut self, event: Event, arrived: Instant) {
        match event {
            Event::Announced(session, announcement) => self.announced(session, announcement, arrived).await,
            Event::Relayed(session, relay) => self.relayed(session, relay).await,
            other => {
                // Whatever changes who listens, or where a room is, sees all earlier entries written.
                self.flush(arrived).await;
                self.change(other).await;
            }
        }
    }

    async fn change(&mut self, event: Event) {
        match event {
            Event::Open(room) => {
                // Nobody opens a room twice; if somebody did, the old one would leave its listeners with other shards.
                self.close(room.session).await;
                let (session, rules) = (room.session, Live::new(room));
                self.rooms.insert(session, Here { rules, listeners: Spread::new(session), dirty: false });
            }
            Event::Close(session) => self.close(session).await,
            Event::Begin(session, history) => {
                self.step(session, Some(ResyncCause::NewRoom), |room| room.begin(&history)).await;
            }
            Event::Attach(session, outbox) => self.attach(session, outbox).await,
            Event::Detach(session, connection) => {
                let Some(here) = self.rooms.get_mut(&session) else { return };
                if let Some(framing) = here.listeners.detach(connection, &self.ways.others).await {
                    here.rules.detach(framing);
                }
            }
            Event::Replaced(session, participant, newest) => {
                let changes = &self.commons.metrics.sessions.participant_changes;
                changes.get(ParticipantChange::Replaced).increment(1);
                self.step(session, None, |room| {
                    room.replaced(participant, newest);
                    Step::Done
                })
                .await;
            }
            Event::Repair(session, repair) => self.repair(session, repair).await,
            Event::Expect(session, head) => {
                self.step(session, Some(ResyncCause::Gap), |room| room.expect(head)).await;
            }
            Event::Lose(session, head, seats) => {
                self.step(session, None, |room| {
                    room.lose(head, seats);
                    Step::Done
                })
                .await;
            }
            Event::TellEach(event, telling) => {
                for (session, here) in &self.rooms {
                    let Some(frame) = (telling.0)(*session) else { continue };
                    let act = Act::Told(event, frame);
                    here.listeners.hear(act, &self.ways.others, &mut self.turn, &self.commons).await;
                }
            }
            Event::Look | Event::Announced(..) | Event::Relayed(..) => {}
        }
    }

    async fn close(&mut self, session: SessionId) {
        let Some(here) = self.rooms.remove(&session) else { return };
        if here.rules.is_behind() {
            self.commons.metrics.fan_out.rooms_behind.decrement(1);
        }
        here.listeners.close(&self.ways.others).await;
    }

    async fn attach(&mut self, session: SessionId, outbox: Arc<Outbox>) {
        // Its room was closed under a listener that had just come: it resumes into a new one.
        let Some(here) = self.rooms.get_mut(&session) else {
            return outbox.finish(Closing::Ours(Ending::SeatLost));
        };
        here.rules.attach(&outbox);
        self.carry_out(session).await;
        if let Some(here) = self.rooms.get_mut(&session) {
            here.listeners.attach(outbox, &self.ways.others).await;
        }
    }

    async fn announced(&mut self, session: SessionId, announcement: Announcement, arrived: Instant) {
        let Some(here) = self.rooms.get_mut(&session) else { return };
        let was_behind = here.rules.is_behind();
        let (step, cause, old) = here.rules.announced(announcement);
        let (due, is_behind) = (here.rules.is_due(), here.rules.is_behind());
        if old {
            self.commons.metrics.fan_out.announcements_dropped.get(AnnouncementDrop::Old).increment(1);
        }
        self.after(session, was_behind, is_behind, step, cause);
        self.soil(session);
        if due {
            self.flush(arrived).await;
        }
    }

    async fn relayed(&mut self, session: SessionId, relay: Relay) {
        let Some(here) = self.rooms.get_mut(&session) else { return };
        if peers::is_from_a_node(&relay.frame) {
            self.ways.noted.peers(session, relay.frame.clone());
            if here.rules.present() > PEERS_SHOWN || peers::is_question(&relay.frame) {
                return;
            }
        }
        here.listeners.pass(relay, &self.ways.others, &mut self.turn, &self.commons).await;
    }

    async fn repair(&mut self, session: SessionId, repair: Repair) {
        match repair {
            Repair::Page(page) => self.step(session, None, |room| room.repaired(page)).await,
            Repair::Reset { frame, history } => {
                self.step(session, None, |room| room.reset(&frame, &history)).await;
            }
            Repair::Gone => {
                let Some(here) = self.rooms.get(&session) else { return };
                here.listeners.hear(Act::NoSession, &self.ways.others, &mut self.turn, &self.commons).await;
            }
        }
    }

    /// Lets a room take a step and sees to what follows from it.
    async fn step(
        &mut self,
        session: SessionId,
        cause: Option<ResyncCause>,
        act: impl FnOnce(&mut Live) -> Step,
    ) {
        let Some(here) = self.rooms.get_mut(&session) else { return };
        let was_behind = here.rules.is_behind();
        let step = act(&mut here.rules);
        let is_behind = here.rules.is_behind();
        self.after(session, was_behind, is_behind, step, cause);
        self.carry_out(session).await;
        self.soil(session);
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
            self.ways.behind.ask(session, at);
        }
    }

    /// Puts a room on the list of those that may have something to write.
    fn soil(&mut self, session: SessionId) {
        if let Some(here) = self.rooms.get_mut(&session)
            && !std::mem::replace(&mut here.dirty, true)
        {
            self.dirty.push(session);
        }
    }

    /// Has the room's listeners told what the room has for them.
    async fn carry_out(&mut self, session: SessionId) {
        let Some(here) = self.rooms.get_mut(&session) else { return };
        for act in here.rules.take_acts() {
            here.listeners.hear(act, &self.ways.others, &mut self.turn, &self.commons).await;
        }
    }

    /// Writes what waits, room by room.
    async fn flush(&mut self, arrived: Instant) {
        for session in std::mem::take(&mut self.dirty) {
            let Some(here) = self.rooms.get_mut(&session) else { continue };
            here.dirty = false;
            if let Some((runs, taken)) = here.rules.take_runs() {
                let batch = Act::Batch(Box::new(Batch::new(runs, taken, arrived)));
                here.listeners.hear(batch, &self.ways.others, &mut self.turn, &self.commons).await;
            }
            here.rules.follow_up();
            let changes = &self.commons.metrics.sessions.participant_changes;
            here.rules.take_changes().into_iter().for_each(|change| changes.get(change).increment(1));
            here.rules.report(&self.ways.noted);
            self.carry_out(session).await;
        }
    }
}
