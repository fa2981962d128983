//! A viewer's socket: the task that lets a virtual viewer live, through a network that is as slow as it was drawn.
//!
//! Responsible for connecting, coming back after a loss as the SDK does, and for what came being counted. What the viewer does with it is in
//! `viewer`. One task for each, with one timer; how late it wakes is the generator's lateness.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::line::Truth;
use super::viewer::{Sample, Viewer, state};
use super::{Ms, TrueTime};
use crate::engine::dial::{self, READ, Reader};
use crate::engine::lock;
use crate::engine::participant::{Participant, Received};
use crate::engine::room::Room;
use crate::frames::{self, Frames, Kind};
use crate::histogram::Times;
use crate::message::{self, Frame, Said, Verb};
use crate::report::figures::Counts;

/// `sdk/close.js`: anything up to a bound that doubles.
const BACKOFF_MS: Ms = 500.0;
/// See `BACKOFF_MS`.
const BACKOFF_MAX_MS: Ms = 20_000.0;
/// `sdk/connection.js`: a connection that held so long was no flap.
const STEADY_MS: Ms = 10_000.0;
/// Orders that wait for a viewer: a script gives one at a time.
pub(super) const ORDERS: usize = 16;
/// Bytes of what is said.
const LENGTH: usize = 128;

type Opening = Pin<Box<dyn Future<Output = anyhow::Result<(Reader, OwnedWriteHalf)>> + Send>>;

/// What the viewers of a round share.
pub(super) struct Shared {
    /// Tells this run's messages from others.
    pub(super) run: u32,
    pub(super) time: TrueTime,
    pub(super) gateways: Vec<SocketAddr>,
    pub(super) room: Arc<Room>,
    pub(super) truth: Mutex<Truth>,
    pub(super) marks: Mutex<Marks>,
    /// How many are welcomed now.
    pub(super) live: AtomicUsize,
    /// Whether nobody has said anything yet.
    pub(super) quiet: AtomicBool,
}

/// What is counted and timed of all of them.
pub(super) struct Marks {
    /// How late tasks woke.
    pub(super) lateness: Times,
    /// From the first packet to the welcome.
    pub(super) connect: Times,
    /// From a loss to the welcome after it.
    pub(super) recovery: Times,
    pub(super) counts: Counts,
    /// What went wrong, in words.
    pub(super) sayings: Vec<String>,
}

impl Marks {
    /// Nothing happened yet.
    pub(super) fn nothing() -> Self {
        let times = Times::new;
        let counts = Counts::default();
        Self { lateness: times(), connect: times(), recovery: times(), counts, sayings: Vec::new() }
    }
}

/// What somebody is told to do.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// Say something about the film.
    Film(&'static str, Value),
    /// Press pause.
    Pause,
    /// Say something to everybody.
    Talk,
}

/// What became of a viewer.
pub(super) struct Lived {
    /// When they set out.
    pub(super) came: Ms,
    pub(super) samples: Vec<Sample>,
    /// When each loss was noticed, and when they were welcomed again.
    pub(super) losses: Vec<(Ms, Ms)>,
    pub(super) received: Received,
    /// The last of their numbers that was acknowledged, and the last that was said; of what they said to everybody.
    pub(super) talked: (u64, u64),
}

/// Who they are.
pub(super) struct Person {
    pub(super) who: Participant,
    /// Which of the gateways they begin with.
    pub(super) gateway: usize,
    pub(super) viewer: Viewer,
    /// Their number among those who talk, if they do.
    pub(super) sender: Option<u32>,
    /// How long they wait before they come back.
    pub(super) random: fastrand::Rng,
}

struct Life {
    shared: Arc<Shared>,
    who: Arc<Participant>,
    gateway: usize,
    viewer: Viewer,
    sender: Option<u32>,
    random: fastrand::Rng,
    opening: Option<Opening>,
    reader: Option<Reader>,
    write: Option<OwnedWriteHalf>,
    retry: Option<Ms>,
    tries: i32,
    since: Option<Ms>,
    began: Ms,
    lost: Option<Ms>,
    losses: Vec<(Ms, Ms)>,
    n: u64,
    acked: u64,
}

/// Lives until nobody gives orders any more.
pub(super) async fn live(
    shared: Arc<Shared>,
    person: Person,
    mut orders: mpsc::Receiver<Order>,
    told: oneshot::Sender<Lived>,
) {
    let came = shared.time.now();
    let mut life = Life::new(shared, person, came);
    life.connect(came);
    let mut arrived = Vec::new();
    loop {
        let due = life.due();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => life.order(order),
                None => break,
            },
            opened = open(&mut life.opening) => life.opened(opened),
            open = read(&mut life.reader, &mut arrived) => life.arrived(std::mem::take(&mut arrived), open),
            () = sleep_until(life.shared.time.instant(due)) => life.woke(due),
        }
        // What came although something else was chosen.
        if !arrived.is_empty() {
            life.arrived(std::mem::take(&mut arrived), true);
        }
        life.turn().await;
    }
    let received = std::mem::replace(&mut *lock(&life.who.received), Received::new());
    let Life { viewer, losses, acked, n, .. } = life;
    // Who asked may have been stopped.
    let _ = told.send(Lived { came, samples: viewer.samples, losses, received, talked: (acked, n) });
}

async fn open(opening: &mut Option<Opening>) -> anyhow::Result<(Reader, OwnedWriteHalf)> {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}

async fn read(reader: &mut Option<Reader>, arrived: &mut Vec<(Kind, Vec<u8>)>) -> bool {
    let Some(reader) = reader else { return pending().await };
    let take = |frames: &mut Frames<'_>| {
        while let Some((kind, payload)) = frames.next()? {
            arrived.push((kind, payload.to_vec()));
        }
        Ok(())
    };
    reader.read(READ, take).await.unwrap_or(false)
}

impl Life {
    fn new(shared: Arc<Shared>, person: Person, now: Ms) -> Self {
        let Person { who, gateway, viewer, sender, random } = person;
        Self {
            shared,
            who: Arc::new(who),
            gateway,
            viewer,
            sender,
            random,
            opening: None,
            reader: None,
            write: None,
            retry: None,
            tries: 0,
            since: None,
            began: now,
            lost: None,
            losses: Vec::new(),
            n: 0,
            acked: 0,
        }
    }

    fn due(&self) -> Ms {
        let queues = [self.viewer.up.due(), self.viewer.down.due(), self.retry];
        queues.into_iter().flatten().fold(self.viewer.due(), f64::min)
    }

    fn woke(&self, due: Ms) {
        let late = (self.shared.time.now() - due).max(0.0);
        lock(&self.shared.marks).lateness.record(Duration::from_secs_f64(late / 1000.0));
    }

    /// Does what is due, and writes what has come through the network.
    async fn turn(&mut self) {
        let now = self.shared.time.now();
        self.viewer.run(now);
        while let Some(message) = self.viewer.down.take(now) {
            self.heard(now, &message);
        }
        if self.retry.is_some_and(|due| due <= now) {
            self.retry = None;
            self.connect(now);
        }
        for frame in self.viewer.take_out() {
            self.viewer.up.put(now, wire(Kind::Text, frame.to_string().as_bytes()));
        }
        while let Some(message) = self.viewer.up.take(now) {
            let Some(write) = &mut self.write else { continue };
            // One that takes nothing has ended, which reading it tells.
            let _ = write.write_all(&message).await;
        }
    }

    fn connect(&mut self, now: Ms) {
        let gateways = &self.shared.gateways;
        let gateway = gateways[self.gateway % gateways.len()];
        // Whoever comes back is sent to the next, as by a balancer that has noticed.
        self.gateway += 1;
        let mut who = Participant::new(self.shared.room.clone(), self.who.ticket.clone(), gateway);
        who.source = self.who.source;
        std::mem::swap(&mut *lock(&who.received), &mut *lock(&self.who.received));
        self.who = Arc::new(who);
        self.began = now;
        lock(&self.shared.marks).counts.attempts += 1;
        // A round trip for the connection and one for the upgrade, whose way back is that of the welcome.
        let way = self.viewer.up.takes() + self.viewer.down.takes() + self.viewer.up.takes();
        let who = self.who.clone();
        self.opening = Some(Box::pin(async move {
            sleep(Duration::from_secs_f64(way / 1000.0)).await;
            dial::open(&who, None).await
        }));
    }

    fn opened(&mut self, opened: anyhow::Result<(Reader, OwnedWriteHalf)>) {
        self.opening = None;
        match opened {
            Ok((reader, write)) => (self.reader, self.write) = (Some(reader), Some(write)),
            Err(error) => {
                let mut marks = lock(&self.shared.marks);
                // Somebody who comes back may find nobody; somebody who comes is let in.
                marks.counts.connect_errors += u64::from(self.lost.is_none());
                marks.sayings.push(format!("connect: {error:#}"));
                drop(marks);
                self.lose();
            }
        }
    }

    /// Bytes are at this computer's end of the wire: the truth learns at once, the viewer when the delay is over.
    fn arrived(&mut self, frames: Vec<(Kind, Vec<u8>)>, open: bool) {
        let now = self.shared.time.now();
        for (kind, payload) in frames {
            match kind {
                Kind::Text => {
                    self.learn(&payload);
                    self.viewer.down.put(now, payload);
                }
                Kind::Ping => self.viewer.up.put(now, wire(Kind::Pong, &payload)),
                Kind::Pong => {}
                Kind::Close => lock(&self.shared.marks).counts.closed(Some(frames::close_code(&payload))),
            }
        }
        if !open {
            self.reader = None;
            // The end takes its time too; no message is empty.
            self.viewer.down.put(now, Vec::new());
        }
    }

    fn learn(&self, payload: &[u8]) {
        let told = [&b"{\"type\":\"playback\""[..], b"{\"type\":\"welcome\"", b"{\"type\":\"reset\""];
        if !told.iter().any(|head| payload.starts_with(head)) {
            return;
        }
        let frame: Value = serde_json::from_slice(payload).unwrap_or_default();
        let data = &frame["data"];
        let film = if frame["type"] == "playback" { data } else { &data["slots"]["playback"] };
        if let Some(state) = state(film) {
            lock(&self.shared.truth).take(&state, self.shared.time.now());
        }
    }

    fn heard(&mut self, now: Ms, payload: &[u8]) {
        if payload.is_empty() {
            return self.lose();
        }
        self.count(now, payload);
        if let Ok(frame) = serde_json::from_slice::<Value>(payload) {
            self.viewer.hear(now, &frame);
        }
    }

    fn count(&mut self, now: Ms, payload: &[u8]) {
        let mut received = lock(&self.who.received);
        match message::read(payload, self.shared.run) {
            Frame::Entry { seq, said, .. } => {
                received.entry(seq, said.map(|said| (self.shared.room.slot(said.sender), said)));
            }
            Frame::Ack { n, seq } => {
                self.shared.room.acked(seq);
                lock(&self.shared.marks).counts.acked += 1;
                self.acked = self.acked.max(n);
            }
            Frame::Welcome(here) => {
                received.welcomed(here, self.shared.quiet.load(Ordering::Relaxed));
                drop(received);
                self.welcomed(now);
            }
            Frame::Reset(here) => received.reset(here),
            Frame::Status(Some(here)) => received.belongs_to(here.epoch),
            Frame::Refused { code, .. } => {
                let mut marks = lock(&self.shared.marks);
                marks.counts.refused += 1;
                marks.sayings.push(format!("refused: {}", String::from_utf8_lossy(code)));
            }
            Frame::Status(None) | Frame::Passing(_) | Frame::Other => {}
        }
    }

    fn welcomed(&mut self, now: Ms) {
        self.since = Some(now);
        self.shared.live.fetch_add(1, Ordering::Relaxed);
        let mut marks = lock(&self.shared.marks);
        let took = |from: Ms| Duration::from_secs_f64((now - from).max(0.0) / 1000.0);
        marks.connect.record(took(self.began));
        if let Some(lost) = self.lost.take() {
            marks.recovery.record(took(lost));
            marks.counts.recovered += 1;
            self.losses.push((lost, now));
        }
    }

    /// As the SDK has it: what was on its way is gone, and the next try comes after a while.
    fn lose(&mut self) {
        let now = self.shared.time.now();
        (self.reader, self.write) = (None, None);
        self.viewer.up.cut();
        self.viewer.down.cut();
        self.viewer.lost();
        if let Some(since) = self.since.take() {
            self.shared.live.fetch_sub(1, Ordering::Relaxed);
            self.lost = Some(now);
            lock(&self.who.received).present = false;
            lock(&self.shared.marks).counts.closed(None);
            if now - since >= STEADY_MS {
                self.tries = 0;
            }
        }
        let most = (BACKOFF_MS * 2f64.powi(self.tries)).min(BACKOFF_MAX_MS);
        self.tries += 1;
        self.retry = Some(now + self.random.f64() * most);
    }

    fn order(&mut self, order: Order) {
        let now = self.shared.time.now();
        let text = match order {
            Order::Talk => self.talk(),
            Order::Film(verb, data) => self.say(verb, &data),
            Order::Pause => {
                self.viewer.run(now);
                let data = self.viewer.pause(now);
                self.say("pause", &data)
            }
        };
        lock(&self.shared.marks).counts.sent += 1;
        self.viewer.up.put(now, wire(Kind::Text, text.as_bytes()));
    }

    fn say(&mut self, verb: &str, data: &Value) -> String {
        self.n += 1;
        json!({"type": verb, "n": self.n, "data": data}).to_string()
    }

    fn talk(&mut self) -> String {
        self.shared.quiet.store(false, Ordering::Relaxed);
        self.n += 1;
        let said = Said { sender: self.sender.unwrap_or_default(), n: self.n, meant: 0 };
        let mut text = String::new();
        message::say(&mut text, Verb::Event, self.shared.run, said, (LENGTH, ""));
        text
    }
}

/// A frame as it goes over the wire.
fn wire(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    frames::put(kind, payload, &mut wire);
    wire
}

/// The instant of a time that may have passed.
pub(super) fn after(began: Instant, ms: Ms) -> Instant {
    began + Duration::from_secs_f64((ms / 1000.0).clamp(0.0, 1e6))
}
