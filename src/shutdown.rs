//! Stopping is a feature: a signal, an order of steps, deadlines, and an honest last line.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::drain::DrainConfig;
use crate::gateway::Gateway;
use crate::hub::outbox::{Closing, Outbox};
use crate::hub::wheel::Wheels;
use crate::protocol::close::Ending;
use crate::protocol::outbound;

/// How long the last connections and publishes may take once everybody was told.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// The latest a client is told to come back after, in milliseconds: they spread over it, so that other nodes see no wave.
const RECONNECT_SPREAD_MS: u32 = 2000;

/// What stops, and what is waited for.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Cancelled when the node should drain.
    pub drain: CancellationToken,
    /// Cancelled when listeners close: nothing new is accepted.
    pub refuse: CancellationToken,
    /// Cancelled last: background tasks end.
    pub stop: CancellationToken,
    /// Connections, requests and publishes: waited for.
    pub work: TaskTracker,
    /// Beats, probes, shards: ended by `stop`.
    pub background: TaskTracker,
}

impl Shutdown {
    /// Runs a background task until the end. One that panics would be missed in silence (rooms that nobody serves, beats that
    /// nobody sends), so the node drains then, and its orchestrator starts another.
    pub fn background(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (stop, drain) = (self.stop.clone(), self.drain.clone());
        let task = AssertUnwindSafe(task).catch_unwind();
        self.background.spawn(async move {
            tokio::select! {
                ended = task => if ended.is_err() {
                    tracing::error!("a background task panicked, the node drains");
                    drain.cancel();
                },
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Cancels `drain` at SIGTERM or SIGINT, and ends the process at the second one.
///
/// # Errors
/// The signals cannot be listened to.
pub fn listen_for_signals(shutdown: &Shutdown) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let drain = shutdown.drain.clone();
    shutdown.background(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::info!("stopping; a second signal leaves at once");
        drain.cancel();
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        tracing::warn!("left at the second signal");
        std::process::exit(1);
    });
    Ok(())
}

/// Drains the node: not ready, a delay for balancers to notice, listeners closed, everybody told in a slot of their own, the rest
/// waited for under a deadline. How many were still there when it ran out.
pub async fn drain(
    shutdown: &Shutdown,
    gateway: &Arc<Gateway>,
    wheels: &[Arc<Wheels>],
    config: &DrainConfig,
) -> usize {
    gateway.start_draining();
    sleep(config.delay).await;
    shutdown.refuse.cancel();
    let everyone: Vec<Arc<Outbox>> = wheels.iter().flat_map(|wheels| wheels.all()).collect();
    tracing::info!(connections = everyone.len(), "draining");
    tell_everyone(everyone, config.window).await;
    shutdown.work.close();
    let late = timeout(STRAGGLERS, shutdown.work.wait()).await.is_err();
    let stragglers = if late { shutdown.work.len() } else { 0 };
    shutdown.stop.cancel();
    shutdown.background.close();
    if timeout(STRAGGLERS, shutdown.background.wait()).await.is_err() {
        tracing::warn!(tasks = shutdown.background.len(), "background tasks did not end");
    }
    stragglers
}

/// One `goaway` each, evenly over the window, so that no other node sees all of them at once.
async fn tell_everyone(everyone: Vec<Arc<Outbox>>, window: Duration) {
    let start = tokio::time::Instant::now();
    let slots = u32::try_from(everyone.len()).unwrap_or(u32::MAX).max(1);
    for (slot, outbox) in (0u32..).zip(everyone) {
        sleep_until(start + window * slot / slots).await;
        let after = fastrand::u32(0..RECONNECT_SPREAD_MS);
        outbox.send("goaway", &outbound::goaway(after, "draining"));
        outbox.finish(Closing::Ours(Ending::Draining(after)));
    }
}
