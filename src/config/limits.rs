//! How often: rates per client address (shared by all nodes) and per connection (in the node).

use super::reader::Reader;
use super::sessions::MESSAGE_BYTES;
use super::setting::{Form, Preset, Setting};
use crate::model::rate::RateLimit;

const fn rate(name: &'static str, preset: &'static str, meaning: &'static str) -> Setting {
    Setting::open(name, Preset::Text(preset), Form::Rate, meaning)
}

pub(super) const CREATE: Setting =
    rate("RATE_LIMIT_CREATE", "30/m:60", "Sessions created, per client address.");
pub(super) const JOIN: Setting = rate("RATE_LIMIT_JOIN", "60/m:120", "Joins, per client address.");
pub(super) const LOOKUP: Setting = rate("RATE_LIMIT_LOOKUP", "300/m", "Reads over HTTP, per client address.");
pub(super) const PUBLISH: Setting =
    rate("RATE_LIMIT_PUBLISH", "600/m", "Messages over HTTP, per client address.");
pub(super) const CONNECT: Setting =
    rate("RATE_LIMIT_CONNECT", "50/s:500", "Sockets opened, per client address.");
pub(super) const JOIN_FAILURES: Setting = rate(
    "RATE_LIMIT_JOIN_FAILURES",
    "60/m",
    "Wrong passwords, per session and from all addresses; over it right ones wait as well.",
);
pub(super) const ON_OUTAGE: Setting = Setting::open(
    "RATE_LIMIT_ON_OUTAGE",
    Preset::Text("allow"),
    Form::Word(&["allow", "deny"]),
    "While Redis is silent: the node's own buckets of the same size decide, or everything is 503.",
);
pub(super) const MESSAGES: Setting = rate("RATE_LIMIT_MESSAGES", "20/s:60", "Messages, per connection.");
pub(super) const SIGNALS: Setting = rate("RATE_LIMIT_SIGNALS", "50/s:200", "Signals, per connection.");
pub(super) const BYTES: Setting = rate(
    "RATE_LIMIT_BYTES",
    "131072/s:524288",
    "Bytes received, per connection; the burst must hold one message of MESSAGE_BYTES.",
);

pub(super) const SETTINGS: &[&Setting] =
    &[&CREATE, &JOIN, &LOOKUP, &PUBLISH, &CONNECT, &JOIN_FAILURES, &ON_OUTAGE, &MESSAGES, &SIGNALS, &BYTES];

/// Rates. The first five are per client address (IPv6: its /64), in Redis where there is one.
#[derive(Clone, Debug)]
pub struct LimitsConfig {
    /// Sessions created.
    pub create: RateLimit,
    /// Joins.
    pub join: RateLimit,
    /// Reads over HTTP.
    pub lookup: RateLimit,
    /// Messages over HTTP.
    pub publish: RateLimit,
    /// Sockets opened.
    pub connect: RateLimit,
    /// Wrong passwords, per session and from all addresses.
    pub join_failures: RateLimit,
    /// Who decides while Redis is silent.
    pub on_outage: OnOutage,
    /// Messages of one connection.
    pub messages: RateLimit,
    /// Signals of one connection.
    pub signals: RateLimit,
    /// Bytes received of one connection; the burst is at least one message.
    pub bytes: RateLimit,
}

/// What the limiter does while Redis is silent. Neither choice is "unlimited".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// The node's own buckets of the same size decide.
    Allow,
    /// Everything limited is answered 503.
    Deny,
}

pub(super) fn read(reader: &mut Reader<'_>, message_bytes: usize) -> LimitsConfig {
    let bytes = reader.rate(&BYTES);
    let too_small =
        bytes.rate().is_some_and(|rate| usize::try_from(rate.burst).is_ok_and(|burst| burst < message_bytes));
    reader.refuse_beside(&BYTES, &MESSAGE_BYTES, too_small, "its burst must be at least MESSAGE_BYTES");
    LimitsConfig {
        create: reader.rate(&CREATE),
        join: reader.rate(&JOIN),
        lookup: reader.rate(&LOOKUP),
        publish: reader.rate(&PUBLISH),
        connect: reader.rate(&CONNECT),
        join_failures: reader.rate(&JOIN_FAILURES),
        on_outage: reader.required(&ON_OUTAGE, |word| match word {
            "allow" => Some(OnOutage::Allow),
            "deny" => Some(OnOutage::Deny),
            _ => None,
        }),
        messages: reader.rate(&MESSAGES),
        signals: reader.rate(&SIGNALS),
        bytes,
    }
}
