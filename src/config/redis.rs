//! Redis or memory: where the shared state lives, and what an ack promises.
//!
//! Plain data for the link layer in `backend/redis`. The grammar of the URL is `redis_url`; here the variables that
//! add to it are weighed against each other, so that a half-given Redis never quietly means memory.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;
use super::setting::{Form, Preset, Setting};
use super::{form, redis_url};

const ALONE: &str = "needs REDIS_URL or REDIS_ADDR: alone it would quietly mean memory";

pub(super) const REDIS_URL: Setting = Setting::secret(
    "REDIS_URL",
    Preset::Unset,
    Form::Other(
        "redis://[user:password@]host:port[/db], redis+sentinel://h:p,h:p/master[/db] or redis-cluster://h:p,h:p; \
         with TLS rediss, rediss+sentinel, rediss-cluster",
    ),
    "The Redis all nodes share; with neither this nor REDIS_ADDR, one node runs on memory.",
);
pub(super) const REDIS_ADDR: Setting = Setting::open(
    "REDIS_ADDR",
    Preset::Unset,
    Form::Other("host:port"),
    "Short for redis://host:port; REDIS_URL wins over it.",
);
pub(super) const REDIS_PASSWORD: Setting = Setting::secret(
    "REDIS_PASSWORD",
    Preset::Unset,
    Form::Other("the password of the Redis user"),
    "Fills an address that has none.",
);
pub(super) const REDIS_SENTINEL_PASSWORD: Setting = Setting::secret(
    "REDIS_SENTINEL_PASSWORD",
    Preset::Unset,
    Form::Other("the password of the sentinels"),
    "Asked for by sentinels that have one of their own.",
);
pub(super) const REDIS_CA_FILE: Setting = Setting::open(
    "REDIS_CA_FILE",
    Preset::Derived("the public roots"),
    Form::Other("the path of a PEM file with certificates"),
    "Trust in a private CA; needs a TLS scheme in REDIS_URL.",
);
pub(super) const REDIS_PREFIX: Setting = Setting::open(
    "REDIS_PREFIX",
    Preset::Text("wp"),
    Form::Other("1 to 32 of a-z, 0-9 and -"),
    "First part of each key and channel; different for deployments that share a Redis.",
);
pub(super) const DURABILITY: Setting = Setting::open(
    "DURABILITY",
    Preset::Text("auto"),
    Form::Word(&["auto", "memory", "aof", "fsync", "replicated"]),
    "What an ack must mean; auto states what Redis shows.",
);
pub(super) const DURABILITY_REPLICAS: Setting = Setting::open(
    "DURABILITY_REPLICAS",
    Preset::Text("1"),
    Form::Count { min: 1, max: 5 },
    "Replicas that must have an entry before its ack, with replicated.",
);

pub(super) const SETTINGS: &[&Setting] = &[
    &REDIS_URL,
    &REDIS_ADDR,
    &REDIS_PASSWORD,
    &REDIS_SENTINEL_PASSWORD,
    &REDIS_CA_FILE,
    &REDIS_PREFIX,
    &DURABILITY,
    &DURABILITY_REPLICAS,
];

/// Redis or memory, and what an ack promises.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// Where Redis is; `None` is the embedded memory backend.
    pub target: Option<RedisTarget>,
    /// First part of each key and channel.
    pub prefix: String,
    /// What an ack must mean.
    pub durability: Durability,
    /// Replicas that must have an entry, with [`Durability::Replicated`].
    pub durability_replicas: u32,
}

/// How to reach Redis.
#[derive(Clone, Debug)]
pub struct RedisTarget {
    /// Which servers there are.
    pub topology: RedisTopology,
    /// Whether to speak TLS, to sentinels too.
    pub tls: bool,
    /// The database; 0 with a cluster.
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

/// The shape of a Redis deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisTopology {
    /// One server.
    Standalone(RedisHost),
    /// A primary found by asking sentinels.
    Sentinel {
        /// The sentinels, at least one.
        hosts: Vec<RedisHost>,
        /// The name they know the primary by.
        master: String,
    },
    /// A cluster, found from any of these.
    Cluster {
        /// Some of its nodes, at least one.
        hosts: Vec<RedisHost>,
    },
}

/// One server's address; displays as `host:port`, IPv6 in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisHost {
    /// A name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for RedisHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What an ack must mean, weakest first after `Auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Whatever Redis shows it gives.
    Auto,
    /// In the memory of the node or of Redis.
    Memory,
    /// In the append-only file, fsync each second.
    Aof,
    /// On disk.
    Fsync,
    /// On as many replicas as asked.
    Replicated,
}

impl Durability {
    /// The word of the setting.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Memory => "memory",
            Self::Aof => "aof",
            Self::Fsync => "fsync",
            Self::Replicated => "replicated",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "memory" => Some(Self::Memory),
            "aof" => Some(Self::Aof),
            "fsync" => Some(Self::Fsync),
            "replicated" => Some(Self::Replicated),
            _ => None,
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> RedisConfig {
    let durability = reader.required(&DURABILITY, Durability::from_word);
    let target = target(reader);
    let addressed = reader.given(&REDIS_URL) || reader.given(&REDIS_ADDR);
    if !addressed && !matches!(durability, Durability::Auto | Durability::Memory) {
        reader.refuse(&DURABILITY, "needs REDIS_URL or REDIS_ADDR: memory gives auto and memory only");
    }
    if reader.given(&DURABILITY_REPLICAS) && durability != Durability::Replicated {
        reader.warn(DURABILITY_REPLICAS.name, "is not used: DURABILITY is not replicated");
    }
    RedisConfig {
        target,
        prefix: reader.required(&REDIS_PREFIX, prefix),
        durability,
        durability_replicas: reader.count(&DURABILITY_REPLICAS),
    }
}

fn prefix(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=32).contains(&text.len()) && text.bytes().all(plain)).then(|| text.to_owned())
}

/// The address, and what the other variables add to it.
fn target(reader: &mut Reader<'_>) -> Option<RedisTarget> {
    let from_url = url(reader);
    let from_addr = reader.optional(&REDIS_ADDR, |text| form::host_and_port(text, None));
    let password = reader.secret_text(&REDIS_PASSWORD);
    let sentinel_password = reader.secret_text(&REDIS_SENTINEL_PASSWORD);
    let ca_pem = certificates(reader);
    let (has_url, has_addr) = (reader.given(&REDIS_URL), reader.given(&REDIS_ADDR));
    if has_url && has_addr {
        reader.warn(REDIS_ADDR.name, "is not used: REDIS_URL wins");
    }
    if !has_url && !has_addr {
        for setting in [&REDIS_PASSWORD, &REDIS_SENTINEL_PASSWORD, &REDIS_CA_FILE] {
            let alone = reader.given(setting);
            reader.refuse_beside(setting, &REDIS_URL, alone, ALONE);
        }
        return None;
    }
    let standalone = |(host, port)| redis_url::plain(RedisTopology::Standalone(RedisHost { host, port }));
    let mut target = if has_url { from_url? } else { standalone(from_addr?) };
    if reader.given(&REDIS_CA_FILE) && !target.tls {
        reader.refuse(&REDIS_CA_FILE, "needs a TLS scheme in REDIS_URL, such as rediss");
    }
    if reader.given(&REDIS_SENTINEL_PASSWORD) && !matches!(target.topology, RedisTopology::Sentinel { .. }) {
        reader.warn(REDIS_SENTINEL_PASSWORD.name, "is not used: REDIS_URL names no sentinels");
    }
    if target.password.is_some() && password.is_some() {
        reader.warn(REDIS_PASSWORD.name, "is not used: REDIS_URL has a password");
    }
    target.password = target.password.or(password);
    target.sentinel_password = sentinel_password;
    target.ca_pem = ca_pem;
    Some(target)
}

fn url(reader: &mut Reader<'_>) -> Option<RedisTarget> {
    let text = reader.secret_text(&REDIS_URL)?;
    let target = redis_url::parse(text.expose_secret().trim());
    if target.is_none() {
        reader.expected(&REDIS_URL);
    }
    target
}

/// The CA file's bytes, seen to hold at least the frame of a certificate; the TLS stack judges the rest.
fn certificates(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    const FRAME: &[u8] = b"-----BEGIN CERTIFICATE-----";
    let path = reader.optional(&REDIS_CA_FILE, |text| Some(text.to_owned()))?;
    let pem = reader.file(REDIS_CA_FILE.name, &path)?;
    if !pem.windows(FRAME.len()).any(|window| window == FRAME) {
        reader.expected(&REDIS_CA_FILE);
        return None;
    }
    Some(pem)
}
