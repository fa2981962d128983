//! One direction of one connection through the proxy: takes bytes, holds, drops or slices them as the plan of the moment says, passes them on.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Asked, Counts, Direction, End, Lane, Listeners, Open, Plan, counter};

/// Most bytes taken in one read.
const CHUNK: usize = 16 * 1024;

/// Bytes one direction may hold back for a delay; without a delay it holds one chunk, so that a slow reader is
/// felt by the sender and not hidden in the proxy.
const HELD_BYTES: usize = 1024 * 1024;

/// The word by which a connection asks Redis for announcements. One split over two reads is missed; nobody sends it so.
const SUBSCRIBE: &[u8] = b"SUBSCRIBE";

/// The word by which a Redis asks another one for its stream.
const COPY: &[u8] = b"PSYNC";

/// Either stands at the beginning of what is read, as whoever sends it has waited for an answer before. Looking through all of every large message would
/// make the proxy slower than what it is put in front of.
const LOOKED_AT: usize = 128;

/// One direction of one connection.
pub(super) struct Pump<'a> {
    direction: Direction,
    plan: watch::Receiver<Plan>,
    counts: &'a Counts,
    number: u64,
    /// What this connection has asked for.
    asked: &'a Asked,
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
    /// The sender has ended its side.
    ended: bool,
    /// Bytes were swallowed: this stream can never be whole again.
    holed: bool,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        direction: Direction,
        mut plan: watch::Receiver<Plan>,
        open: &'a Open,
        asked: &'a Asked,
    ) -> Pump<'a> {
        plan.mark_changed();
        let Open(counts, number) = open;
        Pump {
            direction,
            plan,
            counts,
            number: *number,
            asked,
            held: VecDeque::new(),
            held_bytes: 0,
            ended: false,
            holed: false,
        }
    }

    pub(super) async fn run(&mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), End> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let lane = self.lane();
            if lane.cut {
                return Err(End::Reset);
            }
            if lane.swallow {
                self.forget_held();
            } else if self.holed {
                return Err(End::Reset);
            } else if self.ended && self.held.is_empty() {
                return to.shutdown().await.map_err(|_| End::Reset);
            }
            let due = self.held.front().map(|(due, _)| *due);
            tokio::select! {
                // Faults first: a plan set before a byte was sent applies to that byte.
                biased;
                changed = self.plan.changed() => changed.map_err(|_| End::Reset)?,
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)),
                    if due.is_some() && !lane.pause => self.write_front(&lane, &mut to).await?,
                read = from.read(&mut buffer), if !lane.pause && !self.ended && self.has_room(&lane) => {
                    let count = read.map_err(|_| End::Reset)?;
                    self.take(&buffer[..count], &lane);
                }
            }
        }
    }

    /// The faults of this direction of this connection.
    fn lane(&mut self) -> Lane {
        let plan = self.plan.borrow_and_update();
        let mut lane = plan.lane(self.direction).clone();
        let is = |what: &AtomicBool| what.load(Ordering::SeqCst);
        let (listens, copies) = (is(&self.asked.listens), is(&self.asked.copies));
        let deaf = plan.deaf == Some(self.number)
            || listens && plan.listeners == Listeners::Deaf
            || copies && plan.copies_deaf;
        lane.swallow |= self.direction == Direction::Down && deaf;
        lane.cut = listens && plan.listeners == Listeners::Cut;
        lane
    }

    fn has_room(&self, lane: &Lane) -> bool {
        if lane.delay.is_some() { self.held_bytes < HELD_BYTES } else { self.held.is_empty() }
    }

    fn forget_held(&mut self) {
        self.holed |= !self.held.is_empty();
        self.held.clear();
        self.held_bytes = 0;
    }

    /// Accepts what was read; nothing read is the end of the sender's side.
    fn take(&mut self, bytes: &[u8], lane: &Lane) {
        if bytes.is_empty() {
            self.ended = true;
            return;
        }
        counter(self.counts, self.direction).fetch_add(bytes.len() as u64, Ordering::SeqCst);
        if self.direction == Direction::Up {
            let bytes = &bytes[..bytes.len().min(LOOKED_AT)];
            for (word, asked) in [(SUBSCRIBE, &self.asked.listens), (COPY, &self.asked.copies)] {
                if bytes.windows(word.len()).any(|bytes| bytes == word) {
                    asked.store(true, Ordering::SeqCst);
                }
            }
        }
        if lane.swallow {
            self.holed = true;
            return;
        }
        let wait = lane.delay.map_or(Duration::ZERO, |(base, jitter)| base + jitter.mul_f64(fastrand::f64()));
        // Never before its predecessor: jitter bends time, not order.
        let due = (Instant::now() + wait).max(self.held.back().map_or_else(Instant::now, |(due, _)| *due));
        self.held_bytes += bytes.len();
        self.held.push_back((due, bytes.to_vec()));
    }

    async fn write_front(&mut self, lane: &Lane, to: &mut WriteHalf<'_>) -> Result<(), End> {
        let Some((_, bytes)) = self.held.pop_front() else { return Ok(()) };
        self.held_bytes -= bytes.len();
        let (allowed, last) = budget(lane, bytes.len());
        let step = lane.slice.unwrap_or(CHUNK).min(lane.rate.map_or(CHUNK, rate_step));
        for piece in bytes[..allowed].chunks(step) {
            to.write_all(piece).await.map_err(|_| End::Reset)?;
            if let Some(rate) = lane.rate {
                // The fault itself is that time passes.
                tokio::time::sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
            }
        }
        if last { Err(End::ClosedAfter(self.direction)) } else { Ok(()) }
    }
}

/// Twenty writes a second: smooth enough to look like a thin line, few enough to cost nothing.
fn rate_step(rate: u64) -> usize {
    usize::try_from(rate / 20).unwrap_or(CHUNK).clamp(1, CHUNK)
}

/// How many of `length` bytes may pass, and whether the connection closes behind them.
fn budget(lane: &Lane, length: usize) -> (usize, bool) {
    let Some(left) = &lane.close_after else { return (length, false) };
    let before = left
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(length as u64)))
        .expect("the closure always answers Some");
    match before {
        // Spent by an earlier connection: the fault happens once.
        0 => (length, false),
        before if before <= length as u64 => (usize::try_from(before).unwrap_or(length), true),
        _ => (length, false),
    }
}
