//! May a participant go on where they were? Pure: from where they say they were and what the log knows, to where they start.

use crate::metrics::label::RecoveryResult;
use crate::model::entry::Position;
use crate::model::history::{Continuity, History};
use crate::protocol::inbound::Resume;

/// Where a listener starts, and what `welcome` says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Every entry after this follows.
    pub cursor: Position,
    /// How it went.
    pub result: RecoveryResult,
}

impl Recovery {
    /// Whether nothing is missed.
    #[must_use]
    pub fn recovered(&self) -> bool {
        self.result == RecoveryResult::Recovered
    }

    /// The `reason` of a `welcome` that is not recovered.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self.result {
            RecoveryResult::Recovered => None,
            RecoveryResult::Fresh => Some("fresh"),
            RecoveryResult::Trimmed => Some("trimmed"),
            RecoveryResult::Diverged => Some("diverged"),
            RecoveryResult::UnknownEpoch => Some("unknown_epoch"),
        }
    }
}

/// Decides. What cannot be continued without a gap starts at the head, and is told why.
#[must_use]
pub fn recover(history: &History, resume: Option<Resume>) -> Recovery {
    let head = history.position();
    let fresh = |result| Recovery { cursor: head, result };
    let Some(resume) = resume else { return fresh(RecoveryResult::Fresh) };
    let Some(epoch) = resume.epoch else { return fresh(RecoveryResult::UnknownEpoch) };
    match history.continuity(Position { epoch, seq: resume.seq }) {
        // The welcome names the newest epoch, and the numbers up to here are part of it.
        Continuity::Holds => Recovery {
            cursor: Position { epoch: history.epoch, seq: resume.seq },
            result: RecoveryResult::Recovered,
        },
        Continuity::Trimmed => fresh(RecoveryResult::Trimmed),
        Continuity::Diverged => fresh(RecoveryResult::Diverged),
        Continuity::UnknownEpoch => fresh(RecoveryResult::UnknownEpoch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Epoch, Seq};
    use proptest::prelude::*;

    #[test]
    fn without_a_position_the_present_is_the_start() {
        let history = History { epoch: Epoch::new_random(), head: Seq(9), first: Seq(1), lineage: vec![] };
        let recovery = recover(&history, None);
        assert_eq!((recovery.recovered(), recovery.reason()), (false, Some("fresh")));
        assert_eq!(recovery.cursor, history.position());
        let nonsense = Resume { epoch: None, seq: Seq(3) };
        assert_eq!(recover(&history, Some(nonsense)).reason(), Some("unknown_epoch"));
    }

    proptest! {
        /// Model: a log that loses tails. Whoever is told "recovered" saw exactly a prefix of the log as it is now, and can read on.
        #[test]
        fn recovered_means_a_readable_prefix(
            steps in prop::collection::vec((1usize..20, 0usize..8), 1..6),
            kept in 1u64..60,
            seen in 0usize..200,
        ) {
            // Each entry is a distinct value; a restart drops some and begins an epoch.
            let mut log: Vec<u64> = Vec::new();
            let mut fresh = 0u64;
            let mut epoch = Epoch::new_random();
            let mut lineage: Vec<(Epoch, Seq)> = Vec::new();
            let mut readers = vec![(Position { epoch, seq: Seq(0) }, Vec::new())];
            for (appended, lost) in steps {
                for _ in 0..appended {
                    fresh += 1;
                    log.push(fresh);
                    readers.push((Position { epoch, seq: Seq(log.len() as u64) }, log.clone()));
                }
                log.truncate(log.len().saturating_sub(lost));
                lineage.push((epoch, Seq(log.len() as u64)));
                epoch = Epoch::new_random();
            }
            let head = Seq(log.len() as u64);
            let first = Seq(head.0.saturating_sub(kept) + 1);
            let history = History { epoch, head, first, lineage };
            let (at, saw) = &readers[seen % readers.len()];
            let resume = Resume { epoch: Some(at.epoch), seq: at.seq };
            let recovery = recover(&history, Some(resume));
            let is_prefix = log.starts_with(saw);
            let readable = at.seq.next() >= first;
            prop_assert_eq!(recovery.recovered(), is_prefix && readable, "{:?} {:?}", recovery, history);
            if !recovery.recovered() {
                prop_assert_eq!(recovery.cursor, history.position());
            }
        }
    }
}
