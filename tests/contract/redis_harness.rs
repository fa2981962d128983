//! The suite on Redis: a `redis-server` of its own for each case, whose clock runs by itself.
//!
//! Responsible for connecting nodes, for ending their tasks, and for the promise that no key stays for ever. A server per case, because
//! one takes 20 ms to start and cases cannot then disturb each other; starting and ending it is the support's. With a replica, for which
//! every ack waits, it is the same contract: what is answered may come later, and must not be anything else.

use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watchparty::backend::log::Deliver;
use watchparty::backend::redis::{
    Address, OnOutage, RedisSettings, RedisTarget, Surroundings, Topology, connect,
};
use watchparty::backend::{Backend, Durability};
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::history::Retention;
use watchparty::model::id::{NodeId, SessionId};

use crate::harness::{BY_AGE, BY_NUMBER, Harness, Store};
use crate::support::acl;
use crate::support::certificates::Certificates;
use crate::support::pair::Pair;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::sentinels::{MASTER, SentinelOptions, Sentinels};
use crate::support::wait;

/// A harness on a Redis of its own.
pub(crate) async fn start() -> Harness {
    on(OnRedis::alone(RedisServer::start().await)).await
}

/// One whose logs keep what is young, too.
pub(crate) async fn start_aging() -> Harness {
    on(OnRedis { history: BY_AGE, ..OnRedis::alone(RedisServer::start().await) }).await
}

/// A harness on a primary and its replica.
pub(crate) async fn start_replicated() -> Harness {
    let pair = Box::new(Pair::start().await);
    let target = RedisTarget::plain("127.0.0.1", pair.primary.port());
    let servers = Servers::Copied(pair);
    on(OnRedis { durability: Some(Durability::Replicated), ..OnRedis::at(target, servers) }).await
}

/// A harness that speaks TLS and logs in as the user of `docs/OPERATIONS.md`, who may do nothing but what that page lists.
pub(crate) async fn start_secured() -> Harness {
    // The first case installs it for all of them.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = RedisOptions { tls: true, extra: vec![acl::line()], ..RedisOptions::default() };
    let server = RedisServer::start_with(options).await;
    let target = RedisTarget {
        tls: true,
        username: Some(acl::USER.into()),
        password: Some(acl::PASSWORD.into()),
        ca_pem: Some(Certificates::get().ca.clone().into_bytes()),
        ..RedisTarget::plain("127.0.0.1", server.tls_port())
    };
    on(OnRedis::at(target, Servers::Alone(server))).await
}

/// A harness on a primary that three sentinels name, with two replicas.
pub(crate) async fn start_sentinel() -> Harness {
    // No case fails over, so none waits until the sentinels could.
    let sentinels = Sentinels::start_with(SentinelOptions::default()).await;
    let hosts =
        sentinels.ports().into_iter().map(|port| Address { host: "127.0.0.1".to_owned(), port }).collect();
    let target = RedisTarget::open(Topology::Sentinel { hosts, master: MASTER.to_owned() });
    on(OnRedis::at(target, Servers::Watched(sentinels))).await
}

/// A harness on a cluster of three primaries and three replicas, which takes seconds to start: cases that run at a time share one, under prefixes of
/// their own. A case that promotes a primary is alone from then on, as every other session of that primary would begin an epoch, too.
pub(crate) async fn start_cluster() -> Harness {
    static RUNNING: Mutex<Weak<Shared>> = Mutex::const_new(Weak::new());
    let shared = {
        let mut running = RUNNING.lock().await;
        match running.upgrade() {
            Some(shared) => shared,
            None => {
                let cluster = RedisCluster::start(RedisOptions::default()).await;
                let shared = Arc::new(Shared { cluster, turns: Arc::default() });
                *running = Arc::downgrade(&shared);
                shared
            }
        }
    };
    let turn = Mutex::new(Turn::Beside(shared.turns.clone().read_owned().await));
    let hosts = shared.cluster.servers.iter().take(2);
    let hosts = hosts.map(|server| Address { host: "127.0.0.1".to_owned(), port: server.port() }).collect();
    let target = RedisTarget::open(Topology::Cluster(hosts));
    let prefix = format!("wp-{:08x}", fastrand::u32(..));
    on(OnRedis { prefix, ..OnRedis::at(target, Servers::Clustered(shared, turn)) }).await
}

async fn on(redis: OnRedis) -> Harness {
    Harness::new(Box::new(redis)).await
}

/// The servers of one case.
enum Servers {
    Alone(RedisServer),
    /// With what acks wait for, and its way to the primary.
    Copied(Box<Pair>),
    Watched(Sentinels),
    Clustered(Arc<Shared>, Mutex<Turn>),
}

/// What several cases use at a time.
struct Shared {
    cluster: RedisCluster,
    turns: Arc<RwLock<()>>,
}

/// Whether a case has the cluster for itself.
enum Turn {
    Beside(#[expect(dead_code, reason = "it is held, not read")] OwnedRwLockReadGuard<()>),
    Between,
    Alone(#[expect(dead_code, reason = "it is held, not read")] OwnedRwLockWriteGuard<()>),
}

impl Servers {
    /// The one that takes what is written of a session.
    async fn primary(&self, session: SessionId) -> &RedisServer {
        match self {
            Self::Alone(server) => server,
            Self::Copied(pair) => &pair.primary,
            Self::Watched(sentinels) => &sentinels.servers[0].server,
            Self::Clustered(shared, turn) => {
                let mut turn = turn.lock().await;
                if !matches!(*turn, Turn::Alone(_)) {
                    // Given up first: two that wait for each other would wait for ever.
                    *turn = Turn::Between;
                    *turn = Turn::Alone(shared.turns.clone().write_owned().await);
                }
                let slot = shared.cluster.slot_of(&session.to_string()).await;
                &shared.cluster.servers[shared.cluster.owner_of(slot).await]
            }
        }
    }

    async fn keys_without_ttl(&self) -> Vec<String> {
        match self {
            Self::Alone(server) => server.keys_without_ttl().await,
            Self::Copied(pair) => pair.primary.keys_without_ttl().await,
            Self::Watched(sentinels) => sentinels.servers[0].server.keys_without_ttl().await,
            Self::Clustered(shared, _) => shared.cluster.keys_without_ttl().await,
        }
    }
}

struct OnRedis {
    history: Retention,
    target: RedisTarget,
    servers: Servers,
    prefix: String,
    durability: Option<Durability>,
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl OnRedis {
    fn alone(server: RedisServer) -> Self {
        Self::at(RedisTarget::plain("127.0.0.1", server.port()), Servers::Alone(server))
    }

    fn at(target: RedisTarget, servers: Servers) -> Self {
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        let prefix = String::from("wp");
        Self { history: BY_NUMBER, target, servers, prefix, durability: None, stop, tracker }
    }
}

#[async_trait]
impl Store for OnRedis {
    async fn connect(&self, deliver: Arc<dyn Deliver>) -> Backend {
        let settings = RedisSettings {
            target: self.target.clone(),
            prefix: self.prefix.clone(),
            node: NodeId::new_random(),
            history: self.history,
            durability: self.durability,
            replicas: 1,
            on_outage: OnOutage::Allow,
        };
        let build = Build { version: "contract", revision: "contract", backend: BackendKind::Redis };
        let metrics = Metrics::new(build, tokio::runtime::Handle::current());
        let (stop, tracker) = (self.stop.clone(), &self.tracker);
        let surroundings = Surroundings { deliver, stop, tracker, metrics: &metrics, clock: Arc::default() };
        let backend = connect(settings, surroundings).expect("settings that can work");
        let mut health = backend.health.clone();
        let up = wait::soon("the link to Redis", health.wait_for(|health| health.up)).await;
        drop(up.expect("the adapter watches"));
        backend
    }

    /// Redis has its own clock.
    fn pass(&self, _time: Duration) {}

    async fn promote(&self, session: SessionId) {
        // To a script a restart is that `master_replid` is another one.
        assert_eq!(self.servers.primary(session).await.cli(&["DEBUG", "CHANGE-REPL-ID"]).await, "OK");
    }

    async fn finish(&self) {
        self.stop.cancel();
        self.tracker.close();
        wait::soon("the adapter's tasks to end", self.tracker.wait()).await;
        assert_eq!(self.servers.keys_without_ttl().await, [""; 0], "keys that would stay for ever");
    }
}
