//! Every key and channel this adapter uses, spelt here and nowhere else.
//!
//! Responsible for their text. Not responsible for what they hold (`lua/*.lua`) or how long they live (the scripts, in the step that
//! creates them). All keys of one session share the hash tag `{sid}`, so that a session is one cluster slot and each script runs in
//! one slot. The first part is a setting: deployments that share a Redis differ in it.

use crate::backend::limiter::Scope;
use crate::backend::log::IdempotencyKey;
use crate::model::id::SessionId;

/// Suffixes of a session's keys, in the order of `KEYS` in the scripts: record, entries, seats, leases, join order, numbers, bans, password.
const SESSION_KEYS: [&str; 8] = ["s", "x", "p", "z", "o", "d", "k", "a"];
/// Length of an id's text.
const ID_LENGTH: usize = 36;

/// Spells keys under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The keys of a session, in the order in which the scripts expect them.
    pub(super) fn session(&self, session: SessionId) -> Vec<String> {
        let prefix = &self.prefix;
        SESSION_KEYS.iter().map(|suffix| format!("{prefix}:{{{session}}}:{suffix}")).collect()
    }

    /// The shard channel of a session's announcements.
    pub(super) fn channel(&self, session: SessionId) -> String {
        format!("{}:{{{session}}}:c", self.prefix)
    }

    /// A token bucket.
    pub(super) fn bucket(&self, scope: Scope, key: &str) -> String {
        format!("{}:rl:{}:{key}", self.prefix, scope.as_str())
    }

    /// What this node writes to and waits for itself, as `tag`.
    pub(super) fn own(&self, tag: &str) -> Own {
        let name = |suffix| format!("{}:{{{tag}}}:{suffix}", self.prefix);
        Own { home: name('n'), mark: name('w') }
    }

    /// Whose announcements a channel carries; `None` for any other channel.
    pub(super) fn session_of(&self, channel: &[u8]) -> Option<SessionId> {
        let rest = channel.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b":{")?;
        let (id, suffix) = rest.split_at_checked(ID_LENGTH)?;
        (suffix == b"}:c").then(|| std::str::from_utf8(id).ok()?.parse().ok()).flatten()
    }
}

/// A node's own names, in one slot: of a cluster, each primary has some for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// The shard channel of its markers.
    pub(super) home: String,
    /// What it writes before it waits for replicas.
    pub(super) mark: String,
}

/// The field of a session's `d` that remembers where the entry of an idempotency key is: it lives as long as the numbers beside it.
pub(super) fn idempotency(key: &IdempotencyKey) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("k:");
    for byte in key.0 {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";

    #[test]
    fn every_key_as_it_stands_in_redis() {
        let keys = Keys::new("wp");
        let session: SessionId = ID.parse().unwrap();
        let expected: Vec<String> =
            ["s", "x", "p", "z", "o", "d", "k", "a"].iter().map(|key| format!("wp:{{{ID}}}:{key}")).collect();
        assert_eq!(keys.session(session), expected);
        assert_eq!(keys.channel(session), "wp:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:c");
        assert_eq!(idempotency(&IdempotencyKey([0xa0; 16])), "k:a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0");
        assert_eq!(keys.bucket(Scope::JoinFailures, ID), format!("wp:rl:join_failures:{ID}"));
        assert_eq!(keys.bucket(Scope::Create, "2001:db8::/64"), "wp:rl:create:2001:db8::/64");
        let own = keys.own(ID);
        assert_eq!(own.home, "wp:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:n");
        assert_eq!(own.mark, "wp:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:w");
    }

    #[test]
    fn only_our_channels_name_a_session() {
        let keys = Keys::new("film-night");
        let session: SessionId = ID.parse().unwrap();
        let channel = keys.channel(session);
        assert_eq!(keys.session_of(channel.as_bytes()), Some(session));
        for other in [
            "",
            "film-night",
            "wp:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:c",
            "film-night:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:n",
            "film-night:{8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:cc",
            "film-night:{8F14E45F-ceea-467f-a9d1-0c5a3b1f7e42}:c",
            "film-night:{8f14e45f}:c",
            "film-night:{é14e45f-ceea-467f-a9d1-0c5a3b1f7e42}:c",
        ] {
            assert_eq!(keys.session_of(other.as_bytes()), None, "{other}");
        }
    }
}
