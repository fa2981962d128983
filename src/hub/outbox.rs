//! One listener: its sink, what could not be written yet, and how far it got.
//!
//! **One writer at a time.** The shard, the publisher that acks and the connection's own task all write through the same lock, so
//! frames never mix. Who writes tries the sink at once; only what does not fit is queued, and only then is the connection's task
//! woken to drain it. A healthy listener costs one write and no wake-up per batch.
//!
//! **One rule for entries.** A run is delivered if it begins right after the cursor, and skipped if it ends at or before it. Otherwise the
//! listener *lags*: nothing more is pushed, its task pulls from ring or log until it has caught up. A resume, a slow reader and a
//! join in the middle of a batch are the same case. Bounds are in frames and bytes; what arrives past them is not queued but left to
//! the pull, so a listener never holds more than its bound and one run.

mod outcome;
mod writing;

pub use outcome::{Closing, Delivery, Todo};

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::debts::Debts;
use super::run::Run;
use super::sink::Sink;
use super::terms::Terms;
use crate::metrics::label::SentKind;
use crate::model::entry::{Position, Seq};
use crate::model::history::{Continuity, History};
use crate::model::id::ConnectionId;
use crate::model::seat::Seat;
use crate::protocol::framing::Framing;
use crate::protocol::outbound::Status;

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    queued_bytes: usize,
    /// Since when something has been queued.
    queued_since: Option<Instant>,
    cursor: Option<Position>,
    lagging: bool,
    closing: Option<Closing>,
    /// It ends once it was given this entry, and is given none after it.
    last: Option<(Seq, Closing)>,
    /// The close frame was put: nothing may follow it (RFC 6455, 5.5.1).
    sealed: bool,
}

/// A listener of a room, seen from whoever has something for it.
pub struct Outbox {
    /// Which connection.
    pub connection: ConnectionId,
    sink: Sink,
    terms: Arc<Terms>,
    state: Mutex<State>,
    wake: Notify,
    seat: OnceLock<(Seat, Seq)>,
    debts: Debts,
    /// The wheel's tick when the peer was last heard, and when it was pinged (0: not waiting for a pong).
    pub(super) heard: AtomicU32,
    pub(super) pinged: AtomicU32,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Outbox {
    /// A listener that wants no entries yet.
    #[must_use]
    pub fn new(connection: ConnectionId, sink: Sink, terms: Arc<Terms>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            sink,
            terms,
            state: Mutex::default(),
            wake: Notify::new(),
            seat: OnceLock::new(),
            debts: Debts::default(),
            heard: AtomicU32::new(0),
            pinged: AtomicU32::new(0),
        })
    }

    /// The seat it listens for and the head it was taken at, once there is one.
    #[must_use]
    pub fn seat(&self) -> Option<&(Seat, Seq)> {
        self.seat.get()
    }

    /// The socket that it writes to, for who reads it; `None` for an event stream.
    #[must_use]
    pub fn socket(&self) -> Option<&TcpStream> {
        match &self.sink {
            Sink::Socket(socket, _) => Some(socket),
            Sink::Stream(_) => None,
        }
    }

    /// How messages are put on its sink.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.sink.framing()
    }

    /// How one message of so many bytes is.
    #[must_use]
    pub fn framing_of(&self, payload: usize) -> Framing {
        self.sink.framing_of(payload)
    }

    /// The listener has a seat, was greeted, and wants every entry after `cursor`. `head` is where the seat was taken. Once only.
    pub fn start(&self, seat: Seat, head: Seq, cursor: Position, welcome: &Bytes) {
        let _ = self.seat.set((seat, head));
        self.terms.metrics.sockets.frames_sent.get(SentKind::Reply).increment(1);
        let bytes = self.frame("welcome", Some(cursor), welcome);
        let mut state = self.lock();
        state.cursor = Some(cursor);
        self.put_locked(&mut state, &bytes);
    }

    /// Sends one message of its own to this listener.
    pub fn send(&self, event: &str, json: &Bytes) {
        self.terms.metrics.sockets.frames_sent.get(SentKind::Reply).increment(1);
        self.put(self.frame(event, None, json));
    }

    /// Sends the ack of an entry. If the entry itself is about to be written here (`soon`: its room is a small one), both leave together: of what
    /// an entry costs a room of ten a packet of its own would be a tenth.
    pub fn ack(&self, entry: Seq, soon: bool, json: &Bytes) {
        self.terms.metrics.sockets.frames_sent.get(SentKind::Reply).increment(1);
        let bytes = self.frame("ack", None, json);
        let mut state = self.lock();
        let follows = !state.lagging
            && state.closing.is_none()
            && state.cursor.is_some_and(|cursor| cursor.seq < entry);
        self.wrote(self.push_locked(&mut state, &bytes, soon && follows));
    }

    /// Sends one message that may be lost: dropped when half the outbox is taken. `false`: it was.
    pub fn send_ephemeral(&self, bytes: &Bytes) -> bool {
        let mut state = self.lock();
        let full = state.queue.len() * 2 >= self.terms.frames || state.queued_bytes * 2 >= self.terms.bytes;
        if full || state.cursor.is_none() {
            return false;
        }
        self.put_locked(&mut state, bytes);
        true
    }

    /// Sends one message that is meant for this listener alone, but promised to nobody: dropped past the bound. `false`: it was.
    pub fn send_direct(&self, bytes: &Bytes) -> bool {
        let mut state = self.lock();
        if self.is_full(&state, bytes.len()) {
            return false;
        }
        self.put_locked(&mut state, bytes);
        true
    }

    /// Sends a control frame: a ping or a pong.
    pub fn control(&self, frame: Bytes) {
        self.terms.metrics.sockets.frames_sent.get(SentKind::Control).increment(1);
        self.put(frame);
    }

    /// Sends bytes that are framed already.
    pub fn put(&self, bytes: Bytes) {
        self.put_locked(&mut self.lock(), &bytes);
    }

    /// Looks at what a delivery will look at, and at nothing that has to be waited for before the next listener's is looked at: the processor
    /// then fetches many listeners' memory at the same time.
    pub(super) fn fetch(&self) {
        std::hint::black_box((self.sink.framing(), self.state.is_poisoned()));
    }

    /// Sends a room's next run, if it is this listener's next one too.
    pub fn deliver(&self, run: &Run) -> Delivery {
        let mut state = self.lock();
        let Some(cursor) = state.cursor else { return Delivery::Skipped };
        if state.closing.is_some() {
            // It has had its last entry: who was kicked must not get one more because their task was slow to close.
            return Delivery::Skipped;
        }
        if state.lagging {
            return Delivery::Lagging;
        }
        if run.end.seq <= cursor.seq && run.end.epoch == cursor.epoch {
            return Delivery::Skipped;
        }
        if run.first != cursor.seq.next() {
            self.set_lagging(&mut state, true);
            self.wake.notify_one();
            return Delivery::Lagging;
        }
        if self.is_full(&state, self.sink.bytes_of(run).len()) {
            #[cfg(feature = "sabotage")]
            if crate::sabotage::is(crate::sabotage::Break::DropOnFull) {
                state.cursor = Some(run.end);
                return Delivery::Sent(0);
            }
            // Its task waits for the socket and will see the flag once it has drained.
            self.set_lagging(&mut state, true);
            return Delivery::Lagging;
        }
        Delivery::Sent(self.give(&mut state, run))
    }

    /// Sends a run that was pulled for a listener at `from`. `false`: it is there no more (a reset came between), or about to end.
    pub fn feed(&self, from: Position, run: &Run) -> bool {
        let mut state = self.lock();
        if state.cursor != Some(from) || run.first != from.seq.next() || state.closing.is_some() {
            return false;
        }
        self.wrote(self.give(&mut state, run));
        true
    }

    /// Continuity broke for the room: tells the listener, who goes on after the log's newest, unless what it saw is in the log still. Such a
    /// one was slower than what was lost, or has come since, and its `welcome` said the rest: it pulls what it lacks.
    pub fn reset(&self, history: &History, frame: &Bytes) -> bool {
        let mut state = self.lock();
        let Some(cursor) = state.cursor else { return false };
        let at = history.position();
        if cursor.epoch == at.epoch && cursor.seq >= at.seq {
            return false;
        }
        let holds = history.continuity(cursor) == Continuity::Holds;
        self.set_lagging(&mut state, holds);
        if holds {
            self.wake.notify_one();
            return false;
        }
        state.cursor = Some(at);
        // Plain for sockets: a whole room gets the same, and compressing it for each would cost most when there is most to do.
        let bytes = self.framed(self.sink.framing().uncompressed(), "reset", (Some(at), frame));
        self.put_locked(&mut state, &bytes);
        if let Some((last, closing)) = state.last
            && at.seq >= last
        {
            state.closing.get_or_insert(closing);
            self.wake.notify_one();
        }
        true
    }

    /// A new epoch begins where the listener is: everything after belongs to it. Left alone if it has not come that far. One that is
    /// further may have seen what the old epoch lost: it asks the log.
    pub fn adopt(&self, at: Position, frame: &Bytes) {
        let mut state = self.lock();
        let Some(cursor) = state.cursor else { return };
        if cursor.epoch == at.epoch || state.lagging {
            return;
        }
        if cursor.seq > at.seq {
            self.set_lagging(&mut state, true);
            self.wake.notify_one();
        } else if cursor.seq == at.seq {
            state.cursor = Some(at);
            let bytes = self.frame("status", Some(at), frame);
            self.put_locked(&mut state, &bytes);
        }
    }

    /// How far it got.
    #[must_use]
    pub fn cursor(&self) -> Option<Position> {
        self.lock().cursor
    }

    /// Marks it as lacking entries and wakes its task.
    pub fn lag(&self) {
        self.set_lagging(&mut self.lock(), true);
        self.wake.notify_one();
    }

    /// Its task believes that it has caught up: from now on runs are pushed again.
    pub fn settle(&self) {
        self.set_lagging(&mut self.lock(), false);
    }

    /// Ends it, for the first reason given.
    pub fn finish(&self, closing: Closing) {
        self.lock().closing.get_or_insert(closing);
        self.wake.notify_one();
    }

    /// Puts the last bytes; what comes after them is dropped.
    pub fn seal(&self, last: Bytes) {
        self.terms.metrics.sockets.frames_sent.get(SentKind::Control).increment(1);
        let mut state = self.lock();
        self.put_locked(&mut state, &last);
        state.sealed = true;
    }

    /// Ends it once it was given the entry `last`: at once, unless it lags. Nothing after that entry is for it.
    pub fn finish_after(&self, last: Seq, closing: Closing) {
        let mut state = self.lock();
        if state.cursor.is_some_and(|cursor| cursor.seq < last) {
            state.last.get_or_insert((last, closing));
        } else {
            state.closing.get_or_insert(closing);
        }
        self.wake.notify_one();
    }

    /// The last entry it wants, if it is about to end.
    #[must_use]
    pub fn last_wanted(&self) -> Option<Seq> {
        self.lock().last.map(|(seq, _)| seq)
    }

    /// What there is to do.
    #[must_use]
    pub fn todo(&self) -> Todo {
        let state = self.lock();
        Todo { queued: !state.queue.is_empty(), lagging: state.lagging, closing: state.closing }
    }

    /// Whether so much waits that nothing more should be read from this peer.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.is_full(&self.lock(), 0)
    }

    /// Bytes to pull for it at once: half of what may wait, so that a reader that pulls holds no more than one that is pushed to.
    #[must_use]
    pub fn pull_bytes(&self) -> usize {
        self.terms.bytes / 2
    }

    /// Since when it has held something unwritten, how many bytes, and whether it is ending; `None` for nothing.
    #[must_use]
    pub fn burden(&self) -> Option<(Instant, usize, bool)> {
        let state = self.lock();
        state.queued_since.map(|since| (since, state.queued_bytes, state.closing.is_some()))
    }

    /// Waits until there is something to do.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Waits until the sink may take more.
    ///
    /// # Errors
    /// The peer is gone.
    pub async fn writable(&self) -> io::Result<()> {
        self.sink.writable().await
    }

    /// The answers owed to this listener's publishes.
    #[must_use]
    pub fn debts(&self) -> &Debts {
        &self.debts
    }

    /// An answer was sent. Wakes the reader if it waits for that.
    pub fn paid(&self) {
        if self.debts.pay() {
            self.wake.notify_one();
        }
    }

    /// Frames a message. `at`: where its reader stands after it, for what a stream is resumed by; none leaves that as it was.
    fn frame(&self, event: &str, at: Option<Position>, json: &Bytes) -> Bytes {
        self.framed(self.sink.framing_of(json.len()), event, (at, json))
    }

    fn framed(&self, framing: Framing, event: &str, (at, json): (Option<Position>, &Bytes)) -> Bytes {
        let mut out = BytesMut::new();
        let id = at.filter(|_| framing == Framing::EventStream).map(|at| at.to_string());
        framing.encode(event, id.as_deref(), json, &mut out);
        out.freeze()
    }

    /// Gives a run; how many bytes of it went at once.
    fn give(&self, state: &mut State, run: &Run) -> usize {
        if let Some(cursor) = state.cursor
            && cursor.epoch != run.begin
            && cursor.epoch != run.end.epoch
        {
            // The epoch began while this listener was not where the room was.
            let at = Position { epoch: run.begin, seq: cursor.seq };
            let status = Status::new_epoch(at.epoch, at.seq).encode();
            let bytes = self.frame("status", Some(at), &status);
            self.put_locked(state, &bytes);
        }
        state.cursor = Some(run.end);
        let written = self.push_locked(state, self.sink.bytes_of(run), false);
        if let Some((last, closing)) = state.last
            && run.end.seq >= last
        {
            state.closing.get_or_insert(closing);
            self.wake.notify_one();
        }
        written
    }

    /// Keeps the flag and the gauge of those who read at their own pace.
    fn set_lagging(&self, state: &mut State, lagging: bool) {
        if std::mem::replace(&mut state.lagging, lagging) != lagging {
            self.terms.metrics.sockets.behind.increment(if lagging { 1.0 } else { -1.0 });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (left, lagging) = (state.queued_bytes, state.lagging);
        self.unburden(left);
        if lagging {
            self.terms.metrics.sockets.behind.decrement(1.0);
        }
    }
}

#[cfg(test)]
mod tests;
