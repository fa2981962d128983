//! What a listener lacks: from the room's ring, or from the log where the ring does not reach, at the listener's own pace.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Gateway;
use crate::backend::error::BackendError;
use crate::backend::log::{Cut, Deliver, Most, Page, READ_BYTES};
use crate::hub::Room;
use crate::hub::outbox::{Closing, Outbox};
use crate::hub::ring::Pull;
use crate::hub::run::Encoder;
use crate::metrics::label::{ResetReason, SentKind};
use crate::model::entry::{Entry, Position};
use crate::model::history::Continuity;
use crate::protocol::close::Ending;

/// Entries asked from the log at once.
const PULL_ENTRIES: usize = 256;

/// How long a pull waits when the log cannot be read, jittered.
const RETRY: Duration = Duration::from_millis(200);

/// A pull under way. It is kept until it is done: begun anew at every frame that comes in, one over a slow Redis would never end.
pub type Pulling = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Gateway {
    /// Starts a pull if the listener lags and has nothing to write first.
    pub fn keep_pulling(
        self: &Arc<Self>,
        pulling: &mut Option<Pulling>,
        room: &Arc<Room>,
        outbox: &Arc<Outbox>,
    ) {
        let todo = outbox.todo();
        if pulling.is_none() && todo.lagging && !todo.queued {
            let (gateway, room, outbox) = (self.clone(), room.clone(), outbox.clone());
            *pulling = Some(Box::pin(async move { gateway.pull(&room, &outbox).await }));
        }
    }

    /// Feeds a lagging listener until it has caught up, is ended, or has something to write first.
    async fn pull(self: &Arc<Self>, room: &Room, outbox: &Outbox) {
        // A slow reader takes one outbox' half at a time and comes back for the rest: more, read from the log, would be read for nothing.
        // Each page that the socket took at once doubles the next, so that a fast one costs few reads.
        let mut page_bytes = outbox.pull_bytes();
        loop {
            let todo = outbox.todo();
            let Some(cursor) = outbox.cursor() else { return };
            if !todo.lagging || todo.queued || todo.closing.is_some() {
                return;
            }
            let pull = {
                let ring = room.ring.lock().unwrap_or_else(PoisonError::into_inner);
                ring.after(cursor, outbox.pull_bytes(), outbox.last_wanted())
            };
            match pull {
                Pull::Entries(entries) => {
                    let run = Encoder::run(outbox.framing(), cursor, &entries);
                    if let Some(run) = run.filter(|run| outbox.feed(cursor, run)) {
                        self.count_replayed(cursor, run.end);
                    }
                }
                Pull::UpToDate => settle(room, outbox, cursor),
                Pull::AskLog => {
                    let most = Most { entries: PULL_ENTRIES, bytes: page_bytes };
                    self.pull_from_log(room, outbox, (cursor, most)).await;
                    page_bytes = (page_bytes * 2).min(READ_BYTES);
                }
            }
        }
    }

    async fn pull_from_log(self: &Arc<Self>, room: &Room, outbox: &Outbox, (cursor, most): (Position, Most)) {
        match self.parts.backend.log.read_most(room.session, Cut::After(cursor.seq), most).await {
            Ok(Some(page)) => match page.history.continuity(cursor) {
                Continuity::Holds if page.history.head <= cursor.seq => settle(room, outbox, cursor),
                Continuity::Holds => self.feed_page(outbox, cursor, &page),
                Continuity::Trimmed => outbox.finish(Closing::Ours(Ending::TooSlow)),
                Continuity::Diverged => self.put_back(room, outbox, ResetReason::Diverged).await,
                Continuity::UnknownEpoch => self.put_back(room, outbox, ResetReason::UnknownEpoch).await,
            },
            Ok(None) => outbox.finish(Closing::Ours(Ending::NoSession)),
            Err(error) => again_later(&error).await,
        }
    }

    /// Tells a listener alone that it saw what the log lost. Its room may stand before the loss and have nothing to be told.
    async fn put_back(self: &Arc<Self>, room: &Room, outbox: &Outbox, reason: ResetReason) {
        match self.read_reset(room.session, reason).await {
            Ok(Some((frame, history))) => {
                outbox.reset(&history, &frame);
                self.parts.hub.interrupted(Some(room.session));
            }
            Ok(None) => outbox.finish(Closing::Ours(Ending::NoSession)),
            Err(error) => again_later(&error).await,
        }
    }

    fn feed_page(&self, outbox: &Outbox, cursor: Position, page: &Page) {
        let mut at = cursor;
        let last = outbox.last_wanted();
        let wanted = |entry: &&Entry| last.is_none_or(|last| entry.seq <= last);
        let mut entries = page.entries.iter().take_while(wanted).peekable();
        // A page holds several runs of large entries: as long as the socket takes each at once, the next needs no other read.
        while entries.peek().is_some() {
            let (from, mut encoder) = (at, Encoder::new(outbox.framing(), at));
            while encoder.len() < outbox.pull_bytes().max(1)
                && let Some(entry) = entries.next()
            {
                let epoch = page.history.epoch_of_next(at);
                encoder.push(epoch, entry);
                at = Position { epoch, seq: entry.seq };
            }
            if !encoder.finish().is_some_and(|run| outbox.feed(from, &run)) {
                return;
            }
            self.count_replayed(from, at);
            let todo = outbox.todo();
            if todo.queued || todo.closing.is_some() {
                return;
            }
        }
    }

    fn count_replayed(&self, from: Position, to: Position) {
        let (entries, metrics) = (to.seq.0.saturating_sub(from.seq.0), &self.parts.metrics);
        metrics.fan_out.recovered_entries.increment(entries);
        // Pulled or pushed, an entry that went to a listener is a delivery.
        metrics.fan_out.deliveries.increment(entries);
        metrics.sockets.frames_sent.get(SentKind::Entry).increment(entries);
    }
}

/// The listener believes that it has caught up; looks once more, as the room may have moved meanwhile.
fn settle(room: &Room, outbox: &Outbox, cursor: Position) {
    outbox.settle();
    // The shard appends to the ring before it pushes: what it left out while the flag stood is there by now.
    let end = room.ring.lock().unwrap_or_else(PoisonError::into_inner).end();
    if end.is_some_and(|end| end.seq > cursor.seq) {
        outbox.lag();
    }
}

async fn again_later(error: &BackendError) {
    tracing::debug!(%error, "log not readable for a lagging listener");
    tokio::time::sleep(RETRY.mul_f64(0.5 + fastrand::f64())).await;
}

/// Waits for a pull under way, and forgets it when it is done.
pub async fn pulled(pulling: &mut Option<Pulling>) {
    if let Some(pull) = pulling {
        pull.await;
        *pulling = None;
    }
}
