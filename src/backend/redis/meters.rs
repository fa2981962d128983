//! What this adapter counts, as handles registered once.
//!
//! The names are those of `docs/OPERATIONS.md`, "Metrics". Without a recorder installed the handles do nothing, so tests need none.

use metrics::{Counter, Gauge, Histogram};

/// Which of the two connections to a primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Command,
    Subscriber,
}

impl Side {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Subscriber => "subscriber",
        }
    }
}

/// What one connection counts.
pub(super) struct LinkMeters {
    pub(super) up: Gauge,
    pub(super) reconnects: Counter,
    pub(super) timeouts: Counter,
    pub(super) lost: Counter,
    pub(super) refused: Counter,
    pub(super) moved: Counter,
}

impl LinkMeters {
    fn new(side: Side) -> Self {
        let link = side.as_str();
        let errors = |kind: &'static str| metrics::counter!("watchparty_backend_errors_total", "link" => link, "kind" => kind);
        Self {
            up: metrics::gauge!("watchparty_backend_up", "link" => link),
            reconnects: metrics::counter!("watchparty_backend_reconnects_total", "link" => link),
            timeouts: errors("timeout"),
            lost: errors("connection"),
            refused: errors("refused"),
            moved: errors("moved"),
        }
    }
}

/// Commands that are timed, in the order of [`Meters::durations`].
const COMMANDS: [&str; 8] = ["create", "session", "join", "leave", "beat", "publish", "read", "limit"];

/// Everything this adapter counts.
pub(super) struct Meters {
    command: LinkMeters,
    subscriber: LinkMeters,
    durations: [Histogram; COMMANDS.len()],
    pub(super) probe: Histogram,
    pub(super) subscriptions: Gauge,
    pub(super) malformed: Counter,
    pub(super) alone_allowed: Counter,
    pub(super) alone_denied: Counter,
}

impl Meters {
    pub(super) fn new() -> Self {
        let alone = |decision: &'static str| metrics::counter!("watchparty_rate_limiter_outage_total", "decision" => decision);
        Self {
            command: LinkMeters::new(Side::Command),
            subscriber: LinkMeters::new(Side::Subscriber),
            durations: COMMANDS.map(
                |command| metrics::histogram!("watchparty_backend_command_duration_seconds", "command" => command),
            ),
            probe: metrics::histogram!("watchparty_backend_probe_seconds"),
            subscriptions: metrics::gauge!("watchparty_backend_subscriptions"),
            malformed: metrics::counter!("watchparty_announcements_dropped_total", "reason" => "malformed"),
            alone_allowed: alone("allow"),
            alone_denied: alone("deny"),
        }
    }

    pub(super) fn link(&self, side: Side) -> &LinkMeters {
        match side {
            Side::Command => &self.command,
            Side::Subscriber => &self.subscriber,
        }
    }

    /// How long calls of a command take.
    pub(super) fn duration(&self, command: &str) -> Option<&Histogram> {
        let at = COMMANDS.iter().position(|name| *name == command)?;
        self.durations.get(at)
    }
}
