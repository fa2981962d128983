//! What the clients of a sequence know: their seats and their counts, learnt from answers and never taken back, as a crash of the store
//! takes nothing out of a browser.
//!
//! Responsible for turning an operation into a call in numbers. Not responsible for whether the call is allowed: most of them are tried.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use watchparty::backend::log::{
    Cut, Dedup, Effect, IdempotencyKey, Most, Publish, Published, READ_BYTES, Refusal, Relay,
};
use watchparty::backend::membership::JoinRequest;
use watchparty::model::entry::Seq;
use watchparty::model::id::{NodeId, SessionId};
use watchparty::model::record::{EntryKind, Record};
use watchparty::model::seat::{Generation, Seat, Slot, Snapshot};
use watchparty::model::session::{Control, SessionName, SessionPatch};

use crate::call::{Answer, Call};
use crate::cast::{self, LONG, NAMES, SLOTS, Who};
use crate::comparison::Outcome;
use crate::operation::{Change, Holding, Number, Operation, Saying, Version, Which};

/// Bytes of a large text: three are more than `READ_BYTES`.
const LARGE: usize = 400 * 1024;

/// Everybody's knowledge.
pub(crate) struct Clients {
    session: SessionId,
    capacity: u32,
    /// Every seat somebody was given, the newest last.
    seats: HashMap<Who, Vec<Seat>>,
    /// Everybody's last number in the log, as they were told; nobody counts too.
    counts: HashMap<Option<Who>, u64>,
    relays: usize,
    /// Its creation was lost after people sat in it, and it was made once more under the same id, which no gateway does.
    created_again: bool,
}

impl Clients {
    pub(crate) fn new(session: SessionId, capacity: u32) -> Self {
        Self {
            session,
            capacity,
            seats: HashMap::new(),
            counts: HashMap::new(),
            relays: 0,
            created_again: false,
        }
    }

    /// The operation as a call; `None` for what happens to the store. `now` is the session as it is, if there is one.
    pub(crate) fn call(&mut self, operation: &Operation, now: Option<&Snapshot>, head: Seq) -> Option<Call> {
        let seq = |back: u64| Seq(head.0.saturating_sub(back));
        Some(match operation {
            Operation::Create => Call::Create(cast::new_session(self.session, self.capacity)),
            Operation::Join { who, look, roster, lapsed } => Call::Join(JoinRequest {
                session: self.session,
                participant: who.id(),
                node: NodeId::new_random(),
                profile: cast::look(*look),
                lease: lease(*lapsed),
                roster: *roster,
            }),
            Operation::Publish(batch, change) => Call::Publish(self.batch(batch, change.as_ref(), now)),
            Operation::Burst { who, count } => {
                let one = Saying {
                    author: Some(*who),
                    seat: Some(Which::Newest),
                    number: Number::Next,
                    version: Version::Any,
                    data: 0,
                    large: false,
                };
                Call::Publish(self.batch(&vec![one; *count], None, now))
            }
            Operation::Beat { seats, lapsed } => {
                Call::Beat(seats.iter().map(|seat| self.seat(*seat)).collect(), lease(*lapsed))
            }
            Operation::Leave(seat) => Call::Leave(self.seat(*seat)),
            Operation::Relay { to } => {
                self.relays += 1;
                let frame = format!(r#"{{"type":"signal","relay":{}}}"#, self.relays);
                Call::Relay(Relay { to: to.map(Who::id), frame: Bytes::from(frame) })
            }
            Operation::ReadAfter { back, limit, bytes } => {
                Call::Read(Cut::After(seq(*back)), most(*limit, *bytes))
            }
            Operation::ReadBefore { back, limit, bytes } => {
                Call::Read(Cut::Before(seq(*back).next()), most(*limit, *bytes))
            }
            Operation::Snapshot { roster } => Call::Snapshot(*roster),
            Operation::Roster { after, limit } => Call::Roster(after.map(Who::id), *limit),
            Operation::Standing(who) => Call::Standing(who.id()),
            Operation::Find => Call::Find,
            Operation::Password => Call::Password,
            Operation::Take { bucket, tokens } => Call::Take(*bucket, *tokens),
            Operation::Listen => Call::Listen,
            Operation::Unlisten => Call::Unlisten,
            Operation::Promote | Operation::Restart | Operation::Crash { .. } => return None,
        })
    }

    /// Takes note of an answer. A seat is never given twice, whatever the store lost: two connections that hold the same could not be told
    /// apart, and one of them would be told that the other's words are its own, repeated.
    pub(crate) fn learn(&mut self, operation: &Operation, call: &Call, answer: &Answer) -> Outcome {
        match (operation, call, answer) {
            (Operation::Join { who, .. }, _, Answer::Joined { seat, last_n, .. }) => {
                let seats = self.seats.entry(*who).or_default();
                if seats.contains(seat) && !self.created_again {
                    return Err(format!("{who:?} was given {:?} before", seat.generation));
                }
                seats.push(*seat);
                self.counts.insert(Some(*who), *last_n);
            }
            (_, Call::Create(_), Answer::Created(_)) => self.created_again = !self.seats.is_empty(),
            (_, Call::Publish(batch), Answer::Published(answers)) => {
                for (publish, answer) in batch.iter().zip(answers) {
                    self.learn_count(publish, *answer);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn learn_count(&mut self, publish: &Publish, answer: Published) {
        let author = publish.author.map(|id| Who::all().find(|who| who.id() == id).expect("one of the six"));
        let count = match (publish.dedup, answer) {
            (Dedup::Number(n), Published::Accepted(_)) => n,
            (_, Published::Refused(Refusal::Gap { last_n })) => last_n,
            _ => return,
        };
        self.counts.insert(author, count);
    }

    /// Every author who ever counted, with the last number they know of.
    pub(crate) fn counts(&self) -> Vec<(Option<Who>, u64)> {
        let mut counts: Vec<_> = self.counts.iter().map(|(who, n)| (*who, *n)).collect();
        counts.sort_unstable();
        counts
    }

    fn seat(&self, Holding { who, which }: Holding) -> Seat {
        let had = self.seats.get(&who).map_or(&[][..], |seats| seats);
        let newest = had.last().map_or(Generation(0), |seat| seat.generation);
        let generation = match which {
            Which::Newest => newest,
            Which::Older => had.iter().rev().nth(1).map_or(Generation(0), |seat| seat.generation),
            Which::Ahead => Generation(newest.0 + 1),
        };
        Seat { session: self.session, participant: who.id(), generation }
    }

    fn batch(&self, batch: &[Saying], change: Option<&Change>, now: Option<&Snapshot>) -> Vec<Publish> {
        // Who says several things at once counts on.
        let mut counts = self.counts.clone();
        let mut publishes: Vec<Publish> =
            batch.iter().map(|saying| self.publish(*saying, &mut counts, now)).collect();
        if let Some(last) = publishes.last_mut() {
            last.effect = change.map(|change| effect(change, now));
        }
        publishes
    }

    fn publish(
        &self,
        saying: Saying,
        counts: &mut HashMap<Option<Who>, u64>,
        now: Option<&Snapshot>,
    ) -> Publish {
        let Saying { author, seat, number, version, data, large } = saying;
        let count = counts.entry(author).or_default();
        let dedup = match number {
            Number::None => Dedup::None,
            Number::Next => {
                *count += 1;
                Dedup::Number(*count)
            }
            Number::Again(back) => Dedup::Number(count.saturating_sub(back)),
            Number::Beyond(ahead) => Dedup::Number(*count + 1 + ahead),
            Number::Zero => Dedup::Number(0),
            Number::Key(key) => Dedup::Key(IdempotencyKey([key; 16])),
        };
        let n = if let Dedup::Number(n) = dedup { Some(n) } else { None };
        let text;
        let data = if large {
            text = format!("\"{}\"", "x".repeat(LARGE));
            &text
        } else {
            cast::data(data)
        };
        let generation = author.zip(seat).map(|(who, which)| self.seat(Holding { who, which }).generation);
        let author = author.map(Who::id);
        let if_version = version_of(version, now.map_or(1, |now| now.record.version));
        let record = Record::new(EntryKind::Chat, author, n, data);
        Publish { author, generation, dedup, record, if_version, effect: None }
    }
}

fn most(entries: usize, bytes: Option<usize>) -> Most {
    Most { entries, bytes: bytes.unwrap_or(READ_BYTES) }
}

fn lease(lapsed: bool) -> Duration {
    if lapsed { Duration::ZERO } else { LONG }
}

fn version_of(version: Version, now: u64) -> Option<u64> {
    match version {
        Version::Any => None,
        Version::Now => Some(now),
        Version::Old => Some(now.saturating_sub(1)),
        Version::Ahead => Some(now + 1),
    }
}

fn effect(change: &Change, now: Option<&Snapshot>) -> Effect {
    match change {
        Change::Slot { name, version } => {
            let name = SLOTS[*name];
            let slots = now.map_or(&[][..], |now| &now.slots);
            let next = slots.iter().find(|slot| slot.name == name).map_or(1, |slot| slot.version + 1);
            let version = version_of(*version, next).unwrap_or(next);
            Effect::Slot(Slot { name: name.to_owned(), version, value: format!(r#"{{"at": {version}}}"#) })
        }
        Change::Patch { name, password, locked, capacity, host_only } => Effect::Patch(SessionPatch {
            name: name.map(|at| SessionName::parse(NAMES[at]).expect("a name")),
            password_hash: password.then(|| String::from("$2b$04$other")),
            locked: *locked,
            capacity: *capacity,
            control: host_only.map(|host| if host { Control::Host } else { Control::Everyone }),
        }),
        Change::Transfer(who) => Effect::Transfer(who.id()),
        Change::Kick { who, banned } => Effect::Kick { participant: who.id(), ban: lease(!banned) },
        Change::Profile(look) => Effect::Profile(cast::look(*look)),
        Change::End => Effect::End,
    }
}
