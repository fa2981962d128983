//! The open model: messages leave on schedule, whatever became of those before them.
//!
//! A generator that waits for answers asks less of a slow server and calls it fast. One that cannot keep its own schedule has measured
//! itself: how late it was is kept beside what it measured.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use crate::client::{Connection, Received, Run, lock};
use crate::histogram::Times;
use crate::message;

/// Bytes read at once while publishing: acks and what everybody gets.
const READ: usize = 64 * 1024;

/// Somebody who speaks.
pub(crate) struct Publisher {
    connection: Connection,
    run: Run,
    body: usize,
    said: u64,
    received: Arc<Mutex<Received>>,
    /// How late messages left.
    pub(crate) lateness: Times,
}

impl Publisher {
    /// Who has said nothing yet and is at `seq`. `body`: bytes of each message's body.
    pub(crate) fn new(connection: Connection, run: Run, seq: u64, body: usize) -> Self {
        let received = Received::after(seq, 0);
        Self { connection, run, body, said: 0, received, lateness: Times::new() }
    }

    /// How many were said.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// What it got itself: acks, and the log like everybody.
    pub(crate) fn received(&self) -> &Arc<Mutex<Received>> {
        &self.received
    }

    /// Says `rate` messages a second for a while, evenly.
    ///
    /// # Errors
    /// The connection ended.
    pub(crate) async fn publish(&mut self, rate: u32, length: Duration) -> anyhow::Result<()> {
        let (start, total) = (Instant::now(), length.as_secs_f64() * f64::from(rate));
        let mut sent = 0u32;
        while f64::from(sent) < total {
            let due = start + Duration::from_secs_f64(f64::from(sent) / f64::from(rate));
            self.read_until(due).await?;
            let late = due.elapsed();
            self.lateness.record(late);
            self.said += 1;
            let meant = self.run.began.elapsed().saturating_sub(late);
            let text = message::say(self.run.number, self.said, meant, self.body);
            self.connection.say(&text).await?;
            sent += 1;
        }
        Ok(())
    }

    /// Reads until everything said is acked, or a deadline; whether it was.
    ///
    /// # Errors
    /// The connection ended.
    pub(crate) async fn settle(&mut self, deadline: Instant) -> anyhow::Result<bool> {
        while lock(&self.received).acked < self.said && Instant::now() < deadline {
            self.read_until(Instant::now() + Duration::from_millis(20)).await?;
        }
        Ok(lock(&self.received).acked == self.said)
    }

    /// Reads what comes until it is time.
    ///
    /// # Errors
    /// The connection ended.
    pub(crate) async fn read_until(&mut self, due: Instant) -> anyhow::Result<()> {
        let (run, received) = (self.run, self.received.clone());
        loop {
            let on = |kind, payload: Bytes| {
                // Its own messages are not what is timed.
                let _ = lock(&received).take((kind, &payload), run);
            };
            tokio::select! {
                biased;
                () = sleep_until(due) => return Ok(()),
                read = self.connection.read(READ, on) => {
                    anyhow::ensure!(read?, "the publisher's connection ended");
                }
            }
        }
    }
}
