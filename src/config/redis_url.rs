//! The grammar of `REDIS_URL`: six schemes, one shape each.
//!
//! The redis crate knows only `redis://` and `rediss://`, so sentinels and clusters are spelled and read here, and
//! the plain form with them. Pure: text in, target out, no reason on failure (the text holds a password).

use secrecy::SecretString;

use super::form;
use super::redis::{RedisHost, RedisTarget, RedisTopology};

/// Where Redis listens unless told otherwise.
const PORT: u16 = 6379;
/// Where sentinels listen unless told otherwise.
const SENTINEL_PORT: u16 = 26379;

enum Kind {
    Standalone,
    Sentinel,
    Cluster,
}

/// A target without TLS, user or password, in database 0.
pub(super) fn plain(topology: RedisTopology) -> RedisTarget {
    RedisTarget {
        topology,
        tls: false,
        db: 0,
        username: None,
        password: None,
        sentinel_password: None,
        ca_pem: None,
    }
}

/// Reads one URL.
pub(super) fn parse(text: &str) -> Option<RedisTarget> {
    let (scheme, rest) = text.split_once("://")?;
    let (kind, tls) = match scheme {
        "redis" => (Kind::Standalone, false),
        "rediss" => (Kind::Standalone, true),
        "redis+sentinel" => (Kind::Sentinel, false),
        "rediss+sentinel" => (Kind::Sentinel, true),
        "redis-cluster" => (Kind::Cluster, false),
        "rediss-cluster" => (Kind::Cluster, true),
        _ => return None,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The last @ parts user and hosts, so a password may hold one even if nobody encoded it.
    let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (topology, db) = topology(&kind, hosts, path)?;
    Some(RedisTarget { tls, db, username: part(username)?, password: part(password)?, ..plain(topology) })
}

/// Which servers, and which database of theirs.
fn topology(kind: &Kind, hosts: &str, path: &str) -> Option<(RedisTopology, u32)> {
    match kind {
        Kind::Standalone => Some((RedisTopology::Standalone(host(hosts, PORT)?), database(path)?)),
        Kind::Sentinel => {
            let (master, db) = path.split_once('/').unwrap_or((path, ""));
            let hosts = form::list(hosts, |text| host(text, SENTINEL_PORT))?;
            let master = master_name(master)?;
            Some((RedisTopology::Sentinel { hosts, master }, database(db)?))
        }
        Kind::Cluster if path.is_empty() => {
            let hosts = form::list(hosts, |text| host(text, PORT))?;
            Some((RedisTopology::Cluster { hosts }, 0))
        }
        Kind::Cluster => None,
    }
}

fn host(text: &str, default_port: u16) -> Option<RedisHost> {
    let (host, port) = form::host_and_port(text, Some(default_port))?;
    Some(RedisHost { host, port })
}

fn database(text: &str) -> Option<u32> {
    if text.is_empty() { Some(0) } else { form::number(text).and_then(|db| u32::try_from(db).ok()) }
}

/// What sentinels allow in a name: letters, digits and `.-_`.
fn master_name(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (!text.is_empty() && text.bytes().all(plain)).then(|| text.to_owned())
}

/// One half of the user information: `None` outside for a broken encoding, inside for an empty half.
#[expect(clippy::option_option, reason = "a broken half and an absent half are different answers")]
fn part(text: &str) -> Option<Option<SecretString>> {
    let text = form::percent_decoded(text)?;
    Some(if text.is_empty() { None } else { Some(text.into()) })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn host(host: &str, port: u16) -> RedisHost {
        RedisHost { host: host.to_owned(), port }
    }

    #[test]
    fn one_server() {
        let target = parse("redis://gate:p%40ss@redis.internal:6380/3").expect("it is whole");
        assert_eq!(target.topology, RedisTopology::Standalone(host("redis.internal", 6380)));
        assert_eq!((target.tls, target.db), (false, 3));
        assert_eq!(target.username.as_ref().map(ExposeSecret::expose_secret), Some("gate"));
        assert_eq!(target.password.as_ref().map(ExposeSecret::expose_secret), Some("p@ss"));
        let target = parse("rediss://:p@ss@[::1]").expect("a port and a user may be left out");
        assert_eq!(target.topology, RedisTopology::Standalone(host("::1", PORT)));
        assert!(target.tls && target.username.is_none());
        assert_eq!(target.password.as_ref().map(ExposeSecret::expose_secret), Some("p@ss"));
    }

    #[test]
    fn sentinels_know_a_master() {
        let target = parse("rediss+sentinel://u:p@a:1,b/watch-primary/2").expect("it is whole");
        let hosts = vec![host("a", 1), host("b", SENTINEL_PORT)];
        assert_eq!(target.topology, RedisTopology::Sentinel { hosts, master: "watch-primary".to_owned() });
        assert_eq!((target.tls, target.db), (true, 2));
        assert_eq!(parse("redis+sentinel://a:1/m").map(|target| target.db), Some(0));
    }

    #[test]
    fn a_cluster_has_no_databases() {
        let target = parse("redis-cluster://a:1,b:2").expect("it is whole");
        assert_eq!(target.topology, RedisTopology::Cluster { hosts: vec![host("a", 1), host("b", 2)] });
        assert!(parse("rediss-cluster://a:1").is_some_and(|target| target.tls));
        assert!(parse("redis-cluster://a:1/0").is_none());
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "redis",
            "redis://",
            "redis:///0",
            "http://a:1",
            "REDIS+cluster://a:1",
            "valkey://a:1",
            "redis://a:1,b:2",
            "redis://a:1/x",
            "redis://a:1/1/2",
            "redis://a:1?db=1",
            "redis://a:1/1?protocol=resp3",
            "redis://:%zz@a:1",
            "redis://:half/a@host:1",
            "redis+sentinel://a:1",
            "redis+sentinel://a:1/",
            "redis+sentinel:///m",
            "redis+sentinel://a:1,/m",
            "redis+sentinel://a:1/m/x",
            "redis+sentinel://a:1/two words",
            "redis-cluster://",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
