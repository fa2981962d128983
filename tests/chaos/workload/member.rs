//! One client for the length of a run: connects, resumes, publishes, comes and goes, and writes down everything that happens to it.
//!
//! It keeps the rules that `docs/PROTOCOL.md` gives to clients (what each close code asks for, where a position comes from, what is sent again)
//! and judges nothing: that is the checker's. It speaks the public wire only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::outgoing::{Learnt, Outgoing};
use super::socket::{Given, Hello, NotOpened, Socket};
use super::standing::Standing;
use crate::journal::Voice;
use crate::support::lasting;

/// Between two attempts to connect, doubled with each failure up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What the workload asks of everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Publish at your rate.
    Talk,
    /// Say one last thing, then only listen and see that everything is acked.
    Hush,
    /// Go.
    Over,
}

/// How somebody behaves.
#[derive(Debug, Clone)]
pub(crate) struct Habit {
    /// Publishes this often; `None` only listens.
    pub(crate) every: Option<Duration>,
    /// Stays about so long, goes, and comes back.
    pub(crate) visits: Option<Duration>,
    /// Gives a connection up that was silent for so long, though asked.
    pub(crate) patience: Duration,
    /// Knocks at this node first; at any when it does not open.
    pub(crate) home: Option<usize>,
    /// Characters of padding in each message.
    pub(crate) padding: usize,
}

impl Default for Habit {
    fn default() -> Habit {
        Habit { every: None, visits: None, patience: Duration::from_secs(6), home: None, padding: 40 }
    }
}

/// Who somebody is.
#[derive(Debug, Clone)]
pub(crate) struct Persona {
    pub(crate) session: String,
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) habit: Habit,
    pub(crate) seed: u64,
}

/// What follows a visit.
enum Next {
    Return(Duration),
    Stop,
}

/// The client.
pub(crate) struct Member {
    who: Persona,
    addresses: Arc<Vec<SocketAddr>>,
    door: usize,
    rng: fastrand::Rng,
    book: Outgoing,
    position: Option<(String, u64)>,
    /// The newest number of each author that the application was shown.
    shown: HashMap<String, u64>,
    failures: u32,
    said_last: bool,
    voice: Voice,
    standing: Arc<Standing>,
    stage: watch::Receiver<Stage>,
}

/// What a member is given to live.
pub(crate) struct Provision {
    pub(crate) addresses: Arc<Vec<SocketAddr>>,
    pub(crate) voice: Voice,
    pub(crate) standing: Arc<Standing>,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Member {
    pub(crate) fn new(who: Persona, provision: Provision) -> Member {
        let mut rng = fastrand::Rng::with_seed(who.seed);
        let door = who.habit.home.unwrap_or_else(|| rng.usize(..provision.addresses.len()));
        let Provision { addresses, voice, standing, stage } = provision;
        let (book, position, shown) = (Outgoing::default(), None, HashMap::new());
        Member {
            who,
            addresses,
            door,
            rng,
            book,
            position,
            shown,
            failures: 0,
            said_last: false,
            voice,
            standing,
            stage,
        }
    }

    /// Comes back until there is nothing to come back to, or the run is over.
    pub(crate) async fn live(mut self) {
        while *self.stage.borrow() != Stage::Over {
            match self.visit().await {
                Next::Return(after) => self.pause(after).await,
                Next::Stop => return,
            }
        }
    }

    async fn pause(&mut self, after: Duration) {
        let mut stage = self.stage.clone();
        tokio::select! {
            () = lasting(after) => {}
            _ = stage.wait_for(|stage| *stage == Stage::Over) => {}
        }
    }

    async fn visit(&mut self) -> Next {
        let connection = self.voice.opening();
        let resume = self.position.clone();
        let hello = Hello {
            addr: self.addresses[self.door],
            session: &self.who.session,
            token: &self.who.token,
            resume: resume.as_ref().map(|(epoch, seq)| (epoch.as_str(), *seq)),
        };
        let mut socket = match Socket::open(&hello).await {
            Ok(socket) => socket,
            Err(why) => {
                self.voice.not_opened(connection, self.door, &why);
                return self.elsewhere(if matches!(why, NotOpened::Refused(404)) { 1 } else { 0 });
            }
        };
        self.voice.opened(connection, self.door, resume.as_ref());
        let next = self.stay(connection, &mut socket).await;
        self.book.disconnected();
        self.standing.away();
        match next {
            Left::Closed(code, reason) => {
                self.voice.closed(connection, code, &reason);
                self.after_close(code, &reason)
            }
            Left::GoneAway(code) => {
                self.voice.left(connection, code);
                match code {
                    1000 => socket.close().await,
                    _ => socket.vanish(),
                }
                Next::Return(Duration::from_millis(self.rng.u64(100..1500)))
            }
        }
    }

    /// Another node, a little later.
    fn elsewhere(&mut self, least: u32) -> Next {
        self.failures = (self.failures + 1).max(least);
        self.door = (self.door + 1) % self.addresses.len();
        let longest = BACKOFF.0.saturating_mul(1 << self.failures.min(6)).min(BACKOFF.1);
        Next::Return(longest.mul_f64(0.5 + 0.5 * self.rng.f64()))
    }

    /// The table of close codes.
    fn after_close(&mut self, code: u16, reason: &str) -> Next {
        match code {
            4403 | 4404 | 4409 | 4410 | 4430 => {
                self.standing.ended(code);
                Next::Stop
            }
            1012 | 1013 | 4429 => {
                let named = reason.rsplit_once('=').and_then(|(_, delay)| delay.parse().ok());
                let Next::Return(least) = self.elsewhere(0) else { return Next::Stop };
                Next::Return(named.map_or(least, Duration::from_millis))
            }
            // 1006, 1011 and 4408: resume.
            _ => self.elsewhere(0),
        }
    }

    async fn stay(&mut self, connection: u64, socket: &mut Socket) -> Left {
        let habit = self.who.habit.clone();
        let mut beat = tokio::time::interval(habit.every.unwrap_or(Duration::from_millis(250)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stage = self.stage.clone();
        let (mut heard, mut asked) = (Instant::now(), Instant::now());
        let until = habit.visits.map(|visits| heard + visits.mul_f64(0.3 + 1.4 * self.rng.f64()));
        loop {
            tokio::select! {
                given = socket.next() => match given {
                    Given::Frame(text) => {
                        heard = Instant::now();
                        if self.take(connection, &text).is_none() {
                            return Left::Closed(1006, "a frame that is no frame of ours".to_owned());
                        }
                    }
                    Given::Closed(code, reason) => return Left::Closed(code, reason),
                    Given::Lost => return Left::Closed(1006, String::new()),
                },
                _ = beat.tick() => self.beat(),
                changed = stage.changed() => if changed.is_err() { return Left::GoneAway(1006) },
            }
            if self.standing.is_seated() && !self.send_all(connection, socket).await {
                return Left::Closed(1006, "a send failed".to_owned());
            }
            let now = Instant::now();
            if *stage.borrow() == Stage::Over {
                return Left::GoneAway(1006);
            }
            if heard + habit.patience < now {
                return Left::Closed(1006, "silent for too long".to_owned());
            }
            if heard.max(asked) + habit.patience / 3 < now && self.standing.is_seated() {
                asked = now;
                // A write that fails is found out by the next read.
                let _ = socket.send(&json!({"type": "ping", "id": "alive", "data": {"t0": 0}})).await;
            }
            if until.is_some_and(|until| until < now) && *stage.borrow() == Stage::Talk {
                return Left::GoneAway(if self.rng.bool() { 1000 } else { 1006 });
            }
        }
    }

    /// Says something, when it is time.
    fn beat(&mut self) {
        if !self.standing.is_seated() {
            return;
        }
        let stage = *self.stage.borrow();
        let speaks = self.who.habit.every.is_some()
            && match stage {
                Stage::Talk => !self.book.is_full(),
                Stage::Hush => !std::mem::replace(&mut self.said_last, true),
                Stage::Over => false,
            };
        if speaks {
            let padding: String =
                std::iter::repeat_with(|| self.rng.alphanumeric()).take(self.who.habit.padding).collect();
            let text = format!("{:x} {padding}", self.rng.u64(..));
            let n = self.book.write(text.clone());
            self.voice.wrote(n, &text);
        }
        self.note_debts();
    }

    /// Whether everything this one had to say is in the log, the last word included.
    fn note_debts(&self) {
        let said = self.who.habit.every.is_none() || self.said_last;
        self.standing.quiet(*self.stage.borrow() != Stage::Talk && said && self.book.is_settled());
    }

    async fn send_all(&mut self, connection: u64, socket: &mut Socket) -> bool {
        while let Some(attempt) = self.book.attempt(Instant::now()) {
            self.voice.sent(connection, attempt.n);
            let data = json!({"text": attempt.text});
            let frame = json!({"type": "chat", "id": attempt.id.to_string(), "n": attempt.n, "data": data});
            if !socket.send(&frame).await {
                return false;
            }
        }
        true
    }

    /// A frame from the node; `None` when it is none of the protocol's.
    fn take(&mut self, connection: u64, text: &str) -> Option<()> {
        let frame: Value = serde_json::from_str(text).ok()?;
        if let Some(seq) = frame["seq"].as_u64() {
            self.take_entry(connection, seq, &frame, text);
            return Some(());
        }
        let data = &frame["data"];
        match frame["type"].as_str()? {
            "welcome" => self.take_welcome(connection, data)?,
            "reset" => {
                self.voice.reset(connection, data);
                self.stand_at(data)?;
            }
            "status" => {
                self.voice.status(connection, data);
                if let Some(epoch) = data["epoch"].as_str() {
                    let seq = self.position.as_ref().map_or(0, |(_, seq)| *seq);
                    self.position = Some((epoch.to_owned(), seq));
                }
            }
            "ack" => {
                let n = frame["n"].as_u64()?;
                self.voice.acked(connection, n, data);
                self.book.acked(attempt(&frame)?, n);
                self.standing.acked_at(data["seq"].as_u64()?);
                self.note_debts();
            }
            "error" => self.take_error(connection, &frame)?,
            _ => {}
        }
        Some(())
    }

    fn take_entry(&mut self, connection: u64, seq: u64, frame: &Value, text: &str) {
        let author = frame["from"].as_str().zip(frame["n"].as_u64());
        let is_new = author.is_none_or(|(from, n)| self.shown.get(from).is_none_or(|newest| *newest < n));
        if let Some((from, n)) = author.filter(|_| is_new) {
            self.shown.insert(from.to_owned(), n);
        }
        self.voice.received(connection, frame, text, is_new);
        if let Some((_, at)) = &mut self.position {
            *at = seq;
        }
        self.standing.heard(seq);
    }

    fn take_welcome(&mut self, connection: u64, data: &Value) -> Option<()> {
        self.failures = 0;
        let learnt = self.book.connected(data["last_n"].as_u64()?);
        self.voice.welcomed(connection, data);
        self.note_learnt(connection, data["last_n"].as_u64()?, &learnt);
        let (epoch, head) = (data["epoch"].as_str()?, data["head"].as_u64()?);
        let kept = self.position.as_ref().map(|(_, seq)| *seq).filter(|_| data["recovered"] == true);
        self.position = Some((epoch.to_owned(), kept.unwrap_or(head)));
        self.standing.seated(kept.unwrap_or(head));
        self.note_debts();
        Some(())
    }

    fn stand_at(&mut self, data: &Value) -> Option<()> {
        let (epoch, head) = (data["epoch"].as_str()?, data["head"].as_u64()?);
        self.position = Some((epoch.to_owned(), head));
        self.standing.seated(head);
        Some(())
    }

    fn take_error(&mut self, connection: u64, frame: &Value) -> Option<()> {
        let data = &frame["data"];
        let (n, id) = (frame["n"].as_u64()?, attempt(frame)?);
        self.voice.refused(connection, n, data);
        match data["code"].as_str()? {
            "gap" => {
                let last_n = data["last_n"].as_u64()?;
                let learnt = self.book.gap(id, last_n);
                self.note_learnt(connection, last_n, &learnt);
            }
            // The connection that holds the seat is another one, or none: the close follows, and with it the resume.
            "stale" => {}
            _ => {
                let after = Duration::from_millis(data["retry_after_ms"].as_u64().unwrap_or(500));
                self.book.unavailable(id, after, Instant::now());
            }
        }
        self.note_debts();
        Some(())
    }

    fn note_learnt(&self, connection: u64, last_n: u64, learnt: &Learnt) {
        if !learnt.again.is_empty() || !learnt.gone.is_empty() {
            self.voice.told_lost(connection, last_n, learnt);
        }
    }
}

/// How a visit ended.
enum Left {
    /// By the other side, or by nobody: 1006.
    Closed(u16, String),
    /// By us.
    GoneAway(u16),
}

/// The attempt an answer answers.
fn attempt(frame: &Value) -> Option<u64> {
    frame["id"].as_str()?.parse().ok()
}
