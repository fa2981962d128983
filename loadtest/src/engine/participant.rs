//! Who takes part, and what came to them: their ticket, their place among the replicas, and one row of numbers for each author.
//!
//! Pure but for the locks. What came outlives connections, so that somebody who was cut off and came back is held to every entry.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

use super::lock;
use super::room::Room;
use super::sender::Sender;
use crate::accounting::{Faults, Row};
use crate::api::Ticket;
use crate::message::{Here, Micros, Said};

/// Somebody in a room.
#[derive(Debug)]
pub(crate) struct Participant {
    /// Which.
    pub(crate) room: Arc<Room>,
    /// What lets them in.
    pub(crate) ticket: Ticket,
    /// Which replica they connect to.
    pub(crate) gateway: SocketAddr,
    /// From where.
    pub(crate) source: Option<IpAddr>,
    /// Which thread reads for them.
    pub(crate) lane: usize,
    /// What they say, if they do.
    pub(crate) sender: Option<Arc<Sender>>,
    /// What came.
    pub(crate) received: Mutex<Received>,
    task: Mutex<Option<AbortHandle>>,
}

/// What came to one participant so far.
#[derive(Debug)]
pub(crate) struct Received {
    epoch: [u8; 36],
    /// The log's numbers.
    pub(crate) seq: Row,
    rows: Vec<Option<Row>>,
    /// Whether they were there before anybody spoke: then every author's first number is 1.
    whole: bool,
    /// Whether a position to go on from is known.
    placed: bool,
    /// The entry with which they will have caught up.
    goal: u64,
    cut: Option<Micros>,
    /// Messages of nobody who speaks in their room, or with a body that nobody said.
    strangers: u64,
    /// Entries where others of the room have another one.
    misplaced: u64,
    /// Of `epoch`, enough to tell it from the one before.
    branch: u8,
    /// `reset` frames, and welcomes that did not go on from where they were.
    resets: u64,
    /// Messages that are no entries, and how many of them are signals.
    pub(crate) passing: u64,
    /// Whether a connection of theirs is welcomed.
    pub(crate) present: bool,
}

/// What an entry meant for a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Taken {
    /// It is one that they get as it happens, for the first time, so that it may be timed.
    pub(crate) live: bool,
    /// They have now caught up, and when they had been cut off.
    pub(crate) caught_up: Option<Micros>,
}

impl Participant {
    /// Somebody who is not connected yet.
    pub(crate) fn new(room: Arc<Room>, ticket: Ticket, gateway: SocketAddr) -> Self {
        Self {
            room,
            ticket,
            gateway,
            source: None,
            lane: 0,
            sender: None,
            received: Mutex::new(Received::new()),
            task: Mutex::new(None),
        }
    }

    /// Their connection is read by this task.
    pub(crate) fn attended_by(&self, task: AbortHandle) {
        *lock(&self.task) = Some(task);
    }

    /// Ends their connection without a word, at this time; whether they had one.
    pub(crate) fn cut(&self, now: Micros) -> bool {
        let mut received = lock(&self.received);
        if !std::mem::take(&mut received.present) {
            return false;
        }
        received.cut = Some(now);
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        true
    }

    /// Whether they have everything that was acknowledged in their room, or are not there.
    pub(crate) fn caught_up(&self) -> bool {
        let received = lock(&self.received);
        !received.present || received.seq.highest() >= self.room.head()
    }

    /// Entries that were acknowledged in their room and have not come, if they are there.
    pub(crate) fn outstanding(&self) -> u64 {
        let received = lock(&self.received);
        if received.present { received.seq.missing(self.room.head()) } else { 0 }
    }

    /// The address of the upgrade: with their position, if they have one.
    pub(crate) fn path(&self) -> String {
        let session = &self.room.session;
        match lock(&self.received).position() {
            Some((epoch, seq)) => format!("/ws/{session}?epoch={epoch}&seq={seq}"),
            None => format!("/ws/{session}"),
        }
    }
}

impl Received {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Self {
            epoch: [0; 36],
            seq: Row::after(0),
            rows: Vec::new(),
            whole: false,
            placed: false,
            goal: 0,
            cut: None,
            strangers: 0,
            misplaced: 0,
            branch: 0,
            resets: 0,
            passing: 0,
            present: false,
        }
    }

    fn position(&self) -> Option<(&str, u64)> {
        let epoch = std::str::from_utf8(&self.epoch).ok()?;
        self.placed.then(|| (epoch, self.seq.highest()))
    }

    /// They were welcomed. `quiet`: nobody has spoken yet. Gives when they had been cut off, if they have caught up with that.
    pub(crate) fn welcomed(&mut self, here: Here<'_>, quiet: bool) -> Option<Micros> {
        self.present = true;
        self.belongs_to(here.epoch);
        match (self.placed, here.recovered) {
            (true, true) => {}
            (true, false) => self.leapt(here.head),
            (false, _) => {
                self.whole = quiet;
                self.seq.leap(here.head);
            }
        }
        self.placed = true;
        self.goal = here.head;
        if self.seq.highest() >= self.goal { self.cut.take() } else { None }
    }

    /// Continuity broke, and they were told.
    pub(crate) fn reset(&mut self, here: Here<'_>) {
        self.belongs_to(here.epoch);
        self.leapt(here.head);
        self.goal = here.head;
        self.cut = None;
    }

    /// What comes from here on has this epoch.
    pub(crate) fn belongs_to(&mut self, epoch: &[u8]) {
        if let Ok(epoch) = epoch.try_into() {
            self.epoch = epoch;
            self.branch = self.epoch.iter().fold(0, |branch: u8, byte| branch.rotate_left(3) ^ byte);
        }
    }

    fn leapt(&mut self, head: u64) {
        self.resets += 1;
        self.seq.leap(head);
        // What came stays counted; each author's row goes on wherever it goes on.
        self.whole = false;
        for row in self.rows.iter_mut().flatten() {
            row.leap(u64::MAX);
        }
    }

    /// What an entry says is compared with what others got there, and its body with what is said in the room.
    pub(crate) fn looked_at(&mut self, room: &Room, seq: u64, said: Option<Said>, body: Option<usize>) {
        self.misplaced += u64::from(!room.agrees(self.branch, seq, said));
        self.strangers += u64::from(body.is_some_and(|body| !room.fits(body)));
    }

    /// An entry came, said by the sender of this row if it is one of this run's; `None` within: a sender that has no row here.
    pub(crate) fn entry(&mut self, seq: u64, said: Option<(Option<usize>, Said)>) -> Taken {
        let first = self.seq.take(seq);
        match said {
            Some((Some(slot), said)) => {
                let whole = self.whole;
                if slot >= self.rows.len() {
                    self.rows.resize(slot + 1, None);
                }
                let row =
                    self.rows[slot].get_or_insert_with(|| Row::after(if whole { 0 } else { said.n - 1 }));
                if row.highest() == u64::MAX {
                    row.leap(said.n - 1);
                }
                row.take(said.n);
            }
            Some((None, _)) => self.strangers += 1,
            None => {}
        }
        let live = first && seq > self.goal;
        let caught_up = if seq >= self.goal && self.cut.is_some() { self.cut.take() } else { None };
        Taken { live, caught_up }
    }

    /// What they did not get right. `head`: how far their room's log is acknowledged; `rows`: for each author the last number acknowledged
    /// and the last said.
    pub(crate) fn faults(&self, head: u64, rows: impl Iterator<Item = (u64, u64)>) -> Faults {
        // Somebody who is gone is held to what they had when they went.
        let owed = |row: &Row, last: u64| if self.present { last } else { last.min(row.highest()) };
        let mut by_author = Faults { phantom: self.strangers, ..Faults::default() };
        for (slot, (acked, said)) in rows.enumerate() {
            match self.rows.get(slot).and_then(Option::as_ref) {
                Some(row) if row.highest() == u64::MAX => {}
                Some(row) => {
                    // What was said and not acknowledged may be there or not.
                    by_author.missing += row.missing(owed(row, acked));
                    by_author.duplicated += row.duplicated;
                    by_author.reordered += row.reordered;
                    by_author.phantom += row.phantom(said);
                }
                None if self.whole && self.present => by_author.missing += acked,
                None => {}
            }
        }
        let mut by_log = Faults::default();
        by_log.add(&self.seq, owed(&self.seq, head));
        // Entries nobody of this run wrote, such as somebody's coming, may be beyond what was acknowledged.
        by_log.phantom = 0;
        let worse = by_log.or_worse(by_author);
        Faults { resets: self.resets, reordered: worse.reordered + self.misplaced, ..worse }
    }

    /// Whether a message of the sender of this row came, or is from before they were there.
    pub(crate) fn has(&self, slot: usize, n: u64) -> bool {
        self.rows.get(slot).and_then(Option::as_ref).map_or(!self.whole, |row| row.has(n))
    }

    /// Messages of this run that came, each counted once.
    pub(crate) fn delivered(&self) -> u64 {
        self.rows.iter().flatten().map(|row| row.taken).sum()
    }

    /// Leaps over numbers of the log that had not come.
    pub(crate) fn gaps(&self) -> u64 {
        self.seq.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: &[u8] = b"6c8349cc-7260-4e62-a3b1-1396831a8398";

    fn here(head: u64, recovered: bool) -> Here<'static> {
        Here { epoch: EPOCH, head, recovered }
    }

    fn said(n: u64) -> Option<(Option<usize>, Said)> {
        Some((Some(0), Said { sender: 0, n, meant: 0 }))
    }

    #[test]
    fn who_was_there_before_is_owed_every_number_and_who_came_later_those_after() {
        let mut early = Received::new();
        early.welcomed(here(3, false), true);
        early.entry(4, said(1));
        early.entry(5, said(2));
        assert_eq!(early.faults(5, [(2, 2)].into_iter()), Faults::default());
        assert_eq!(early.faults(6, [(3, 3)].into_iter()).missing, 1, "once, not by both rows");
        let mut late = Received::new();
        late.welcomed(here(4, false), false);
        late.entry(5, said(2));
        assert_eq!(late.faults(5, [(2, 2)].into_iter()), Faults::default());
        assert_eq!([early.has(0, 2), early.has(0, 3), early.has(1, 1)], [true, false, false]);
        assert_eq!((early.delivered(), late.delivered()), (2, 1));
        let mut deaf = Received::new();
        deaf.welcomed(here(3, false), true);
        assert_eq!(deaf.faults(5, [(2, 2)].into_iter()).missing, 2);
    }

    #[test]
    fn strangers_and_unsaid_numbers_are_phantoms() {
        let mut received = Received::new();
        received.welcomed(here(0, false), true);
        received.entry(1, Some((None, Said { sender: 9, n: 1, meant: 0 })));
        received.entry(2, said(1));
        received.entry(3, said(2));
        assert_eq!(received.faults(3, [(1, 1)].into_iter()).phantom, 2);
        assert_eq!(received.faults(3, [(1, 2)].into_iter()).phantom, 1, "said, and not acknowledged yet");
    }

    #[test]
    fn an_order_of_ones_own_is_a_fault_and_so_is_a_body_nobody_said() {
        let room = Room::new("id".to_owned(), 0, 2).with_bodies_of(128);
        let (mut one, mut other) = (Received::new(), Received::new());
        let said = |sender| Said { sender, n: 1, meant: 0 };
        for (receiver, senders) in [(&mut one, [0, 1]), (&mut other, [1, 0])] {
            receiver.welcomed(here(0, false), true);
            for (seq, sender) in (1..).zip(senders) {
                receiver.looked_at(&room, seq, Some(said(sender)), Some(128));
                receiver.entry(seq, Some((room.slot(sender), said(sender))));
            }
        }
        let rows = || [(1, 1), (1, 1)].into_iter();
        assert_eq!(one.faults(2, rows()), Faults::default());
        assert_eq!(other.faults(2, rows()), Faults { reordered: 2, ..Faults::default() });
        one.looked_at(&room, 2, Some(said(1)), Some(127));
        assert_eq!(one.faults(2, rows()), Faults { phantom: 1, ..Faults::default() });
    }

    #[test]
    fn a_resume_goes_on_and_is_timed_until_it_has_caught_up() {
        let mut received = Received::new();
        received.welcomed(here(0, false), true);
        assert!(received.entry(1, said(1)).live);
        received.present = false;
        received.cut = Some(70);
        assert_eq!(received.position(), Some(("6c8349cc-7260-4e62-a3b1-1396831a8398", 1)));
        assert_eq!(received.faults(3, [(3, 3)].into_iter()), Faults::default(), "not there: nothing is owed");
        assert_eq!(received.welcomed(here(3, true), false), None);
        assert_eq!(received.faults(3, [(3, 3)].into_iter()).missing, 2, "back: all of it is");
        assert_eq!(received.entry(2, said(2)), Taken { live: false, caught_up: None });
        assert_eq!(received.entry(3, said(3)), Taken { live: false, caught_up: Some(70) });
        assert_eq!(received.entry(4, said(4)), Taken { live: true, caught_up: None });
        assert_eq!(received.faults(4, [(4, 4)].into_iter()), Faults::default());
    }

    #[test]
    fn a_told_break_is_a_reset_and_not_a_loss() {
        let mut received = Received::new();
        received.welcomed(here(0, false), true);
        received.entry(1, said(1));
        received.welcomed(here(9, false), false);
        let told = Faults { resets: 1, ..Faults::default() };
        assert_eq!(received.faults(9, [(9, 9)].into_iter()), told);
        received.entry(10, said(10));
        received.entry(12, said(12));
        assert_eq!(received.faults(12, [(12, 12)].into_iter()), Faults { missing: 1, ..told });
        assert_eq!((received.delivered(), received.gaps()), (3, 1));
    }
}
