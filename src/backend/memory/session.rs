//! One session as plain state: its record, its log, its seats. The specification that the redis scripts are held to.
//!
//! Responsible for what each step does to a session, given the time. Not responsible for locks, listeners or expiry of the whole
//! (`shards`, `mod`). Time and new epochs come from outside or from [`Epoch::new_random`]; nothing here waits, locks or delivers, so that
//! a step can be read, cloned and compared. The steps themselves are in `publish` (log) and `seats` (membership).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use super::repeats::Repeats;
use super::seats::Seats;
use crate::backend::log::{Announcement, Cut, Most, Page};
use crate::model::entry::{Entry, Epoch, Position, Seq};
use crate::model::history::{History, LINEAGE_KEPT, Retention};
use crate::model::id::{ParticipantId, SessionId};
use crate::model::record::Record;
use crate::model::seat::{Slot, Snapshot};
use crate::model::session::{Control, NewSession, SessionPatch, SessionRecord};
use crate::model::time::ClusterMs;

/// How long the log of an ended session can still be read, so that a room that is behind learns of its `session.ended`.
pub(super) const ENDED_READABLE: Duration = Duration::from_secs(60);

/// A session. `Clone` makes it a model: keep a clone, go on, `restart` the clone, and that is a store that lost its tail.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) record: SessionRecord,
    password_hash: String,
    ttl: Duration,
    /// When it ended, if it did.
    ended_at: Option<ClusterMs>,
    epoch: Epoch,
    head: Seq,
    /// The newest entries, contiguous, the last one numbered `head`.
    entries: VecDeque<Entry>,
    /// Bytes of their records.
    bytes: usize,
    keep: Retention,
    lineage: Vec<(Epoch, Seq)>,
    /// The store restarted since the last write: the next write begins a new epoch.
    restarted: bool,
    pub(super) slots: BTreeMap<String, Slot>,
    pub(super) seats: Seats,
    pub(super) repeats: Repeats,
    /// Who may not come back, until when.
    pub(super) banned: HashMap<ParticipantId, ClusterMs>,
    /// Former hosts who may be host again, until when.
    pub(super) claims: HashMap<ParticipantId, ClusterMs>,
}

impl Session {
    /// A session that nobody has joined yet, with an empty log.
    pub(super) fn create(new: NewSession, keep: Retention, now: ClusterMs) -> Self {
        let record = SessionRecord {
            id: new.id,
            name: new.name,
            host: new.host,
            capacity: new.capacity,
            locked: false,
            control: Control::default(),
            created_at: now,
            expires_at: now.plus(new.ttl),
            version: 1,
        };
        Self {
            record,
            password_hash: new.password_hash,
            ttl: new.ttl,
            ended_at: None,
            epoch: Epoch::new_random(),
            head: Seq::ZERO,
            entries: VecDeque::new(),
            bytes: 0,
            keep,
            lineage: Vec::new(),
            restarted: false,
            slots: BTreeMap::new(),
            seats: Seats::default(),
            repeats: Repeats::default(),
            banned: HashMap::new(),
            claims: HashMap::new(),
        }
    }

    /// Whether it ended: nothing but its log can be read.
    pub(super) fn over(&self) -> bool {
        self.ended_at.is_some()
    }

    /// Whether nothing of it is left to read.
    pub(super) fn gone(&self, now: ClusterMs) -> bool {
        match self.ended_at {
            Some(ended) => now >= ended.plus(ENDED_READABLE),
            None => now >= self.record.expires_at,
        }
    }

    /// Ends it. Seats, numbers and slots are of no use any more.
    pub(super) fn end(&mut self, now: ClusterMs) {
        self.ended_at = Some(now);
        self.seats = Seats::default();
        self.repeats = Repeats::default();
        self.slots.clear();
    }

    /// The time to live starts again.
    pub(super) fn touch(&mut self, now: ClusterMs) {
        self.record.expires_at = now.plus(self.ttl);
    }

    /// bcrypt text of its password.
    pub(super) fn password_hash(&self) -> &str {
        &self.password_hash
    }

    /// Changes the record; its version grows.
    pub(super) fn patch(&mut self, patch: &SessionPatch) {
        let SessionPatch { name, password_hash, locked, capacity, control } = patch.clone();
        let record = &mut self.record;
        record.name = name.unwrap_or_else(|| record.name.clone());
        record.locked = locked.unwrap_or(record.locked);
        record.capacity = capacity.unwrap_or(record.capacity);
        record.control = control.unwrap_or(record.control);
        record.version += 1;
        if let Some(hash) = password_hash {
            self.password_hash = hash;
        }
    }

    /// The first step of everything that writes: after a restart, a new epoch begins, and the lineage says how much of the old one survived.
    pub(super) fn fence(&mut self, now: ClusterMs) {
        if !std::mem::take(&mut self.restarted) {
            return;
        }
        self.lineage.push((self.epoch, self.head));
        let forgotten = self.lineage.len().saturating_sub(LINEAGE_KEPT);
        self.lineage.drain(..forgotten);
        self.epoch = Epoch::new_random();
        self.seats.pass_lost(now);
    }

    /// Models a restart or promotion of the store with this state as what survived: the whole state, if nothing was lost, or an earlier
    /// clone of it. The adapter itself never restarts; its tests and [`Memory::restart`](super::Memory::restart) do.
    pub(super) fn restart(&mut self) {
        self.restarted = true;
    }

    /// Writes the next entry and returns its number.
    pub(super) fn append(&mut self, record: Record, now: ClusterMs) -> Seq {
        self.head = self.head.next();
        self.bytes += record.stored().len();
        self.entries.push_back(Entry { seq: self.head, ts: now, record });
        self.head
    }

    /// Forgets the oldest entries that need not be kept. Not part of [`append`](Self::append), so that what a step wrote is announced first.
    pub(super) fn trim(&mut self, now: ClusterMs) {
        let Retention { entries, age, bytes } = self.keep;
        let mut excess = self.entries.len().saturating_sub(entries);
        if self.bytes <= bytes {
            let oldest = self.entries.iter().take(excess);
            excess = oldest.take_while(|entry| entry.ts.plus(age) <= now).count();
        }
        let forgotten = self.entries.drain(..excess);
        self.bytes -= forgotten.map(|entry| entry.record.stored().len()).sum::<usize>();
    }

    /// The last entry's number.
    pub(super) fn head(&self) -> Seq {
        self.head
    }

    /// An entry's position. Entries of older epochs are named by the present one, which they are a part of.
    pub(super) fn position(&self, seq: Seq) -> Position {
        Position { epoch: self.epoch, seq }
    }

    /// What the log knows of itself.
    pub(super) fn history(&self) -> History {
        let first = self.entries.front().map_or(self.head.next(), |entry| entry.seq);
        History { epoch: self.epoch, head: self.head, first, lineage: self.lineage.clone() }
    }

    /// Reads entries within bounds.
    pub(super) fn read(&self, cut: Cut, Most { entries: limit, bytes: most }: Most) -> Page {
        let mut bytes = 0;
        let mut fits = |entry: &&Entry| {
            // The first comes whatever it measures.
            let room = bytes == 0 || bytes < most;
            bytes += entry.record.stored().len();
            room
        };
        let entries = match cut {
            Cut::After(seq) => {
                let from = self.entries.partition_point(|entry| entry.seq <= seq);
                self.entries.range(from..).take(limit).take_while(&mut fits).cloned().collect()
            }
            Cut::Before(seq) => {
                let to = self.entries.partition_point(|entry| entry.seq < seq);
                let newest = self.entries.range(..to).rev().take(limit).take_while(&mut fits);
                let mut entries: Vec<Entry> = newest.cloned().collect();
                entries.reverse();
                entries
            }
        };
        Page { history: self.history(), entries }
    }

    /// The epoch that one step began after `before`, as it is announced; `None` when it did not.
    pub(super) fn new_epoch(&self, before: Position, now: ClusterMs) -> Option<Announcement> {
        let (epoch, first) = (self.epoch, before.seq.next());
        (epoch != before.epoch).then_some(Announcement { epoch, first, ts: now, records: Vec::new() })
    }

    /// What one step appended after `before`, as it is announced; `None` when nothing was.
    pub(super) fn announcement(&self, before: Seq) -> Option<Announcement> {
        // From the newest on: the rest of the log is out of every cache.
        let new = self.entries.iter().rev().take_while(|entry| entry.seq > before).count();
        let from = self.entries.len() - new;
        let first = self.entries.get(from)?;
        let records = self.entries.range(from..).map(|entry| entry.record.clone()).collect();
        Some(Announcement { epoch: self.epoch, first: first.seq, ts: first.ts, records })
    }

    /// The session at its newest position, listing at most `roster` participants.
    pub(super) fn snapshot(&self, roster: usize, now: ClusterMs) -> Snapshot {
        Snapshot {
            record: self.record.clone(),
            history: self.history(),
            slots: self.slots.values().cloned().collect(),
            participants: self.roster(None, roster, now),
            participants_total: self.seats.count(now),
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> SessionId {
        self.record.id
    }
}
