//! The ping wheels: one for each shard, whose second hand visits each connection when it is due, so that no connection has a timer of its
//! own and no turn visits all connections of a node in one piece.
//!
//! A connection is due one interval after it was last heard; one that says nothing by then is pinged, and is lost if it still says nothing
//! one timeout later. A dead peer is noticed within interval + timeout, a talking one is never pinged, and one for whom bytes wait is left
//! to the connection's own patience. A newcomer is given a phase by chance (it counts as heard some time before it came), so that those who
//! came at once, after a failover, are not pinged at once for ever.
//!
//! Connections are dealt to wheels by their numbers, which is even whatever the rooms; a connection remembers neither its wheel nor its
//! phase. A wheel has a task of its own beside its shard's, whose deliveries it must not hold up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::outbox::{Closing, Outbox};

/// The second hand's step.
pub const TICK: Duration = Duration::from_secs(1);

/// Connections visited before others may run: a direct write does not count against the runtime's budget. As many as a shard serves.
const YIELD_EVERY: usize = 256;

/// Every connection of one kind.
#[derive(Debug)]
pub struct Wheels(Vec<Wheel>);

impl Wheels {
    /// So many wheels, at least one, that ping after `interval` of silence and give up `timeout` later; whole seconds, at least one.
    /// Without a timeout the ping is only there to keep proxies awake (server-sent events cannot answer).
    #[must_use]
    pub fn new(count: usize, interval: Duration, timeout: Option<Duration>) -> Arc<Self> {
        Arc::new(Self((0..count.max(1)).map(|_| Wheel::new(interval, timeout)).collect()))
    }

    /// Takes a connection in. It leaves by being dropped.
    pub fn add(&self, outbox: &Arc<Outbox>) {
        let wheel = self.of(outbox);
        wheel.add(outbox, fastrand::u32(0..=wheel.interval / 2));
    }

    /// Notes that the peer said something.
    pub fn heard(&self, outbox: &Outbox) {
        let now = self.of(outbox).now.load(Ordering::Relaxed);
        outbox.heard.store(now, Ordering::Relaxed);
    }

    /// Everyone who is still connected.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Outbox>> {
        self.0.iter().flat_map(Wheel::all).collect()
    }

    /// A task for each wheel, to be run for as long as the node: turns it by one step every [`TICK`], with the frame of that tick. The
    /// wheels' ticks are spread over the second.
    pub fn tasks<F>(
        self: &Arc<Self>,
        frame: F,
    ) -> impl Iterator<Item = impl Future<Output = ()> + Send + use<F>> + use<F>
    where
        F: Fn() -> Bytes + Clone + Send + Sync + 'static,
    {
        let (wheels, start) = (self.clone(), Instant::now());
        let apart = TICK / u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        (0..).zip(0..self.0.len()).map(move |(nth, number)| {
            let (wheels, frame) = (wheels.clone(), frame.clone());
            async move {
                let mut ticks = interval_at(start + apart * nth, TICK);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    ticks.tick().await;
                    wheels.0[number].turn(&frame()).await;
                }
            }
        })
    }

    fn of(&self, outbox: &Outbox) -> &Wheel {
        let count = self.0.len() as u64;
        #[expect(clippy::cast_possible_truncation, reason = "less than the number of wheels")]
        let number = (outbox.connection.0 % count) as usize;
        &self.0[number]
    }
}

/// Some of them.
#[derive(Debug)]
struct Wheel {
    interval: u32,
    timeout: u32,
    now: AtomicU32,
    slots: Vec<Mutex<Vec<Weak<Outbox>>>>,
    /// Held while connections are between two slots, and by who wants to see all.
    moving: Mutex<()>,
}

impl Wheel {
    fn new(interval: Duration, timeout: Option<Duration>) -> Self {
        let seconds =
            |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).clamp(1, 3600);
        let (interval, timeout) = (seconds(interval), timeout.map_or(0, seconds));
        let slots = (0..=interval.max(timeout)).map(|_| Mutex::default()).collect();
        // Tick 0 means "not pinged", and a newcomer's phase lies before its coming.
        Self { interval, timeout, now: AtomicU32::new(interval + 1), slots, moving: Mutex::default() }
    }

    /// Takes a connection in as if it had last been heard `phase` ticks ago, less than an interval.
    fn add(&self, outbox: &Arc<Outbox>, phase: u32) {
        let heard = self.now.load(Ordering::Relaxed) - phase;
        outbox.heard.store(heard, Ordering::Relaxed);
        self.place(heard + self.interval, Arc::downgrade(outbox));
    }

    /// Moves on by one [`TICK`] and visits who is due, some at a time. `ping` is the frame of this tick.
    async fn turn(&self, ping: &Bytes) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        while self.visit_some(now, ping) {
            tokio::task::yield_now().await;
        }
    }

    /// Visits as many of who is due as may be visited in one piece; whether there are more. Nobody is placed into the slot they are
    /// taken from: the latest that anybody is due again is one slot short of a whole turn of the wheel.
    fn visit_some(&self, now: u32, ping: &Bytes) -> bool {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let (some, more) = {
            let mut due = self.slot(now).lock().unwrap_or_else(PoisonError::into_inner);
            match due.len().checked_sub(YIELD_EVERY) {
                Some(rest) if rest > 0 => (due.split_off(rest), true),
                // With the memory that it had.
                _ => (std::mem::take(&mut *due), false),
            }
        };
        for weak in some {
            let Some(outbox) = weak.upgrade() else { continue };
            if let Some(next) = self.visit(now, &outbox, ping) {
                self.place(next, weak);
            }
        }
        more
    }

    fn all(&self) -> Vec<Arc<Outbox>> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
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
        connection_that_takes(64, 1)
    }

    fn connection_that_takes(chunks: usize, number: u64) -> (Arc<Outbox>, mpsc::Receiver<Bytes>) {
        let (body, read) = mpsc::channel(chunks);
        let (metrics, held) = (crate::hub::quiet_metrics(), std::sync::atomic::AtomicUsize::new(0));
        let terms = Arc::new(Terms { frames: 8, bytes: 1024, bytes_total: 1 << 20, held, metrics });
        (Outbox::new(ConnectionId(number), Sink::Stream(body), terms), read)
    }

    fn wheel(interval: u64, timeout: Option<u64>) -> Arc<Wheels> {
        Wheels::new(1, Duration::from_secs(interval), timeout.map(Duration::from_secs))
    }

    async fn turn(wheels: &Wheels, times: u32) {
        for _ in 0..times {
            wheels.0[0].turn(&Bytes::from_static(b"ping")).await;
        }
    }

    #[tokio::test]
    async fn the_silent_are_pinged_then_lost_within_interval_and_timeout() {
        let wheels = wheel(25, Some(10));
        let (outbox, mut read) = connection();
        wheels.0[0].add(&outbox, 0);
        turn(&wheels, 24).await;
        assert!(read.try_recv().is_err());
        turn(&wheels, 1).await;
        assert_eq!(read.try_recv().expect("a ping"), "ping");
        turn(&wheels, 9).await;
        assert_eq!(outbox.todo().closing, None);
        turn(&wheels, 1).await;
        assert_eq!(outbox.todo().closing, Some(Closing::PeerLost));
    }

    #[tokio::test]
    async fn who_talks_is_never_pinged_and_who_answers_stays() {
        let wheels = wheel(5, Some(2));
        let (outbox, mut read) = connection();
        wheels.0[0].add(&outbox, 0);
        for _ in 0..20 {
            turn(&wheels, 1).await;
            wheels.heard(&outbox);
        }
        assert!(read.try_recv().is_err());
        turn(&wheels, 5).await;
        assert_eq!(read.try_recv().expect("a ping"), "ping");
        wheels.heard(&outbox);
        turn(&wheels, 5).await;
        assert_eq!(outbox.todo().closing, None);
        assert_eq!(wheels.all().len(), 1);
        drop(outbox);
        assert_eq!(wheels.all().len(), 0);
    }

    #[tokio::test]
    async fn who_takes_no_bytes_is_not_judged_by_its_silence() {
        let wheels = wheel(5, Some(2));
        let (outbox, mut read) = connection_that_takes(1, 1);
        wheels.0[0].add(&outbox, 0);
        (0..2).for_each(|_| outbox.put(Bytes::from_static(b"an entry")));
        turn(&wheels, 30).await;
        assert_eq!(outbox.todo().closing, None, "a ping behind what waits cannot be answered");
        read.try_recv().expect("it reads on");
        outbox.drain().expect("the body is there");
        read.try_recv().expect("the second entry");
        outbox.drain().expect("the body is there");
        assert_eq!(read.try_recv().expect("the ping"), "ping");
        turn(&wheels, 2).await;
        assert_eq!(outbox.todo().closing, Some(Closing::PeerLost), "now nothing is in its way");
    }

    #[tokio::test]
    async fn without_a_timeout_it_only_keeps_the_line_awake() {
        let wheels = wheel(3, None);
        let (outbox, mut read) = connection();
        wheels.0[0].add(&outbox, 0);
        turn(&wheels, 9).await;
        assert_eq!(std::iter::from_fn(|| read.try_recv().ok()).count(), 3);
        assert_eq!(outbox.todo().closing, None);
    }

    #[tokio::test]
    async fn a_turn_lets_others_run_after_some_and_loses_nobody_between() {
        const MANY: usize = 3 * YIELD_EVERY + 10;
        let wheels = wheel(5, Some(2));
        let mut everyone: Vec<_> = (0..MANY as u64).map(|number| connection_that_takes(1, number)).collect();
        everyone.iter().for_each(|(outbox, _)| wheels.0[0].add(outbox, 0));
        turn(&wheels, 4).await;
        let ping = Bytes::from_static(b"ping");
        let mut turning = std::pin::pin!(wheels.0[0].turn(&ping));
        let mut pinged = Vec::new();
        let context = &mut std::task::Context::from_waker(std::task::Waker::noop());
        let mut over = false;
        while !over {
            over = turning.as_mut().poll(context).is_ready();
            pinged.push(everyone.iter_mut().filter_map(|(_, read)| read.try_recv().ok()).count());
            assert_eq!(wheels.all().len(), MANY, "who is visited is still there");
        }
        assert_eq!(pinged, [YIELD_EVERY, YIELD_EVERY, YIELD_EVERY, 10]);
        turn(&wheels, 2).await;
        assert!(everyone.iter().all(|(outbox, _)| outbox.todo().closing == Some(Closing::PeerLost)));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_come_at_once_are_dealt_to_all_wheels_and_pinged_one_after_the_other() {
        const MANY: u64 = 300;
        let wheels = Wheels::new(3, Duration::from_secs(20), Some(Duration::from_secs(10)));
        let mut everyone: Vec<_> = (0..MANY).map(|number| connection_that_takes(1, number)).collect();
        everyone.iter().for_each(|(outbox, _)| wheels.add(outbox));
        assert!(wheels.0.iter().all(|wheel| wheel.all().len() == 100));
        let mut tasks = tokio::task::JoinSet::new();
        for task in wheels.tasks(|| Bytes::from_static(b"ping")) {
            tasks.spawn(task);
        }
        let mut pinged = Vec::new();
        // A wheel turns for the first time within its first second.
        for _ in 0..=20 {
            pinged.push(everyone.iter_mut().filter_map(|(_, read)| read.try_recv().ok()).count());
            tokio::time::sleep(TICK).await;
        }
        assert_eq!(pinged.iter().sum::<usize>(), MANY as usize, "each once: {pinged:?}");
        let busy: Vec<_> = (0..).zip(&pinged).filter(|(_, pinged)| **pinged > 0).collect();
        assert!(busy.iter().all(|(second, pinged)| *second >= 9 && **pinged < 100), "{busy:?}");
    }
}
