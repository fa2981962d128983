//! Films that a clock which is gone dated: when another host's clock becomes the cluster's, every node with the room open tries to tell them
//! by it, and the slot's version lets one of them.
//!
//! A node learns of it in two ways: its own clock changed, or a state passed that somebody decided just before theirs did. Both come here.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{MissedTickBehavior, interval};

use super::barrier::{AT_ONCE, TELL};
use crate::backend::log::Dedup;
use crate::gateway::Gateway;
use crate::gateway::publish::{Asked, Draft, TurnDraft};
use crate::gateway::rooms::Presence;
use crate::model::playback::Playback;

impl Gateway {
    /// Tells films anew when the clock changes, for ever. Besides it looks now and then: a try may have failed with the Redis that was left.
    pub async fn run_redate(self: Arc<Self>) {
        let gateway = &self;
        let mut changes = self.parts.backend.clock.changes();
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                // The clock lives as long as this gateway.
                changed = changes.changed() => if changed.is_err() { return },
                _ = ticks.tick() => {}
            }
            let moved = gateway.rooms.all().into_iter().filter_map(|presence| gateway.moved_film(&presence));
            stream::iter(moved)
                .for_each_concurrent(AT_ONCE, |(presence, version)| async move {
                    if let Err(error) = gateway.wait_for(presence.session, redate(version)).await {
                        // Mostly: another node was first.
                        tracing::trace!(%error, "the film was not told anew here");
                    }
                })
                .await;
        }
    }

    /// Tells a room's film anew if it has to be; for a state that has just been seen.
    pub(super) fn redate_if_moved(self: &Arc<Self>, presence: &Arc<Presence>) {
        if let Some((presence, version)) = self.moved_film(presence) {
            self.submit(
                presence.session,
                redate(version),
                Box::new(|answer| tracing::trace!(?answer, "told anew")),
            );
        }
    }

    fn moved_film(&self, presence: &Arc<Presence>) -> Option<(Arc<Presence>, u64)> {
        let clock = &self.parts.backend.clock;
        let (_, present) = clock.read();
        let moved =
            |film: &Playback| clock.between(film.clock?, present?).map(|ahead_ms| film.is_moved_by(ahead_ms));
        let version = presence.watch().is_film(|film| moved(film) == Some(true))?;
        Some((presence.clone(), version))
    }
}

fn redate(version: u64) -> Draft {
    let asked = Asked::Redate { version };
    Draft::Turn(TurnDraft { author: None, generation: None, dedup: Dedup::None, asked })
}
