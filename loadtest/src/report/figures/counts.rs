//! How much of what: messages, deliveries, and everything that must not be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What ended connections: a close code as text, `lost` for an end without one; and how many.
pub(crate) type Closes = BTreeMap<String, u64>;

/// Counts of a run or a part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The most connections that were open at once.
    pub(crate) connections: u64,
    /// Attempts to connect.
    pub(crate) attempts: u64,
    /// Attempts that came to nothing.
    pub(crate) connect_errors: u64,
    /// Messages sent.
    pub(crate) sent: u64,
    /// Messages acknowledged.
    pub(crate) acked: u64,
    /// Messages refused with an `error` frame.
    pub(crate) refused: u64,
    /// Messages sent that had no answer at the end; runs from before this was counted have none.
    #[serde(default)]
    pub(crate) unanswered: u64,
    /// Messages that were due and that the generator could not say; see `unanswered` for older runs.
    #[serde(default)]
    pub(crate) unsaid: u64,
    /// Deliveries there had to be: acknowledged entries times those who were present for each.
    pub(crate) expected: u64,
    /// Deliveries there were, each counted once.
    pub(crate) delivered: u64,
    /// Acknowledged and never received.
    pub(crate) missing: u64,
    /// Received more than once.
    pub(crate) duplicated: u64,
    /// Received after a later one.
    pub(crate) reordered: u64,
    /// Received and never sent.
    pub(crate) phantom: u64,
    /// `reset` frames: continuity broke, and the gateway said so.
    pub(crate) resets: u64,
    /// Holes in `seq` that a receiver saw without a `reset`.
    pub(crate) gaps: u64,
    /// Connections that were cut or lost and took up where they were.
    pub(crate) recovered: u64,
    /// People who belong there to the end and were not connected then; see `unanswered` for older runs.
    #[serde(default)]
    pub(crate) absent: u64,
    /// Connections that ended, by code.
    pub(crate) closes: Closes,
}

impl Counts {
    /// Adds those of another part; connections of parts that follow one another do not add up, so the most stays.
    pub(crate) fn add(&mut self, other: &Self) {
        self.connections = self.connections.max(other.connections);
        for (sum, more) in [
            (&mut self.attempts, other.attempts),
            (&mut self.connect_errors, other.connect_errors),
            (&mut self.sent, other.sent),
            (&mut self.acked, other.acked),
            (&mut self.refused, other.refused),
            (&mut self.unanswered, other.unanswered),
            (&mut self.unsaid, other.unsaid),
            (&mut self.expected, other.expected),
            (&mut self.delivered, other.delivered),
            (&mut self.missing, other.missing),
            (&mut self.duplicated, other.duplicated),
            (&mut self.reordered, other.reordered),
            (&mut self.phantom, other.phantom),
            (&mut self.resets, other.resets),
            (&mut self.gaps, other.gaps),
            (&mut self.recovered, other.recovered),
            (&mut self.absent, other.absent),
        ] {
            *sum += more;
        }
        for (code, count) in &other.closes {
            *self.closes.entry(code.clone()).or_default() += count;
        }
    }

    /// One connection ended; `code`: what the gateway gave as reason, if it gave one.
    pub(crate) fn closed(&mut self, code: Option<u16>) {
        let name = code.map_or_else(|| "lost".to_owned(), |code| code.to_string());
        *self.closes.entry(name).or_default() += 1;
    }
}
