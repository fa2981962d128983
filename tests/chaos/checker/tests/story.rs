//! A run told by hand: a model gateway that keeps the promise, whose history a test then spoils in one place.
//!
//! One session `S`, participants by small numbers (1 is host), a clock that moves a millisecond with every line. Connections are
//! told of every entry at once and hand each message on once, as a client with its own dedup does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uuid::Uuid;

use crate::checker::{FinalLog, FinalLogs, Invariant, Level, Terms, Verdict, check};
use crate::happening::{
    Change, Digest, Entry, Epoch, FaultId, FaultKind, Happening, Kind, LeftBecause, MonoUs, Node,
    Participant, Position, Reason, Repetition, Seq, Session, WallMs, What, Who,
};

/// The session of every story.
pub const SESSION: Session = Session(Uuid::from_u128(0x5e55));

/// When the cluster's clock and the run's began.
const BEGAN: u64 = 1_000_000;

pub fn person(number: u128) -> Participant {
    Participant(Uuid::from_u128(number))
}

pub fn epoch(number: u128) -> Epoch {
    Epoch(Uuid::from_u128(0xe0 + number))
}

/// The same settings for every story: small numbers, no slack.
pub fn terms() -> Terms {
    Terms {
        level: Level::Aof,
        lease: Duration::from_secs(30),
        silence: Duration::from_secs(35),
        kept: 1000,
        outbox_bytes: 1000,
        passing_bytes: 10,
        growth_bytes: 5000,
        slack: Duration::ZERO,
    }
}

/// An entry before it has a place.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    pub kind: Kind,
    pub author: Option<u128>,
    pub n: Option<u64>,
    pub payload: Option<Digest>,
    pub change: Option<Change>,
}

impl Draft {
    /// Somebody's numbered chat.
    pub fn chat(author: u128, n: u64) -> Draft {
        Draft {
            kind: Kind::Chat,
            author: Some(author),
            n: Some(n),
            payload: Some(words(author, n)),
            change: None,
        }
    }

    /// What the gateway says of seats.
    pub fn change(kind: Kind, change: Change) -> Draft {
        Draft { kind, author: None, n: None, payload: None, change: Some(change) }
    }
}

/// What somebody says under a number: the same each time.
pub fn words(author: u128, n: u64) -> Digest {
    Digest::of(format!("{author} says {n}").as_bytes())
}

/// One open connection of the model.
struct Listener {
    who: Who,
    at: Position,
}

/// The story so far.
pub struct Story {
    pub history: Vec<Happening>,
    pub log: FinalLog,
    pub terms: Terms,
    micros: u64,
    listeners: Vec<Listener>,
    /// Where each participant is when they are not connected, and what their application has.
    left_at: BTreeMap<Participant, Position>,
    callbacks: BTreeSet<(Participant, Participant, u64)>,
    connections: BTreeMap<Participant, u32>,
    numbers: BTreeMap<Participant, u64>,
    faults: u32,
}

impl Story {
    pub fn new() -> Story {
        let log = FinalLog {
            epoch: epoch(1),
            head: Seq(0),
            lineage: Vec::new(),
            entries: Vec::new(),
            host: person(1),
            max_participants: 4,
        };
        Story {
            history: Vec::new(),
            log,
            terms: terms(),
            micros: 0,
            listeners: Vec::new(),
            left_at: BTreeMap::new(),
            callbacks: BTreeSet::new(),
            connections: BTreeMap::new(),
            numbers: BTreeMap::new(),
            faults: 0,
        }
    }

    /// Everybody of `people` connected, the first one first.
    pub fn with(people: &[u128]) -> Story {
        let mut story = Story::new();
        people.iter().for_each(|number| story.enter(*number));
        story
    }

    /// Adds a line.
    pub fn line(&mut self, who: Option<Who>, what: What) {
        self.micros += 1000;
        let wall_ms = WallMs(BEGAN + self.micros / 1000);
        self.history.push(Happening { mono_us: MonoUs(self.micros), wall_ms, who, what });
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) {
        self.micros += seconds * 1_000_000;
    }

    pub fn who(&self, number: u128) -> Who {
        let participant = person(number);
        let connection = self.connections.get(&participant).copied().unwrap_or_default();
        Who { session: SESSION, participant, connection }
    }

    /// A line of somebody's current connection.
    pub fn told(&mut self, number: u128, what: What) {
        let who = self.who(number);
        self.line(Some(who), what);
    }

    /// Appends an entry to the log and shows it to everybody who listens.
    pub fn append(&mut self, draft: Draft) -> Entry {
        self.log.head.0 += 1;
        let ts = WallMs(BEGAN + self.micros / 1000);
        let at = Position { epoch: self.log.epoch, seq: self.log.head };
        let frame = Digest::of(format!("{at:?} {draft:?} {}", ts.0).as_bytes());
        let Draft { kind, author, n, payload, change } = draft;
        let author = author.map(person);
        let entry = Entry { at, kind, author, n, ts, frame, payload, change };
        self.log.entries.push(entry);
        self.deliver(entry);
        entry
    }

    fn deliver(&mut self, entry: Entry) {
        for index in 0..self.listeners.len() {
            let who = self.listeners[index].who;
            self.show(who, entry);
            self.listeners[index].at = entry.at;
        }
    }

    /// One reader gets an entry, and their application too if it is new to them.
    fn show(&mut self, who: Who, entry: Entry) {
        self.line(Some(who), What::Receive(entry));
        let (Some(author), Some(n), Some(_)) = (entry.author, entry.n, entry.payload) else { return };
        if self.callbacks.insert((who.participant, author, n)) {
            let Entry { at, author, n, payload, .. } = entry;
            self.line(Some(who), What::Deliver { at, author, n, payload });
        }
    }

    /// Takes a seat and connects.
    pub fn enter(&mut self, number: u128) {
        self.open(number, None);
        self.append(Draft::change(Kind::Joined, Change::Joined { participant: person(number) }));
        let at = Position { epoch: self.log.epoch, seq: self.log.head };
        self.welcome(number, at, (None, Some(Reason::Fresh)));
    }

    pub fn open(&mut self, number: u128, resume: Option<Position>) {
        *self.connections.entry(person(number)).or_default() += 1;
        self.told(number, What::Open { node: Node(number as u16 % 2), resume });
    }

    fn welcome(&mut self, number: u128, at: Position, (from, reason): (Option<Position>, Option<Reason>)) {
        let last_n = self.numbers.get(&person(number)).copied().unwrap_or_default();
        let (epoch, head) = (self.log.epoch, self.log.head);
        let recovered = reason.is_none();
        self.told(number, What::Welcome { epoch, head, recovered, reason, resumed_from: from, last_n });
        let who = self.who(number);
        self.listeners.push(Listener { who, at });
    }

    /// The connection breaks; its participant remembers where they are.
    pub fn cut(&mut self, number: u128) {
        self.told(number, What::Closed { code: None, reason: String::new() });
        let who = self.who(number);
        let index = self.listeners.iter().position(|listener| listener.who == who).unwrap();
        self.left_at.insert(who.participant, self.listeners.remove(index).at);
    }

    /// Comes back and goes on from there: with everything missed, or told why not.
    pub fn resume(&mut self, number: u128) {
        let from = self.left_at[&person(number)];
        self.open(number, Some(from));
        let (reach, head) = (self.reach(from.epoch), self.log.head);
        let now = Position { epoch: self.log.epoch, seq: head };
        if from.seq > reach {
            return self.welcome(number, now, (Some(from), Some(Reason::Diverged)));
        }
        self.welcome(number, Position { epoch: self.log.epoch, seq: from.seq }, (Some(from), None));
        let who = self.who(number);
        for mut entry in self.log.entries.clone().split_off(from.seq.0 as usize) {
            entry.at.epoch = self.log.epoch;
            self.show(who, entry);
        }
        self.listeners.last_mut().unwrap().at = now;
    }

    fn reach(&self, epoch: Epoch) -> Seq {
        let ended = self.log.lineage.iter().skip_while(|(known, _)| *known != epoch);
        ended.map(|(_, last)| *last).min().unwrap_or(self.log.head)
    }

    pub fn send(&mut self, number: u128, n: u64) {
        let (op, kind, payload) = (Repetition::N(n), Kind::Chat, Some(words(number, n)));
        self.told(number, What::Send { op, kind, payload, target: None });
    }

    pub fn ack(&mut self, number: u128, n: u64, at: Position) {
        self.told(number, What::Ack { op: Repetition::N(n), at, duplicate: false });
    }

    /// The next message of somebody, acked.
    pub fn say(&mut self, number: u128) -> Entry {
        let n = self.next(number);
        self.send(number, n);
        let entry = self.append(Draft::chat(number, n));
        self.ack(number, n, entry.at);
        entry
    }

    pub fn next(&mut self, number: u128) -> u64 {
        let n = self.numbers.entry(person(number)).or_default();
        *n += 1;
        *n
    }

    /// Somebody's seat goes.
    pub fn leave(&mut self, number: u128, because: LeftBecause) -> Entry {
        let (participant, host) = (person(number), person(1));
        self.append(Draft::change(Kind::Left, Change::Left { participant, because, host }))
    }

    pub fn fault(&mut self, kind: FaultKind, deaf: &[u16]) -> FaultId {
        self.faults += 1;
        let (id, deaf) = (FaultId(self.faults), deaf.iter().map(|node| Node(*node)).collect());
        self.line(None, What::FaultBegan { id, row: format!("{kind:?}"), kind, nodes: vec![], deaf });
        id
    }

    /// Redis restarts without its last `lost` entries, under a new epoch. Whoever saw more is told, everybody else learns the epoch.
    pub fn restart(&mut self, kind: FaultKind, lost: u64) {
        let id = self.fault(kind, &[]);
        let kept = Seq(self.log.head.0 - lost);
        self.log.entries.truncate(kept.0 as usize);
        self.log.lineage.push((self.log.epoch, kept));
        self.log.epoch = epoch(self.log.lineage.len() as u128 + 1);
        self.log.head = kept;
        self.numbers.clear();
        for entry in self.log.entries.iter().filter_map(|entry| Some((entry.author?, entry.n?))) {
            self.numbers.insert(entry.0, entry.1);
        }
        self.line(None, What::FaultEnded { id });
        let now = Position { epoch: self.log.epoch, seq: kept };
        for index in 0..self.listeners.len() {
            let Listener { who, at } = self.listeners[index];
            let what = if at.seq > kept {
                What::Reset { reason: Reason::Diverged, epoch: now.epoch, head: kept }
            } else {
                What::Status { degraded: false, begins: Some(now) }
            };
            self.line(Some(who), what);
            self.listeners[index].at = now;
        }
    }

    /// Comes to rest.
    pub fn settle(&mut self) {
        self.wait(5);
        self.line(None, What::Settled);
    }

    pub fn logs(&self) -> FinalLogs {
        // As a log is read: every entry under the epoch of the reading.
        let mut log = self.log.clone();
        log.entries.iter_mut().for_each(|entry| entry.at.epoch = log.epoch);
        FinalLogs::from([(SESSION, Some(log))])
    }

    pub fn verdict(&self) -> Verdict {
        check(&self.history, &self.logs(), &self.terms)
    }

    /// Which invariants are broken.
    pub fn broken(&self) -> BTreeSet<Invariant> {
        self.verdict().violations.iter().map(|violation| violation.invariant).collect()
    }

    #[track_caller]
    pub fn holds(&self) {
        let verdict = self.verdict();
        assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
    }

    /// Exactly this invariant is broken.
    #[track_caller]
    pub fn breaks(&self, invariant: Invariant) {
        let verdict = self.verdict();
        assert_eq!(self.broken(), BTreeSet::from([invariant]), "{:#?}", verdict.violations);
    }

    /// The last line that is such a one.
    #[track_caller]
    pub fn last(&self, is_it: impl Fn(&Happening) -> bool) -> usize {
        self.history.iter().rposition(is_it).expect("the story has such a line")
    }

    /// The line in which somebody received an entry.
    #[track_caller]
    pub fn receipt(&self, number: u128, seq: Seq) -> usize {
        self.last(|line| {
            line.who.is_some_and(|who| who.participant == person(number))
                && matches!(line.what, What::Receive(entry) if entry.at.seq == seq)
        })
    }
}

/// A line's entry, to be spoilt.
pub fn entry_of(line: &mut Happening) -> &mut Entry {
    let What::Receive(entry) = &mut line.what else { panic!("this line is no entry") };
    entry
}
