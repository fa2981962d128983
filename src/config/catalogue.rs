//! Every setting there is, by topic: the one list that `check-config`, `.env.example` and the tests walk.
//!
//! The rows themselves stand in their topic's file, beside the struct they fill.

use super::setting::Setting;
use super::{
    connections, drain, identity, limits, logs, origins, outbox, passwords, proxies, redis, server, sessions,
    turn,
};

/// One heading and its settings.
pub struct Topic {
    /// The heading in `.env.example` and in the output of `--print`.
    pub title: &'static str,
    /// The settings, in reading order.
    pub settings: &'static [&'static Setting],
}

/// All topics, in the order a newcomer meets them.
pub const TOPICS: &[Topic] = &[
    Topic { title: "Environment", settings: &[&super::ENVIRONMENT] },
    Topic { title: "Server", settings: server::SETTINGS },
    Topic { title: "Origins", settings: origins::SETTINGS },
    Topic { title: "Tokens and keys", settings: identity::SETTINGS },
    Topic { title: "Sessions", settings: sessions::SETTINGS },
    Topic { title: "Redis", settings: redis::SETTINGS },
    Topic { title: "Limits", settings: limits::SETTINGS },
    Topic { title: "Connections", settings: connections::SETTINGS },
    Topic { title: "Outboxes", settings: outbox::SETTINGS },
    Topic { title: "Draining", settings: drain::SETTINGS },
    Topic { title: "Passwords", settings: passwords::SETTINGS },
    Topic { title: "Proxies", settings: proxies::SETTINGS },
    Topic { title: "Logs and traces", settings: logs::SETTINGS },
    Topic { title: "TURN", settings: turn::SETTINGS },
];

/// Every setting, in order.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    TOPICS.iter().flat_map(|topic| topic.settings.iter().copied())
}
