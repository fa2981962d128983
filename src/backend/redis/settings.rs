//! What the adapter is told: where Redis is, what names to use, what an ack must mean.
//!
//! Plain data, filled by the composition root from the configuration, so that this adapter does not know environment variables.

use std::fmt;

use secrecy::SecretString;

use crate::backend::Durability;
use crate::model::history::Retention;
use crate::model::id::NodeId;

/// One server's address; displays as `host:port`, IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Which servers there are, and how the one that takes the writes is found.
#[derive(Debug, Clone)]
pub enum Topology {
    /// It is this one.
    Standalone(Address),
    /// Sentinels say which.
    Sentinel {
        /// Them, at least one.
        hosts: Vec<Address>,
        /// The name they know the primary by.
        master: String,
    },
    /// Any of a cluster's nodes say who has which slots; at least one.
    Cluster(Vec<Address>),
}

/// Where Redis is and how to log in.
#[derive(Debug, Clone)]
pub struct RedisTarget {
    /// Which servers there are.
    pub topology: Topology,
    /// Whether to speak TLS, to sentinels too; then a rustls crypto provider must have been installed.
    pub tls: bool,
    /// The database.
    pub db: u32,
    /// The ACL user, where not `default`.
    pub username: Option<SecretString>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// The sentinels' own password.
    pub sentinel_password: Option<SecretString>,
    /// Certificates of a private CA, as PEM; `None` trusts the public roots.
    pub ca_pem: Option<Vec<u8>>,
}

impl RedisTarget {
    /// Database 0 of a server without TLS or login.
    #[must_use]
    pub fn plain(host: &str, port: u16) -> Self {
        Self::open(Topology::Standalone(Address { host: host.to_owned(), port }))
    }

    /// Database 0 of servers without TLS or login.
    #[must_use]
    pub fn open(topology: Topology) -> Self {
        let (username, password, sentinel_password, ca_pem) = (None, None, None, None);
        Self { topology, tls: false, db: 0, username, password, sentinel_password, ca_pem }
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
