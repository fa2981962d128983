//! Beats: this node's seats are renewed while their connections stand, and what the beat finds is acted on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::{MissedTickBehavior, interval};

use super::Gateway;
use super::rooms::Presence;
use crate::backend::membership::Beat;
use crate::hub::Repair;
use crate::hub::outbox::Closing;
use crate::model::seat::Seat;
use crate::protocol::close::Ending;

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
        let held = presence.seats();
        if held.is_empty() {
            return;
        }
        let seats: Vec<Seat> = held.iter().map(|(seat, _)| *seat).collect();
        let lease = self.parts.config.sessions.participant_lease;
        match self.parts.backend.membership.beat(presence.session, &seats, lease).await {
            Ok(Beat { head: None, .. }) => self.parts.hub.repair(presence.session, Repair::Gone).await,
            Ok(Beat { head: Some(head), lost }) => {
                for (seat, outbox) in held {
                    if lost.contains(&seat)
                        && let Some(outbox) = outbox.upgrade()
                    {
                        outbox.finish(Closing::Ours(Ending::SeatLost));
                    }
                }
                self.parts.hub.expect(presence.session, head).await;
            }
            Err(error) => tracing::debug!(%error, "beat failed"),
        }
    }
}

/// In which second of the beat a session is due.
fn phase(presence: &Presence) -> u64 {
    u64::from(presence.session.as_bytes()[15]) % BEAT_TICKS
}
