//! The pings: one task turns the wheel, and a pong tells how long its ping took.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Sockets;
use crate::hub::terms::relieve;
use crate::hub::wheel::TICK;
use crate::protocol::framing::ping_frame;

impl Sockets {
    /// Pings for ever who is silent. The frame of a tick is encoded once and carries the moment it was sent.
    pub async fn run_heartbeat(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.wheel.turn(&ping_frame(&micros.to_be_bytes()));
            if self.terms.held.load(Ordering::Relaxed) > self.terms.bytes_total {
                relieve(&self.terms, &self.wheel.all());
            }
        }
    }

    /// Counts a pong's round trip, if it answers one of ours.
    pub(super) fn time_pong(&self, payload: &[u8]) {
        let Ok(bytes) = payload.try_into() else { return };
        let sent = Duration::from_micros(u64::from_be_bytes(bytes));
        if let Some(took) = self.since.elapsed().checked_sub(sent) {
            self.gateway.metrics().sockets.ping_rtt.record(took);
        }
    }
}
