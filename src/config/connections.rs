//! How many connections a node holds and how it keeps them alive.
//!
//! `CONNECTIONS_MAX` is what was asked for. The server raises the file limit to its hard value and lowers the number,
//! with a warning, to what that carries (1.2 descriptors each, and 256): an act, so not done while reading.

use std::time::Duration;

use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

/// One address may hold this part of all places unless told otherwise, so that one network cannot fill a node.
const SHARE_PER_ADDRESS: usize = 10;

pub(super) const CONNECTIONS_MAX: Setting = Setting::open(
    "CONNECTIONS_MAX",
    Preset::Text("50000"),
    Form::at_least(1),
    "Connections per node, over it 503; lowered, with a warning, to what the file limit carries.",
);
pub(super) const CONNECTIONS_PER_ADDRESS: Setting = Setting::open(
    "CONNECTIONS_PER_ADDRESS",
    Preset::Derived("a tenth of CONNECTIONS_MAX"),
    Form::at_least(1),
    "Connections per client address, over it 429.",
);
pub(super) const CONNECTIONS_PENDING_PER_ADDRESS: Setting = Setting::open(
    "CONNECTIONS_PENDING_PER_ADDRESS",
    Preset::Text("256"),
    Form::at_least(1),
    "Connections per client address still without an accepted token, over it 429.",
);
pub(super) const PING_INTERVAL: Setting = Setting::open(
    "PING_INTERVAL",
    Preset::Text("25"),
    Form::seconds(5, 55),
    "A ping goes out when nothing came in for so long; idle proxies cut after 60 s and more.",
);
pub(super) const PONG_TIMEOUT: Setting = Setting::open(
    "PONG_TIMEOUT",
    Preset::Text("10"),
    Form::seconds(1, 30),
    "Silence after a ping for so long drops the connection; shorter than PING_INTERVAL.",
);
pub(super) const DEFLATE: Setting = Setting::open(
    "DEFLATE",
    Preset::Text("true"),
    Form::Flag,
    "Compresses messages of 1 KiB or more for sockets that accept it, entries once each, and lets them compress theirs.",
);

pub(super) const SETTINGS: &[&Setting] = &[
    &CONNECTIONS_MAX,
    &CONNECTIONS_PER_ADDRESS,
    &CONNECTIONS_PENDING_PER_ADDRESS,
    &PING_INTERVAL,
    &PONG_TIMEOUT,
    &DEFLATE,
];

/// How many connections, and how they are kept alive.
#[derive(Clone, Debug)]
pub struct ConnectionsConfig {
    /// Connections asked for per node, before the file limit has its say.
    pub max: usize,
    /// Connections per client address.
    pub per_address: usize,
    /// Connections per client address that have no accepted token yet.
    pub pending_per_address: usize,
    /// Silence after which a ping goes out.
    pub ping_interval: Duration,
    /// Silence after a ping that drops the connection; shorter than the interval.
    pub pong_timeout: Duration,
    /// Whether `permessage-deflate` is offered.
    pub deflate: bool,
}

pub(super) fn read(reader: &mut Reader<'_>) -> ConnectionsConfig {
    let max: usize = reader.count(&CONNECTIONS_MAX);
    let ping_interval = reader.span(&PING_INTERVAL);
    let pong_timeout = reader.span(&PONG_TIMEOUT);
    let too_long = pong_timeout >= ping_interval;
    reader.refuse_beside(&PONG_TIMEOUT, &PING_INTERVAL, too_long, "must be shorter than PING_INTERVAL");
    ConnectionsConfig {
        max,
        per_address: reader.count_or(&CONNECTIONS_PER_ADDRESS, (max / SHARE_PER_ADDRESS).max(1)),
        pending_per_address: reader.count(&CONNECTIONS_PENDING_PER_ADDRESS),
        ping_interval,
        pong_timeout,
        deflate: reader.flag(&DEFLATE),
    }
}
