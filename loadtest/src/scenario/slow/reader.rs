//! The slow reader of a round: it takes nothing, or a little at a time, and in the end tells what became of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::api::Ticket;
use crate::client::{Connection, Received, Run, lock};
use crate::gateway::Gateway;

/// Bytes a second of the reader that reads a little.
pub(crate) const TRICKLE: u32 = 10_000;
/// Readings a second.
const SIPS: u32 = 20;
/// What the kernel holds for a slow reader: little, so that the server feels it soon.
const WINDOW: u32 = 16 * 1024;
/// How long a reader that begins to read waits for the next bytes before it believes that there are none.
const QUIET: Duration = Duration::from_secs(1);

/// Somebody slow.
pub(crate) struct SlowReader {
    connection: Arc<tokio::sync::Mutex<Connection>>,
    received: Arc<Mutex<Received>>,
    sipping: JoinSet<()>,
    from: u64,
    run: Run,
}

/// What became of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    /// Entries it was given in all, once it read what there was.
    pub(crate) entries: u64,
    /// Whether those followed one another without a hole, a repetition or a reset.
    pub(crate) whole: bool,
    /// How the server ended it, if it did: the close code, 1006 for none that could be read.
    pub(crate) closed: Option<u16>,
}

impl SlowReader {
    /// Takes a seat and from then on reads `rate` bytes a second, or nothing.
    ///
    /// # Errors
    /// The gateway does not take it.
    pub(crate) async fn seat(
        gateway: &Gateway,
        host: &Ticket,
        run: Run,
        rate: Option<u32>,
    ) -> anyhow::Result<SlowReader> {
        let ticket = gateway.api().join(&host.session).await?;
        let mut connection = Connection::open(gateway.addr(), &ticket, Some(WINDOW)).await?;
        let from = connection.welcome().await?;
        let received = Received::after(from, 0);
        let connection = Arc::new(tokio::sync::Mutex::new(connection));
        let mut sipping = JoinSet::new();
        if let Some(rate) = rate {
            sipping.spawn(sip(connection.clone(), received.clone(), run, rate));
        }
        Ok(SlowReader { connection, received, sipping, from, run })
    }

    /// Reads what there is, as fast as it comes, and tells.
    ///
    /// # Errors
    /// A frame that this gateway never sends.
    pub(crate) async fn fate(mut self) -> anyhow::Result<Fate> {
        self.sipping.shutdown().await;
        let mut connection = self.connection.lock().await;
        let open = loop {
            let reading = connection.read(64 * 1024, take(&self.received, self.run));
            match timeout(QUIET, reading).await.ok().transpose()? {
                Some(true) => {}
                Some(false) => break false,
                None => break true,
            }
        };
        let received = lock(&self.received);
        let seq = &received.seq;
        Ok(Fate {
            entries: seq.highest() - self.from,
            whole: seq.missing(seq.highest()) + seq.duplicated + seq.reordered + received.resets == 0,
            closed: received.closed.or((!open).then_some(1006)),
        })
    }
}

fn take(received: &Mutex<Received>, run: Run) -> impl FnMut(crate::frames::Kind, Bytes) {
    move |kind, payload| {
        // How late it comes to a slow reader is its own doing.
        let _ = lock(received).take((kind, &payload), run);
    }
}

async fn sip(
    connection: Arc<tokio::sync::Mutex<Connection>>,
    received: Arc<Mutex<Received>>,
    run: Run,
    rate: u32,
) {
    let mut sips = interval(Duration::from_secs(1) / SIPS);
    sips.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let most = usize::try_from(rate / SIPS).unwrap_or(1).max(1);
    let mut connection = connection.lock_owned().await;
    // An end is found again, and told of, by who asks for the fate.
    while let Ok(true) = connection.read(most, take(&received, run)).await {
        sips.tick().await;
    }
}
