//! Entries and positions: one message in a session's log, and where it stands.
//!
//! A position is (epoch, seq). `seq` counts entries of a session from 1 without holes and never restarts; the epoch names the
//! history branch the number belongs to, so that a log that lost its tail cannot pass for the one a client saw
//! (`docs/ARCHITECTURE.md`, "The log").

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::record::Record;
use super::time::ClusterMs;

/// The number of an entry in its session's log: 1, 2, 3 …; 0 is "before the first".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first entry.
    pub const ZERO: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// This number and `count` further (saturating).
    #[must_use]
    pub fn plus(self, count: usize) -> Self {
        Self(self.0.saturating_add(count as u64))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A history branch of a session's log: random, new whenever the Redis that holds the log restarted or was promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Epoch(Uuid);

impl Epoch {
    /// A new branch.
    #[must_use]
    pub fn new_random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads the hyphenated lower-case form that [`Display`](fmt::Display) writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok()?;
        let mut buffer = Uuid::encode_buffer();
        (*id.as_hyphenated().encode_lower(&mut buffer) == *text).then_some(Self(id))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Where something stands in a session's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Position {
    /// The branch.
    pub epoch: Epoch,
    /// The number in it.
    pub seq: Seq,
}

/// `<epoch>:<seq>`, the id of a server-sent event.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// One message in a session's log. Equal at every node and every reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// When the log took it, by the log's clock.
    pub ts: ClusterMs,
    /// What was published.
    pub record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_reads_only_what_it_writes() {
        let epoch = Epoch::new_random();
        assert_eq!(Epoch::parse(&epoch.to_string()), Some(epoch));
        assert_eq!(Epoch::parse(&epoch.to_string().to_uppercase()), None);
        assert_eq!(Epoch::parse("{a}:s"), None);
        assert_eq!(Epoch::parse(""), None);
    }
}
