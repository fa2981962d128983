//! Every label and every value it may have, as enums: a wrong or unbounded label cannot be written down.
//!
//! Responsible for the words in OPERATIONS, "Metrics". Not responsible for which metric carries which label (`table`).
//! Other rooms have enums of their own for the same things and translate into these, since this floor knows none of them.

/// A label with a fixed set of values. Implemented by the enums below alone.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// Every value, in the order of [`index`](Self::index).
    const ALL: &'static [Self];
    /// The value as it stands on the page.
    fn value(self) -> &'static str;
    /// The place in [`ALL`](Self::ALL).
    fn index(self) -> usize;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $label:literal { $($(#[$value_doc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(
                $(#[$value_doc])*
                #[doc = concat!("On the page: `", $value, "`.")]
                $variant,
            )+
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn value(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Where an entry came into the cluster, seen from the node that delivers it.
    Origin, "origin" {
        Local = "local",
        Remote = "remote",
    }
}

label! {
    /// Why a connection was refused before it was one.
    RefusedReason, "reason" {
        Draining = "draining",
        Capacity = "capacity",
        Address = "address",
        Rate = "rate",
        Origin = "origin",
        Upgrade = "upgrade",
        Path = "path",
    }
}

label! {
    /// How a connection ended: one word per row of PROTOCOL's close codes, and two ends without a code of ours.
    ClosedReason, "reason" {
        /// 1000.
        Left = "left",
        /// 1001.
        Gone = "gone",
        /// 1002.
        Protocol = "protocol",
        /// 1003.
        Binary = "binary",
        /// 1007.
        NotUtf8 = "not_utf8",
        /// 1009.
        TooBig = "too_big",
        /// 1011.
        Internal = "internal",
        /// 1012.
        Draining = "draining",
        /// 1013.
        Overloaded = "overloaded",
        /// 4400.
        Malformed = "malformed",
        /// 4401.
        Unauthorized = "unauthorized",
        /// 4403.
        Kicked = "kicked",
        /// 4404.
        SessionNotFound = "session_not_found",
        /// 4408.
        TooSlow = "too_slow",
        /// 4409.
        Replaced = "replaced",
        /// 4410.
        SessionEnded = "session_ended",
        /// 4429.
        RateLimited = "rate_limited",
        /// 4430.
        SessionFull = "session_full",
        /// The client sent the first close frame.
        ClientClosed = "client_closed",
        /// The peer vanished: reset, end of stream, or no answer to a ping.
        PeerLost = "peer_lost",
    }
}

label! {
    /// The type of a message from a client.
    ReceivedType, "type" {
        Hello = "hello",
        Chat = "chat",
        Event = "event",
        Play = "play",
        Pause = "pause",
        Seek = "seek",
        Rate = "rate",
        Load = "load",
        SessionUpdate = "session.update",
        HostTransfer = "host.transfer",
        Kick = "kick",
        SessionEnd = "session.end",
        Profile = "profile",
        Signal = "signal",
        Notify = "notify",
        Ready = "ready",
        Report = "report",
        History = "history",
        Participants = "participants",
        Ping = "ping",
        Refresh = "refresh",
        Leave = "leave",
        /// Not JSON, not an object, or of a type that is none of these.
        Invalid = "invalid",
    }
}

label! {
    /// What a frame to a client carries.
    SentKind, "kind" {
        /// A durable entry.
        Entry = "entry",
        /// `signal`, `notify`.
        Direct = "direct",
        /// An answer to this connection: `ack`, `error`, `reply`, `pong`, `welcome`.
        Reply = "reply",
        /// Everything else, WebSocket's own control frames included.
        Control = "control",
    }
}

label! {
    /// What became of an entry offered for publishing.
    EntryResult, "result" {
        Accepted = "accepted",
        Duplicate = "duplicate",
        Gap = "gap",
        Stale = "stale",
        Invalid = "invalid",
        Forbidden = "forbidden",
        RateLimited = "rate_limited",
        TooLarge = "too_large",
        Unavailable = "unavailable",
        Error = "error",
    }
}

label! {
    /// How a participant's return went.
    RecoveryResult, "result" {
        Fresh = "fresh",
        Recovered = "recovered",
        Trimmed = "trimmed",
        Diverged = "diverged",
        UnknownEpoch = "unknown_epoch",
    }
}

label! {
    /// Why a room read the log.
    ResyncCause, "cause" {
        NewRoom = "new_room",
        Gap = "gap",
        Epoch = "epoch",
        Link = "link",
    }
}

label! {
    /// Why listeners were told that continuity broke.
    ResetReason, "reason" {
        Trimmed = "trimmed",
        Diverged = "diverged",
        UnknownEpoch = "unknown_epoch",
    }
}

label! {
    /// Why an announcement was not delivered.
    AnnouncementDrop, "reason" {
        /// Its position was delivered before.
        Old = "old",
        /// It was not one of ours.
        Malformed = "malformed",
    }
}

label! {
    /// What changed about a seat.
    ParticipantChange, "change" {
        Joined = "joined",
        Left = "left",
        Timeout = "timeout",
        Kicked = "kicked",
        Replaced = "replaced",
    }
}

label! {
    /// Why a token was refused.
    TokenFailure, "reason" {
        Expired = "expired",
        Signature = "signature",
        Malformed = "malformed",
        Claims = "claims",
        UnknownKey = "unknown_key",
    }
}

label! {
    /// What became of a wish for a session.
    CreateResult, "result" {
        Ok = "ok",
        Invalid = "invalid",
        RateLimited = "rate_limited",
        Unavailable = "unavailable",
        Error = "error",
    }
}

label! {
    /// What became of a join.
    JoinResult, "result" {
        Ok = "ok",
        /// Unknown session or wrong password: the metric does not tell them apart either.
        Refused = "refused",
        Full = "full",
        Locked = "locked",
        /// By the limit of the client's address.
        RateLimited = "rate_limited",
        /// Unread, right password or wrong: too many wrong ones came to the session before.
        TooManyFailures = "too_many_failures",
        Unavailable = "unavailable",
        Error = "error",
    }
}

label! {
    /// Which limit was spent.
    RateScope, "scope" {
        Create = "create",
        Join = "join",
        JoinFailures = "join_failures",
        Lookup = "lookup",
        Publish = "publish",
        Connect = "connect",
        Messages = "messages",
        Signals = "signals",
        Bytes = "bytes",
        Pings = "pings",
        Reports = "reports",
        Notifications = "notifications",
    }
}

label! {
    /// How a limit was decided while Redis was silent.
    OutageDecision, "decision" {
        Allow = "allow",
        Deny = "deny",
    }
}

label! {
    /// A group of HTTP routes.
    Route, "route" {
        Create = "create",
        Join = "join",
        Session = "session",
        Messages = "messages",
        Participants = "participants",
        Token = "token",
        Clock = "clock",
        Ice = "ice",
        Ws = "ws",
        Web = "web",
        Ops = "ops",
        Other = "other",
    }
}

label! {
    /// The routes whose times are kept: those that wait for the backend or hash, and the clock others compare with.
    TimedRoute, "route" {
        Create = "create",
        Join = "join",
        Session = "session",
        Messages = "messages",
        Participants = "participants",
        Token = "token",
        Clock = "clock",
    }
}

impl Route {
    /// The same route as one that is timed, if it is.
    #[must_use]
    pub const fn timed(self) -> Option<TimedRoute> {
        match self {
            Self::Create => Some(TimedRoute::Create),
            Self::Join => Some(TimedRoute::Join),
            Self::Session => Some(TimedRoute::Session),
            Self::Messages => Some(TimedRoute::Messages),
            Self::Participants => Some(TimedRoute::Participants),
            Self::Token => Some(TimedRoute::Token),
            Self::Clock => Some(TimedRoute::Clock),
            Self::Ice | Self::Ws | Self::Web | Self::Ops | Self::Other => None,
        }
    }
}

label! {
    /// The class of an HTTP status; 101 counts as `2xx`, the upgrade having succeeded.
    StatusClass, "class" {
        Success = "2xx",
        Redirect = "3xx",
        ClientError = "4xx",
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// The class of a status code.
    #[must_use]
    pub const fn of(status: u16) -> Self {
        match status {
            0..=299 => Self::Success,
            300..=399 => Self::Redirect,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

label! {
    /// One of the two links to Redis.
    Link, "link" {
        Command = "command",
        Subscriber = "subscriber",
    }
}

label! {
    /// What went wrong on a link.
    BackendErrorKind, "kind" {
        Timeout = "timeout",
        Connection = "connection",
        Refused = "refused",
        Moved = "moved",
        Replicas = "replicas",
    }
}

label! {
    /// A round trip to the backend, by what it is for.
    BackendCommand, "command" {
        Create = "create",
        Session = "session",
        Join = "join",
        Leave = "leave",
        Beat = "beat",
        Publish = "publish",
        Read = "read",
        Limit = "limit",
    }
}

label! {
    /// Which backend this node runs on.
    BackendKind, "backend" {
        Memory = "memory",
        Redis = "redis",
    }
}

label! {
    /// What an ack means at present.
    DurabilityLevel, "durability" {
        /// The backend has not been seen yet.
        Unknown = "unknown",
        Memory = "memory",
        Aof = "aof",
        Fsync = "fsync",
        Replicated = "replicated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<L: Label>() -> Vec<&'static str> {
        L::ALL.iter().map(|value| value.value()).collect()
    }

    #[test]
    fn every_value_stands_at_its_index_and_has_a_word_of_its_own() {
        fn check<L: Label>(count: usize) {
            assert_eq!(L::ALL.len(), count, "{}", L::NAME);
            for (place, value) in L::ALL.iter().enumerate() {
                assert_eq!(value.index(), place);
            }
            let mut sorted = words::<L>();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), count, "{}", L::NAME);
        }
        check::<RefusedReason>(7);
        check::<ClosedReason>(18 + 2);
        check::<ReceivedType>(22 + 1);
        check::<EntryResult>(10);
        check::<RateScope>(12);
        check::<Route>(12);
        check::<BackendCommand>(8);
    }

    #[test]
    fn the_timed_routes_are_the_first_seven() {
        let timed: Vec<_> = Route::ALL.iter().filter_map(|route| route.timed()).map(Label::value).collect();
        assert_eq!(timed, words::<TimedRoute>());
        assert_eq!(timed, words::<Route>()[..7]);
    }

    #[test]
    fn a_status_falls_into_its_class() {
        for (status, class) in
            [(101, "2xx"), (200, "2xx"), (304, "3xx"), (404, "4xx"), (429, "4xx"), (503, "5xx")]
        {
            assert_eq!(StatusClass::of(status).value(), class, "{status}");
        }
    }
}
