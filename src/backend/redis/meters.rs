//! What this adapter counts, as handles of the node's own [`Metrics`].
//!
//! Responsible for which handle belongs to which connection and command. Not responsible for names and bounds (`metrics::table`).
//! Handles are cloned once, when the adapter is built: nothing is looked up, and nothing is global. Of a cluster each primary has its own, and
//! what they show together is shown: a link stands when it stands to every primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

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

/// Connections of one kind, to all primaries.
#[derive(Default)]
struct Standing {
    wanted: AtomicI64,
    up: AtomicI64,
}

/// What one connection counts. Errors are counted by kind for both together.
pub(super) struct LinkMeters {
    up: Gauge,
    /// Of all primaries.
    all: Arc<Standing>,
    stands: AtomicBool,
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
        if !self.stands.swap(true, Ordering::Relaxed) {
            self.count(0, 1);
        }
        if self.stood.swap(true, Ordering::Relaxed) {
            self.reconnects.increment(1);
        }
    }

    /// The connection was lost.
    pub(super) fn falls(&self) {
        if self.stands.swap(false, Ordering::Relaxed) {
            self.count(0, -1);
        }
    }

    /// So many more connections are wanted, and so many more stand.
    fn count(&self, wanted: i64, up: i64) {
        let wanted = self.all.wanted.fetch_add(wanted, Ordering::Relaxed) + wanted;
        let up = self.all.up.fetch_add(up, Ordering::Relaxed) + up;
        self.up.set(if wanted > 0 && up == wanted { 1.0 } else { 0.0 });
    }

    fn new(metrics: &Metrics, side: Side) -> Self {
        let backend = &metrics.backend;
        let errors = |kind| backend.errors.get(kind).clone();
        Self {
            up: backend.up.get(side.label()).clone(),
            all: Arc::default(),
            stands: AtomicBool::new(false),
            reconnects: backend.reconnects.get(side.label()).clone(),
            stood: AtomicBool::new(false),
            timeouts: errors(BackendErrorKind::Timeout),
            lost: errors(BackendErrorKind::Connection),
            refused: errors(BackendErrorKind::Refused),
            moved: errors(BackendErrorKind::Moved),
        }
    }
}

impl LinkMeters {
    /// Those of the same kind of connection to one more primary.
    fn another(&self) -> Self {
        let another = Self {
            up: self.up.clone(),
            all: self.all.clone(),
            stands: AtomicBool::new(false),
            reconnects: self.reconnects.clone(),
            stood: AtomicBool::new(false),
            timeouts: self.timeouts.clone(),
            lost: self.lost.clone(),
            refused: self.refused.clone(),
            moved: self.moved.clone(),
        };
        another.count(1, 0);
        another
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

    /// Those of one more primary.
    pub(super) fn of_primary(&self) -> Self {
        Self {
            command: self.command.another(),
            subscriber: self.subscriber.another(),
            durations: self.durations.clone(),
            probe: self.probe.clone(),
            subscriptions: self.subscriptions.clone(),
            malformed: self.malformed.clone(),
            unreplicated: self.unreplicated.clone(),
            alone_allowed: self.alone_allowed.clone(),
            alone_denied: self.alone_denied.clone(),
        }
    }

    /// There is no such primary any more.
    pub(super) fn retire(&self) {
        for link in [&self.command, &self.subscriber] {
            link.falls();
            link.count(-1, 0);
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
