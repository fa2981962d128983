//! The world of one run: a Redis (or a primary that sentinels watch, with its replicas), three nodes, one proxy between each node and Redis, and one between its clients and each node.
//!
//! Nodes keep their port over a restart, as clients know a node by its address. What a process logged is looked through for panics before
//! it is gone. Not responsible for what happens to the world (`nemesis`) or who lives in it (`workload`).

use std::net::SocketAddr;
use std::time::Duration;

use crate::asking::Question;
use crate::happening::What;
use crate::journal::{Journal, node};
use crate::support::chaos_proxy::ChaosProxy;
use crate::support::node::Node;
use crate::support::process::free_port;
use crate::support::redis_cluster::RedisCluster;
use crate::support::redis_server::{RedisOptions, RedisServer};
use crate::support::sentinels::{SentinelOptions, Sentinels};
use crate::support::wait;

/// Nodes of a world: the least with which one can be lost and two still have to agree.
pub(crate) const NODES: usize = 3;

/// How a world is made.
#[derive(Clone)]
pub(crate) struct WorldOptions {
    pub(crate) redis: RedisOptions,
    /// How many servers there are; where there are several, nodes reach them without a proxy of their own.
    pub(crate) servers: Servers,
    /// Settings of every node, over those of [`BASE`].
    pub(crate) settings: Vec<(&'static str, String)>,
    /// Whether clients reach nodes through a proxy of their own: it costs the machine a copy of every byte.
    pub(crate) doors: bool,
    /// Whether links and doors hold little: who does not read is then felt by who writes, and not by the kernel's buffers.
    pub(crate) narrow: bool,
}

/// Where logs are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Servers {
    One,
    /// A primary, two replicas, three sentinels.
    Watched,
    /// A cluster of three primaries and three replicas.
    Clustered,
}

impl Default for WorldOptions {
    fn default() -> WorldOptions {
        let (redis, settings) = (RedisOptions::durable(), Vec::new());
        WorldOptions { redis, servers: Servers::One, settings, doors: false, narrow: false }
    }
}

impl WorldOptions {
    /// One setting more.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> WorldOptions {
        self.settings.push((name, value.to_string()));
        self
    }
}

/// What every node is set to, over the suite's defaults: the log keeps all of a run, or the checker could not read it at the end.
const BASE: &[(&str, &str)] =
    &[("HISTORY_ENTRIES", "100000"), ("PARTICIPANT_LEASE", "30"), ("LOG_LEVEL", "info")];

/// How long a node may take to come back before the run counts as broken: a debug build on a machine with other work.
const COMES_BACK: Duration = Duration::from_secs(60);

/// One node, and the two proxies that are its surroundings.
pub(crate) struct Place {
    pub(crate) node: Node,
    /// Between the node and Redis; nothing goes through it where sentinels name the primary.
    pub(crate) link: ChaosProxy,
    /// Between clients and the node; `None` when they connect directly.
    pub(crate) door: Option<ChaosProxy>,
    settings: Vec<(String, String)>,
}

impl Place {
    async fn start(stores: &Stores, options: &WorldOptions) -> Place {
        let link = ChaosProxy::to_port(stores.primary().port()).await;
        if options.narrow {
            link.narrow();
        }
        let port = free_port();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut settings: Vec<(String, String)> = BASE.iter().copied().map(owned).collect();
        settings.push(("REDIS_URL".to_owned(), stores.url(&link)));
        settings.push(("PORT".to_owned(), port.to_string()));
        settings.extend(options.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let node = launch(&settings).await;
        let door = if options.doors { Some(ChaosProxy::start(node.addr()).await) } else { None };
        if let Some(door) = door.as_ref().filter(|_| options.narrow) {
            door.narrow();
        }
        Place { node, link, door, settings }
    }

    /// Where clients knock.
    pub(crate) fn address(&self) -> SocketAddr {
        self.door.as_ref().map_or(self.node.addr(), ChaosProxy::addr)
    }
}

async fn launch(settings: &[(String, String)]) -> Node {
    let settings: Vec<(&str, &str)> =
        settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Node::start_unready(&settings).await
}

/// Where the logs are.
enum Stores {
    One(RedisServer),
    /// And which of the servers is the primary.
    Watched(Sentinels, usize),
    Clustered(RedisCluster),
}

impl Stores {
    async fn start(options: &WorldOptions) -> Stores {
        let redis = options.redis.clone();
        match options.servers {
            Servers::One => Stores::One(RedisServer::start_with(redis).await),
            Servers::Watched => {
                let options = SentinelOptions { redis, ..SentinelOptions::default() };
                Stores::Watched(Sentinels::start_settled(options).await, 0)
            }
            Servers::Clustered => Stores::Clustered(RedisCluster::start(redis).await),
        }
    }

    fn primary(&self) -> &RedisServer {
        match self {
            Stores::One(server) => server,
            Stores::Watched(sentinels, at) => &sentinels.servers[*at].server,
            Stores::Clustered(cluster) => &cluster.servers[0],
        }
    }

    /// The value for `REDIS_URL` of the node that has this link.
    fn url(&self, link: &ChaosProxy) -> String {
        match self {
            Stores::One(_) => format!("redis://{}", link.addr()),
            Stores::Watched(sentinels, _) => sentinels.url(),
            Stores::Clustered(cluster) => cluster.url(),
        }
    }
}

/// The world.
pub(crate) struct World {
    // Before Redis: nodes end first, so that none logs the end of its Redis.
    pub(crate) places: Vec<Place>,
    stores: Stores,
    journal: Journal,
    panics: Vec<String>,
}

impl World {
    /// Everything started and ready.
    pub(crate) async fn start(options: &WorldOptions, journal: &Journal) -> World {
        let stores = Stores::start(options).await;
        let mut places = Vec::new();
        for at in 0..NODES {
            places.push(Place::start(&stores, options).await);
            journal.note(What::NodeUp { node: node(at) });
        }
        let world = World { places, stores, journal: journal.clone(), panics: Vec::new() };
        world.all_ready().await;
        world
    }

    /// The Redis that takes the writes.
    pub(crate) fn redis(&self) -> &RedisServer {
        self.stores.primary()
    }

    /// The same, to be broken.
    pub(crate) fn redis_mut(&mut self) -> &mut RedisServer {
        match &mut self.stores {
            Stores::One(server) => server,
            Stores::Watched(sentinels, at) => &mut sentinels.servers[*at].server,
            Stores::Clustered(cluster) => &mut cluster.servers[0],
        }
    }

    /// The sentinels and their servers, and which of those is the primary. Panics in a world without.
    pub(crate) fn watched(&mut self) -> (&mut Sentinels, &mut usize) {
        match &mut self.stores {
            Stores::Watched(sentinels, at) => (sentinels, at),
            _ => panic!("a row with sentinels asks for a world with them"),
        }
    }

    /// The cluster. Panics in a world without.
    pub(crate) fn cluster(&mut self) -> &mut RedisCluster {
        match &mut self.stores {
            Stores::Clustered(cluster) => cluster,
            _ => panic!("a row with a cluster asks for a world with one"),
        }
    }

    /// The server that has the log of a session.
    pub(crate) async fn keeper_of(&self, session: &str) -> &RedisServer {
        match &self.stores {
            Stores::Clustered(cluster) => {
                &cluster.servers[cluster.owner_of(cluster.slot_of(session).await).await]
            }
            stores => stores.primary(),
        }
    }

    /// Where clients knock, one address a node.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.places.iter().map(Place::address).collect()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) {
        self.note_panics(at);
        self.places[at].node.kill9();
        self.journal.note(What::NodeDown { node: node(at) });
    }

    /// SIGTERM, and waits for the end of the drain; what was wrong with it.
    pub(crate) async fn stop(&mut self, at: usize) -> Option<String> {
        self.places[at].node.term();
        let status = self.places[at].node.ended().await;
        self.note_panics(at);
        self.journal.note(What::NodeDown { node: node(at) });
        (!status.success()).then(|| format!("a node that was told to stop ended with {status}"))
    }

    /// Starts a node that has ended, with its old settings on its old port; does not wait until it is ready.
    pub(crate) async fn revive(&mut self, at: usize) {
        self.note_panics(at);
        let settings = self.places[at].settings.clone();
        self.places[at].node = launch(&settings).await;
        self.journal.note(What::NodeUp { node: node(at) });
    }

    /// Waits until every node says that it delivers.
    pub(crate) async fn all_ready(&self) {
        for place in &self.places {
            let addr = place.node.addr();
            wait::until_within(COMES_BACK, &format!("{addr} to be ready"), || async move {
                let answer = Question::get(addr, "/health/ready", None).ask(Duration::from_secs(5)).await;
                (answer?.0 == 200).then_some(())
            })
            .await;
        }
    }

    /// Every link and door works again.
    pub(crate) fn heal_network(&self) {
        for place in &self.places {
            place.link.heal();
            if let Some(door) = &place.door {
                door.heal();
            }
        }
    }

    /// Lines of panics, of every process that ran.
    pub(crate) fn panics(&mut self) -> Vec<String> {
        for at in 0..self.places.len() {
            self.note_panics(at);
        }
        self.panics.sort();
        self.panics.dedup();
        self.panics.clone()
    }

    fn note_panics(&mut self, at: usize) {
        let log = self.places[at].node.log();
        self.panics.extend(log.into_iter().filter(|line| line.contains("panicked at")));
    }
}
