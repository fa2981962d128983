//! What the adapter is told: where Redis is, what names to use, what an ack must mean.
//!
//! Plain data, filled by the composition root from the configuration, so that this adapter does not know environment variables.

use secrecy::SecretString;

use crate::backend::Durability;
use crate::model::history::Retention;
use crate::model::id::NodeId;

/// Where Redis is and how to log in.
#[derive(Debug, Clone)]
pub struct RedisTarget {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether to speak TLS; then a rustls crypto provider must have been installed.
    pub tls: bool,
    /// The database.
    pub db: u32,
    /// The ACL user, where not `default`.
    pub username: Option<SecretString>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// Certificates of a private CA, as PEM; `None` trusts the public roots.
    pub ca_pem: Option<Vec<u8>>,
}

impl RedisTarget {
    /// Database 0 of a server without TLS or login.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        let host = host.to_owned();
        Self { host, port, tls: false, db: 0, username: None, password: None, ca_pem: None }
    }
}

/// What a bucket that cannot be asked decides (`RATE_LIMIT_ON_OUTAGE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnOutage {
    /// The node's own bucket of the same size decides.
    Allow,
    /// Nothing is granted.
    Deny,
}

/// Settings of the redis adapter.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// Where Redis is.
    pub target: RedisTarget,
    /// First part of each key and channel, `[a-z0-9-]{1,32}`.
    pub prefix: String,
    /// This node: it names the channel of its probe.
    pub node: NodeId,
    /// What a log keeps.
    pub history: Retention,
    /// What an ack must mean; `None` states what Redis shows.
    pub durability: Option<Durability>,
    /// Replicas that must have an entry before its ack, with [`Durability::Replicated`]; at least 1.
    pub replicas: u32,
    /// What rate limits do when Redis does not answer.
    pub on_outage: OnOutage,
}
