//! The port of token buckets that all nodes share.

use async_trait::async_trait;

use crate::model::rate::Rate;

/// What a bucket limits; also the label of its metric and a part of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Creating sessions, per address.
    Create,
    /// Joining, per address.
    Join,
    /// Wrong passwords, per session from all addresses.
    JoinFailures,
    /// Looking sessions up, per address.
    Lookup,
    /// Publishing over HTTP, per address.
    Publish,
    /// Upgrades, per address.
    Connect,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] =
        [Self::Create, Self::Join, Self::JoinFailures, Self::Lookup, Self::Publish, Self::Connect];

    /// The name in keys and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Join => "join",
            Self::JoinFailures => "join_failures",
            Self::Lookup => "lookup",
            Self::Publish => "publish",
            Self::Connect => "connect",
        }
    }
}

/// A bucket's answer, in the words of the `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the tokens were there, and are taken.
    pub allowed: bool,
    /// Tokens left.
    pub remaining: u32,
    /// Milliseconds until as many tokens as were asked for are there; 0 when allowed.
    pub retry_after_ms: u64,
    /// Milliseconds until the bucket is full again.
    pub reset_ms: u64,
    /// Refused not by the bucket but because the store is silent and `RATE_LIMIT_ON_OUTAGE` denies: `unavailable`, nobody's excess.
    pub outage: bool,
}

/// Token buckets. Contract: taking and answering are one step; a bucket fills at `rate.count` per `rate.per` up to `rate.burst` and
/// starts full; a refused call takes nothing; `tokens: 0` only asks. Buckets of one scope and key are one bucket on every node. The
/// redis adapter asks a local bucket of the same size first and lets it decide alone, as `RATE_LIMIT_ON_OUTAGE` says, when the
/// store does not answer in 250 ms; it never fails and is never unlimited.
#[async_trait]
pub trait Limiter: Send + Sync {
    /// Takes `tokens` from the bucket of `key`.
    async fn take(&self, scope: Scope, key: &str, rate: Rate, tokens: u32) -> Decision;
}
