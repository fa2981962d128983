//! What passed through a room that the gateway wants to know of: the film's newest state, seats that went, and what other nodes
//! tell of their people. The hub's other wish list, beside `behind`, read by `gateway/playback`.
//!
//! It carries no promise: what is dropped at its bounds costs a wait its deadline at most, because a command is never decided on it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::model::entry::Seq;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::record::Record;

/// Words of other nodes and seats kept for each room; the oldest go first. More than a room hears between two looks.
const KEPT: usize = 64;

/// What was noted in one room, oldest first.
#[derive(Debug, Default)]
pub struct Notes {
    /// The newest `playback` entry; an older one says nothing any more.
    pub film: Option<Record>,
    /// Whose seats went, and by which entry.
    pub gone: VecDeque<(ParticipantId, Seq)>,
    /// Frames from other nodes, and this one.
    pub peers: VecDeque<Bytes>,
}

impl Notes {
    fn keep<T>(queue: &mut VecDeque<T>, one: T) {
        if queue.len() == KEPT {
            queue.pop_front();
        }
        queue.push_back(one);
    }
}

/// Bounded by the number of rooms, times what is kept of each.
#[derive(Debug, Default)]
pub struct Noted {
    rooms: Mutex<HashMap<SessionId, Notes>>,
    wake: Notify,
}

impl Noted {
    /// A `playback` entry passed.
    pub fn film(&self, session: SessionId, record: Record) {
        self.note(session, |notes| notes.film = Some(record));
    }

    /// A seat went by this entry.
    pub fn gone(&self, session: SessionId, participant: ParticipantId, at: Seq) {
        self.note(session, |notes| Notes::keep(&mut notes.gone, (participant, at)));
    }

    /// A node spoke.
    pub fn peers(&self, session: SessionId, frame: Bytes) {
        self.note(session, |notes| Notes::keep(&mut notes.peers, frame));
    }

    /// Forgets what was noted in a room whose past no longer counts.
    pub fn forget(&self, session: SessionId) {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// Waits until something is noted, and takes it for at most `limit` rooms.
    pub async fn take(&self, limit: usize) -> Vec<(SessionId, Notes)> {
        loop {
            {
                let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
                let some: Vec<SessionId> = rooms.keys().take(limit).copied().collect();
                if !some.is_empty() {
                    let taken = some.into_iter();
                    return taken.filter_map(|session| rooms.remove_entry(&session)).collect();
                }
            }
            self.wake.notified().await;
        }
    }

    fn note(&self, session: SessionId, note: impl FnOnce(&mut Notes)) {
        note(self.rooms.lock().unwrap_or_else(PoisonError::into_inner).entry(session).or_default());
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::EntryKind;

    #[tokio::test]
    async fn a_room_is_noted_once_with_its_newest_film() {
        let (noted, session) = (Noted::default(), SessionId::new_random());
        for version in 1..=2 {
            noted.film(session, Record::new(EntryKind::Playback, None, None, &version.to_string()));
        }
        for at in 0..=KEPT {
            noted.peers(session, Bytes::from(at.to_string()));
        }
        let mut rooms = noted.take(8).await;
        let (whose, notes) = rooms.pop().expect("one room");
        assert_eq!((whose, rooms.len()), (session, 0));
        assert_eq!(notes.film.as_ref().map(Record::data), Some("2"));
        assert_eq!((notes.peers.len(), &notes.peers[0][..]), (KEPT, &b"1"[..]));
        noted.gone(session, ParticipantId::new_random(), Seq(1));
        noted.forget(session);
        let other = SessionId::new_random();
        noted.gone(other, ParticipantId::new_random(), Seq(1));
        assert_eq!(noted.take(8).await.len(), 1);
    }
}
