//! One session under load: where it is, who speaks in it, and how far its log is acknowledged.
//!
//! Senders of a run have numbers, and those of a room follow one another: so a receiver finds the row of a message's author by a
//! subtraction, and a message that strayed in from another room is found out.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::message::{CHAT_MAX, STAMP_MAX, Said};

/// Places of the log that receivers are compared at, the newest: 16 KiB a room. Who is further behind than this is not compared there.
const PLACES: usize = 2048;

/// A session.
#[derive(Debug)]
pub(crate) struct Room {
    /// Its id.
    pub(crate) session: String,
    /// The first of its senders, and how many there are.
    first: u32,
    speakers: u32,
    /// Bytes of a body that its senders say.
    body: usize,
    acked: AtomicU64,
    /// What the first receiver of each place of the log got there, by `place`.
    places: OnceLock<Box<[AtomicU64]>>,
}

impl Room {
    /// The room of a session in which `speakers` people may speak; the first of them has the number `first`.
    pub(crate) fn new(session: String, first: u32, speakers: u32) -> Self {
        Self { session, first, speakers, body: 0, acked: AtomicU64::new(0), places: OnceLock::new() }
    }

    /// Bodies that are said in it have so many bytes.
    pub(crate) fn with_bodies_of(mut self, body: usize) -> Self {
        self.body = body;
        self
    }

    /// Whether a body of this length can have been said here. One that is asked to be shorter than its stamp is as long as that.
    pub(crate) fn fits(&self, body: usize) -> bool {
        self.body < STAMP_MAX || body == self.body || body == self.body.min(CHAT_MAX)
    }

    /// Whether everybody got the same at this place of the log, as far as is known: all receivers see one order, across authors too.
    /// `epoch` tells branches of the log apart, on which a number may mean something else.
    pub(crate) fn agrees(&self, epoch: u8, seq: u64, said: Option<Said>) -> bool {
        let (Some(mine), Ok(at)) = (place(epoch, seq, said), usize::try_from(seq)) else { return true };
        let places = self.places.get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect());
        let place = &places[at % PLACES];
        let same = |known: u64| known >> 24 != mine >> 24 || known == mine;
        let known = place.load(Ordering::Relaxed);
        if known >> 24 == mine >> 24 || known >> 32 > mine >> 32 {
            return same(known);
        }
        // Somebody else may be the first at the same moment.
        place.compare_exchange(known, mine, Ordering::Relaxed, Ordering::Relaxed).map_or_else(same, |_| true)
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

/// The number, the branch and a digest of who said what, in one word: 32, 8 and 24 bits; none for a number that does not fit.
fn place(epoch: u8, seq: u64, said: Option<Said>) -> Option<u64> {
    let seq = u64::from(u32::try_from(seq).ok()?);
    let mixed =
        |said: Said| (u64::from(said.sender) << 40 ^ (said.n + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Some(seq << 32 | u64::from(epoch) << 24 | said.map_or(0, mixed) >> 40)
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

    #[test]
    fn all_must_get_the_same_at_a_place() {
        let room = Room::new("id".to_owned(), 0, 2);
        let said = |sender, n| Some(Said { sender, n, meant: 0 });
        assert!(room.agrees(1, 5, said(0, 1)) && room.agrees(1, 6, said(1, 1)) && room.agrees(1, 7, None));
        assert!(room.agrees(1, 5, said(0, 1)) && room.agrees(1, 7, None), "the second receiver");
        assert!(!room.agrees(1, 5, said(1, 1)) && !room.agrees(1, 6, said(0, 1)), "two authors exchanged");
        assert!(!room.agrees(1, 7, said(0, 1)), "something else");
        assert!(room.agrees(2, 5, said(1, 9)), "another branch of the log");
        let later = 5 + PLACES as u64;
        assert!(room.agrees(2, later, said(0, 3)) && room.agrees(2, 5, said(0, 1)), "too far behind");
    }

    #[test]
    fn a_body_has_the_length_that_was_said() {
        let room = |body| Room::new("id".to_owned(), 0, 2).with_bodies_of(body);
        assert_eq!([127, 128, 129].map(|length| room(128).fits(length)), [false, true, false]);
        assert_eq!([2000, 2001, 4096].map(|length| room(4096).fits(length)), [true, false, true], "a chat's");
        assert!(room(8).fits(31), "as long as its stamp");
    }
}
