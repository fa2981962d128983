//! What was broken when, and what each fault excuses at which level. Loss and resets can be excused; silence, repetition and disorder never.

use std::time::Duration;

use super::{Level, Terms};
use crate::happening::{FaultId, FaultKind, Happening, MonoUs, Node, Reason, What};

/// Within which readiness has to say that nothing can be delivered (I13).
const READINESS: Duration = Duration::from_secs(3);

/// The same where no packet says that anything is wrong: the probe has to miss first (F9).
const READINESS_IN_SILENCE: Duration = Duration::from_secs(6);

/// A fault from its beginning to its end.
#[derive(Debug, Clone)]
pub struct Fault {
    pub kind: FaultKind,
    pub began: MonoUs,
    /// None when the run ended before it.
    pub ended: Option<MonoUs>,
    pub nodes: Vec<Node>,
    pub deaf: Vec<Node>,
}

impl Fault {
    /// All faults of a run.
    pub fn all(lines: &[&Happening]) -> Vec<Fault> {
        let mut all: Vec<(FaultId, Fault)> = Vec::new();
        for line in lines {
            match &line.what {
                What::FaultBegan { id, kind, nodes, deaf, .. } => {
                    let (nodes, deaf) = (nodes.clone(), deaf.clone());
                    let fault = Fault { kind: *kind, began: line.mono_us, ended: None, nodes, deaf };
                    all.push((*id, fault));
                }
                What::FaultEnded { id } => {
                    let open = all.iter_mut().find(|(other, fault)| other == id && fault.ended.is_none());
                    if let Some((_, fault)) = open {
                        fault.ended = Some(line.mono_us);
                    }
                }
                _ => {}
            }
        }
        all.into_iter().map(|(_, fault)| fault).collect()
    }

    /// Whether the level promises nothing against it: what was acked before its end may be lost, if somebody is told.
    pub fn excuses_loss(&self, level: Level) -> bool {
        let survives_from = match self.kind {
            FaultKind::RedisEmptied => return true,
            FaultKind::RedisTailLost | FaultKind::FailoverLossy => {
                // Power loss is what `fsync` adds, a lagging replica what `replicated` adds.
                if self.kind == FaultKind::RedisTailLost { Level::Fsync } else { Level::Replicated }
            }
            FaultKind::RedisKilled | FaultKind::NodeKilled | FaultKind::NodeStopped => Level::Aof,
            _ => return false,
        };
        level < survives_from
    }

    /// Whether it explains that a reader who got to their position at `reached` is told so at `told`.
    pub fn excuses_reset(&self, reached: MonoUs, told: MonoUs, terms: &Terms) -> bool {
        // Entries are announced before replicas have them: what a failover takes away may have been seen, and acked to nobody.
        (self.excuses_loss(terms.level) || self.kind == FaultKind::FailoverLossy)
            && self.began <= told
            && self.ended.is_none_or(|ended| reached <= later(ended, terms.slack))
    }

    /// Whether it explains that what was acked at `acked` is gone.
    pub fn excuses_loss_of(&self, acked: MonoUs, terms: &Terms) -> bool {
        self.excuses_loss(terms.level) && self.ended.is_none_or(|ended| acked <= later(ended, terms.slack))
    }

    /// Until when it lasts, in a run that ends at `end`.
    pub fn until(&self, end: MonoUs) -> MonoUs {
        self.ended.unwrap_or(end)
    }

    /// After which readiness must not say 200 while it lasts.
    pub fn readiness_due(&self) -> Duration {
        match self.kind {
            FaultKind::LinkSilent | FaultKind::LinkHalfOpen | FaultKind::RedisFrozen => READINESS_IN_SILENCE,
            _ => READINESS,
        }
    }
}

/// That much after.
pub fn later(at: MonoUs, by: Duration) -> MonoUs {
    MonoUs(at.0.saturating_add(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
}

/// The time from one to the other; none when it is the other way round.
pub fn between(from: MonoUs, to: MonoUs) -> Duration {
    Duration::from_micros(to.0.saturating_sub(from.0))
}

/// The reasons a fault can excuse at all: `trimmed` is a matter of distance and `fresh` no reset.
pub fn needs_fault(reason: Reason) -> bool {
    matches!(reason, Reason::Diverged | Reason::UnknownEpoch)
}
