//! The bytes of an outbox: what goes to the sink at once, what waits, and what is counted of both.
//!
//! Responsible for the queue and its bounds. Not responsible for which bytes are whose next ones (`outbox`): everything here is called under
//! the outbox' lock or takes it.

use std::io;
use std::sync::atomic::Ordering;

use bytes::{Buf as _, Bytes};
use tokio::time::Instant;

use super::{Closing, Outbox, State};

impl Outbox {
    /// Writes what waits, as far as it goes; the number of bytes that went.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn drain(&self) -> io::Result<usize> {
        let mut state = self.lock();
        let mut written = 0;
        while let Some(front) = state.queue.front_mut() {
            let count = self.sink.try_write(front, false)?;
            if count == 0 {
                break;
            }
            written += count;
            front.advance(count);
            if front.is_empty() {
                state.queue.pop_front();
            }
        }
        state.queued_bytes -= written;
        if state.queue.is_empty() {
            state.queued_since = None;
        }
        self.wrote(written);
        self.unburden(written);
        Ok(written)
    }

    /// Waits until everything queued is written; `false`: the peer is gone.
    pub async fn flush(&self) -> bool {
        while self.todo().queued {
            if self.writable().await.and_then(|()| self.drain()).is_err() {
                return false;
            }
        }
        true
    }

    pub(super) fn is_full(&self, state: &State, more: usize) -> bool {
        !state.queue.is_empty()
            && (state.queue.len() >= self.terms.frames || state.queued_bytes + more > self.terms.bytes)
    }

    pub(super) fn wrote(&self, bytes: usize) {
        self.terms.metrics.sockets.sent_bytes.increment(bytes as u64);
    }

    /// Keeps the gauge of all that waits; a listener that holds nothing never comes here.
    fn weigh(&self, bytes: f64) {
        if bytes != 0.0 {
            self.terms.metrics.fan_out.outbox_bytes.increment(bytes);
        }
    }

    pub(super) fn put_locked(&self, state: &mut State, bytes: &Bytes) {
        self.wrote(self.push_locked(state, bytes, false));
    }

    /// Writes what goes at once and keeps the rest; how many bytes went. `more`: what follows may leave with it.
    pub(super) fn push_locked(&self, state: &mut State, bytes: &Bytes, more: bool) -> usize {
        if state.sealed {
            return 0;
        }
        let mut written = 0;
        if state.queue.is_empty() {
            match self.sink.try_write(bytes, more) {
                Ok(count) if count == bytes.len() => return count,
                Ok(count) => written = count,
                Err(_) => {
                    state.closing.get_or_insert(Closing::PeerLost);
                    self.wake.notify_one();
                    return 0;
                }
            }
            self.wake.notify_one();
        }
        self.keep(state, bytes.slice(written..));
        written
    }

    fn keep(&self, state: &mut State, rest: Bytes) {
        state.queued_since.get_or_insert_with(Instant::now);
        state.queued_bytes += rest.len();
        self.terms.held.fetch_add(rest.len(), Ordering::Relaxed);
        self.weigh(gauge(rest.len()));
        state.queue.push_back(rest);
    }

    /// So many bytes wait no more.
    pub(super) fn unburden(&self, bytes: usize) {
        self.terms.held.fetch_sub(bytes, Ordering::Relaxed);
        self.weigh(-gauge(bytes));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn gauge(bytes: usize) -> f64 {
    bytes as f64
}
