//! Beats: this node's seats are renewed while their connections stand, and what the beat finds is acted on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{MissedTickBehavior, interval};

use super::Gateway;
use super::rooms::Presence;
use crate::backend::log::Deliver as _;
use crate::backend::membership::Beat;

/// How often a session with local participants beats: a sixth of the default lease, so that five may fail.
const BEAT_TICKS: u64 = 5;

/// Sessions are spread over the beat's seconds, so that Redis sees an even load.
const TICK: Duration = Duration::from_secs(1);

/// Beats under way at once: one connection carries them, more would only queue there.
const AT_ONCE: usize = 64;

impl Gateway {
    /// Beats for ever, each session once in five seconds.
    pub async fn run_beats(self: Arc<Self>) {
        let gateway = &*self;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        for tick in 0u64.. {
            ticks.tick().await;
            let due =
                gateway.rooms.all().into_iter().filter(move |presence| phase(presence) == tick % BEAT_TICKS);
            stream::iter(due)
                .for_each_concurrent(AT_ONCE, |presence| async move { gateway.beat(&presence).await })
                .await;
            if tick % BEAT_TICKS == 0 {
                gateway.close_idle().await;
            }
        }
    }

    async fn beat(&self, presence: &Presence) {
        let seats = presence.seats();
        if seats.is_empty() {
            return;
        }
        let lease = self.parts.config.sessions.participant_lease;
        match self.parts.backend.membership.beat(presence.session, &seats, lease).await {
            // Ended or expired. The log can be read a little longer: the room learns from it which of the two.
            Ok(Beat { head: None, .. }) => self.parts.hub.interrupted(Some(presence.session)),
            Ok(Beat { head: Some(head), lost }) => {
                self.parts.hub.expect(presence.session, head).await;
                if !lost.is_empty() {
                    self.parts.hub.lose(presence.session, head, lost).await;
                }
            }
            Err(error) => tracing::debug!(%error, "beat failed"),
        }
    }
}

/// In which second of the beat a session is due.
fn phase(presence: &Presence) -> u64 {
    u64::from(presence.session.as_bytes()[15]) % BEAT_TICKS
}
