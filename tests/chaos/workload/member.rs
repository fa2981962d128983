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
use tokio_util::sync::CancellationToken;

use super::outgoing::Outgoing;
use super::socket::{Given, Hello, Socket};
use super::standing::Standing;
use crate::happening::{Kind, Participant, Position, Seq};
use crate::journal::{self, Voice, kind_of};
use crate::support::wait::let_pass;

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
    position: Option<Position>,
    /// The newest number of each author that the application was shown.
    shown: HashMap<Participant, u64>,
    failures: u32,
    said_last: bool,
    voice: Voice,
    standing: Arc<Standing>,
    stage: watch::Receiver<Stage>,
    death: CancellationToken,
}

/// What a member is given to live.
pub(crate) struct Provision {
    pub(crate) addresses: Arc<Vec<SocketAddr>>,
    pub(crate) voice: Voice,
    pub(crate) standing: Arc<Standing>,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Fires when they die, for good and without a word.
    pub(crate) death: CancellationToken,
}

impl Member {
    pub(crate) fn new(who: Persona, provision: Provision) -> Member {
        let mut rng = fastrand::Rng::with_seed(who.seed);
        let door = who.habit.home.unwrap_or_else(|| rng.usize(..provision.addresses.len()));
        let Provision { addresses, voice, standing, stage, death } = provision;
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
            death,
        }
    }

    /// Comes back until there is nothing to come back to, or the run is over.
    pub(crate) async fn live(mut self) {
        while *self.stage.borrow() != Stage::Over && !self.death.is_cancelled() {
            match self.visit().await {
                Next::Return(after) => self.pause(after).await,
                Next::Stop => return,
            }
        }
        if self.death.is_cancelled() {
            self.voice.died();
            self.standing.ended(1006);
        }
    }

    async fn pause(&mut self, after: Duration) {
        let mut stage = self.stage.clone();
        tokio::select! {
            () = let_pass(after) => {}
            () = self.death.cancelled() => {}
            _ = stage.wait_for(|stage| *stage == Stage::Over) => {}
        }
    }

    async fn visit(&mut self) -> Next {
        let resume = self.position;
        let hello = Hello {
            addr: self.addresses[self.door],
            session: &self.who.session,
            token: &self.who.token,
            resume: resume.map(|at| (at.epoch.0.to_string(), at.seq.0)),
        };
        // A node that does not open the door: nothing was said and nothing heard, so there is nothing to write down.
        let Some(mut socket) = Socket::open(&hello).await else { return self.elsewhere() };
        self.voice.opened(self.door, resume);
        let left = self.stay(resume, &mut socket).await;
        for n in self.book.disconnected() {
            self.voice.unknown(n);
        }
        self.standing.away();
        match left {
            Left::Closed(code, reason) => {
                self.voice.closed(code, &reason);
                self.after_close(code, &reason)
            }
            Left::Gone => {
                self.go(socket).await;
                Next::Return(Duration::from_millis(self.rng.u64(100..1500)))
            }
        }
    }

    /// Goes in one of three ways: without a word, with a close, or giving the seat up.
    async fn go(&mut self, mut socket: Socket) {
        // The dead say nothing, and neither does the end of the run: seats are left as they are for the checker.
        let silent = self.death.is_cancelled() || *self.stage.borrow() == Stage::Over;
        match if silent { 0 } else { self.rng.u8(..3) } {
            0 => {
                self.voice.closed(1006, "vanished");
                socket.vanish();
            }
            1 => {
                self.voice.closed(1000, "closed");
                socket.close().await;
            }
            _ => {
                self.voice.closed(1000, "left");
                socket.send(&json!({"type": "leave"})).await;
                socket.close().await;
            }
        }
    }

    /// Another node, a little later.
    fn elsewhere(&mut self) -> Next {
        self.failures += 1;
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
                match (self.elsewhere(), named) {
                    (Next::Return(_), Some(delay)) => Next::Return(Duration::from_millis(delay)),
                    (next, _) => next,
                }
            }
            // 1006, 1011 and 4408: resume.
            _ => self.elsewhere(),
        }
    }

    async fn stay(&mut self, resume: Option<Position>, socket: &mut Socket) -> Left {
        let habit = self.who.habit.clone();
        let mut beat = tokio::time::interval(habit.every.unwrap_or(Duration::from_millis(250)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut stage, death) = (self.stage.clone(), self.death.clone());
        let (mut heard, mut asked) = (Instant::now(), Instant::now());
        let until = habit.visits.map(|visits| heard + visits.mul_f64(0.3 + 1.4 * self.rng.f64()));
        loop {
            tokio::select! {
                given = socket.next() => match given {
                    Given::Frame(text) => {
                        heard = Instant::now();
                        assert!(self.take(resume, &text).is_some(), "no frame of the protocol: {text}");
                    }
                    Given::Closed(code, reason) => return Left::Closed(code, reason),
                    Given::Lost => return Left::Closed(1006, String::new()),
                },
                _ = beat.tick() => self.beat(),
                changed = stage.changed() => if changed.is_err() { return Left::Gone },
                () = death.cancelled() => return Left::Gone,
            }
            if self.standing.is_seated() && !self.send_all(socket).await {
                return Left::Closed(1006, "a send failed".to_owned());
            }
            let now = Instant::now();
            if *stage.borrow() == Stage::Over {
                return Left::Gone;
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
                return Left::Gone;
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
            // Unique in its session: the author, and a count by the dice.
            self.book.write(format!("{} {:x} {padding}", self.who.id, self.rng.u64(..)));
        }
        self.note_debts();
    }

    /// Whether everything this one had to say is in the log, the last word included.
    fn note_debts(&self) {
        let said = self.who.habit.every.is_none() || self.said_last;
        self.standing.quiet(*self.stage.borrow() != Stage::Talk && said && self.book.is_settled());
    }

    async fn send_all(&mut self, socket: &mut Socket) -> bool {
        while let Some(attempt) = self.book.attempt(Instant::now()) {
            self.voice.sent(attempt.n, &attempt.text);
            let (kind, data) = match kind_of(&attempt.text) {
                Kind::Event => ("event", json!({"topic": "large", "body": attempt.text})),
                _ => ("chat", json!({"text": attempt.text})),
            };
            let frame = json!({"type": kind, "id": attempt.id.to_string(), "n": attempt.n, "data": data});
            if !socket.send(&frame).await {
                return false;
            }
        }
        true
    }

    /// A frame from the node; `None` when it is none of the protocol's.
    fn take(&mut self, resume: Option<Position>, text: &str) -> Option<()> {
        let frame: Value = serde_json::from_str(text).ok()?;
        if frame["seq"].is_u64() {
            return self.take_entry(&frame, text);
        }
        let data = &frame["data"];
        match frame["type"].as_str()? {
            "welcome" => self.take_welcome(resume, data)?,
            "reset" => {
                self.voice.reset(data)?;
                self.stand_at(data, None)?;
            }
            "status" => {
                self.voice.status(data)?;
                if let (Some(epoch), Some(at)) = (journal::epoch(&data["epoch"]), &mut self.position) {
                    at.epoch = epoch;
                }
            }
            "ack" => {
                let n = frame["n"].as_u64()?;
                self.voice.acked(n, data)?;
                self.book.acked(attempt(&frame)?, n);
                self.note_debts();
            }
            "error" => self.take_error(&frame)?,
            "goaway" => self.voice.said_goaway(),
            _ => {}
        }
        Some(())
    }

    fn take_entry(&mut self, frame: &Value, text: &str) -> Option<()> {
        let at = self.position.as_mut()?;
        let entry = self.voice.received(at.epoch, frame, text)?;
        at.seq = entry.at.seq;
        self.standing.heard(at.seq.0);
        let number = entry.author.zip(entry.n);
        let is_new =
            number.is_none_or(|(author, n)| self.shown.get(&author).is_none_or(|newest| *newest < n));
        if is_new {
            self.shown.extend(number);
            self.voice.delivered(&entry);
        }
        Some(())
    }

    fn take_welcome(&mut self, resume: Option<Position>, data: &Value) -> Option<()> {
        self.failures = 0;
        self.voice.welcomed(data, resume)?;
        self.book.connected(data["last_n"].as_u64()?);
        let kept = resume.map(|at| at.seq).filter(|_| data["recovered"] == true);
        self.stand_at(data, kept)?;
        self.note_debts();
        Some(())
    }

    /// Stands where a snapshot says, or where they stood before if everything since then follows.
    fn stand_at(&mut self, data: &Value, kept: Option<Seq>) -> Option<()> {
        let (epoch, head) = (journal::epoch(&data["epoch"])?, Seq(data["head"].as_u64()?));
        let seq = kept.unwrap_or(head);
        self.position = Some(Position { epoch, seq });
        self.standing.seated(seq.0);
        Some(())
    }

    fn take_error(&mut self, frame: &Value) -> Option<()> {
        let data = &frame["data"];
        // An answer to the question whether the node is alive has no number.
        let (Some(n), Some(id)) = (frame["n"].as_u64(), attempt(frame)) else { return Some(()) };
        self.voice.refused(n, data)?;
        match data["code"].as_str()? {
            "gap" => drop(self.book.gap(id, data["last_n"].as_u64()?)),
            // The connection that holds the seat is another one, or none: the close follows, and with it the resume.
            "stale" => self.book.answered(id),
            _ => {
                let after = Duration::from_millis(data["retry_after_ms"].as_u64().unwrap_or(500));
                self.book.unavailable(id, after, Instant::now());
            }
        }
        self.note_debts();
        Some(())
    }
}

/// How a visit ended.
enum Left {
    /// By the other side, or by nobody: 1006.
    Closed(u16, String),
    /// By us.
    Gone,
}

/// The attempt an answer answers.
fn attempt(frame: &Value) -> Option<u64> {
    frame["id"].as_str()?.parse().ok()
}
