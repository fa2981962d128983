//! The steps of membership: join, leave, beat, and the host who follows from them.
//!
//! Responsible for seats, leases, capacity and the one host. Not responsible for telling anyone (`membership`). The seats are a
//! small ordered table of their own, so that "longest seated" is simply the first.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::session::Session;
use crate::backend::membership::{Beat, JoinRefusal, JoinRequest, Joined, RECLAIM, Standing};
use crate::model::id::ParticipantId;
use crate::model::participant::Role;
use crate::model::record::{EntryKind, Record};
use crate::model::seat::{Generation, Participant, Profile, Seat};
use crate::model::time::ClusterMs;

/// Generations that one millisecond has room for: more than joins that a Redis runs in it. As in `redis/lua/fence.lua`.
const GENERATIONS_PER_MS: u64 = 16;

/// Who sits where.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats {
    held: BTreeMap<JoinIndex, Held>,
    /// Where each participant sat last, whether they still do or not: pages of a roster go on after one who left.
    indexes: HashMap<ParticipantId, JoinIndex>,
    /// Takings so far: the newest generation, and the join index of a seat newly taken.
    taken: u64,
}

/// The order in which seats were newly taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct JoinIndex(u64);

/// A seat that is taken.
#[derive(Debug, Clone)]
pub(super) struct Held {
    participant: ParticipantId,
    generation: Generation,
    pub(super) profile: Profile,
    joined_at: ClusterMs,
    lease_until: ClusterMs,
}

impl Seats {
    pub(super) fn get(&self, participant: ParticipantId) -> Option<&Held> {
        self.held.get(self.indexes.get(&participant)?)
    }

    pub(super) fn get_mut(&mut self, participant: ParticipantId) -> Option<&mut Held> {
        self.held.get_mut(self.indexes.get(&participant)?)
    }

    /// Whether the participant's seat is still this generation's.
    pub(super) fn holds(&self, participant: ParticipantId, generation: Generation) -> bool {
        self.get(participant).is_some_and(|held| held.generation == generation)
    }

    /// Whether the participant holds a seat whose lease runs.
    pub(super) fn seated(&self, participant: ParticipantId, now: ClusterMs) -> bool {
        self.get(participant).is_some_and(|held| held.lease_until > now)
    }

    pub(super) fn remove(&mut self, participant: ParticipantId) {
        if let Some(index) = self.indexes.get(&participant) {
            self.held.remove(index);
        }
    }

    /// The store restarted: seats that were taken and lost may have connections still, so theirs are not given again.
    pub(super) fn pass_lost(&mut self, now: ClusterMs) {
        self.taken = self.taken.max(now.0.saturating_mul(GENERATIONS_PER_MS));
    }

    /// Seats whose lease runs.
    pub(super) fn count(&self, now: ClusterMs) -> u32 {
        let live = self.held.values().filter(|held| held.lease_until > now).count();
        u32::try_from(live).unwrap_or(u32::MAX)
    }

    /// Those whose lease ran out, in the order in which that happened.
    fn lapsed(&self, now: ClusterMs) -> Vec<ParticipantId> {
        let mut lapsed: Vec<&Held> = self.held.values().filter(|held| held.lease_until <= now).collect();
        lapsed.sort_by_key(|held| (held.lease_until, held.participant));
        lapsed.into_iter().map(|held| held.participant).collect()
    }

    /// The longest seated, before all those whose lease runs.
    fn eldest(&self, now: ClusterMs) -> Option<ParticipantId> {
        let live = self.held.values().find(|held| held.lease_until > now);
        live.or_else(|| self.held.values().next()).map(|held| held.participant)
    }

    /// Gives a seat, or the participant's own with a newer generation.
    fn take(&mut self, request: &JoinRequest, now: ClusterMs) -> Generation {
        self.taken += 1;
        let (generation, lease_until) = (Generation(self.taken), now.plus(request.lease));
        let participant = request.participant;
        if let Some(held) = self.get_mut(participant) {
            (held.generation, held.lease_until) = (generation, lease_until);
            return generation;
        }
        let profile = request.profile.clone();
        let held = Held { participant, generation, profile, joined_at: now, lease_until };
        self.held.insert(JoinIndex(self.taken), held);
        self.indexes.insert(participant, JoinIndex(self.taken));
        generation
    }
}

impl Session {
    /// Takes a seat, or takes one's own over.
    pub(super) fn join(&mut self, request: &JoinRequest, now: ClusterMs) -> Result<Joined, JoinRefusal> {
        if self.over() {
            return Err(JoinRefusal::NoSession);
        }
        self.fence(now);
        self.reap(now);
        let participant = request.participant;
        let resumed = self.seats.get(participant).is_some();
        self.admits(participant, resumed, now)?;
        let generation = self.seats.take(request, now);
        self.touch(now);
        if !resumed {
            self.tell_joined(participant, now);
            self.settle_host(participant, now);
        }
        Ok(Joined {
            seat: Seat { session: self.id(), participant, generation },
            snapshot: self.snapshot(request.roster, now),
            last_n: self.repeats.last_n(participant),
            resumed,
        })
    }

    fn admits(&self, participant: ParticipantId, resumed: bool, now: ClusterMs) -> Result<(), JoinRefusal> {
        if self.is_banned(participant, now) {
            Err(JoinRefusal::Banned)
        } else if resumed {
            Ok(())
        } else if self.record.locked && participant != self.record.host && !self.may_reclaim(participant, now)
        {
            // The host may enter: an empty session would be shut for ever. So may one who was lost and can be host again: else
            // whoever followed them could lock them out of what is theirs.
            Err(JoinRefusal::Locked)
        } else if self.seats.held.len() >= self.record.capacity as usize {
            Err(JoinRefusal::Full)
        } else {
            Ok(())
        }
    }

    fn may_reclaim(&self, participant: ParticipantId, now: ClusterMs) -> bool {
        self.claims.get(&participant).is_some_and(|until| *until > now)
    }

    /// Gives a seat up, if it is this generation's.
    pub(super) fn leave(&mut self, seat: Seat, now: ClusterMs) {
        if self.over() || !self.seats.holds(seat.participant, seat.generation) {
            return;
        }
        self.fence(now);
        self.seats.remove(seat.participant);
        self.replace_host(now);
        self.tell_left(seat.participant, "left", now);
    }

    /// Renews the leases of a node's seats, then frees those that ran out: a node that is merely late keeps its participants.
    pub(super) fn beat(&mut self, seats: &[Seat], lease: Duration, now: ClusterMs) -> Beat {
        if self.over() {
            return Beat { head: None, lost: seats.to_vec() };
        }
        self.fence(now);
        let mut lost = Vec::new();
        for seat in seats {
            match self.seats.get_mut(seat.participant) {
                Some(held) if held.generation == seat.generation => held.lease_until = now.plus(lease),
                _ => lost.push(*seat),
            }
        }
        self.reap(now);
        self.banned.retain(|_, until| *until > now);
        self.claims.retain(|_, until| *until > now);
        self.touch(now);
        Beat { head: Some(self.head()), lost }
    }

    /// Seated participants in order of joining after the given one; from the start when that one never sat here.
    pub(super) fn roster(
        &self,
        after: Option<ParticipantId>,
        limit: usize,
        now: ClusterMs,
    ) -> Vec<Participant> {
        let after = after.and_then(|participant| self.seats.indexes.get(&participant));
        let from = after.map_or(JoinIndex(0), |index| JoinIndex(index.0 + 1));
        let held = self.seats.held.range(from..).map(|(_, held)| held);
        held.filter(|held| held.lease_until > now).take(limit).map(|held| self.participant(held)).collect()
    }

    /// What the session thinks of one participant.
    pub(super) fn standing(&self, participant: ParticipantId, now: ClusterMs) -> Standing {
        Standing {
            seated: self.seats.seated(participant, now),
            host: self.record.host == participant,
            banned: self.is_banned(participant, now),
            version: self.record.version,
        }
    }

    pub(super) fn is_banned(&self, participant: ParticipantId, now: ClusterMs) -> bool {
        self.banned.get(&participant).is_some_and(|until| *until > now)
    }

    /// Frees the seats whose lease ran out, once each. Only those whose lease runs can become host.
    fn reap(&mut self, now: ClusterMs) {
        for participant in self.seats.lapsed(now) {
            let before = self.record.host;
            self.seats.remove(participant);
            self.replace_host(now);
            if self.record.host != before {
                self.claims.insert(before, now.plus(RECLAIM));
            }
            self.tell_left(participant, "timeout", now);
        }
    }

    /// Makes the longest seated host if the host holds no seat; a session nobody sits in keeps its host.
    pub(super) fn replace_host(&mut self, now: ClusterMs) {
        if self.seats.get(self.record.host).is_none()
            && let Some(eldest) = self.seats.eldest(now)
        {
            self.crown(eldest);
        }
    }

    /// Makes someone host; the version grows.
    pub(super) fn crown(&mut self, participant: ParticipantId) {
        self.record.host = participant;
        self.record.version += 1;
    }

    /// Who is host after a new seat was taken: a lost host who came back, or the first to enter where nobody sat.
    fn settle_host(&mut self, newcomer: ParticipantId, now: ClusterMs) {
        let host = self.record.host;
        let claimed = self.claims.remove(&newcomer).is_some_and(|until| until > now);
        let reason = if newcomer == host {
            return;
        } else if claimed {
            "reclaimed"
        } else if self.seats.get(host).is_none() {
            self.claims.insert(host, now.plus(RECLAIM));
            "promoted"
        } else {
            return;
        };
        self.crown(newcomer);
        let data = format!(r#"{{"host_id":"{newcomer}","reason":"{reason}"}}"#);
        self.append(Record::new(EntryKind::HostChanged, None, None, &data), now);
    }

    fn tell_joined(&mut self, participant: ParticipantId, now: ClusterMs) {
        let Some(held) = self.seats.get(participant) else { return };
        // Ids, checked texts and a number always serialise.
        let data = serde_json::to_string(&self.participant(held)).unwrap_or_else(|_| String::from("{}"));
        self.append(Record::new(EntryKind::ParticipantJoined, Some(participant), None, &data), now);
    }

    /// A participant who leaves says so; one who was lost does not.
    fn tell_left(&mut self, participant: ParticipantId, reason: &str, now: ClusterMs) {
        let host = self.record.host;
        let data = format!(r#"{{"participant_id":"{participant}","reason":"{reason}","host_id":"{host}"}}"#);
        let from = (reason == "left").then_some(participant);
        self.append(Record::new(EntryKind::ParticipantLeft, from, None, &data), now);
        self.touch(now);
    }

    fn participant(&self, held: &Held) -> Participant {
        Participant {
            id: held.participant,
            name: held.profile.name.clone(),
            color: held.profile.color,
            role: if held.participant == self.record.host { Role::Host } else { Role::Member },
            joined_at: held.joined_at,
        }
    }
}
