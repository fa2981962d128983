//! The publish step: a batch for one session, checked, numbered and appended.
//!
//! Responsible for the order of the checks, which is part of the contract: end, standing, repetition, versions. A refused publish changes
//! nothing, so its number or key can be used again. Not responsible for what an entry means: it compares integers and knows nothing of films.

use super::repeats::Seen;
use super::session::Session;
use crate::backend::log::{Effect, Publish, Published, Refusal};
use crate::model::time::ClusterMs;

impl Session {
    /// Appends what can be appended of a batch, in order, and answers for each.
    pub(super) fn publish(&mut self, batch: &[Publish], now: ClusterMs) -> Vec<Published> {
        if self.over() {
            return vec![Published::Refused(Refusal::NoSession); batch.len()];
        }
        self.fence(now);
        let mut effect_before = false;
        let mut answer = |publish: &Publish| {
            // An effect ends its batch: what follows was decided on the state before it.
            let refused = std::mem::replace(&mut effect_before, publish.effect.is_some());
            if refused { Err(Refusal::Conflict) } else { self.publish_one(publish, now) }
        };
        batch.iter().map(|publish| answer(publish).unwrap_or_else(Published::Refused)).collect()
    }

    fn publish_one(&mut self, publish: &Publish, now: ClusterMs) -> Result<Published, Refusal> {
        self.may_write(publish, now)?;
        match self.repeats.seen(publish.author, publish.dedup) {
            Seen::New => {}
            Seen::Before(seq) => return Ok(Published::Duplicate(self.position(seq))),
            Seen::Beyond { last_n } => return Err(Refusal::Gap { last_n }),
        }
        if publish.if_version.is_some_and(|version| version != self.record.version) {
            return Err(Refusal::Conflict);
        }
        if let Some(effect) = &publish.effect {
            self.can_apply(effect, publish)?;
        }
        let seq = self.append(publish.record.clone(), now);
        self.touch(now);
        self.repeats.remember(publish.author, publish.dedup, seq);
        if let Some(effect) = &publish.effect {
            self.apply(effect, publish, now);
        }
        Ok(Published::Accepted(self.position(seq)))
    }

    /// A connection must hold its seat; over HTTP only a ban counts.
    fn may_write(&self, publish: &Publish, now: ClusterMs) -> Result<(), Refusal> {
        let Some(author) = publish.author else { return Ok(()) };
        match publish.generation {
            Some(generation) if !self.seats.holds(author, generation) => Err(Refusal::Stale),
            None if self.is_banned(author, now) => Err(Refusal::Banned),
            _ => Ok(()),
        }
    }

    fn can_apply(&self, effect: &Effect, publish: &Publish) -> Result<(), Refusal> {
        let seated = |participant| {
            if self.seats.get(participant).is_some() { Ok(()) } else { Err(Refusal::NoSuchParticipant) }
        };
        match effect {
            Effect::Slot(slot) => {
                let version = self.slots.get(&slot.name).map_or(0, |slot| slot.version);
                if version + 1 == slot.version { Ok(()) } else { Err(Refusal::Conflict) }
            }
            Effect::SlotIs { name, version } => {
                let now = self.slots.get(name).map_or(0, |slot| slot.version);
                if now == *version { Ok(()) } else { Err(Refusal::Conflict) }
            }
            Effect::Transfer(participant) | Effect::Kick { participant, .. } => seated(*participant),
            Effect::Profile(_) => publish.author.map_or(Err(Refusal::NoSuchParticipant), seated),
            Effect::Patch(_) | Effect::End => Ok(()),
        }
    }

    fn apply(&mut self, effect: &Effect, publish: &Publish, now: ClusterMs) {
        match effect {
            Effect::Slot(slot) => {
                self.slots.insert(slot.name.clone(), slot.clone());
            }
            Effect::SlotIs { .. } => {}
            Effect::Patch(patch) => self.patch(patch),
            Effect::Transfer(participant) => {
                self.claims.clear();
                self.crown(*participant);
            }
            Effect::Kick { participant, ban } => {
                self.banned.insert(*participant, now.plus(*ban));
                self.seats.remove(*participant);
                self.replace_host(now);
            }
            Effect::Profile(profile) => {
                if let Some(seat) = publish.author.and_then(|author| self.seats.get_mut(author)) {
                    seat.profile = profile.clone();
                }
            }
            Effect::End => self.end(now),
        }
    }
}
