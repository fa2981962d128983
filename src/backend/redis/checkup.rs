//! What a Redis shows of itself when it is asked once, by a person (`watchparty doctor`).
//!
//! Responsible for asking: the same commands as a node's, and no others, so that a user of Redis who may do what a node does may do this too.
//! Not responsible for judging (`cli/doctor`), nor for what a node does with a Redis that will not do (`verify`): nothing here waits, tries
//! again, or changes the append-only file. It writes one marker to a channel of its own and no key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::{ErrorKind, PushKind};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::cause::cause;
use super::dial::{Dial, Pushed};
use super::keys::Keys;
use super::link::{Fault, Link};
use super::meters::Meters;
use super::primary::run_on;
use super::probe::Reading;
use super::scripts::{self, Call};
use super::settings::{RedisSettings, Topology};
use super::verify::Unfit;
use super::whereabouts::Whereabouts;
use super::{ConnectError, cluster, verify};
use crate::backend::Durability;
use crate::metrics::Metrics;

/// Looks at the clock, of which the quickest is believed.
const LOOKS: usize = 5;
/// How long the marker may take to come home; a node counts one as lost after as long (`probe`).
const HOME_WITHIN: Duration = Duration::from_millis(1500);

/// What was seen. Texts are the words of Redis; none of them is a secret.
#[derive(Debug)]
pub struct Facts {
    /// How long it took to connect and log in.
    pub connected_in: Duration,
    /// `INFO`, field by field.
    pub info: BTreeMap<String, String>,
    /// `CONFIG GET` of what matters here; `None` when it is denied.
    pub settings: Option<BTreeMap<String, String>>,
    /// What these settings make of an ack; `None` when they cannot be seen.
    pub durability: Option<Durability>,
    /// Replicas that follow.
    pub replicas: u32,
    /// How many scripts it took, one of them run; or why not.
    pub scripts: Result<usize, String>,
    /// How far its clock and this host's are apart.
    pub clock: Option<Offset>,
    /// From a marker published to the marker received, on two connections; or why none came.
    pub round_trip: Result<Duration, String>,
}

/// Two clocks, compared once.
#[derive(Debug, Clone, Copy)]
pub struct Offset {
    /// How far apart they are.
    pub apart: Duration,
    /// By how much that may be wrong: two clocks that are one are no further apart than this.
    pub within: Duration,
}

impl Offset {
    /// Of a time that was read elsewhere between these two moments of the clock here: it is compared with their middle.
    fn of(there: Duration, before: Duration, after: Duration) -> Self {
        let within = after.saturating_sub(before) / 2;
        // Redis tells whole microseconds, so it may be told one too early.
        Self { apart: there.abs_diff(before + within), within: within + Duration::from_micros(1) }
    }
}

/// Why there is nothing to be seen.
#[derive(Debug, thiserror::Error)]
pub enum NothingSeen {
    /// The address or its certificates can never work.
    #[error("{0}")]
    Target(#[from] ConnectError),
    /// No connection, or a login that failed.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It answers nothing.
    #[error("it does not answer: {0}")]
    Silent(String),
    /// It wants a login that the settings do not have, or they have one that it does not take.
    #[error("it wants another login (REDIS_URL or REDIS_PASSWORD): {0}")]
    Login(String),
    /// It answers `INFO` with another error.
    #[error("it answers with an error: {0}")]
    Refusing(String),
}

/// Asks once.
///
/// # Errors
/// [`NothingSeen`].
pub async fn check_up(settings: &RedisSettings, metrics: &Metrics) -> Result<Facts, NothingSeen> {
    let meters = Arc::new(Meters::new(metrics));
    // What can never work is told apart from what does not work now.
    Whereabouts::new(settings.target.clone(), &meters)
        .map_err(|error| ConnectError::Target(cause(&error)))?;
    let began = Instant::now();
    let (dial, tag) =
        find(settings, &meters).await.map_err(|error| NothingSeen::Unreachable(error.to_string()))?;
    let opened = dial.command(CancellationToken::new(), &meters).await;
    let link = opened.map_err(|error| match error.kind() {
        ErrorKind::AuthenticationFailed => NothingSeen::Login(cause(&error)),
        _ => NothingSeen::Unreachable(cause(&error)),
    })?;
    let connected_in = began.elapsed();
    let info = verify::info(&link).await.map_err(told)?;
    let home = Keys::new(&settings.prefix).own(&tag).home;
    let scripts = load(&link).await.map_err(|fault| fault.to_string());
    let clock = clock(&link, &home).await;
    let round_trip = round_trip(&dial, &link, &home, &meters).await;
    let seen = verify::settings(&link, &["*output-buffer-limit", "maxmemory", "save"]).await;
    Ok(Facts {
        connected_in,
        replicas: verify::replicas_online(&info),
        durability: seen.as_ref().map(verify::given_by),
        settings: seen,
        scripts,
        clock,
        round_trip,
        info: fields(&info),
    })
}

/// Why `INFO` shows nothing.
fn told(fault: Fault) -> NothingSeen {
    let text = fault.to_string();
    match fault {
        Fault::Silent(_) => NothingSeen::Silent(text),
        Fault::Refused(_) if text.starts_with("NOAUTH") || text.starts_with("NOPERM") => {
            NothingSeen::Login(text)
        }
        _ => NothingSeen::Refusing(text),
    }
}

/// The primary, and a tag of names there; of a cluster that of slot 0, whose clock is everybody's.
async fn find(settings: &RedisSettings, meters: &Arc<Meters>) -> Result<(Dial, String), Unfit> {
    let target = &settings.target;
    let unusable = |error: redis::RedisError| Unfit::Unreachable(cause(&error));
    if !matches!(target.topology, Topology::Cluster(_)) {
        let whereabouts = Whereabouts::new(target.clone(), meters).map_err(unusable)?;
        return Ok((whereabouts.find().await?.dial, settings.node.to_string()));
    }
    let map = cluster::look(target, &[], meters).await?;
    let nobody = || Unfit::Unreachable("no primary of the cluster has slot 0".to_owned());
    let address = map.owner(0).ok_or_else(nobody)?;
    let (tag, _) = cluster::tag(settings.node, &map, address).ok_or_else(nobody)?;
    Ok((Dial::new(target, address).map_err(unusable)?, tag))
}

/// Hands every script over, as a node does before its first call.
async fn load(link: &Link) -> Result<usize, Fault> {
    let mut count = 0;
    for script in scripts::all() {
        link.call(&script.load()).await?;
        count += 1;
    }
    Ok(count)
}

fn marker(home: &str) -> Call {
    Call::new(&scripts::TRIAL, &[home.to_owned()]).arg(0)
}

/// Both clocks are read around each question and nowhere else: what is asked between now and the report takes time of its own.
async fn clock(link: &Link, home: &str) -> Option<Offset> {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        let (sent, before) = (Instant::now(), here()?);
        let answer = run_on(link, &marker(home)).await.ok()?;
        looks.push(Offset::of(Reading::new(answer, sent).ok()?.time(), before, here()?));
    }
    looks.into_iter().min_by_key(|look| look.within)
}

/// This host's clock; `None` before 1970.
fn here() -> Option<Duration> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok()
}

/// Publishes on one connection what it listens for on another, as every entry travels.
async fn round_trip(dial: &Dial, link: &Link, home: &str, meters: &Arc<Meters>) -> Result<Duration, String> {
    let came = Arc::new(Notify::new());
    let seen = came.clone();
    let pushed: Pushed = Arc::new(move |info| {
        if info.kind == PushKind::SMessage {
            seen.notify_one();
        }
    });
    let opened = dial.subscriber(pushed, CancellationToken::new(), meters).await;
    let listener = opened.map_err(|error| cause(&error))?;
    let mut subscribe = redis::cmd("SSUBSCRIBE");
    subscribe.arg(home);
    listener.call(&subscribe).await.map_err(|fault| fault.to_string())?;
    let sent = Instant::now();
    run_on(link, &marker(home)).await.map_err(|fault| fault.to_string())?;
    match timeout(HOME_WITHIN, came.notified()).await {
        Ok(()) => Ok(sent.elapsed()),
        Err(_) => Err(format!("what was published did not arrive in {} ms", HOME_WITHIN.as_millis())),
    }
}

fn fields(info: &str) -> BTreeMap<String, String> {
    let pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_end().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_clock_read_twice_is_never_apart_by_more_than_it_is_said_to_be() {
        let ms = Duration::from_millis;
        for there in 1000..=1010 {
            let one = Offset::of(ms(there), ms(1000), ms(1010));
            assert!(one.apart <= one.within, "{one:?}");
        }
        let off = Offset::of(ms(1255), ms(1000), ms(1010));
        assert_eq!((off.apart, off.within), (ms(250), Duration::from_micros(5001)));
        assert_eq!(Offset::of(ms(755), ms(1000), ms(1010)).apart, ms(250));
        assert_eq!(Offset::of(ms(1000), ms(1010), ms(1000)).apart, ms(10), "a clock here that was set back");
    }

    #[test]
    fn what_redis_tells_of_itself_is_taken_apart() {
        let seen = fields("# Server\r\nredis_version:7.0.15\r\nexecutable:/usr/bin/redis-server:x\r\n\r\n");
        assert_eq!(seen.len(), 2);
        assert_eq!(seen["redis_version"], "7.0.15");
        assert_eq!(seen["executable"], "/usr/bin/redis-server:x");
    }
}
