//! A history, put in the order in which the invariants read it: by session, by connection, by operation, and the faults beside them.
//!
//! It drops nothing and judges nothing. References only: a history of millions of lines is walked, not copied.

use std::collections::{BTreeMap, HashMap};

use super::faults::Fault;
use super::lineage::Lineage;
use super::{FinalLog, FinalLogs};
use crate::happening::{
    Digest, Happening, Kind, MonoUs, Node, Participant, Position, Repetition, Session, WallMs, What, Who,
};

/// One connection's lines, in order.
pub struct Connection<'a> {
    pub who: Who,
    pub node: Option<Node>,
    pub lines: Vec<&'a Happening>,
}

impl Connection<'_> {
    /// When it ended, if it did.
    pub fn closed(&self) -> Option<MonoUs> {
        self.lines.iter().find(|line| matches!(line.what, What::Closed { .. })).map(|line| line.mono_us)
    }

    /// When it was welcomed, if it was.
    pub fn welcomed(&self) -> Option<MonoUs> {
        self.lines.iter().find(|line| matches!(line.what, What::Welcome { .. })).map(|line| line.mono_us)
    }
}

/// Everything that was tried and answered about one (author, n) or (author, key).
#[derive(Default)]
pub struct Operation {
    pub sends: Vec<(MonoUs, Kind, Option<Digest>)>,
    pub acks: Vec<(MonoUs, Position, bool)>,
    pub refusals: usize,
    /// A `gap`: the last number the gateway knows of this author, and when the refused bytes went out.
    pub gap: Option<(MonoUs, u64)>,
}

/// One session.
pub struct Told<'a> {
    pub session: Session,
    pub log: Option<&'a FinalLog>,
    pub lineage: Lineage,
    pub connections: Vec<Connection<'a>>,
    pub operations: BTreeMap<(Participant, Repetition), Operation>,
    /// Lines of participants without a connection.
    pub others: Vec<&'a Happening>,
}

impl Told<'_> {
    /// All lines of the session, connection by connection.
    pub fn lines(&self) -> impl Iterator<Item = &Happening> {
        self.connections.iter().flat_map(|connection| &connection.lines).chain(&self.others).copied()
    }

    /// The connections of each participant, in the order of their opening.
    pub fn by_participant(&self) -> BTreeMap<Participant, Vec<&Connection<'_>>> {
        let mut all: BTreeMap<Participant, Vec<&Connection<'_>>> = BTreeMap::new();
        for connection in &self.connections {
            all.entry(connection.who.participant).or_default().push(connection);
        }
        all
    }
}

/// A run.
pub struct Ledger<'a> {
    /// Everything, in order of time.
    pub lines: Vec<&'a Happening>,
    pub sessions: Vec<Told<'a>>,
    pub faults: Vec<Fault>,
    /// When the run came to rest, if it did.
    pub settled: Option<(MonoUs, WallMs)>,
    /// Its last line.
    pub end: MonoUs,
}

impl<'a> Ledger<'a> {
    /// Reads a history.
    pub fn new(history: &'a [Happening], logs: &'a FinalLogs) -> Self {
        let mut lines: Vec<&Happening> = history.iter().collect();
        lines.sort_by_key(|line| line.mono_us);
        let mut sessions: BTreeMap<Session, Told<'a>> = BTreeMap::new();
        let mut places: HashMap<Who, usize> = HashMap::new();
        for line in &lines {
            let Some(who) = line.who else { continue };
            let told = sessions.entry(who.session).or_insert_with(|| blank(who.session, logs));
            note_operation(told, who.participant, line);
            if who.connection == 0 {
                told.others.push(line);
                continue;
            }
            let place = *places.entry(who).or_insert_with(|| {
                told.connections.push(Connection { who, node: None, lines: Vec::new() });
                told.connections.len() - 1
            });
            let connection = &mut told.connections[place];
            if let What::Open { node, .. } = line.what {
                connection.node = Some(node);
            }
            connection.lines.push(line);
        }
        let settled = lines.iter().find(|line| line.what == What::Settled);
        Ledger {
            settled: settled.map(|line| (line.mono_us, line.wall_ms)),
            end: lines.last().map_or(MonoUs::default(), |line| line.mono_us),
            faults: Fault::all(&lines),
            sessions: sessions.into_values().collect(),
            lines,
        }
    }
}

fn blank<'a>(session: Session, logs: &'a FinalLogs) -> Told<'a> {
    let log = logs.get(&session).and_then(Option::as_ref);
    Told {
        session,
        log,
        lineage: Lineage::of(log),
        connections: Vec::new(),
        operations: BTreeMap::new(),
        others: Vec::new(),
    }
}

fn note_operation(told: &mut Told<'_>, author: Participant, line: &Happening) {
    let at = line.mono_us;
    match &line.what {
        What::Send { op, kind, payload, .. } => {
            told.operations.entry((author, *op)).or_default().sends.push((at, *kind, *payload));
        }
        What::Ack { op, at: position, duplicate } => {
            told.operations.entry((author, *op)).or_default().acks.push((at, *position, *duplicate));
        }
        What::Refused { op, last_n, .. } => {
            let operation = told.operations.entry((author, *op)).or_default();
            operation.refusals += 1;
            let sent = operation.sends.last().map_or(at, |(sent, ..)| *sent);
            if let Some(last_n) = last_n {
                operation.gap = Some((sent, *last_n));
            }
        }
        _ => {}
    }
}
