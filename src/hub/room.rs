//! A room as its shard knows it: its position, and the rule that keeps listeners in step.
//!
//! It decides and hands nothing out itself: what its listeners are to be told leaves as [`Act`]s, in order, so that whoever serves them
//! (`spread`) may do so on several cores.

#[cfg(feature = "sabotage")]
mod sabotaged;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use serde::Deserialize;

use super::Room;
use super::act::{Act, Ended};
use super::noted::Noted;
use super::outbox::{Closing, Outbox};
use super::run::{Encoders, Runs};
use crate::backend::log::{Announcement, Page};
use crate::metrics::label::{ParticipantChange, ResyncCause};
use crate::model::entry::{Entry, Epoch, Position, Seq};
use crate::model::history::{Continuity, History};
use crate::model::id::ParticipantId;
use crate::model::record::{EntryKind, Record};
use crate::model::seat::{Generation, Seat};
use crate::model::time::ClusterMs;
use crate::protocol::close::Ending;
use crate::protocol::framing::Framing;
use crate::protocol::outbound::Status;

/// Announcements kept while a room is behind, so that a busy one catches up in one read. Past it they are dropped, and the log is
/// read once more.
const PENDING: usize = 256;

/// Reads after which the log is believed when it does not have what was announced: the store lost it. One page may be older than the
/// announcement, and so may the one that was under way when the room asked again.
const CONTRADICTIONS: u8 = 3;

/// Participants whose newest generation, or end, is remembered. Past it all are forgotten: then a race is settled by the next beat.
const NEWEST: usize = 4096;

/// A buffer this full is written before more is added to it: outbox bounds are kept to one buffer.
const RUN_BYTES: usize = 64 * 1024;

/// Where the room stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has no position yet: its first join is under way.
    New {
        /// Announcements may have been missed since it was subscribed.
        doubtful: bool,
    },
    /// What is announced next is delivered.
    InStep,
    /// Nothing is delivered but what a repair brings.
    Behind,
}

/// What the caller has to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Done,
    /// Ask for a repair after this position.
    Ask(Position),
}

/// A room, owned by its shard's task.
pub(super) struct Live {
    pub(super) room: Arc<Room>,
    phase: Phase,
    at: Position,
    /// The highest number heard of while behind.
    heard: Seq,
    /// A head seen by a beat, to be reached by the next one.
    expected: Seq,
    pending: VecDeque<Announcement>,
    /// Reads in a row that do not lead to the next pending announcement.
    contradicted: u8,
    /// Listeners of each framing.
    present: [usize; Framing::ALL.len()],
    encoders: Encoders,
    /// When the entries that wait in the encoders were taken by the log.
    waiting: Vec<ClusterMs>,
    /// What listeners are to be told now, and once they were given what waits.
    acts: Vec<Act>,
    consequences: Vec<Ended>,
    /// The newest film and the seats that went, for [`Noted`].
    film: Option<Record>,
    gone: Vec<(ParticipantId, Seq)>,
    /// Seats that a beat found lost, each with the head it saw.
    lost: Vec<(Seq, Seat)>,
    /// The newest generation heard of for a participant: a connection that attaches with an older one was replaced on its way.
    newest: HashMap<ParticipantId, Generation>,
    /// The end of the session, and of seats, for a listener whose own end passed while it was on its way here.
    ended: Option<Seq>,
    ends: HashMap<ParticipantId, (Seq, Ending)>,
    /// What entries that have not been counted yet did to seats.
    changes: Vec<ParticipantChange>,
}

impl Live {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            room,
            phase: Phase::New { doubtful: false },
            at: Position { epoch: Epoch::new_random(), seq: Seq::ZERO },
            heard: Seq::ZERO,
            expected: Seq::ZERO,
            pending: VecDeque::new(),
            contradicted: 0,
            present: Default::default(),
            encoders: Encoders::default(),
            waiting: Vec::new(),
            acts: Vec::new(),
            consequences: Vec::new(),
            film: None,
            gone: Vec::new(),
            lost: Vec::new(),
            newest: HashMap::new(),
            ended: None,
            ends: HashMap::new(),
            changes: Vec::new(),
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        self.phase == Phase::Behind
    }

    /// How many listen.
    pub(super) fn present(&self) -> usize {
        self.present.iter().sum()
    }

    /// What listeners are to be told now, in order.
    pub(super) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// The room's first position. A room that has one already keeps it: its own log tells it of the rest.
    pub(super) fn begin(&mut self, history: &History) -> Step {
        let Phase::New { doubtful } = self.phase else { return Step::Done };
        self.at = history.position();
        self.lock_ring(|ring, at| ring.restart(at));
        if doubtful {
            return self.fall_behind();
        }
        self.catch_up()
    }

    /// Entries were announced.
    pub(super) fn announced(&mut self, announcement: Announcement) -> (Step, Option<ResyncCause>, bool) {
        let last = Seq(announcement.first.plus(announcement.records.len()).0.saturating_sub(1));
        self.heard = self.heard.max(last);
        if self.phase != Phase::InStep {
            if self.pending.len() == PENDING {
                self.pending.clear();
            }
            self.pending.push_back(announcement);
            return (Step::Done, None, false);
        }
        if announcement.epoch != self.at.epoch {
            self.pending.push_back(announcement);
            return (self.fall_behind(), Some(ResyncCause::Epoch), false);
        }
        if last <= self.at.seq {
            return (Step::Done, None, true);
        }
        if announcement.first > self.at.seq.next() {
            self.pending.push_back(announcement);
            return (self.fall_behind(), Some(ResyncCause::Gap), false);
        }
        self.append(announcement);
        (Step::Done, None, false)
    }

    /// Something may have been missed.
    pub(super) fn interrupted(&mut self) -> Step {
        match self.phase {
            Phase::New { .. } => {
                self.phase = Phase::New { doubtful: true };
                Step::Done
            }
            // Behind already: the repair under way may have read before what was missed, so it asks again.
            Phase::InStep | Phase::Behind => self.fall_behind(),
        }
    }

    /// A head seen by a beat. Announcements may be on their way, so only a room that has not come so far by the next one asks.
    pub(super) fn expect(&mut self, head: Seq) -> Step {
        let missed = self.phase == Phase::InStep && self.at.seq < self.expected;
        self.expected = head;
        if missed { self.fall_behind() } else { Step::Done }
    }

    /// A page of the log after the room's position.
    pub(super) fn repaired(&mut self, page: Page) -> Step {
        if self.phase != Phase::Behind {
            return Step::Done;
        }
        if page.history.continuity(self.at) != Continuity::Holds {
            return Step::Ask(self.at);
        }
        #[cfg(feature = "sabotage")]
        if crate::sabotage::is(crate::sabotage::Break::NoBackfill) {
            return self.declare_in_step(&page.history);
        }
        for entry in page.entries {
            if entry.seq == self.at.seq.next() {
                let epoch = page.history.epoch_of_next(self.at);
                self.push(epoch, entry);
            }
            if !self.consequences.is_empty() {
                // Whom it concerns must not get what follows: the rest is read once this is written.
                break;
            }
        }
        if self.at.seq < page.history.head {
            return Step::Ask(self.at);
        }
        self.adopt(page.history.epoch);
        self.catch_up()
    }

    /// The log does not go on from here: listeners go on after the snapshot.
    pub(super) fn reset(&mut self, frame: &Bytes, history: &History) -> Step {
        if self.phase != Phase::Behind {
            return Step::Done;
        }
        self.at = history.position();
        self.lock_ring(|ring, at| ring.restart(at));
        self.acts.push(Act::Reset { history: history.clone(), frame: frame.clone() });
        self.catch_up()
    }

    /// A listener came. One that is not where the room is pulls what it lacks.
    pub(super) fn attach(&mut self, outbox: &Outbox) {
        if let Some((seat, _)) = outbox.seat() {
            // Of two connections that came at once, the one that is told last here may be the older one.
            let (participant, generation) = (seat.participant, seat.generation);
            self.replaced(participant, generation);
            if self.newest.get(&participant).is_some_and(|newest| *newest > generation) {
                outbox.finish(Closing::Ours(Ending::Replaced));
            }
        }
        // A cursor of another epoch may be on a branch that was lost while its listener was on the way here.
        if outbox.cursor().is_some_and(|cursor| cursor.seq < self.at.seq || cursor.epoch != self.at.epoch) {
            outbox.lag();
        }
        self.end_late(outbox);
        self.present[outbox.framing() as usize] += 1;
        self.room.present.store(self.present(), Ordering::Relaxed);
    }

    /// Ends a listener whose seat went between the step that took it and its coming here.
    fn end_late(&self, outbox: &Outbox) {
        let Some((seat, since)) = outbox.seat() else { return };
        let ends = self.ends.get(&seat.participant).copied();
        for (seq, ending) in ends.into_iter().chain(self.ended.map(|seq| (seq, Ending::SessionEnded))) {
            if *since < seq {
                outbox.finish_after(seq, Closing::Ours(ending));
            }
        }
    }

    /// A participant's seat is `newest`'s: older connections end, and so does one that is still on its way here.
    pub(super) fn replaced(&mut self, participant: ParticipantId, newest: Generation) {
        if self.newest.len() >= NEWEST {
            self.newest.clear();
        }
        let known = self.newest.entry(participant).or_insert(newest);
        *known = newest.max(*known);
        self.acts.push(Act::Replaced { participant, newest });
    }

    /// A listener went.
    pub(super) fn detach(&mut self, framing: Framing) {
        self.present[framing as usize] -= 1;
        self.room.present.store(self.present(), Ordering::Relaxed);
    }

    /// Whether what waits has to be written before more is added: it fills a buffer, or somebody must not get what follows.
    pub(super) fn is_due(&self) -> bool {
        !self.consequences.is_empty() || self.encoders.reach(RUN_BYTES)
    }

    /// The encoded entries that wait, and when the log took them; `None` for none.
    pub(super) fn take_runs(&mut self) -> Option<(Runs, Vec<ClusterMs>)> {
        let waiting = std::mem::take(&mut self.waiting);
        (!waiting.is_empty()).then(|| (self.encoders.take(), waiting))
    }

    /// Ends who lost a seat by an entry that has now been delivered. A seat taken after it is not meant.
    pub(super) fn follow_up(&mut self) {
        self.acts.extend(self.consequences.drain(..).map(Act::Ended));
        self.end_lost();
    }

    /// Seats are lost, as the log at `head` knows.
    pub(super) fn lose(&mut self, head: Seq, seats: Vec<Seat>) {
        self.lost.extend(seats.into_iter().map(|seat| (head, seat)));
    }

    /// Ends the listeners of lost seats whose room has come as far as the beat that found them lost.
    fn end_lost(&mut self) {
        let at = self.at.seq;
        let due: Vec<_> = self.lost.extract_if(.., |(head, _)| *head <= at).map(|(_, seat)| seat).collect();
        if !due.is_empty() {
            self.acts.push(Act::Lost(due));
        }
    }

    /// What entries did to seats since this was asked last.
    pub(super) fn take_changes(&mut self) -> Vec<ParticipantChange> {
        std::mem::take(&mut self.changes)
    }

    /// Tells what the gateway wants to know of what has been delivered.
    pub(super) fn report(&mut self, noted: &Noted) {
        if let Some(film) = self.film.take() {
            noted.film(self.room.session, film);
        }
        self.gone.drain(..).for_each(|(participant, at)| noted.gone(self.room.session, participant, at));
    }

    /// In step with the log: what is pending is delivered, as far as it follows.
    fn catch_up(&mut self) -> Step {
        self.phase = Phase::InStep;
        while let Some(next) = self.pending.pop_front() {
            let last = Seq(next.first.plus(next.records.len()).0.saturating_sub(1));
            if last <= self.at.seq {
                continue;
            }
            if next.epoch != self.at.epoch || next.first > self.at.seq.next() {
                self.contradicted += 1;
                if self.contradicted < CONTRADICTIONS {
                    self.pending.push_front(next);
                    return self.fall_behind();
                }
                // Of a branch that was lost. Asked for again it would be asked for for ever.
                self.contradicted -= 1;
                continue;
            }
            self.contradicted = 0;
            self.append(next);
            if !self.consequences.is_empty() && !self.pending.is_empty() {
                // As in a repair: whom it concerns must not get what follows in the same run.
                return self.fall_behind();
            }
        }
        self.contradicted = 0;
        if self.heard > self.at.seq { self.fall_behind() } else { Step::Done }
    }

    fn fall_behind(&mut self) -> Step {
        self.phase = Phase::Behind;
        // What was heard of under a lost branch may never come: the repair's own head decides, and later announcements count anew.
        self.heard = self
            .pending
            .back()
            .map_or(Seq::ZERO, |last| Seq(last.first.plus(last.records.len()).0.saturating_sub(1)));
        Step::Ask(self.at)
    }

    fn append(&mut self, announcement: Announcement) {
        let Announcement { epoch, first, ts, records } = announcement;
        for (index, record) in records.into_iter().enumerate() {
            let seq = first.plus(index);
            if seq == self.at.seq.next() {
                self.push(epoch, Entry { seq, ts, record });
            }
        }
    }

    fn push(&mut self, epoch: Epoch, entry: Entry) {
        let present = self.present;
        self.encoders.push(|framing| present[framing as usize] > 0, self.at, epoch, &entry);
        self.waiting.push(entry.ts);
        self.at = Position { epoch, seq: entry.seq };
        self.note(&entry);
        self.lock_ring(|ring, at| ring.push(at.epoch, entry));
    }

    /// The log is under a newer epoch, and no entry of it has come yet.
    fn adopt(&mut self, epoch: Epoch) {
        if self.at.epoch == epoch {
            return;
        }
        let frame = Status::new_epoch(epoch, self.at.seq).encode();
        self.at.epoch = epoch;
        self.lock_ring(|ring, at| ring.adopt(at.epoch));
        self.acts.push(Act::Adopt { at: self.at, frame });
    }

    fn note(&mut self, entry: &Entry) {
        #[derive(Deserialize)]
        struct Left {
            participant_id: ParticipantId,
            reason: String,
        }
        match entry.record.kind() {
            EntryKind::ParticipantJoined => self.changes.push(ParticipantChange::Joined),
            EntryKind::Playback => self.film = Some(entry.record.clone()),
            EntryKind::SessionEnded => {
                self.ended = Some(entry.seq);
                let whose = None;
                self.consequences.push(Ended { at: entry.seq, whose, ending: Ending::SessionEnded });
            }
            EntryKind::ParticipantLeft => {
                let Ok(left) = serde_json::from_str::<Left>(entry.record.data()) else { return };
                self.gone.push((left.participant_id, entry.seq));
                self.changes.push(match left.reason.as_str() {
                    "kicked" => ParticipantChange::Kicked,
                    "timeout" => ParticipantChange::Timeout,
                    _ => ParticipantChange::Left,
                });
                let ending = match left.reason.as_str() {
                    "kicked" => Ending::Kicked,
                    "timeout" => Ending::SeatLost,
                    // `left` is said by the connection itself, which closes on its own.
                    _ => return,
                };
                if self.ends.len() >= NEWEST {
                    self.ends.clear();
                }
                self.ends.insert(left.participant_id, (entry.seq, ending));
                let whose = Some(left.participant_id);
                self.consequences.push(Ended { at: entry.seq, whose, ending });
            }
            _ => {}
        }
    }

    fn lock_ring(&self, change: impl FnOnce(&mut super::Ring, Position)) {
        change(&mut self.room.ring.lock().unwrap_or_else(PoisonError::into_inner), self.at);
    }
}
