//! Where the listeners of a room are: with the room's own shard while they are few, and from [`PART`] on with others too, so that a small
//! room costs one wake and a huge one uses every core.
//!
//! The room's own shard says what happens, in order, and every part hears it in that order through one queue; a listener stays with the
//! part that it came to, so what it is given keeps the room's order. A part never waits for the room, so the room may wait for a part.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Commons;
use super::act::Act;
use super::listeners::{Listeners, Relayed, Turn};
use super::outbox::Outbox;
use super::receivers::Receivers;
use crate::backend::log::Relay;
use crate::model::id::{ConnectionId, SessionId};
use crate::protocol::framing::Framing;

/// Listeners after which a room goes on with the next shard. Some milliseconds of writes, against some ten microseconds for the wake.
pub(super) const PART: usize = 256;

/// What a room's own shard has for another shard.
#[derive(Debug)]
pub(super) enum Word {
    Attach(SessionId, Arc<Outbox>),
    Detach(SessionId, ConnectionId),
    Act(SessionId, Arc<Act>),
    /// A frame for one of its listeners.
    Pass(Arc<Outbox>, Arc<Relay>),
    Close(SessionId),
}

/// The other shards, the next one first.
pub(super) type Others = Vec<mpsc::Sender<Word>>;

/// A room's listeners.
#[derive(Debug)]
pub(super) struct Spread {
    session: SessionId,
    own: Listeners,
    /// Nothing for a room that was never large.
    away: Option<Box<Away>>,
    /// Nothing for a room without a message for one participant so far.
    receivers: Option<Box<Receivers>>,
}

/// Those with other shards.
#[derive(Debug, Default)]
struct Away {
    /// How many, by shard.
    counts: Vec<usize>,
    /// With which shard each is.
    places: HashMap<ConnectionId, (usize, Arc<Outbox>)>,
}

impl Away {
    fn remove(&mut self, connection: ConnectionId) -> Option<(usize, Arc<Outbox>)> {
        let (place, outbox) = self.places.remove(&connection)?;
        self.counts[place] -= 1;
        Some((place, outbox))
    }
}

impl Spread {
    pub(super) fn new(session: SessionId) -> Self {
        Self { session, own: Listeners::default(), away: None, receivers: None }
    }

    /// Takes a listener in, where there are the fewest whole parts.
    pub(super) async fn attach(&mut self, outbox: Arc<Outbox>, others: &Others) {
        let place = self.place(others.len());
        if let Some(receivers) = &mut self.receivers {
            receivers.add(place, &outbox);
        }
        let Some(place) = place else { return self.own.add(outbox) };
        let away = self.away.get_or_insert_default();
        away.counts.resize(others.len(), 0);
        away.counts[place] += 1;
        away.places.insert(outbox.connection, (place, outbox.clone()));
        tell(&others[place], Word::Attach(self.session, outbox)).await;
    }

    /// With which other shard the next one goes; `None` for its own.
    fn place(&self, others: usize) -> Option<usize> {
        let parts =
            |place: usize| self.away.as_ref().and_then(|away| away.counts.get(place)).map_or(0, |n| n / PART);
        let fewest = (0..others).min_by_key(|place| parts(*place))?;
        (parts(fewest) < self.own.len() / PART).then_some(fewest)
    }

    /// Takes one out; its framing, if it was there.
    pub(super) async fn detach(&mut self, connection: ConnectionId, others: &Others) -> Option<Framing> {
        let away = self.away.as_mut().and_then(|away| away.remove(connection));
        let (place, gone) = match away {
            Some((place, gone)) => (Some(place), gone),
            None => (None, self.own.remove(connection)?),
        };
        if let Some(receivers) = &mut self.receivers {
            receivers.remove(&gone);
        }
        if let Some(place) = place {
            tell(&others[place], Word::Detach(self.session, connection)).await;
        }
        Some(gone.framing())
    }

    /// Passes a frame that nobody keeps to those for whom it is meant: everybody, or the listeners of one participant, and then nobody
    /// else is looked at. It goes by the same queue as everything for a part.
    pub(super) async fn pass(&mut self, relay: Relay, others: &Others, turn: &mut Turn, commons: &Commons) {
        let Some(to) = relay.to else {
            return self.hear(Act::Relayed(relay), others, turn, commons).await;
        };
        if self.receivers.is_none() {
            self.receivers = Some(Box::new(self.sort_out(turn).await));
        }
        let theirs = self.receivers.as_ref().map_or(&[][..], |receivers| receivers.of(to));
        let (relay, mut relayed) = (Arc::new(relay), Relayed::default());
        for receiver in theirs {
            match receiver.place {
                None => relayed.pass(&relay, &receiver.outbox, &commons.metrics),
                Some(place) => {
                    tell(&others[place], Word::Pass(receiver.outbox.clone(), relay.clone())).await;
                }
            }
        }
        turn.served(theirs.len()).await;
    }

    /// The only time that a message for one participant costs a look at everybody.
    async fn sort_out(&self, turn: &mut Turn) -> Receivers {
        let mut receivers = Receivers::default();
        for some in self.own.chunks() {
            let count = some.len();
            some.for_each(|outbox| receivers.add(None, outbox));
            turn.served(count).await;
        }
        let away = self.away.iter().flat_map(|away| away.places.values());
        for (place, outbox) in away {
            receivers.add(Some(*place), outbox);
            turn.served(1).await;
        }
        receivers
    }

    /// Has every part carry out an act.
    pub(super) async fn hear(&self, act: Act, others: &Others, turn: &mut Turn, commons: &Commons) {
        let Some(away) = &self.away else {
            self.own.hear(&act, turn, &commons.metrics).await;
            return act.done(commons);
        };
        let act = Arc::new(act);
        for (other, _) in others.iter().zip(&away.counts).filter(|(_, listeners)| **listeners > 0) {
            tell(other, Word::Act(self.session, act.clone())).await;
        }
        self.own.hear(&act, turn, &commons.metrics).await;
        part_done(act, commons);
    }

    /// The room is closed: nobody hears of it any more.
    pub(super) async fn close(self, others: &Others) {
        let Some(away) = self.away else { return };
        for (other, _) in others.iter().zip(away.counts).filter(|(_, listeners)| *listeners > 0) {
            tell(other, Word::Close(self.session)).await;
        }
    }
}

/// A part has carried it out, perhaps the last one.
fn part_done(act: Arc<Act>, commons: &Commons) {
    if let Some(act) = Arc::into_inner(act) {
        act.done(commons);
    }
}

async fn tell(shard: &mpsc::Sender<Word>, word: Word) {
    // It ends with the hub only, when nobody is left to be told.
    let _ = shard.send(word).await;
}

/// The parts of other shards' rooms that a shard serves.
pub(super) struct Parts {
    inbox: mpsc::Receiver<Word>,
    commons: Commons,
    rooms: HashMap<SessionId, Listeners>,
}

impl Parts {
    pub(super) fn new(inbox: mpsc::Receiver<Word>, commons: Commons) -> Self {
        Self { inbox, commons, rooms: HashMap::new() }
    }

    /// Serves them until the rooms' own shards are gone.
    pub(super) async fn run(mut self) {
        let mut turn = Turn::default();
        while let Some(word) = self.inbox.recv().await {
            match word {
                Word::Attach(session, outbox) => self.rooms.entry(session).or_default().add(outbox),
                Word::Detach(session, connection) => {
                    let Some(listeners) = self.rooms.get_mut(&session) else { continue };
                    listeners.remove(connection);
                    if listeners.len() == 0 {
                        self.rooms.remove(&session);
                    }
                }
                Word::Act(session, act) => {
                    if let Some(listeners) = self.rooms.get(&session) {
                        listeners.hear(&act, &mut turn, &self.commons.metrics).await;
                    }
                    part_done(act, &self.commons);
                }
                Word::Pass(outbox, relay) => {
                    Relayed::default().pass(&relay, &outbox, &self.commons.metrics);
                    turn.served(1).await;
                }
                Word::Close(session) => drop(self.rooms.remove(&session)),
            }
        }
    }
}
