//! The ping wheel: one task's second hand visits each connection when it is due, so that no connection has a timer of its own.
//!
//! A connection is due one interval after it was last heard; one that says nothing by then is pinged, and is lost if it still says nothing
//! one timeout later. A dead peer is noticed within interval + timeout, a talking one is never pinged, and one for whom bytes wait is left
//! to the connection's own patience. Phases spread by themselves,
//! because each connection is placed by when it came.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;

use super::outbox::{Closing, Outbox};

/// The second hand's step.
pub const TICK: Duration = Duration::from_secs(1);

/// Every connection of one kind.
#[derive(Debug)]
pub struct Wheel {
    interval: u32,
    timeout: u32,
    now: AtomicU32,
    slots: Vec<Mutex<Vec<Weak<Outbox>>>>,
    /// Held by a turn, which takes connections out of their slot, and by who wants to see all.
    turning: Mutex<()>,
}

impl Wheel {
    /// A wheel that pings after `interval` of silence and gives up `timeout` later; whole seconds, at least one. Without a timeout the
    /// ping is only there to keep proxies awake (server-sent events cannot answer).
    #[must_use]
    pub fn new(interval: Duration, timeout: Option<Duration>) -> Self {
        let seconds =
            |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).clamp(1, 3600);
        let (interval, timeout) = (seconds(interval), timeout.map_or(0, seconds));
        let slots = (0..=interval.max(timeout)).map(|_| Mutex::default()).collect();
        // Tick 0 means "not pinged".
        Self { interval, timeout, now: AtomicU32::new(1), slots, turning: Mutex::default() }
    }

    /// Takes a connection in. It leaves by being dropped.
    pub fn add(&self, outbox: &Arc<Outbox>) {
        let now = self.now.load(Ordering::Relaxed);
        outbox.heard.store(now, Ordering::Relaxed);
        self.place(now + self.interval, Arc::downgrade(outbox));
    }

    /// Notes that the peer said something.
    pub fn heard(&self, outbox: &Outbox) {
        outbox.heard.store(self.now.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Moves on by one [`TICK`] and visits who is due. `ping` is the frame of this tick.
    pub fn turn(&self, ping: &Bytes) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        let due = std::mem::take(&mut *self.slot(now).lock().unwrap_or_else(PoisonError::into_inner));
        for weak in due {
            let Some(outbox) = weak.upgrade() else { continue };
            if let Some(next) = self.visit(now, &outbox, ping) {
                self.place(next, weak);
            }
        }
    }

    /// Everyone who is still connected.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Outbox>> {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = |slot: &Mutex<Vec<Weak<Outbox>>>| {
            let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.iter().filter_map(Weak::upgrade).collect::<Vec<_>>()
        };
        self.slots.iter().flat_map(lock).collect()
    }

    /// One visit; when to come again, unless the peer is lost.
    fn visit(&self, now: u32, outbox: &Outbox, ping: &Bytes) -> Option<u32> {
        let heard = outbox.heard.load(Ordering::Relaxed);
        let pinged = outbox.pinged.load(Ordering::Relaxed);
        if pinged > 0 && heard < pinged {
            if now - pinged >= self.timeout {
                if outbox.todo().queued {
                    // It takes no bytes, so it cannot have read the ping either: how long that may last is `OUTBOX_BEHIND`'s to say.
                    return Some(now + self.timeout);
                }
                outbox.finish(Closing::PeerLost);
                return None;
            }
            return Some(pinged + self.timeout);
        }
        if now - heard.min(now) < self.interval {
            outbox.pinged.store(0, Ordering::Relaxed);
            return Some(heard + self.interval);
        }
        outbox.control(ping.clone());
        if self.timeout == 0 {
            outbox.heard.store(now, Ordering::Relaxed);
            return Some(now + self.interval);
        }
        outbox.pinged.store(now, Ordering::Relaxed);
        Some(now + self.timeout)
    }

    fn place(&self, at: u32, weak: Weak<Outbox>) {
        self.slot(at).lock().unwrap_or_else(PoisonError::into_inner).push(weak);
    }

    fn slot(&self, tick: u32) -> &Mutex<Vec<Weak<Outbox>>> {
        &self.slots[tick as usize % self.slots.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::sink::Sink;
    use crate::hub::terms::Terms;
    use crate::model::id::ConnectionId;
    use tokio::sync::mpsc;

    fn connection() -> (Arc<Outbox>, mpsc::Receiver<Bytes>) {
        connection_that_takes(64)
    }

    fn connection_that_takes(chunks: usize) -> (Arc<Outbox>, mpsc::Receiver<Bytes>) {
        let (body, read) = mpsc::channel(chunks);
        let (metrics, held) = (crate::hub::quiet_metrics(), std::sync::atomic::AtomicUsize::new(0));
        let terms = Arc::new(Terms { frames: 8, bytes: 1024, bytes_total: 1 << 20, held, metrics });
        (Outbox::new(ConnectionId(1), Sink::Stream(body), terms), read)
    }

    fn turn(wheel: &Wheel, times: u32) {
        (0..times).for_each(|_| wheel.turn(&Bytes::from_static(b"ping")));
    }

    #[tokio::test]
    async fn the_silent_are_pinged_then_lost_within_interval_and_timeout() {
        let wheel = Wheel::new(Duration::from_secs(25), Some(Duration::from_secs(10)));
        let (outbox, mut read) = connection();
        wheel.add(&outbox);
        turn(&wheel, 24);
        assert!(read.try_recv().is_err());
        turn(&wheel, 1);
        assert_eq!(read.try_recv().expect("a ping"), "ping");
        turn(&wheel, 9);
        assert_eq!(outbox.todo().closing, None);
        turn(&wheel, 1);
        assert_eq!(outbox.todo().closing, Some(Closing::PeerLost));
    }

    #[tokio::test]
    async fn who_talks_is_never_pinged_and_who_answers_stays() {
        let wheel = Wheel::new(Duration::from_secs(5), Some(Duration::from_secs(2)));
        let (outbox, mut read) = connection();
        wheel.add(&outbox);
        for _ in 0..20 {
            turn(&wheel, 1);
            wheel.heard(&outbox);
        }
        assert!(read.try_recv().is_err());
        turn(&wheel, 5);
        assert_eq!(read.try_recv().expect("a ping"), "ping");
        wheel.heard(&outbox);
        turn(&wheel, 5);
        assert_eq!(outbox.todo().closing, None);
        assert_eq!(wheel.all().len(), 1);
        drop(outbox);
        assert_eq!(wheel.all().len(), 0);
    }

    #[tokio::test]
    async fn who_takes_no_bytes_is_not_judged_by_its_silence() {
        let wheel = Wheel::new(Duration::from_secs(5), Some(Duration::from_secs(2)));
        let (outbox, mut read) = connection_that_takes(1);
        wheel.add(&outbox);
        (0..2).for_each(|_| outbox.put(Bytes::from_static(b"an entry")));
        turn(&wheel, 30);
        assert_eq!(outbox.todo().closing, None, "a ping behind what waits cannot be answered");
        read.try_recv().expect("it reads on");
        outbox.drain().expect("the body is there");
        read.try_recv().expect("the second entry");
        outbox.drain().expect("the body is there");
        assert_eq!(read.try_recv().expect("the ping"), "ping");
        turn(&wheel, 2);
        assert_eq!(outbox.todo().closing, Some(Closing::PeerLost), "now nothing is in its way");
    }

    #[tokio::test]
    async fn without_a_timeout_it_only_keeps_the_line_awake() {
        let wheel = Wheel::new(Duration::from_secs(3), None);
        let (outbox, mut read) = connection();
        wheel.add(&outbox);
        turn(&wheel, 9);
        assert_eq!(std::iter::from_fn(|| read.try_recv().ok()).count(), 3);
        assert_eq!(outbox.todo().closing, None);
    }
}
