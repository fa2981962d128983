//! One connection from its first packet to its end: what comes is counted and timed, pings are answered, acks handed to who waits for them.
//!
//! The hot path of the generator: for each read of a socket two uncontended locks, for each frame a scan of its first bytes and one
//! number into a histogram. A connection that is cut by the scenario is this task aborted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{sleep, timeout};

use super::crowd::Hall;
use super::dial::{self, READ, Reader};
use super::lane::Lane;
use super::lock;
use super::participant::{Participant, Received};
use crate::frames::{self, Frames, Kind};
use crate::histogram::Window;
use crate::message::{self, Frame, Said};

/// From the first packet to `welcome`: longer than a gateway's own deadlines, so that it is the gateway who gives up.
const WELCOME: Duration = Duration::from_secs(20);
/// From `leave` to the close that answers it.
const FAREWELL: Duration = Duration::from_secs(5);
/// Between a failed attempt and the next; doubled each time, up to the longest, and spread by half.
const BACKOFF: Duration = Duration::from_millis(100);
/// See `BACKOFF`.
const BACKOFF_MAX: Duration = Duration::from_secs(3);

/// Comes in, with so many attempts, and stays until the connection ends.
pub(crate) async fn attend(hall: Arc<Hall>, who: Arc<Participant>, lane: Arc<Lane>, attempts: u32) {
    let mut pause = BACKOFF;
    for attempt in 1..=attempts {
        match enter(&hall, &who, &lane).await {
            Ok(mut seat) => {
                seat.stay().await;
                return;
            }
            Err(error) => hall.refused(&error),
        }
        if attempt < attempts {
            sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
            pause = (pause * 2).min(BACKOFF_MAX);
        }
    }
    hall.gave_up();
}

/// Comes in, stays a while and leaves with a word, as people do.
pub(crate) async fn visit(hall: Arc<Hall>, who: Arc<Participant>, lane: Arc<Lane>, stay: Duration) {
    match enter(&hall, &who, &lane).await {
        Ok(mut seat) => {
            if timeout(stay, seat.stay()).await.is_err() {
                seat.leave().await;
            }
        }
        Err(error) => {
            hall.refused(&error);
            hall.gave_up();
        }
    }
}

/// Connects, and reads up to `welcome`.
async fn enter<'h>(
    hall: &'h Arc<Hall>,
    who: &'h Arc<Participant>,
    lane: &'h Arc<Lane>,
) -> anyhow::Result<Seat<'h>> {
    hall.attempts.fetch_add(1, Ordering::Relaxed);
    let began = hall.clock.now();
    let welcomed = async {
        let (reader, write) = dial::open(who, None).await?;
        let mut seat = Seat { hall, who, lane, reader, write: Some(write), closed: None, counted: false };
        loop {
            let open = seat.read().await?;
            if let Some(code) = seat.closed {
                anyhow::bail!("closed with {code} before the welcome");
            }
            if lock(&seat.who.received).present {
                return anyhow::Ok(seat);
            }
            anyhow::ensure!(open, "ended before the welcome");
        }
    };
    let mut seat = timeout(WELCOME, welcomed).await.map_err(|_| anyhow::anyhow!("no welcome in time"))??;
    lock(&lane.window).connect.took(hall.clock.now() - began);
    seat.settle();
    Ok(seat)
}

/// A welcomed connection; dropping it, as an abort does, counts it out.
struct Seat<'h> {
    hall: &'h Arc<Hall>,
    who: &'h Arc<Participant>,
    lane: &'h Arc<Lane>,
    reader: Reader,
    /// For answers to pings; a sender's is the sender's.
    write: Option<OwnedWriteHalf>,
    closed: Option<u16>,
    counted: bool,
}

impl Seat<'_> {
    fn settle(&mut self) {
        self.hall.open.fetch_add(1, Ordering::Relaxed);
        self.hall.welcomed.fetch_add(1, Ordering::Relaxed);
        self.counted = true;
        if let Some(sender) = &self.who.sender
            && let Some(write) = self.write.take()
        {
            sender.connected(write);
        }
    }

    async fn stay(&mut self) {
        let broken = loop {
            match self.read().await {
                // A close is the end, also when the other side forgets to go.
                Ok(true) if self.closed.is_none() => {}
                Ok(_) => break None,
                Err(error) => break Some(error),
            }
        };
        lock(&self.who.received).present = false;
        if let Some(error) = broken {
            self.hall.say(&format!("{error:#}"));
        }
        self.hall.ended(self.closed);
    }

    /// Says that they go, and reads what still comes until the other side has closed.
    async fn leave(&mut self) {
        let mut wire = Vec::new();
        frames::put(Kind::Text, br#"{"type":"leave"}"#, &mut wire);
        if let Some(write) = &self.write {
            // One that takes no bytes is gone already.
            let _ = write.try_write(&wire);
        }
        let reading = async { while self.closed.is_none() && self.read().await.unwrap_or(false) {} };
        let closed = timeout(FAREWELL, reading).await;
        lock(&self.who.received).present = false;
        if closed.is_err() {
            self.hall.say("a connection was not closed after leave");
        }
    }

    async fn read(&mut self) -> anyhow::Result<bool> {
        let (hall, who, lane) = (self.hall, self.who, self.lane);
        let mut heard = Heard { pongs: Vec::new(), closed: None };
        let open = self.reader.read(READ, |frames| hear(frames, (hall, who, lane), &mut heard)).await?;
        self.closed = self.closed.or(heard.closed);
        match (&self.who.sender, &self.write) {
            (_, Some(write)) if !heard.pongs.is_empty() => {
                // A socket that is full needs no proof that somebody is there.
                let _ = write.try_write(&heard.pongs);
            }
            (Some(sender), None) if !heard.pongs.is_empty() => sender.answer(&heard.pongs),
            (Some(sender), None) => sender.flush(),
            _ => {}
        }
        Ok(open)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if self.counted {
            self.hall.open.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(sender) = &self.who.sender {
            sender.gone();
        }
    }
}

/// What frames ask for besides being counted.
struct Heard {
    pongs: Vec<u8>,
    closed: Option<u16>,
}

fn hear(
    frames: &mut Frames<'_>,
    (hall, who, lane): (&Hall, &Participant, &Lane),
    heard: &mut Heard,
) -> anyhow::Result<()> {
    let now = hall.clock.now();
    let mut received = lock(&who.received);
    let mut window = lock(&lane.window);
    let mut delivered = 0;
    // What follows a close is none of ours.
    while heard.closed.is_none()
        && let Some((kind, payload)) = frames.next()?
    {
        match kind {
            Kind::Text => {
                let frame = message::read(payload, hall.clock.run);
                if let Frame::Entry { seq, said, body } = frame {
                    received.looked_at(&who.room, seq, said, body);
                    let rowed = said.map(|said| (who.room.slot(said.sender), said));
                    let taken = received.entry(seq, rowed);
                    if let Some(said) = said {
                        delivered += 1;
                        if taken.live && hall.clock.counts(said.meant) {
                            window.deliver.took(now.saturating_sub(said.meant));
                        }
                    }
                    if let Some(cut) = taken.caught_up {
                        hall.recovered.fetch_add(1, Ordering::Relaxed);
                        window.recovery.took(now - cut);
                    }
                } else {
                    answer(frame, (hall, who), &mut received, (&mut window, now));
                }
            }
            Kind::Ping => frames::put(Kind::Pong, payload, &mut heard.pongs),
            Kind::Pong => {}
            Kind::Close => heard.closed = Some(frames::close_code(payload)),
        }
    }
    lane.delivered(delivered);
    Ok(())
}

/// Everything but entries.
fn answer(
    frame: Frame<'_>,
    (hall, who): (&Hall, &Participant),
    received: &mut Received,
    (window, now): (&mut Window, u64),
) {
    match frame {
        Frame::Ack { n, seq } => {
            who.room.acked(seq);
            let meant = who.sender.as_ref().and_then(|sender| sender.acked(n));
            if let Some(meant) = meant.filter(|meant| hall.clock.counts(*meant)) {
                window.ack.took(now.saturating_sub(meant));
            }
        }
        Frame::Passing(Said { meant, .. }) => {
            received.passing += 1;
            if hall.clock.counts(meant) {
                window.passing.took(now.saturating_sub(meant));
            }
        }
        Frame::Refused { n, code } => {
            hall.say(&format!("refused: {}", String::from_utf8_lossy(code)));
            match (n, &who.sender) {
                (Some(n), Some(sender)) => sender.refused(n),
                _ => {
                    hall.refusals.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Frame::Welcome(here) => {
            if let Some(cut) = received.welcomed(here, hall.quiet()) {
                hall.recovered.fetch_add(1, Ordering::Relaxed);
                window.recovery.took(now - cut);
            }
        }
        Frame::Reset(here) => received.reset(here),
        Frame::Status(Some(here)) => received.belongs_to(here.epoch),
        Frame::Status(None) | Frame::Entry { .. } | Frame::Other => {}
    }
}
