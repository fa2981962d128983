//! The table of OPERATIONS, "Metrics", in code: every metric the gateway counts itself, by topic.
//!
//! Responsible for names, help, labels and bounds. Not responsible for the `runtime_*`, `process_*` and `build_info`
//! lines, which are read off at each scrape (`process`). Handles are public fields: `node.sockets.opened.increment(1)`
//! is one atomic addition, with no lookup and no macro.

use metrics::{Counter, Gauge, Histogram};

use super::bucket;
use super::label::{
    AnnouncementDrop, BackendCommand, BackendErrorKind, ClosedReason, CreateResult, EntryResult, JoinResult,
    Link, Origin, OutageDecision, ParticipantChange, RateScope, ReceivedType, RecoveryResult, RefusedReason,
    ResetReason, ResyncCause, Route, SentKind, StatusClass, TimedRoute, TokenFailure,
};
use super::register::{Family, Grid, Name, Registrar};

macro_rules! topic {
    ($(#[$doc:meta])* $topic:ident {
        $($field:ident: $handle:ty = $make:ident($name:literal $(, $bounds:ident)?), $help:literal;)+
    }) => {
        $(#[$doc])*
        pub struct $topic {
            $(#[doc = concat!("`watchparty_", $name, "`: ", $help)] pub $field: $handle,)+
        }

        impl $topic {
            pub(super) fn register(registrar: &mut Registrar<'_>) -> Self {
                Self {
                    $($field: registrar.$make(
                        Name(concat!("watchparty_", $name), $help) $(, bucket::$bounds)?
                    ),)+
                }
            }

            /// Every handle, for a test to exercise without forgetting one.
            #[cfg(test)]
            pub(super) fn touch_all(&self) {
                $(super::tests::Touch::touch(&self.$field);)+
            }
        }
    };
}

topic! {
    /// Connections and their frames.
    Sockets {
        connections: Gauge = gauge("connections"), "WebSocket connections open on this node.";
        limit: Gauge = gauge("connections_limit"), "Connections this node accepts at most.";
        behind: Gauge = gauge("connections_behind"), "Connections that read the log at their own pace.";
        opened: Counter = counter("connections_opened_total"), "Connections accepted.";
        received_bytes: Counter = counter("received_bytes_total"), "Bytes received on sockets, frame headers included.";
        sent_bytes: Counter = counter("sent_bytes_total"), "Bytes sent on sockets, frame headers included.";
        refused: Family<RefusedReason, Counter> = counters("connections_refused_total"),
            "Connections refused before the upgrade, by reason.";
        closed: Family<ClosedReason, Counter> = counters("connections_closed_total"), "Connections ended, by reason.";
        frames_received: Family<ReceivedType, Counter> = counters("frames_received_total"),
            "Messages received from clients, by type.";
        frames_sent: Family<SentKind, Counter> = counters("frames_sent_total"), "Frames sent to clients, by kind.";
        handshake: Histogram = histogram("handshake_duration_seconds", FAST), "From accept to welcome.";
        ping_rtt: Histogram = histogram("ping_rtt_seconds", FAST), "From a ping to its pong.";
        duration: Histogram = histogram("connection_duration_seconds", CONNECTION_LIFE),
            "How long a connection lived, taken when it ends.";
    }
}

topic! {
    /// Rooms, and entries on their way to the sockets.
    FanOut {
        rooms: Gauge = gauge("rooms"), "Rooms with a listener on this node.";
        rooms_behind: Gauge = gauge("rooms_behind"), "Rooms that read the log to catch up.";
        outbox_bytes: Gauge = gauge("outbox_bytes"), "Bytes waiting in all outboxes of this node.";
        outbox_bytes_limit: Gauge = gauge("outbox_bytes_limit"), "Bytes all outboxes of this node may hold.";
        deliveries: Counter = counter("deliveries_total"), "Entries times listeners, written to local sockets.";
        recovered_entries: Counter = counter("recovered_entries_total"), "Entries replayed to participants who came back.";
        ephemeral_dropped: Counter = counter("ephemeral_dropped_total"), "Ephemeral messages dropped at a full outbox.";
        broadcast: Histogram = histogram("broadcast_duration_seconds", FAN_OUT),
            "From an entry's arrival on this node to its last local write; one sample per entry.";
        delivery_lag: Family<Origin, Histogram> = histograms("delivery_lag_seconds", FAST),
            "From an entry's time stamp to its last local write by the cluster's clock, one sample per entry; local: the entry came within the process, remote: over the link to Redis.";
        recoveries: Family<RecoveryResult, Counter> = counters("recoveries_total"), "Attaches, by what could be replayed.";
        resyncs: Family<ResyncCause, Counter> = counters("resyncs_total"), "Times a room read the log, by cause.";
        resets: Family<ResetReason, Counter> = counters("resets_total"), "Times listeners were told that continuity broke.";
        announcements_dropped: Family<AnnouncementDrop, Counter> = counters("announcements_dropped_total"),
            "Announcements not delivered, by reason.";
    }
}

topic! {
    /// Sessions, participants and what they publish.
    Sessions {
        created: Family<CreateResult, Counter> = counters("sessions_created_total"), "Wishes for a session, by result.";
        joins: Family<JoinResult, Counter> = counters("session_joins_total"), "Joins, by result.";
        participant_changes: Family<ParticipantChange, Counter> = counters("participant_changes_total"),
            "Changes of seats seen in this node's rooms, by change.";
        entries: Family<EntryResult, Counter> = counters("entries_total"), "Entries offered for publishing, by result.";
        publish: Histogram = histogram("publish_duration_seconds", FAST), "From a message decoded to its ack queued.";
        drift: Histogram = histogram("playback_drift_seconds", DRIFT),
            "Distance of a player from the room as it reported it, absolute.";
    }
}

topic! {
    /// Who may come in: passwords, tokens, limits.
    Access {
        password_waiting: Gauge = gauge("password_hash_waiting"), "Passwords waiting for a hashing thread.";
        password_hash: Histogram = histogram("password_hash_duration_seconds", PASSWORD),
            "One password hashed or checked, waiting excluded.";
        token_failures: Family<TokenFailure, Counter> = counters("token_failures_total"), "Tokens refused, by reason.";
        rate_limited: Family<RateScope, Counter> = counters("rate_limited_total"), "Refusals by a rate limit, by scope.";
        limiter_outage: Family<OutageDecision, Counter> = counters("rate_limiter_outage_total"),
            "Limits decided by this node alone because Redis was silent, by decision.";
    }
}

topic! {
    /// HTTP.
    Http {
        requests: Grid<Route, StatusClass, Counter> = counter_grid("http_requests_total"),
            "HTTP requests answered, by route and class of status.";
        duration: Family<TimedRoute, Histogram> = histograms("http_request_duration_seconds", HTTP),
            "From a request's head to its answer's head.";
    }
}

topic! {
    /// The backend and the way to it.
    Backend {
        up: Family<Link, Gauge> = gauges("backend_up"), "1 while the link to the backend stands.";
        reconnects: Family<Link, Counter> = counters("backend_reconnects_total"), "Times a link was built again.";
        errors: Family<BackendErrorKind, Counter> = counters("backend_errors_total"), "Failed calls, by kind.";
        subscriptions: Gauge = gauge("backend_subscriptions"), "Channels this node is subscribed to.";
        probe: Histogram = histogram("backend_probe_seconds", FAST),
            "Round trip of this node's own marker through the publish path.";
        commands: Family<BackendCommand, Histogram> = histograms("backend_command_duration_seconds", FAST),
            "Round trips to the backend, by what they are for.";
    }
}

topic! {
    /// The node as a whole.
    Node {
        ready: Gauge = gauge("ready"), "1 while load balancers may send traffic here.";
        draining: Gauge = gauge("draining"), "1 from the signal to stop until the end.";
        log_lines_dropped: Counter = counter("log_lines_dropped_total"), "Log lines dropped because the writer was behind.";
    }
}
