//! What a message leads to: pure decisions, from a frame and a moment to an order. The connection carries it out.
//!
//! It knows the connection's own limits (messages, pings, reports, signals, notifications, bytes, control frames) and nothing of
//! sessions. What a player does by itself has bounds of its own: a busy chat must not cost it its clock, nor its clock the chat.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::metrics::label::RateScope;
use crate::model::id::ParticipantId;
use crate::model::playback::command::Command;
use crate::model::playback::report::Report;
use crate::model::rate::{Rate, RateLimit};
use crate::model::record::EntryKind;
use crate::model::verb::Verb;
use crate::protocol::close::Ending;
use crate::protocol::inbound::{self, HistoryRequest, Inbound, Kind, Message, Rejected, Relayed};
use crate::protocol::problem::{Code, Fault};

/// Refusals by a rate within [`WINDOW`] that end a connection: a client that waits when told to never comes near.
const STRIKES: u32 = 100;
/// Control frames within [`WINDOW`] that end a connection; a browser sends pongs alone, one in 25 s.
const CONTROLS: u32 = 20;
/// In what time both are counted (FAULTS, 5).
const WINDOW: Duration = Duration::from_secs(10);
/// Notifications a connection may send: typing, reactions and cursors of one person; more are dropped in silence.
const NOTIFY: Rate = Rate { count: 20, per: Duration::from_secs(1), burst: 40 };

/// What a player may say of itself (`ready`, `report`): one a second while it drifts, and one for each wait. More are dropped in
/// silence, as neither has an answer.
const REPORTS: Rate = Rate { count: 10, per: Duration::from_secs(1), burst: 30 };

/// With the clock that takes no space: every connection that spoke has six of these.
type Bucket = RateLimiter<NotKeyed, InMemoryState, MonotonicClock, NoOpMiddleware<std::time::Instant>>;

/// What to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Publish words.
    Say { id: Option<String>, n: Option<u64>, kind: EntryKind, data: Box<RawValue> },
    /// Do a verb.
    Do { id: Option<String>, n: Option<u64>, verb: Verb },
    /// Ask something of the film.
    Film { id: Option<String>, n: Option<u64>, command: Command },
    /// The player is ready for a version of it.
    Ready { version: u64 },
    /// The player says how it fares.
    Report(Report),
    /// Pass a frame on.
    Relay { id: Option<String>, relayed: Relayed },
    /// Answer with entries.
    History { id: Option<String>, request: HistoryRequest },
    /// Answer with participants.
    Participants { id: Option<String>, after: Option<ParticipantId>, limit: usize },
    /// Answer with both clocks.
    Pong { id: Option<String>, t0: serde_json::Number },
    /// Take another token.
    Refresh { id: Option<String>, token: String },
    /// Give the seat up.
    Leave,
    /// Tell the client what was wrong.
    Refuse { id: Option<String>, n: Option<u64>, fault: Fault },
    /// End the connection.
    Close(Ending),
    /// Nothing.
    Ignore,
}

/// An order, and what it is counted as.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) order: Order,
    /// The message's type, if it was one of ours.
    pub(super) kind: Option<Kind>,
    /// The limit that refused or dropped it, if one did.
    pub(super) limited: Option<RateScope>,
}

/// The rates of a connection, as set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rates {
    /// Of messages; and of pings, out of a bucket of their own.
    pub(super) messages: RateLimit,
    pub(super) signals: RateLimit,
    pub(super) bytes: RateLimit,
}

/// Counts within a window that starts with its first count.
#[derive(Debug, Default)]
struct Strikes {
    since: Option<Instant>,
    count: u32,
}

impl Strikes {
    /// One more; whether it is over `most`.
    fn add(&mut self, now: Instant, most: u32) -> bool {
        if self.since.is_none_or(|since| now - since >= WINDOW) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count += 1;
        self.count > most
    }
}

/// Counts control frames, whoever sends them.
#[derive(Debug, Default)]
pub(super) struct Controls(Strikes);

impl Controls {
    /// One came; whether the connection goes on.
    pub(super) fn add(&mut self, now: Instant) -> Result<(), Ending> {
        if self.0.add(now, CONTROLS) { Err(Ending::RateAbused) } else { Ok(()) }
    }
}

/// A connection's limits and what it has spent of them.
pub(super) struct Machine {
    messages: Option<Bucket>,
    pings: Option<Bucket>,
    reports: Option<Bucket>,
    signals: Option<Bucket>,
    notify: Option<Bucket>,
    bytes: Option<Bucket>,
    refusals: Strikes,
}

impl Machine {
    pub(super) fn new(rates: Rates) -> Self {
        Self {
            messages: bucket(rates.messages),
            pings: bucket(rates.messages),
            reports: bucket(RateLimit::At(REPORTS)),
            signals: bucket(rates.signals),
            notify: bucket(RateLimit::At(NOTIFY)),
            bytes: bucket(rates.bytes),
            refusals: Strikes::default(),
        }
    }

    /// A text message came from someone who was greeted.
    pub(super) fn text(&mut self, text: &str, now: Instant) -> Decision {
        let parsed = inbound::parse(text);
        let (kind, id, n) = match &parsed {
            Ok(inbound) => (Some(inbound.kind), inbound.id.clone(), inbound.n),
            Err(rejected) => match &rejected.rejected {
                Rejected::Malformed => {
                    return Decision { order: Order::Close(Ending::Malformed), kind: None, limited: None };
                }
                Rejected::Refused { id, n, .. } => (rejected.kind, id.clone(), *n),
            },
        };
        if let Some((scope, retry_after_ms)) = self.over(kind, text.len()) {
            let order = if matches!(scope, RateScope::Reports | RateScope::Notifications) {
                Order::Ignore
            } else if self.refusals.add(now, STRIKES) {
                Order::Close(Ending::RateAbused)
            } else {
                let fault = Fault::of(Code::RateLimited).retry_after(retry_after_ms);
                Order::Refuse { id, n, fault }
            };
            return Decision { order, kind, limited: Some(scope) };
        }
        let order = match parsed {
            Ok(inbound) => order(inbound),
            Err(rejected) => match rejected.rejected {
                Rejected::Refused { id, n, fault } => Order::Refuse { id, n, fault },
                Rejected::Malformed => Order::Close(Ending::Malformed),
            },
        };
        Decision { order, kind, limited: None }
    }

    /// The limit that a message is over, if one, and when to come back.
    fn over(&self, kind: Option<Kind>, bytes: usize) -> Option<(RateScope, u64)> {
        let size = u32::try_from(bytes).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        if let Some(wait) = take(self.bytes.as_ref(), size) {
            return Some((RateScope::Bytes, wait));
        }
        let (bucket, scope) = match kind {
            Some(Kind::Notify) => (&self.notify, RateScope::Notifications),
            Some(Kind::Ready | Kind::Report) => (&self.reports, RateScope::Reports),
            Some(Kind::Ping) => (&self.pings, RateScope::Pings),
            Some(Kind::Signal) => (&self.signals, RateScope::Signals),
            _ => (&self.messages, RateScope::Messages),
        };
        take(bucket.as_ref(), NonZeroU32::MIN).map(|wait| (scope, wait))
    }
}

fn order(inbound: Inbound) -> Order {
    let Inbound { id, n, message, .. } = inbound;
    match message {
        Message::Say { kind, data } => Order::Say { id, n, kind, data },
        Message::Do(verb) => Order::Do { id, n, verb },
        Message::Relay(relayed) => Order::Relay { id, relayed },
        Message::History(request) => Order::History { id, request },
        Message::Participants { after, limit } => Order::Participants { id, after, limit },
        Message::Ping { t0 } => Order::Pong { id, t0 },
        Message::Refresh { token } => Order::Refresh { id, token },
        Message::Leave => Order::Leave,
        Message::Film(command) => Order::Film { id, n, command },
        Message::Ready { version } => Order::Ready { version },
        Message::Report(report) => Order::Report(report),
        Message::Hello(_) => Order::Refuse { id, n, fault: Fault::field("type", "hello was said already") },
    }
}

/// Takes tokens; milliseconds to wait when they are not there.
fn take(bucket: Option<&Bucket>, tokens: NonZeroU32) -> Option<u64> {
    let bucket = bucket?;
    match bucket.check_n(tokens) {
        Ok(Ok(())) => None,
        Ok(Err(until)) => {
            let wait = until.wait_time_from(bucket.clock().now());
            Some(crate::model::time::millis(wait).max(1))
        }
        // More than the bucket ever holds: the settings refuse such a bucket, so this is a message over its own bound.
        Err(_) => Some(crate::model::time::millis(WINDOW)),
    }
}

fn bucket(limit: RateLimit) -> Option<Bucket> {
    let RateLimit::At(rate) = limit else { return None };
    let count = NonZeroU32::new(rate.count)?;
    let quota = Quota::with_period(rate.per / count.get())?.allow_burst(NonZeroU32::new(rate.burst)?);
    Some(RateLimiter::direct_with_clock(quota, MonotonicClock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(messages: RateLimit) -> Machine {
        Machine::new(Rates { messages, signals: RateLimit::Off, bytes: RateLimit::Off })
    }

    fn slow(burst: u32) -> RateLimit {
        RateLimit::At(Rate { count: 1, per: Duration::from_secs(3600), burst })
    }

    #[test]
    fn a_message_over_its_rate_is_refused_and_told_when_to_come_back() {
        let mut machine = machine(slow(1));
        let now = Instant::now();
        let chat = r#"{"type":"chat","id":"a","n":1,"data":{"text":"hi"}}"#;
        assert!(matches!(machine.text(chat, now).order, Order::Say { n: Some(1), .. }));
        let decision = machine.text(chat, now);
        assert_eq!(decision.limited, Some(RateScope::Messages));
        let Order::Refuse { id, n, fault } = decision.order else { panic!("refused") };
        assert_eq!((id.as_deref(), n, fault.code), (Some("a"), Some(1), Code::RateLimited));
        assert!(fault.retry_after_ms.is_some_and(|ms| ms > 3_000_000));
    }

    #[test]
    fn who_goes_on_and_on_is_ended() {
        let mut machine = machine(slow(1));
        let now = Instant::now();
        let orders: Vec<_> = (0..102).map(|_| machine.text(r#"{"type":"leave"}"#, now).order).collect();
        assert!(matches!(orders[100], Order::Refuse { .. }));
        assert!(matches!(orders[101], Order::Close(Ending::RateAbused)));
        let later = now + WINDOW;
        assert!(matches!(machine.text(r#"{"type":"leave"}"#, later).order, Order::Refuse { .. }));
    }

    #[test]
    fn notifications_are_dropped_in_silence() {
        let mut machine = machine(RateLimit::Off);
        let notify = r#"{"type":"notify","data":{"topic":"typing","body":{"on":true}}}"#;
        let decisions: Vec<_> = (0..60).map(|_| machine.text(notify, Instant::now())).collect();
        assert!(matches!(decisions[39].order, Order::Relay { .. }) && decisions[39].limited.is_none());
        assert!(matches!(decisions[59].order, Order::Ignore));
        assert_eq!(decisions[59].limited, Some(RateScope::Notifications), "and counted");
    }

    #[test]
    fn a_busy_client_keeps_its_clock_and_its_reports() {
        const REPORT: &str = r#"{"type":"report","data":{"drift_ms":1,"rtt_ms":2,"status":"playing"}}"#;
        const READY: &str = r#"{"type":"ready","data":{"version":1}}"#;
        const PING: &str = r#"{"type":"ping","data":{"t0":1}}"#;
        let mut machine = machine(slow(1));
        let now = Instant::now();
        let mut limited = |text| machine.text(text, now).limited;
        assert_eq!(limited(r#"{"type":"leave"}"#), None);
        assert_eq!(limited(r#"{"type":"leave"}"#), Some(RateScope::Messages));
        assert_eq!([REPORT, READY, PING].map(&mut limited), [None; 3], "each has a bucket of its own");
        assert_eq!(limited(PING), Some(RateScope::Pings));
    }

    #[test]
    fn reports_over_their_rate_are_dropped_in_silence_and_never_end_a_connection() {
        let mut machine = machine(RateLimit::Off);
        for text in [
            r#"{"type":"report","data":{"drift_ms":1,"rtt_ms":2,"status":"playing"}}"#,
            r#"{"type":"ready","data":{"version":1}}"#,
        ] {
            let decisions: Vec<_> = (0..200).map(|_| machine.text(text, Instant::now())).collect();
            assert!(matches!(decisions[199].order, Order::Ignore), "{text}");
            assert_eq!(decisions[199].limited, Some(RateScope::Reports));
            let closed = decisions
                .iter()
                .any(|decision| matches!(decision.order, Order::Close(_) | Order::Refuse { .. }));
            assert!(!closed, "{text}");
        }
    }

    #[test]
    fn control_frames_are_few() {
        let mut controls = Controls::default();
        let now = Instant::now();
        assert!((0..20).all(|_| controls.add(now).is_ok()));
        assert_eq!(controls.add(now), Err(Ending::RateAbused));
    }

    #[test]
    fn what_is_no_object_ends_the_connection() {
        for text in ["", "null", "[]", "\"x\"", "7", "{", &"[".repeat(60_000)] {
            let order = machine(RateLimit::Off).text(text, Instant::now()).order;
            assert!(matches!(order, Order::Close(Ending::Malformed)), "{text:.20}");
        }
    }

    #[test]
    fn a_second_hello_is_a_field_error() {
        let hello = r#"{"type":"hello","token":"x"}"#;
        let order = machine(RateLimit::Off).text(hello, Instant::now()).order;
        assert!(matches!(order, Order::Refuse { fault: Fault { code: Code::InvalidRequest, .. }, .. }));
    }
}
