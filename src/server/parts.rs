//! Building the parts, bottom floor first, and the background tasks that keep them going.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::interval;

use super::{StartError, file_limit};
use crate::auth::password::{PasswordPool, PoolObserver, PoolSize};
use crate::auth::server_key::ServerKeys;
use crate::auth::token::Keys;
use crate::backend::clock::ClusterClock;
use crate::backend::memory::{MemorySettings, memory};
use crate::backend::redis::{self, Condition, RedisSettings, Surroundings};
use crate::backend::{Backend, Durability};
use crate::config::Config;
use crate::config::build::{REVISION, VERSION};
use crate::config::limits::OnOutage;
use crate::config::redis::{Durability as Asked, RedisHost, RedisTarget, RedisTopology};
use crate::gateway::{Gateway, Parts};
use crate::http::Edge;
use crate::hub::wheel::Wheels;
use crate::hub::{Commons, Hub};
use crate::metrics::label::{BackendKind, Origin};
use crate::metrics::process::Build;
use crate::metrics::{Metrics, UPKEEP_INTERVAL};
use crate::model::id::NodeId;
use crate::protocol::framing::EVENT_STREAM_COMMENT;
use crate::shutdown::Shutdown;
use crate::telemetry::DroppedLines;
use crate::ws::Sockets;

/// How often the memory backend forgets what is over.
const SWEEP: Duration = Duration::from_mins(1);

/// How often an event stream is kept awake: proxies cut silent responses after 30 s and more.
const STREAM_COMMENT: Duration = Duration::from_secs(15);

/// What a server holds on to.
pub(super) struct Built {
    pub(super) edge: Edge,
    /// The link to Redis, when there is one.
    pub(super) condition: Option<watch::Receiver<Condition>>,
    /// Everyone who is connected, by kind.
    pub(super) wheels: [Arc<Wheels>; 2],
}

/// Counts what the hashing pool does.
struct Hashing(Arc<Metrics>);

impl PoolObserver for Hashing {
    fn queued(&self) {
        self.0.access.password_waiting.increment(1.0);
    }

    fn begun(&self) {
        self.0.access.password_waiting.decrement(1.0);
    }

    fn finished(&self, took: Duration) {
        self.0.access.password_hash.record(took);
    }
}

pub(super) fn build(
    config: Config,
    shutdown: &Shutdown,
    dropped_lines: DroppedLines,
) -> Result<Built, StartError> {
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::new(build_of(&config), Handle::current()));
    let clock = Arc::new(ClusterClock::new());
    let origin = if config.redis.target.is_some() { Origin::Remote } else { Origin::Local };
    let commons = Commons { metrics: metrics.clone(), clock: clock.clone(), origin };
    let (hub, shards) = Hub::new(config.server.worker_threads, commons);
    for shard in shards {
        shutdown.background(shard.run());
    }
    let node = NodeId::new_random();
    let (backend, condition) = backend(&config, node, (&hub, &metrics, clock), shutdown)?;
    let passwords = passwords(&config, &metrics)?;
    let gateway = Gateway::new(Parts {
        node,
        keys: keys(&config),
        server_keys: ServerKeys::new(
            config.identity.server_keys.iter().map(|key| (key.name.as_str(), &key.key)),
        ),
        backend,
        hub,
        passwords,
        metrics: metrics.clone(),
        tracker: shutdown.work.clone(),
        config: config.clone(),
    });
    shutdown.background(gateway.clone().run_beats());
    shutdown.background(gateway.clone().run_resync());
    shutdown.background(gateway.clone().run_playback());
    shutdown.background(gateway.clone().run_peers());
    shutdown.background(gateway.clone().run_redate());
    shutdown.background(gateway.clone().run_health());
    shutdown.background(upkeep(metrics.clone(), dropped_lines));

    let sockets = Sockets::new(gateway.clone(), file_limit::connections(config.connections.max));
    let streams = Wheels::new(config.server.worker_threads, STREAM_COMMENT, None);
    let wheels = [sockets.wheels.clone(), streams.clone()];
    sockets.heartbeats().for_each(|task| shutdown.background(task));
    streams.tasks(|| Bytes::from_static(EVENT_STREAM_COMMENT)).for_each(|task| shutdown.background(task));
    shutdown.background(sockets.clone().run_relief());
    Ok(Built { edge: Edge::new(gateway, sockets, streams), condition, wheels })
}

pub(super) fn build_of(config: &Config) -> Build {
    let backend = if config.redis.target.is_some() { BackendKind::Redis } else { BackendKind::Memory };
    Build { version: VERSION, revision: REVISION, backend }
}

fn backend(
    config: &Config,
    node: NodeId,
    (hub, metrics, clock): (&Arc<Hub>, &Metrics, Arc<ClusterClock>),
    shutdown: &Shutdown,
) -> Result<(Backend, Option<watch::Receiver<Condition>>), StartError> {
    if let Some(target) = &config.redis.target {
        let settings = redis_settings(config, target, node)?;
        let (deliver, stop, tracker) = (hub.clone(), shutdown.stop.clone(), &shutdown.background);
        let surroundings = Surroundings { deliver, stop, tracker, metrics, clock };
        let (backend, condition) = redis::connect_watched(settings, surroundings)?;
        return Ok((backend, Some(condition)));
    }
    let settings = MemorySettings { history: config.sessions.history };
    let (backend, store) = memory(settings, clock.clone(), hub.clone());
    shutdown.background(async move {
        let mut ticks = interval(SWEEP);
        loop {
            ticks.tick().await;
            store.sweep(clock.now());
        }
    });
    Ok((backend, None))
}

/// What the redis adapter is told.
pub(super) fn redis_settings(
    config: &Config,
    target: &RedisTarget,
    node: NodeId,
) -> Result<RedisSettings, StartError> {
    let target = redis::RedisTarget {
        topology: topology(&target.topology),
        tls: target.tls,
        db: target.db,
        username: target.username.clone(),
        password: target.password.clone(),
        sentinel_password: target.sentinel_password.clone(),
        ca_pem: target.ca_pem.clone(),
    };
    let durability = match config.redis.durability {
        Asked::Auto => None,
        Asked::Memory => Some(Durability::Memory),
        Asked::Aof => Some(Durability::Aof),
        Asked::Fsync => Some(Durability::Fsync),
        Asked::Replicated => Some(Durability::Replicated),
    };
    let on_outage = match config.limits.on_outage {
        OnOutage::Allow => redis::OnOutage::Allow,
        OnOutage::Deny => redis::OnOutage::Deny,
    };
    let prefix = config.redis.prefix.clone();
    let history = config.sessions.history;
    let replicas = config.redis.durability_replicas;
    Ok(RedisSettings { target, prefix, node, history, durability, replicas, on_outage })
}

fn topology(topology: &RedisTopology) -> redis::Topology {
    let address = |host: &RedisHost| redis::Address { host: host.host.clone(), port: host.port };
    match topology {
        RedisTopology::Standalone(host) => redis::Topology::Standalone(address(host)),
        RedisTopology::Sentinel { hosts, master } => {
            redis::Topology::Sentinel { hosts: hosts.iter().map(address).collect(), master: master.clone() }
        }
        RedisTopology::Cluster { hosts } => redis::Topology::Cluster(hosts.iter().map(address).collect()),
    }
}

fn passwords(config: &Config, metrics: &Arc<Metrics>) -> Result<PasswordPool, StartError> {
    let size = PoolSize {
        cost: config.passwords.cost,
        workers: config.passwords.workers,
        queue: config.passwords.queue,
    };
    Ok(PasswordPool::start(size, Arc::new(Hashing(metrics.clone())))?)
}

fn keys(config: &Config) -> Keys {
    let previous = config.identity.secret_previous.as_ref().map(|secret| secret.expose_secret());
    Keys::new(config.identity.secret.expose_secret(), previous)
}

/// Moves samples into buckets, and counts the log lines that were lost.
async fn upkeep(metrics: Arc<Metrics>, dropped_lines: DroppedLines) {
    let mut ticks = interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
        metrics.node.log_lines_dropped.absolute(dropped_lines.count());
    }
}
