//! The wish to stop early: Ctrl-C or a terminated parent, for a report of what was measured until then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// Whether to stop; shared by everybody.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    asked: Arc<AtomicBool>,
    told: Arc<Notify>,
}

impl Stop {
    /// Listens for signals as long as the set lives.
    ///
    /// # Errors
    /// Signals cannot be listened to.
    pub(crate) fn on_signals(&self, tasks: &mut JoinSet<()>) -> anyhow::Result<()> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stop = self.clone();
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                // Whoever asks twice waits as long as who asks once: a second or two, in which gateways that were started here end too.
                stop.ask();
            }
        });
        Ok(())
    }

    /// Asks everybody to stop.
    pub(crate) fn ask(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.told.notify_waiters();
    }

    /// Whether somebody asked.
    pub(crate) fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Waits so long, or until somebody asks; `false` if somebody did.
    pub(crate) async fn pause(&self, length: Duration) -> bool {
        let told = self.told.notified();
        tokio::pin!(told);
        // Listens from here on, so that a wish between the look and the wait is not missed.
        told.as_mut().enable();
        if !self.asked() {
            // Over time is what is hoped for.
            let _ = timeout_at(Instant::now() + length, told).await;
        }
        !self.asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_in_time_or_when_somebody_asks() {
        let stop = Stop::default();
        let began = Instant::now();
        assert!(stop.pause(Duration::from_secs(5)).await);
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let (waiting, asking) = (stop.clone(), stop.clone());
        let (went_on, ()) =
            tokio::join!(waiting.pause(Duration::from_secs(3600)), async move { asking.ask() });
        assert!(!went_on && began.elapsed() < Duration::from_secs(6));
        assert!(!stop.pause(Duration::from_secs(3600)).await, "and from then on at once");
    }
}
