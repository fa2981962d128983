//! An answer without what may differ between two stores that agree: random epochs, clocks (and generations, which begin at
//! the clock when the store restarted), and how much more than promised a log keeps.
//!
//! Nothing is dropped unlooked at. Epochs and generations are named in the order in which a side showed them; an entry's time stamp must be the same wherever
//! that side shows the entry, and later entries must not be earlier; a page must be the contiguous run that was asked for; a log must keep at least what
//! it was told to.

use std::collections::BTreeMap;

use bytes::Bytes;
use watchparty::backend::log::{Announcement, Cut, Page, Published};
use watchparty::model::entry::{Entry, Epoch, Seq};
use watchparty::model::history::History;
use watchparty::model::id::ParticipantId;
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Generation, Participant, Snapshot};
use watchparty::model::session::SessionRecord;
use watchparty::model::time::ClusterMs;

use crate::call::{Answer, Call};
use crate::cast::TTL;
use crate::ear::Heard;

/// Where a time stamp was.
const NO_TIME: ClusterMs = ClusterMs(0);
/// Longer than any sequence takes; a store may round a time to live by a tenth of it.
const LATE_MS: u64 = 3_600_000;

/// A broken rule, in words.
pub(crate) type Broken = String;

/// What one side has shown so far.
pub(crate) struct Plain {
    /// Entries the log was told to keep.
    keep: usize,
    epochs: Vec<Epoch>,
    generations: Vec<Generation>,
    times: BTreeMap<Seq, ClusterMs>,
    /// Since when people sit, as last shown.
    seated: BTreeMap<ParticipantId, ClusterMs>,
}

impl Plain {
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep,
            epochs: Vec::new(),
            generations: Vec::new(),
            times: BTreeMap::new(),
            seated: BTreeMap::new(),
        }
    }

    /// The store lost what came after `head`: those numbers will be given again.
    pub(crate) fn lose_after(&mut self, head: Seq) {
        self.times.split_off(&head.next());
        self.seated.clear();
    }

    pub(crate) fn answer(&mut self, call: &Call, answer: Answer) -> Result<Answer, Broken> {
        Ok(match answer {
            Answer::Created(record) => Answer::Created(self.record(record)?),
            Answer::Joined { mut seat, snapshot, last_n, resumed } => {
                if !self.generations.contains(&seat.generation) {
                    self.generations.push(seat.generation);
                }
                seat.generation = self.generation(seat.generation);
                Answer::Joined { seat, snapshot: self.snapshot(snapshot)?, last_n, resumed }
            }
            Answer::Beat(mut beat) => {
                for seat in &mut beat.lost {
                    seat.generation = self.generation(seat.generation);
                }
                Answer::Beat(beat)
            }
            Answer::Published(mut answers) => {
                for answer in &mut answers {
                    if let Published::Accepted(at) | Published::Duplicate(at) = answer {
                        at.epoch = self.epoch(at.epoch);
                    }
                }
                Answer::Published(answers)
            }
            Answer::Page(Some(page)) => Answer::Page(Some(self.page(call, page)?)),
            Answer::Snapshot(Some(snapshot)) => Answer::Snapshot(Some(self.snapshot(snapshot)?)),
            Answer::Roster(seated) => Answer::Roster(self.seated(seated)),
            Answer::Found(Some(mut found)) => {
                found.record = self.record(found.record)?;
                Answer::Found(Some(found))
            }
            Answer::Taken(mut decision) => {
                if decision.allowed != (decision.retry_after_ms == 0) {
                    return Err(format!("wait for what is there, or do not wait: {decision:?}"));
                }
                (decision.retry_after_ms, decision.reset_ms) = (0, 0);
                Answer::Taken(decision)
            }
            same => same,
        })
    }

    pub(crate) fn heard(&mut self, heard: Heard) -> Result<Heard, Broken> {
        let Announcement { epoch, first, ts, records } = match heard {
            Heard::Announced(announcement) => announcement,
            Heard::Replaced(who, newest) => return Ok(Heard::Replaced(who, self.generation(newest))),
            other => return Ok(other),
        };
        let entries = records.into_iter().enumerate().map(|(at, record)| {
            let entry = Entry { seq: first.plus(at), ts, record };
            self.entry(entry).map(|entry| entry.record)
        });
        let records = entries.collect::<Result<_, _>>()?;
        Ok(Heard::Announced(Announcement { epoch: self.epoch(epoch), first, ts: NO_TIME, records }))
    }

    /// An epoch's name: the first one seen is 1.
    pub(crate) fn epoch(&mut self, epoch: Epoch) -> Epoch {
        let at = self.epochs.iter().position(|known| *known == epoch).unwrap_or_else(|| {
            self.epochs.push(epoch);
            self.epochs.len() - 1
        });
        Epoch::parse(&format!("00000000-0000-4000-8000-{:012}", at + 1)).expect("an epoch")
    }

    /// A generation's name: the first one given is 1. One that never was given is its own.
    fn generation(&self, generation: Generation) -> Generation {
        let at = self.generations.iter().position(|known| *known == generation);
        at.map_or(generation, |at| Generation(at as u64 + 1))
    }

    /// The generation with a name, or a name nobody has.
    pub(crate) fn named(&self, Generation(name): Generation) -> Generation {
        let at = name.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| self.generations.get(at)).copied().unwrap_or(Generation(name))
    }

    /// What the log says of itself, with the oldest number that it had to keep.
    pub(crate) fn history(&mut self, history: History) -> Result<History, Broken> {
        let History { epoch, head, first, lineage } = history;
        let kept_from = Seq((head.0 + 1).saturating_sub(self.keep as u64).max(1));
        if first > kept_from || first == Seq::ZERO {
            return Err(format!("the oldest of {head} entries is {first}, but {} are to be kept", self.keep));
        }
        // The oldest one first, so that epochs are named in their own order.
        let lineage = lineage.into_iter().map(|(epoch, last)| (self.epoch(epoch), last)).collect();
        Ok(History { epoch: self.epoch(epoch), head, first: kept_from, lineage })
    }

    fn snapshot(&mut self, snapshot: Snapshot) -> Result<Snapshot, Broken> {
        let Snapshot { record, history, slots, participants, participants_total } = snapshot;
        Ok(Snapshot {
            record: self.record(record)?,
            history: self.history(history)?,
            slots,
            participants: self.seated(participants),
            participants_total,
        })
    }

    /// Whoever sits does so since an entry's own moment, if the log still has all of its entries. Asked when all of them were shown.
    pub(crate) fn seated_since(&self) -> Result<(), Broken> {
        let complete = self.times.keys().next_back().is_none_or(|last| last.0 == self.times.len() as u64);
        let odd = self.seated.iter().find(|(_, since)| !self.times.values().any(|ts| ts == *since));
        match odd {
            Some((who, since)) if complete => {
                Err(format!("{who} sits since {since:?}, when nothing happened"))
            }
            _ => Ok(()),
        }
    }

    fn seated(&mut self, seated: Vec<Participant>) -> Vec<Participant> {
        let without_time = |mut participant: Participant| {
            self.seated.insert(participant.id, participant.joined_at);
            participant.joined_at = NO_TIME;
            participant
        };
        seated.into_iter().map(without_time).collect()
    }

    fn record(&self, mut record: SessionRecord) -> Result<SessionRecord, Broken> {
        let lives = record.expires_at.0.saturating_sub(record.created_at.0);
        let ttl = u64::try_from(TTL.as_millis()).expect("fits");
        if !(ttl..ttl + LATE_MS).contains(&lives) {
            return Err(format!("lives for {lives} ms: {record:?}"));
        }
        (record.created_at, record.expires_at) = (NO_TIME, NO_TIME);
        Ok(record)
    }

    fn page(&mut self, call: &Call, page: Page) -> Result<Page, Broken> {
        let Call::Read(cut, most) = call else { return Err(String::from("a page nobody asked for")) };
        let oldest = page.history.first;
        let numbers: Vec<Seq> = page.entries.iter().map(|entry| entry.seq).collect();
        let in_place = match cut {
            Cut::After(seq) => numbers.first().is_none_or(|first| *first == seq.next().max(oldest)),
            Cut::Before(seq) => {
                numbers.last().is_none_or(|last| last.next() == (*seq).min(page.history.head.next()))
            }
        };
        let contiguous = numbers.windows(2).all(|pair| pair[1] == pair[0].next());
        if !in_place || !contiguous || numbers.len() > most.entries {
            return Err(format!("{cut:?}, {most:?}: {numbers:?}"));
        }
        let history = self.history(page.history)?;
        let entries = page.entries.into_iter().map(|entry| self.entry(entry));
        let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
        // What a store keeps beyond what it must is its own affair, and so is a page that begins there.
        match cut {
            Cut::After(seq) if seq.next() < history.first => entries.clear(),
            _ => entries.retain(|entry| entry.seq >= history.first),
        }
        Ok(Page { history, entries })
    }

    fn entry(&mut self, entry: Entry) -> Result<Entry, Broken> {
        let Entry { seq, ts, record } = entry;
        if *self.times.entry(seq).or_insert(ts) != ts {
            return Err(format!("entry {seq} has two time stamps"));
        }
        let earlier = self.times.range(..seq).next_back().is_some_and(|(_, before)| *before > ts);
        let later = self.times.range(seq.next()..).next().is_some_and(|(_, after)| *after < ts);
        if earlier || later {
            return Err(format!("entry {seq} is out of its time"));
        }
        Ok(Entry { seq, ts: NO_TIME, record: joined_at(record, ts)? })
    }
}

/// `participant.joined` names the entry's own time, behind everything else.
fn joined_at(record: Record, ts: ClusterMs) -> Result<Record, Broken> {
    if record.kind() != EntryKind::ParticipantJoined {
        return Ok(record);
    }
    let text = String::from_utf8(record.stored().to_vec()).map_err(|error| error.to_string())?;
    let end = format!(r#""joined_at":{}}}}}"#, ts.0);
    let rest = text.strip_suffix(&end).ok_or_else(|| format!("does not end with {end}: {text}"))?;
    Record::from_stored(Bytes::from(format!(r#"{rest}"joined_at":0}}}}"#))).ok_or(text)
}
