//! What this adapter counts, as handles of the node's own [`Metrics`].
//!
//! Responsible for which handle belongs to which connection and command. Not responsible for names and bounds (`metrics::table`).
//! Handles are cloned once, when the adapter is built: nothing is looked up, and nothing is global.

use std::sync::atomic::{AtomicBool, Ordering};

use metrics::{Counter, Gauge, Histogram};

use crate::metrics::Metrics;
use crate::metrics::label::{
    AnnouncementDrop, BackendCommand, BackendErrorKind, Label as _, Link, OutageDecision,
};

/// Which of the two connections to a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Command,
    Subscriber,
}

impl Side {
    pub(super) fn as_str(self) -> &'static str {
        self.label().value()
    }

    fn label(self) -> Link {
        match self {
            Self::Command => Link::Command,
            Self::Subscriber => Link::Subscriber,
        }
    }
}

/// What one connection counts. Errors are counted by kind for both together.
pub(super) struct LinkMeters {
    pub(super) up: Gauge,
    reconnects: Counter,
    stood: AtomicBool,
    pub(super) timeouts: Counter,
    pub(super) lost: Counter,
    pub(super) refused: Counter,
    pub(super) moved: Counter,
}

impl LinkMeters {
    /// The connection stands; it was built again if it stood before.
    pub(super) fn stands(&self) {
        self.up.set(1.0);
        if self.stood.swap(true, Ordering::Relaxed) {
            self.reconnects.increment(1);
        }
    }

    fn new(metrics: &Metrics, side: Side) -> Self {
        let backend = &metrics.backend;
        let errors = |kind| backend.errors.get(kind).clone();
        Self {
            up: backend.up.get(side.label()).clone(),
            reconnects: backend.reconnects.get(side.label()).clone(),
            stood: AtomicBool::new(false),
            timeouts: errors(BackendErrorKind::Timeout),
            lost: errors(BackendErrorKind::Connection),
            refused: errors(BackendErrorKind::Refused),
            moved: errors(BackendErrorKind::Moved),
        }
    }
}

/// Everything this adapter counts.
pub(super) struct Meters {
    command: LinkMeters,
    subscriber: LinkMeters,
    /// In the order of [`BackendCommand::ALL`].
    durations: Vec<Histogram>,
    pub(super) probe: Histogram,
    pub(super) subscriptions: Gauge,
    pub(super) malformed: Counter,
    /// Steps that the primary did and too few replicas had in time.
    pub(super) unreplicated: Counter,
    pub(super) alone_allowed: Counter,
    pub(super) alone_denied: Counter,
}

impl Meters {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let backend = &metrics.backend;
        let alone = |decision| metrics.access.limiter_outage.get(decision).clone();
        let durations = BackendCommand::ALL.iter().map(|command| backend.commands.get(*command).clone());
        Self {
            command: LinkMeters::new(metrics, Side::Command),
            subscriber: LinkMeters::new(metrics, Side::Subscriber),
            durations: durations.collect(),
            probe: backend.probe.clone(),
            subscriptions: backend.subscriptions.clone(),
            malformed: metrics.fan_out.announcements_dropped.get(AnnouncementDrop::Malformed).clone(),
            unreplicated: backend.errors.get(BackendErrorKind::Replicas).clone(),
            alone_allowed: alone(OutageDecision::Allow),
            alone_denied: alone(OutageDecision::Deny),
        }
    }

    pub(super) fn link(&self, side: Side) -> &LinkMeters {
        match side {
            Side::Command => &self.command,
            Side::Subscriber => &self.subscriber,
        }
    }

    /// How long calls of a command take.
    pub(super) fn duration(&self, command: BackendCommand) -> &Histogram {
        &self.durations[command.index()]
    }
}
