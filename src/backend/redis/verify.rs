//! Is this a Redis we can work with? Asked on each new command connection, before anything else is.
//!
//! Responsible for role, version, scripts, persistence, replicas and eviction. What cannot be seen because `CONFIG` is denied is warned of and
//! assumed weak; what can be seen and is not enough is refused. Not responsible for trying again (`supervisor`), nor for replicas that go
//! later: who waits for them notices (`writers`, `probe`).

use std::collections::BTreeMap;

use redis::Value;
use tokio::time::Instant;

use super::link::{Fault, Link};
use super::primary::run_on;
use super::probe::Reading;
use super::reply;
use super::scripts::{self, Call};
use super::settings::Address;
use super::slots::{SlotMap, Told};
use crate::backend::Durability;

/// The oldest major version: sharded pub/sub, script flags and `PEXPIRETIME` came with 7.0. Valkey tells the Redis it stands for.
const MAJOR_MIN: u32 = 7;

/// The settings of Redis that decide what an ack means.
const DECISIVE: &[&str] = &["appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy"];

/// Looks at its clock, of which the quickest is believed: the first may have waited for a script to be read.
const LOOKS: usize = 3;

/// Why a Redis cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Unfit {
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("it failed a command: {0}")]
    Failing(Fault),
    #[error("no sentinel answers: {0}")]
    NoSentinel(String),
    #[error("the sentinels know no primary called {0}")]
    UnknownToSentinels(String),
    #[error(
        "the sentinels that answer know less than one that does not: they may name a primary that was replaced"
    )]
    OutdatedSentinels,
    #[error("sentinels are replacing the primary")]
    FailingOver,
    #[error("no node of the cluster answers: {0}")]
    NoClusterNode(String),
    #[error("it is a node of a cluster: give its address as redis-cluster://")]
    Clustered,
    #[error("it is not a primary")]
    NotPrimary,
    #[error("its version {0} is older than 7.0")]
    TooOld(String),
    #[error("the connections lead to two different servers")]
    TwoServers,
    #[error("it gives less than is asked for: {0:?}")]
    TooWeak(Shortfall),
}

/// What a Redis lacks of what an ack must mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortfall {
    /// Its settings give only this.
    Level(Durability),
    /// So many replicas are online, fewer than must have each entry.
    Replicas(u32),
}

/// What an ack must mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// `None` states what Redis shows.
    pub(super) level: Option<Durability>,
    /// With [`Durability::Replicated`].
    pub(super) replicas: u32,
}

impl From<Fault> for Unfit {
    fn from(fault: Fault) -> Self {
        Self::Failing(fault)
    }
}

/// What a fit Redis is.
pub(super) struct Verified {
    /// Which process: new at each of its starts.
    pub(super) run_id: String,
    pub(super) durability: Durability,
    /// What its clock showed.
    pub(super) reading: Option<Reading>,
}

/// Checks a connection and hands the scripts over.
pub(super) async fn verify(link: &Link, home: &str, demand: Demand) -> Result<Verified, Unfit> {
    let info = info(link).await?;
    if field(&info, "role") != Some("master") {
        return Err(Unfit::NotPrimary);
    }
    if field(&info, "cluster_enabled") == Some("1") && !link.is_clustered() && has_siblings(link).await {
        return Err(Unfit::Clustered);
    }
    let version = field(&info, "redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < MAJOR_MIN) {
        return Err(Unfit::TooOld(version.to_owned()));
    }
    for script in scripts::all() {
        link.call(&script.load()).await?;
    }
    // Publishes on a shard channel and reads the branch, as every write will; and the clock.
    let mut readings = Vec::new();
    for _ in 0..LOOKS {
        let sent = Instant::now();
        let answer = run_on(link, &Call::new(&scripts::TRIAL, &[home.to_owned()]).arg(0)).await?;
        readings.push(Reading::new(answer, sent).map_err(|error| Fault::Failed(error.to_string()))?);
    }
    let seen = durability(link).await;
    let durability = enough(seen, demand.level).map_err(Unfit::TooWeak)?;
    let online = replicas_online(&info);
    if durability == Durability::Replicated && online < demand.replicas {
        return Err(Unfit::TooWeak(Shortfall::Replicas(online)));
    }
    clear_torn_tail(link).await?;
    let run_id = field(&info, "run_id").unwrap_or_default().to_owned();
    Ok(Verified { run_id, durability, reading: Reading::quickest(readings) })
}

/// Has Redis write its append-only file anew, once after each of its starts, by whichever node comes first.
///
/// A power cut can tear what one script wrote, which is a transaction in that file. Redis then starts without the torn transaction and leaves its
/// first commands in the file (seen on 7.0.15; valkey pull request 4342 mends it), so at the *next* start they are run, with the first
/// transaction after them: a lost entry comes back in the place of one that was acked. A file written anew holds what Redis has, and nothing torn.
async fn clear_torn_tail(link: &Link) -> Result<(), Unfit> {
    // A server that does not count its rewrites is asked each time.
    let done = |info: &str| {
        field(info, "aof_rewrite_in_progress") == Some("1")
            || field(info, "aof_rewrites").is_some_and(|rewrites| rewrites != "0")
    };
    // Asked anew: a server that still loads its file says that it has none.
    let told = info(link).await?;
    if field(&told, "aof_enabled") != Some("1") || done(&told) {
        return Ok(());
    }
    let Err(fault) = link.call(&redis::cmd("BGREWRITEAOF")).await else { return Ok(()) };
    // Another node may have asked meanwhile, which Redis answers with an error and which is as good.
    if !done(&info(link).await?) {
        tracing::warn!(
            ?fault,
            "redis does not rewrite its append-only file: if its tail was torn, its next restart can bring lost entries back"
        );
    }
    Ok(())
}

/// Whether other primaries have slots, too: a cluster of one is as good as no cluster. Unseen, it is taken for one.
async fn has_siblings(link: &Link) -> bool {
    let answer = link.call(redis::cmd("CLUSTER").arg("NODES")).await.ok();
    let Some(bytes) = answer.and_then(|answer| reply::bytes(answer).ok()) else { return false };
    // Where it was asked does not matter: only how many there are.
    let by = Address { host: String::from("here"), port: 0 };
    let told = Told { by, text: String::from_utf8_lossy(&bytes).into_owned() };
    SlotMap::of(&[told], false).primaries().len() > 1
}

/// Which process answers on a connection.
pub(super) async fn run_id(link: &Link) -> Result<String, Unfit> {
    Ok(field(&info(link).await?, "run_id").unwrap_or_default().to_owned())
}

/// Everything it tells of itself.
pub(super) async fn info(link: &Link) -> Result<String, Fault> {
    // All sections: asking for several at once came later than asking for one.
    let text = match link.call(&redis::cmd("INFO")).await? {
        Value::VerbatimString { text, .. } => text,
        other => {
            let bytes = reply::bytes(other).map_err(|error| Fault::Failed(error.to_string()))?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    Ok(text)
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// Replicas that have the data and follow the stream; one that is still being sent them counts for nothing.
pub(super) fn replicas_online(info: &str) -> u32 {
    let row = |line: &&str| {
        let numbered = line.strip_prefix("slave").and_then(|rest| rest.split_once(':'));
        numbered.is_some_and(|(number, row)| {
            number.bytes().all(|digit| digit.is_ascii_digit())
                && row.split(',').any(|field| field == "state=online")
        })
    };
    u32::try_from(info.lines().filter(row).count()).unwrap_or(u32::MAX)
}

/// What decides what an ack means; `None` when it cannot be seen. `more`: what else is asked for.
pub(super) async fn settings(link: &Link, more: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(DECISIVE).arg(more);
    let answer = link.call(&command).await.ok()?;
    redis::from_redis_value(answer).ok()
}

/// What this Redis' settings give; `None` when they cannot be seen.
async fn durability(link: &Link) -> Option<Durability> {
    let Some(settings) = settings(link, &[]).await else {
        tracing::warn!("redis does not show its settings: persistence and eviction are unknown");
        return None;
    };
    if settings.get("maxmemory-policy").is_none_or(|policy| policy != "noeviction") {
        tracing::warn!("redis may evict sessions when its memory is full: set maxmemory-policy noeviction");
    }
    Some(given_by(&settings))
}

/// What these settings give.
pub(super) fn given_by(settings: &BTreeMap<String, String>) -> Durability {
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
    let fsync = settings.get("appendfsync").map(String::as_str);
    given(is("appendonly", "yes"), fsync, is("no-appendfsync-on-rewrite", "yes"))
}

/// What a file gives: nothing that is promised for a power cut without a sync each second, and no more than that where a rewrite suspends them.
fn given(file: bool, fsync: Option<&str>, not_while_rewriting: bool) -> Durability {
    match (file, fsync) {
        (true, Some("always")) if !not_while_rewriting => Durability::Fsync,
        (true, Some("always" | "everysec")) => Durability::Aof,
        _ => Durability::Memory,
    }
}

/// What an ack means, if that is enough.
fn enough(seen: Option<Durability>, asked: Option<Durability>) -> Result<Durability, Shortfall> {
    let rank = |durability| match durability {
        Durability::Memory => 0,
        // A primary without a file that is started again is empty, and its replicas with it: waiting for them would be in vain.
        Durability::Aof | Durability::Replicated => 1,
        Durability::Fsync => 2,
    };
    match (seen, asked) {
        (None, None) => Ok(Durability::Memory),
        (None, Some(asked)) => Ok(asked),
        (Some(seen), None) => Ok(seen),
        (Some(seen), Some(asked)) if rank(seen) < rank(asked) => Err(Shortfall::Level(seen)),
        (Some(_), Some(asked)) => Ok(asked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = "# Replication\r\nrole:master\r\nmaster_replid:abc\r\nredis_version:7.0.15\r\n";
        assert_eq!(field(info, "role"), Some("master"));
        assert_eq!(field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(field(info, "master"), None);
        assert_eq!(field(info, "run_id"), None);
    }

    #[test]
    fn a_file_gives_what_its_syncs_give() {
        use Durability::{Aof, Fsync, Memory};
        let file = |fsync, suspended| given(true, Some(fsync), suspended);
        assert_eq!([file("always", false), file("always", true)], [Fsync, Aof]);
        assert_eq!([file("everysec", false), file("no", false)], [Aof, Memory]);
        assert_eq!([given(false, Some("always"), false), given(true, None, false)], [Memory, Memory]);
    }

    #[test]
    fn an_ack_never_means_less_than_asked() {
        use Durability::{Aof, Fsync, Memory};
        assert_eq!(enough(Some(Aof), None), Ok(Aof));
        assert_eq!(enough(None, None).unwrap(), Memory);
        assert_eq!(enough(Some(Fsync), Some(Aof)).unwrap(), Aof);
        assert_eq!(enough(None, Some(Aof)).unwrap(), Aof, "cannot be seen: warned");
        assert_eq!(enough(Some(Memory), Some(Aof)), Err(Shortfall::Level(Memory)));
        assert_eq!(enough(Some(Aof), Some(Fsync)), Err(Shortfall::Level(Aof)));
    }

    #[test]
    fn replicas_need_a_primary_that_comes_back_with_its_data() {
        use Durability::{Aof, Fsync, Memory, Replicated};
        assert_eq!(enough(Some(Memory), Some(Replicated)), Err(Shortfall::Level(Memory)));
        for seen in [Some(Aof), Some(Fsync), None] {
            assert_eq!(enough(seen, Some(Replicated)), Ok(Replicated));
        }
        assert_eq!(
            enough(Some(Fsync), None),
            Ok(Fsync),
            "what is not asked for is not waited for, so not stated"
        );
    }

    #[test]
    fn only_replicas_that_follow_are_counted() {
        let row =
            |number, state| format!("slave{number}:ip=127.0.0.1,port=6380,state={state},offset=14,lag=0\r\n");
        let info = ["role:master\r\nconnected_slaves:3\r\nslave_read_only:1\r\n".to_owned()]
            .into_iter()
            .chain([row(0, "online"), row(1, "wait_bgsave"), row(12, "online")])
            .collect::<String>();
        assert_eq!(replicas_online(&info), 2);
        assert_eq!(replicas_online("role:master\r\nconnected_slaves:0\r\n"), 0);
    }
}
