//! The rooms of this node: who listens, encode once, fan out.
//!
//! ```text
//! Deliver (from the backend) -> shard inbox (bounded)
//! shard task: drains its inbox, appends each room's new entries to its ring, encodes each once into one buffer per room and
//! batch, and hands the buffer to every listener's outbox, which writes it straight to the socket; of a large room's listeners other
//! shards serve some
//! ```
//!
//! **Invariant.** A room is *in step* or *behind*; a room that is behind delivers only what a repair reads from the log. A new room, a
//! gap, an epoch change, a lost link and an overflowed inbox are one case with one cure: the room's id goes to [`Behind`], the
//! gateway reads the log once for the whole room and hands the page back by [`Hub::repair`].
//!
//! The same holds one floor up for a single listener: it gets an entry only if that is the next after its cursor. Who lags (a
//! resume, a slow reader) pulls from the room's ring or the log at its own pace ([`outbox::Outbox`]).
//!
//! The hub knows no backend and no gateway: what it needs done it puts into [`Behind`], and what the gateway wants to know of what
//! passes into [`Noted`].

mod act;
pub mod behind;
pub mod debts;
mod listeners;
pub mod noted;
pub mod outbox;
mod receivers;
pub mod ring;
mod room;
pub mod run;
mod shard;
pub mod sink;
mod spread;
pub mod terms;
pub mod wheel;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::backend::clock::ClusterClock;
use crate::backend::log::{Announcement, Deliver, Page, Relay};
use crate::metrics::Metrics;
use crate::metrics::label::Origin;
use crate::model::entry::Seq;
use crate::model::history::History;
use crate::model::id::{ConnectionId, ParticipantId, SessionId};
use crate::model::seat::{Generation, Seat};
use behind::Behind;
use noted::Noted;
use outbox::Outbox;
use ring::Ring;
pub use shard::Telling;
use shard::{Event, Shard, Ways};

/// Events a shard's inbox holds. A full one loses announcements: their rooms turn behind and read the log instead, which is
/// cheaper than an unbounded queue under the same load.
const INBOX: usize = 8192;

/// What a shard that serves parts of others' rooms may be told before their shards wait: a few batches of each of many rooms.
const PARTS_INBOX: usize = 1024;

/// Listeners up to which a room is small: so many writes take half a millisecond.
const SMALL: usize = 64;

/// What the shard of a room and everybody else share of it.
#[derive(Debug)]
pub struct Room {
    /// Whose room it is.
    pub session: SessionId,
    /// Its newest entries.
    pub ring: Mutex<Ring>,
    /// How many listen, as its shard counts them.
    present: AtomicUsize,
}

impl Room {
    fn new(session: SessionId) -> Arc<Self> {
        Arc::new(Self { session, ring: Mutex::default(), present: AtomicUsize::new(0) })
    }

    /// Whether an entry that is in the log is with all who listen here in less than a millisecond, as a rule.
    #[must_use]
    pub fn is_small(&self) -> bool {
        self.present.load(Ordering::Relaxed) <= SMALL
    }
}

/// What a repair found.
#[derive(Debug)]
pub enum Repair {
    /// The log goes on from where the room was.
    Page(Page),
    /// It does not: listeners are told so, and go on after the snapshot.
    Reset {
        /// The `reset` frame.
        frame: Bytes,
        /// The log at the snapshot.
        history: History,
    },
    /// There is no such session any more.
    Gone,
}

/// One shard as seen from outside.
struct Door {
    inbox: mpsc::Sender<Event>,
    rooms: RwLock<HashMap<SessionId, Arc<Room>>>,
    /// Rooms whose announcements the inbox had no place for.
    flooded: Arc<Flooded>,
}

/// Rooms that lost an announcement to a full inbox, for their shard to find.
#[derive(Debug, Default)]
struct Flooded {
    any: AtomicBool,
    rooms: Mutex<HashSet<SessionId>>,
}

impl Flooded {
    fn add(&self, session: SessionId) {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).insert(session);
        self.any.store(true, Ordering::Release);
    }

    fn take(&self) -> HashSet<SessionId> {
        if !self.any.swap(false, Ordering::Acquire) {
            return HashSet::new();
        }
        std::mem::take(&mut *self.rooms.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What all shards share.
#[derive(Clone)]
pub struct Commons {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The cluster's time, to see how old an entry is when it is written.
    pub clock: Arc<ClusterClock>,
    /// How entries come: within the process, or over a link.
    pub origin: Origin,
}

/// The rooms of this node.
pub struct Hub {
    doors: Vec<Door>,
    behind: Arc<Behind>,
    noted: Arc<Noted>,
    metrics: Arc<Metrics>,
    rooms: AtomicUsize,
}

/// A shard that waits to be run: [`ShardTask::run`] ends when the hub is dropped.
pub struct ShardTask(Shard);

impl ShardTask {
    /// Serves the shard's rooms until the hub is gone.
    pub async fn run(self) {
        self.0.run().await;
    }
}

impl Hub {
    /// A hub with so many shards, at least one, and their tasks for the caller to run.
    #[must_use]
    pub fn new(shards: usize, commons: Commons) -> (Arc<Self>, Vec<ShardTask>) {
        let (behind, noted) = (Arc::new(Behind::default()), Arc::new(Noted::default()));
        let shards = shards.max(1);
        let (others, parts): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(PARTS_INBOX)).unzip();
        let mut doors = Vec::new();
        let mut tasks = Vec::new();
        for (number, parts) in parts.into_iter().enumerate() {
            let (inbox, events) = mpsc::channel(INBOX);
            let flooded = Arc::new(Flooded::default());
            // The next one first, and not itself.
            let others = (1..shards).map(|next| others[(number + next) % shards].clone()).collect();
            let (behind, noted) = (behind.clone(), noted.clone());
            let ways = Ways { inbox: events, parts, others, flooded: flooded.clone(), behind, noted };
            tasks.push(ShardTask(Shard::new(ways, commons.clone())));
            doors.push(Door { inbox, rooms: RwLock::default(), flooded });
        }
        let metrics = commons.metrics;
        (Arc::new(Self { doors, behind, noted, metrics, rooms: AtomicUsize::new(0) }), tasks)
    }

    /// The rooms that need a repair, for the gateway's resync.
    #[must_use]
    pub fn behind(&self) -> &Arc<Behind> {
        &self.behind
    }

    /// What passed that the gateway wants to know of.
    #[must_use]
    pub fn noted(&self) -> &Arc<Noted> {
        &self.noted
    }

    /// Puts a session's room in the map, before its announcements are asked for: whatever comes is kept until [`Self::begin`].
    pub async fn open(&self, session: SessionId) -> Arc<Room> {
        let door = self.door(session);
        let room = Room::new(session);
        let old = door.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(session, room.clone());
        if old.is_none() {
            self.count(self.rooms.fetch_add(1, Ordering::Relaxed) + 1);
        }
        self.tell(session, Event::Open(room.clone())).await;
        room
    }

    /// Takes a room out of the map. Who still listens gets nothing more.
    pub async fn close(&self, session: SessionId) {
        let gone = self.door(session).rooms.write().unwrap_or_else(PoisonError::into_inner).remove(&session);
        if gone.is_some() {
            self.count(self.rooms.fetch_sub(1, Ordering::Relaxed) - 1);
            self.tell(session, Event::Close(session)).await;
        }
    }

    /// The first position a new room knows: entries up to its head are the past, later ones are delivered.
    pub async fn begin(&self, session: SessionId, history: History) {
        self.tell(session, Event::Begin(session, history)).await;
    }

    /// Adds a listener whose cursor is set; what it lacks it will pull.
    pub async fn attach(&self, session: SessionId, outbox: Arc<Outbox>) {
        self.tell(session, Event::Attach(session, outbox)).await;
    }

    /// Takes a listener out.
    pub async fn detach(&self, session: SessionId, connection: ConnectionId) {
        self.tell(session, Event::Detach(session, connection)).await;
    }

    /// Hands back what the log said of a room that was behind.
    pub async fn repair(&self, session: SessionId, repair: Repair) {
        self.tell(session, Event::Repair(session, repair)).await;
    }

    /// A head seen by other means than announcements: a room that does not reach it by the next time missed something.
    pub async fn expect(&self, session: SessionId, head: Seq) {
        self.tell(session, Event::Expect(session, head)).await;
    }

    /// Seats that are no longer their listeners', as the log at `head` knows. The listeners end once they were given that much: an
    /// entry on its way may say better why.
    pub async fn lose(&self, session: SessionId, head: Seq, seats: Vec<Seat>) {
        self.tell(session, Event::Lose(session, head, seats)).await;
    }

    /// Tells every listener on this node what is to be told in its room.
    pub async fn tell_each(&self, event: &'static str, telling: Telling) {
        for door in &self.doors {
            // A closed inbox means that the node is gone and nobody is left to tell.
            let _ = door.inbox.send(Event::TellEach(event, telling.clone())).await;
        }
    }

    async fn tell(&self, session: SessionId, event: Event) {
        let _ = self.door(session).inbox.send(event).await;
    }

    fn count(&self, rooms: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
        self.metrics.fan_out.rooms.set(rooms as f64);
    }

    fn door(&self, session: SessionId) -> &Door {
        let bytes = session.as_bytes();
        let hash =
            bytes.iter().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        &self.doors[hash % self.doors.len()]
    }

    /// Puts an event into the inbox without waiting, if the session has a room here. `false`: there was no place.
    fn offer(&self, session: SessionId, event: Event) -> bool {
        let door = self.door(session);
        let here = door.rooms.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session);
        !here || door.inbox.try_send(event).is_ok()
    }
}

impl Deliver for Hub {
    fn announced(&self, session: SessionId, announcement: Announcement) {
        if !self.offer(session, Event::Announced(session, announcement)) {
            let door = self.door(session);
            door.flooded.add(session);
            // The shard may have emptied its inbox in between, and would not look before something else comes.
            let _ = door.inbox.try_send(Event::Look);
        }
    }

    fn relayed(&self, session: SessionId, relay: Relay) {
        if !self.offer(session, Event::Relayed(session, relay)) {
            self.metrics.fan_out.ephemeral_dropped.increment(1);
        }
    }

    fn replaced(&self, session: SessionId, participant: ParticipantId, newest: Generation) {
        // Lost to a full inbox, the older connection is found by the next beat.
        self.offer(session, Event::Replaced(session, participant, newest));
    }

    fn interrupted(&self, session: Option<SessionId>) {
        match session {
            Some(session) => self.door(session).flooded.add(session),
            None => {
                for door in &self.doors {
                    let rooms = door.rooms.read().unwrap_or_else(PoisonError::into_inner);
                    rooms.keys().for_each(|session| door.flooded.add(*session));
                }
            }
        }
        for door in &self.doors {
            // The inbox may be full: then its shard looks at `flooded` soon anyway.
            let _ = door.inbox.try_send(Event::Look);
        }
    }
}

/// Metrics that nobody reads, for the tests of this floor. Needs a runtime.
#[cfg(test)]
pub(crate) fn quiet_metrics() -> Arc<Metrics> {
    use crate::metrics::{label::BackendKind, process::Build};
    let build = Build { version: "test", revision: "test", backend: BackendKind::Memory };
    Arc::new(Metrics::new(build, tokio::runtime::Handle::current()))
}

#[cfg(test)]
mod tests;
