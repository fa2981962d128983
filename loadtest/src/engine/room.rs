//! One session under load: where it is, who speaks in it, and how far its log is acknowledged.
//!
//! Senders of a run have numbers, and those of a room follow one another: so a receiver finds the row of a message's author by a
//! subtraction, and a message that strayed in from another room is found out.

use std::sync::atomic::{AtomicU64, Ordering};

/// A session.
#[derive(Debug)]
pub(crate) struct Room {
    /// Its id.
    pub(crate) session: String,
    /// The first of its senders, and how many there are.
    first: u32,
    speakers: u32,
    acked: AtomicU64,
}

impl Room {
    /// The room of a session in which `speakers` people may speak; the first of them has the number `first`.
    pub(crate) fn new(session: String, first: u32, speakers: u32) -> Self {
        Self { session, first, speakers, acked: AtomicU64::new(0) }
    }

    /// The numbers of its senders.
    pub(crate) fn senders(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.speakers
    }

    /// Which row of a receiver a sender's messages belong to; none for a sender of another room.
    pub(crate) fn slot(&self, sender: u32) -> Option<usize> {
        let slot = sender.checked_sub(self.first)?;
        (slot < self.speakers).then_some(slot as usize)
    }

    /// An entry was acknowledged at this place of the log.
    pub(crate) fn acked(&self, seq: u64) {
        self.acked.fetch_max(seq, Ordering::Relaxed);
    }

    /// The highest place that was: whoever is present must have got everything up to it.
    pub(crate) fn head(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_senders_have_a_row() {
        let room = Room::new("id".to_owned(), 10, 3);
        assert_eq!([9, 10, 12, 13].map(|sender| room.slot(sender)), [None, Some(0), Some(2), None]);
        room.acked(7);
        room.acked(5);
        assert_eq!((room.head(), room.senders()), (7, 10..13));
    }
}
