//! Waits end: every node with the room open keeps the tally and tries the start; the slot's version lets one of them win.
//!
//! Two tasks feed the watches: what the hub noted, and every two seconds what changed about this node's people. A third kind attends
//! to one wait on this node and ends with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::film_of;
use crate::backend::log::{Dedup, Relay};
use crate::gateway::Gateway;
use crate::gateway::publish::{Asked, Draft, TurnDraft};
use crate::gateway::rooms::Presence;
use crate::hub::noted::Notes;
use crate::model::id::SessionId;
use crate::model::playback::barrier::{Verdict, verdict};
use crate::model::playback::{Playback, Reason};
use crate::model::seat::Slot;
use crate::model::time::ClusterMs;
use crate::protocol::peers;

/// How often other nodes are told what changed about the people here, while nothing waits for it.
pub(super) const TELL: Duration = Duration::from_secs(2);
/// How often while a film waits: what gathers in between goes in one frame.
const TELL_WAITING: Duration = Duration::from_millis(50);
/// People in one frame; the others go with the next one.
const TOLD_AT_ONCE: usize = 256;
/// Rooms looked at, or told, at once.
pub(super) const AT_ONCE: usize = 64;
/// Nodes see the end of a wait in the same instant; each waits up to so long, so that most find it done.
const JITTER_MS: u64 = 15;
/// How long a node waits for the entry of a start it tried, before it looks again.
const RETRY: Duration = Duration::from_millis(200);

impl Gateway {
    /// Takes in what the hub noted, for ever.
    pub async fn run_playback(self: Arc<Self>) {
        loop {
            for (session, notes) in self.parts.hub.noted().take(AT_ONCE).await {
                self.take_in(session, notes);
            }
        }
    }

    /// Tells the other nodes, and who watches, how this node's people fare; for ever.
    pub async fn run_peers(self: Arc<Self>) {
        let gateway = &*self;
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let changed = gateway.rooms.all().into_iter().filter(|presence| presence.watch().has_news());
            stream::iter(changed)
                .for_each_concurrent(AT_ONCE, |presence| async move { gateway.tell(&presence).await })
                .await;
        }
    }

    /// The slots at some moment, seen on the way: a room that opens while the film waits learns of its deadline.
    pub(in crate::gateway) fn see_slots(self: &Arc<Self>, presence: &Arc<Presence>, slots: &[Slot]) {
        if let Ok(Some(film)) = film_of(slots) {
            self.see(presence, film);
        }
    }

    /// The slots after a reset: what was heard before does not count.
    pub(in crate::gateway) fn reset_film(self: &Arc<Self>, session: SessionId, slots: &[Slot]) {
        self.parts.hub.noted().forget(session);
        let Some(presence) = self.rooms.find(session) else { return };
        presence.watch().film_is(film_of(slots).unwrap_or_default());
        self.attend_if_waiting(&presence);
    }

    fn take_in(self: &Arc<Self>, session: SessionId, notes: Notes) {
        let Some(presence) = self.rooms.find(session) else { return };
        {
            let mut watch = presence.watch();
            notes.peers.iter().filter_map(|frame| peers::read(frame)).for_each(|peers| watch.heard(peers));
            notes.gone.into_iter().for_each(|(participant, at)| watch.gone(participant, at));
        }
        match notes.film.map(|record| Playback::from_json(record.data())) {
            Some(Some(film)) => self.see(&presence, film),
            Some(None) => tracing::error!("a playback entry cannot be read"),
            None => {}
        }
        presence.wake.notify_one();
    }

    fn see(self: &Arc<Self>, presence: &Arc<Presence>, film: Playback) {
        presence.watch().film(film);
        self.redate_if_moved(presence);
        self.attend_if_waiting(presence);
    }

    fn attend_if_waiting(self: &Arc<Self>, presence: &Arc<Presence>) {
        let begin = {
            let mut watch = presence.watch();
            let begin = watch.waiting().is_some() && !watch.attended;
            watch.attended |= begin;
            begin
        };
        presence.wake.notify_one();
        if begin {
            let (gateway, presence) = (self.clone(), presence.clone());
            self.parts.tracker.spawn(async move { gateway.attend(&presence).await });
        }
    }

    /// Attends to a wait until the film does not wait any more, or nobody here does.
    async fn attend(self: &Arc<Self>, presence: &Presence) {
        let mut told: Option<Instant> = None;
        loop {
            let idle = self.is_draining() || presence.is_unused();
            let waiting = {
                let mut watch = presence.watch();
                let waiting = watch.waiting().filter(|_| !idle);
                watch.attended = waiting.is_some();
                waiting
            };
            let Some(waiting) = waiting else { return };
            self.learn_whom(presence, waiting.since_ms).await;
            if told.is_none_or(|told| told.elapsed() >= TELL_WAITING) && presence.watch().has_news() {
                self.tell(presence).await;
                told = Some(Instant::now());
            }
            let now = self.now();
            let judged = verdict(waiting, presence.watch().tally(waiting), now);
            let pause = match judged {
                Verdict::Start(reason) => {
                    sleep(Duration::from_millis(fastrand::u64(0..=JITTER_MS))).await;
                    if presence.watch().waiting() == Some(waiting) {
                        self.try_start(presence.session, waiting.version, reason).await;
                    }
                    RETRY
                }
                Verdict::Until(_) if presence.watch().has_news() => TELL_WAITING,
                Verdict::Until(then) => then.since(now),
            };
            // Woken early or not, it looks again.
            let _ = timeout(pause, presence.wake.notified()).await;
        }
    }

    /// Reads whom a wait is for, once. While that cannot be read, only the deadline counts.
    async fn learn_whom(&self, presence: &Presence, since: ClusterMs) {
        if presence.watch().knows_whom(since) {
            return;
        }
        let everyone = usize::MAX;
        match self.participants(presence.session, None, everyone).await {
            Ok(roster) => {
                let there = roster.into_iter().filter(|participant| participant.joined_at <= since);
                presence.watch().wait_for(since, there.map(|participant| participant.id).collect());
            }
            Err(error) => tracing::debug!(%error, "nobody knows whom the film waits for"),
        }
    }

    async fn try_start(self: &Arc<Self>, session: SessionId, version: u64, reason: Reason) {
        let asked = Asked::Start { version, reason };
        let draft = TurnDraft { author: None, generation: None, dedup: Dedup::None, asked };
        if let Err(error) = self.wait_for(session, Draft::Turn(draft)).await {
            // Mostly: another node was first.
            tracing::trace!(%error, "the film was not started here");
        }
    }

    async fn tell(&self, presence: &Presence) {
        let asks = presence.watch().asks();
        if asks && !self.said_to_nodes(presence, peers::question(self.now())).await {
            presence.watch().unasked();
        }
        let news = presence.watch().news(TOLD_AT_ONCE);
        if news.is_empty() {
            return;
        }
        if !self.said_to_nodes(presence, peers::encode(self.now(), &news)).await {
            presence.watch().untold(&news);
        }
    }

    async fn said_to_nodes(&self, presence: &Presence, frame: Bytes) -> bool {
        let said = self.parts.backend.log.relay(presence.session, Relay { to: None, frame }).await;
        if let Err(error) = &said {
            tracing::debug!(%error, "other nodes were not told");
        }
        said.is_ok()
    }
}
