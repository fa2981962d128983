//! The pings' frame and what a pong tells, and the watch over what all connections hold together. Who is pinged when is the wheels'
//! to know (`hub/wheel`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Sockets;
use crate::hub::terms::relieve;
use crate::hub::wheel::TICK;
use crate::protocol::framing::ping_frame;

impl Sockets {
    /// Tasks that ping for ever who is silent. The frame of a tick is encoded once and carries the moment it was sent.
    pub fn heartbeats(&self) -> impl Iterator<Item = impl Future<Output = ()> + Send + use<>> + use<> {
        let since = self.since;
        self.wheels.tasks(move || {
            let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            ping_frame(&micros.to_be_bytes())
        })
    }

    /// Ends those who wait longest, for ever, when all together hold too much.
    pub async fn run_relief(self: Arc<Self>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if self.terms.held.load(Ordering::Relaxed) > self.terms.bytes_total {
                relieve(&self.terms, &self.wheels.all());
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
