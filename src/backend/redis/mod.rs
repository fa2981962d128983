//! The redis adapter: the log and everything around it in one Redis that all nodes share.
//!
//! Responsible for the four ports on Redis 7.0 or newer and for the tasks that keep the way there open. What a step does is in
//! `lua/*.lua`, because it must be atomic; what it means is in the ports' contracts. [`connect`] returns at once: a node starts, answers and
//! waits without Redis, and never exits over it.
//!
//! ```text
//! sessions log membership limiter        the ports: typed arguments in, typed answers out
//!     primary  scripts                   one script, one answer
//!     writers                            what is acked only once replicas have it
//!     dial  link  cause                  one connection: opening it; deadlines, what an error means, in words
//!     whereabouts  sentinels             where the primary is
//!     supervisor  probe  verify          opening, watching, replacing; readiness; the clock
//!     subscriber  arrivals  wire         channels in, announcements up to `Deliver`
//! ```

mod arrivals;
mod batch;
mod cause;
mod checkup;
mod cluster;
mod dial;
mod keys;
mod limiter;
mod link;
mod log;
mod membership;
mod meters;
mod primary;
mod probe;
mod reply;
mod routes;
mod rows;
mod scripts;
mod sentinels;
mod sessions;
mod settings;
mod slots;
mod subscriber;
mod supervisor;
mod verify;
mod way;
mod whereabouts;
mod wire;
mod writers;

pub use checkup::{Facts, NothingSeen, Offset, check_up};
pub use settings::{Address, OnOutage, RedisSettings, RedisTarget, Topology};
pub use supervisor::{Condition, LinkState};
pub use verify::Shortfall;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cause::cause;
use self::cluster::Cluster;
use self::dial::Dial;
use self::keys::Keys;
use self::meters::Meters;
use self::routes::Routes;
use self::scripts::{Call, Script};
use self::verify::Demand;
use self::way::{Course, Plan};
use self::whereabouts::Whereabouts;
use crate::backend::Backend;
use crate::backend::clock::ClusterClock;
use crate::backend::log::Deliver;
use crate::backend::memory::limiter::LocalLimiter;
use crate::metrics::Metrics;
use crate::model::entry::Epoch;
use crate::model::history::Retention;
use crate::model::id::SessionId;
use crate::model::time::millis;

/// How often the node's own buckets are looked through.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// Settings that cannot work, whatever Redis does.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    /// The address or its certificates.
    #[error("the Redis target cannot be used: {0}")]
    Target(String),
}

/// What the ports share.
struct Shared {
    keys: Keys,
    routes: Routes,
    /// What a log keeps, as `lua/trim.lua` takes it.
    keep: String,
    meters: Arc<Meters>,
}

impl Shared {
    /// A call of a script that writes a session's log, with the arguments all of them begin with.
    fn begin(&self, script: &'static Script, session: SessionId, keys: &[String]) -> Call {
        Call::new(script, keys)
            .arg(Epoch::new_random().to_string())
            .arg(self.keys.channel(session))
            .arg(&self.keep)
    }

    /// [`Self::begin`] with the session's own keys.
    fn write(&self, script: &'static Script, session: SessionId) -> Call {
        self.begin(script, session, &self.keys.session(session))
    }
}

/// What the adapter is built into.
pub struct Surroundings<'a> {
    /// Where announcements go.
    pub deliver: Arc<dyn Deliver>,
    /// Ends its tasks.
    pub stop: CancellationToken,
    /// Where its tasks are tracked.
    pub tracker: &'a TaskTracker,
    /// What counts.
    pub metrics: &'a Metrics,
    /// The clock to be corrected by Redis' own.
    pub clock: Arc<ClusterClock>,
}

/// Builds the adapter and starts its tasks; they end when `stop` fires. Returns at once with `health.starting`.
///
/// # Errors
/// Only for settings that can never work. Whether Redis can be reached, and will do, is told by `Backend::health`.
pub fn connect(settings: RedisSettings, surroundings: Surroundings<'_>) -> Result<Backend, ConnectError> {
    connect_watched(settings, surroundings).map(|(backend, _)| backend)
}

/// [`connect`], and the condition of the link: a caller that must not start on a Redis that gives less than `DURABILITY` asks for
/// waits until it is live or `too_weak`.
///
/// # Errors
/// As [`connect`].
pub fn connect_watched(
    settings: RedisSettings,
    surroundings: Surroundings<'_>,
) -> Result<(Backend, watch::Receiver<Condition>), ConnectError> {
    let Surroundings { deliver, stop, tracker, metrics, clock } = surroundings;
    let unusable = |error: redis::RedisError| ConnectError::Target(cause(&error));
    let meters = Arc::new(Meters::new(metrics));
    let keys = Keys::new(&settings.prefix);
    let plan = Plan {
        keys: keys.clone(),
        demand: Demand { level: settings.durability, replicas: settings.replicas },
        deliver,
        meters: meters.clone(),
        tracker: tracker.clone(),
        stop: stop.clone(),
    };
    let (routes, seen_condition, seen_health) = match &settings.target.topology {
        Topology::Cluster(seeds) => {
            // Looked at once here, so that what can never work ends the start.
            seeds
                .iter()
                .try_for_each(|seed| Dial::new(&settings.target, seed).map(drop))
                .map_err(unusable)?;
            let cluster = Cluster::new(plan, settings.target.clone(), settings.node, clock.clone());
            let (condition, health) = cluster.keep();
            (Routes::Many(cluster), condition, health)
        }
        Topology::Standalone(_) | Topology::Sentinel { .. } => {
            let whereabouts = Whereabouts::new(settings.target.clone(), &meters).map_err(unusable)?;
            let own = keys.own(&settings.node.to_string());
            let way =
                plan.open(Course { whereabouts, own, clock: clock.clone(), taken: None, succeeds: false });
            let (condition, health) = (way.condition.clone(), way.health.clone());
            (Routes::One(way), condition, health)
        }
    };
    let own = Arc::new(LocalLimiter::new());
    tracker.spawn(sweep(own.clone(), stop));

    let Retention { entries, age, bytes } = settings.history;
    let keep = format!("{entries} {} {bytes}", millis(age));
    let shared = Arc::new(Shared { keys, routes, keep, meters });
    let limiter = limiter::RedisLimiter { shared: shared.clone(), local: own, on_outage: settings.on_outage };
    let backend = Backend {
        name: "redis",
        sessions: Arc::new(sessions::RedisSessions(shared.clone())),
        log: Arc::new(log::RedisLog { shared: shared.clone() }),
        membership: Arc::new(membership::RedisMembership(shared)),
        limiter: Arc::new(limiter),
        clock,
        health: seen_health,
    };
    Ok((backend, seen_condition))
}

/// Forgets the node's own buckets that are full again, until stopped.
async fn sweep(buckets: Arc<LocalLimiter>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_INTERVAL)).await.is_some() {
        buckets.sweep();
    }
}
