//! A Redis Cluster: who has which slot now, a way to each primary, and every session on the way of its slot.
//!
//! Responsible for asking the nodes (all at once, now and then, and at once when something is not where it was thought to be), for opening and closing
//! ways, for calls that meet a slot on its way, and for what the ways say together. A call that a node turns away (`MOVED`, `ASK`, `TRYAGAIN`,
//! `CLUSTERDOWN`) did nothing, and is tried again for a while. `ASK` is not followed: a script names all keys of its session, some of which usually do
//! not exist, and while a slot is on its way no node runs a script of keys that are partly missing. So a session is away while its slot is.
//!
//! The clock is that of the primary which has slot 0: one for all sessions, as a node has one (`docs/ARCHITECTURE.md`, "Time").

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use redis::Value;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::cause::cause;
use super::dial::Dial;
use super::link::Fault;
use super::meters::Meters;
use super::reply;
use super::routes::slot_of_session;
use super::scripts::Call;
use super::settings::{Address, RedisTarget, Topology};
use super::slots::{SLOTS, SlotMap, Told, slot_of};
use super::supervisor::{Condition, LinkState};
use super::verify::Unfit;
use super::way::{Course, Plan, Way};
use super::whereabouts::Whereabouts;
use crate::backend::clock::ClusterClock;
use crate::backend::error::BackendError;
use crate::backend::health::{Partly, Reach};
use crate::backend::{Durability, Health};
use crate::model::id::{NodeId, SessionId};

/// How often the ways are looked at, without asking anybody.
const TICK: Duration = Duration::from_millis(100);
/// Nodes are asked this often while everything works.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// And this often at most while something does not.
const LOOK_AT_MOST: Duration = Duration::from_millis(250);
/// How long the others are waited for once one has answered.
const OTHERS_WITHIN: Duration = Duration::from_millis(250);
/// How long all of them together may take: opening a connection, and an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// How long a call that is turned away is tried again; then it is refused, and the gateway goes on trying.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(25);
/// Sessions that are led to another way at once.
const LED_AT_ONCE: usize = 64;
/// Tags that are tried until one is in a primary's slots; with a thousandth of the slots one in a thousand is.
const TAGS: u32 = 200_000;

/// One way, and what it was opened for.
struct Opened {
    way: Arc<Way>,
    /// The slot of the node's own names there.
    slot: u16,
    /// Whether it sets the cluster's clock.
    leads: bool,
}

/// What the ways say together.
struct Voices {
    condition: watch::Sender<Condition>,
    health: watch::Sender<Health>,
    /// What was said last of a cluster that delivers in part.
    partly: Option<Arc<Delivering>>,
}

/// The primaries that deliver, and whose slots they have.
#[derive(PartialEq)]
struct Delivering {
    map: Arc<SlotMap>,
    up: HashSet<Address>,
}

impl Reach for Delivering {
    fn delivers(&self, session: SessionId) -> bool {
        self.map.owner(slot_of_session(session)).is_some_and(|address| self.up.contains(address))
    }
}

/// A cluster.
pub(super) struct Cluster {
    plan: Plan,
    target: RedisTarget,
    node: NodeId,
    clock: Arc<ClusterClock>,
    map: RwLock<Arc<SlotMap>>,
    ways: RwLock<HashMap<Address, Arc<Way>>>,
    /// What this node listens to, on whichever way.
    wanted: Mutex<HashSet<SessionId>>,
    /// Something is not where it was thought to be.
    look: Arc<Notify>,
}

impl Cluster {
    pub(super) fn new(plan: Plan, target: RedisTarget, node: NodeId, clock: Arc<ClusterClock>) -> Arc<Self> {
        let (map, ways) = (RwLock::new(Arc::new(SlotMap::unknown())), RwLock::default());
        Arc::new(Self {
            plan,
            target,
            node,
            clock,
            map,
            ways,
            wanted: Mutex::default(),
            look: Arc::default(),
        })
    }

    /// Keeps everything in step with the cluster, in a task of its own; what the ways say together is heard from the two.
    pub(super) fn keep(self: &Arc<Self>) -> (watch::Receiver<Condition>, watch::Receiver<Health>) {
        let (condition, seen_condition) = watch::channel(Condition::new());
        let (health, seen_health) = watch::channel(super::probe::unknown(self.plan.demand.level));
        let (cluster, stop) = (self.clone(), self.plan.stop.clone());
        self.plan.tracker.spawn(async move {
            let mut voices = Voices { condition, health, partly: None };
            let _ = stop.run_until_cancelled(cluster.run_keeper(&mut voices)).await;
            // Whoever asks meanwhile is told that nothing works.
            cluster.ways.write().unwrap_or_else(PoisonError::into_inner).clear();
            voices.tell(&cluster.map(), &HashMap::new());
        });
        (seen_condition, seen_health)
    }

    async fn run_keeper(&self, voices: &mut Voices) {
        let mut opened: HashMap<Address, Opened> = HashMap::new();
        let (mut looked, mut urgent) = (None::<Instant>, true);
        loop {
            let since = looked.map_or(LOOK_AGAIN, |looked| looked.elapsed());
            let due = if urgent { LOOK_AT_MOST } else { LOOK_AGAIN };
            if since >= due {
                match self.ask().await {
                    Ok(map) => self.adopt(map, &mut opened),
                    Err(error) => tracing::warn!(%error, "redis cluster"),
                }
                looked = Some(Instant::now());
                urgent = false;
            }
            self.lead().await;
            voices.tell(&self.map(), &opened);
            urgent |= !self.map().is_whole() || opened.values().any(|opened| !is_live(&opened.way));
            let noticed = tokio::time::timeout(TICK, self.look.notified()).await;
            urgent |= noticed.is_ok();
        }
    }

    fn map(&self) -> Arc<SlotMap> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who has which slot, asked of everybody who was ever named, and of those that are configured.
    async fn ask(&self) -> Result<SlotMap, Unfit> {
        look(&self.target, self.map().nodes(), &self.plan.meters).await
    }

    /// Opens ways to new primaries, closes those to old ones.
    fn adopt(&self, map: SlotMap, opened: &mut HashMap<Address, Opened>) {
        if *self.map() == map {
            return;
        }
        let leader = map.owner(0).cloned();
        opened.retain(|address, opened| {
            // The names a node has there are of one slot, and the clock is of one primary: with either gone the way begins anew.
            let stays =
                map.owner(opened.slot) == Some(address) && opened.leads == (leader.as_ref() == Some(address));
            if !stays {
                tracing::info!(%address, "a primary of the cluster is left");
                opened.way.close();
            }
            stays
        });
        let succeeds = !self.map().primaries().is_empty();
        for address in map.primaries() {
            if opened.contains_key(address) {
                continue;
            }
            match self.open(&map, address, leader.as_ref() == Some(address), succeeds) {
                Ok(way) => drop(opened.insert(address.clone(), way)),
                Err(error) => tracing::warn!(%address, error, "a primary of the cluster cannot be used"),
            }
        }
        let ways = opened.iter().map(|(address, opened)| (address.clone(), opened.way.clone())).collect();
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
        *self.ways.write().unwrap_or_else(PoisonError::into_inner) = ways;
    }

    fn open(&self, map: &SlotMap, address: &Address, leads: bool, succeeds: bool) -> Result<Opened, String> {
        let (tag, slot) =
            tag(self.node, map, address).ok_or("none of the tags that were tried is in its slots")?;
        let whereabouts = Whereabouts::at(self.target.clone(), address).map_err(|error| cause(&error))?;
        tracing::info!(%address, leads, "a primary of the cluster");
        let clock = if leads { self.clock.clone() } else { Arc::default() };
        let (own, taken) = (self.plan.keys.own(&tag), Some(self.look.clone()));
        let way = Arc::new(self.plan.open(Course { whereabouts, own, clock, taken, succeeds }));
        Ok(Opened { way, slot, leads })
    }

    /// Leads sessions to the way of their slot, if they are not listened to there, and has their rooms read what they missed.
    async fn lead(&self) {
        let wanted: Vec<SessionId> = self.wanted().iter().copied().collect();
        let astray = wanted.into_iter().filter_map(|session| {
            let way = self.way(slot_of_session(session)).ok().filter(|way| is_live(way))?;
            (!way.subscriber.listens(session)).then_some((session, way))
        });
        stream::iter(astray.collect::<Vec<_>>())
            .for_each_concurrent(LED_AT_ONCE, |(session, way)| async move {
                match way.subscribe(session).await {
                    Ok(()) => self.plan.deliver.interrupted(Some(session)),
                    Err(error) => tracing::debug!(%error, "a session is not yet listened to where it is now"),
                }
                if !self.wanted().contains(&session) {
                    way.subscriber.unsubscribe(session).await;
                }
            })
            .await;
    }

    fn wanted(&self) -> std::sync::MutexGuard<'_, HashSet<SessionId>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn way(&self, slot: u16) -> Result<Arc<Way>, BackendError> {
        let map = self.map();
        let ways = self.ways.read().unwrap_or_else(PoisonError::into_inner);
        let way = map.owner(slot % SLOTS).and_then(|address| ways.get(address));
        way.cloned().ok_or_else(|| BackendError::Unavailable("no primary of the cluster has its slot".into()))
    }

    /// Runs a script of keys in a slot.
    pub(super) async fn run(&self, slot: u16, call: &Call) -> Result<Value, BackendError> {
        self.retry(call, || async { Ok(self.way(slot)?.run(call).await) }).await
    }

    /// The same, and waits for replicas where that was asked for.
    pub(super) async fn commit(
        &self,
        slot: u16,
        session: SessionId,
        call: &Call,
    ) -> Result<Value, BackendError> {
        self.retry(call, || async { Ok(self.way(slot)?.commit(session, call).await) }).await
    }

    /// Tries again what a node turned away, as long as that is worth it.
    async fn retry<Attempt>(&self, call: &Call, attempt: impl Fn() -> Attempt) -> Result<Value, BackendError>
    where
        Attempt: Future<Output = Result<Result<Value, Fault>, BackendError>>,
    {
        let until = Instant::now() + PATIENCE;
        loop {
            match attempt().await? {
                Err(Fault::Elsewhere(why)) if Instant::now() + PAUSE < until => {
                    tracing::debug!(why, "a call was turned away");
                    self.look.notify_one();
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer.map_err(|fault| fault.into_error(call.writes())),
            }
        }
    }

    /// Listens to a session; returns when Redis has confirmed it.
    pub(super) async fn subscribe(&self, session: SessionId) -> Result<(), BackendError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let subscribed = match self.way(slot_of_session(session)) {
                Ok(way) => way.subscribe(session).await,
                Err(error) => Err(error),
            };
            match subscribed {
                Ok(()) => {
                    self.wanted().insert(session);
                    return Ok(());
                }
                Err(error) if Instant::now() + PAUSE >= until => return Err(error),
                Err(_) => {
                    self.look.notify_one();
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Stops listening to a session.
    pub(super) async fn unsubscribe(&self, session: SessionId) {
        self.wanted().remove(&session);
        let ways: Vec<Arc<Way>> =
            self.ways.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for way in ways {
            // On all but one it is not listened to, which costs nothing.
            way.subscriber.unsubscribe(session).await;
        }
    }
}

/// Who has which slot, as those who know best have it: asks the configured nodes and some more.
pub(super) async fn look(
    target: &RedisTarget,
    more: &[Address],
    meters: &Arc<Meters>,
) -> Result<SlotMap, Unfit> {
    let seeds = match &target.topology {
        Topology::Cluster(seeds) => &seeds[..],
        _ => &[],
    };
    let asked = seeds.iter().chain(more.iter().filter(|node| !seeds.contains(node)));
    let mut answers: FuturesUnordered<_> = asked.map(|address| ask_one(target, address, meters)).collect();
    let mut until = Instant::now() + ANSWER_WITHIN;
    let (mut told, mut last) = (Vec::new(), String::from("no answer in time"));
    while let Ok(Some(answer)) = tokio::time::timeout_at(until, answers.next()).await {
        match answer {
            Ok(one) => {
                told.push(one);
                until = until.min(Instant::now() + OTHERS_WITHIN);
            }
            Err(why) => last = why,
        }
    }
    if told.is_empty() { Err(Unfit::NoClusterNode(last)) } else { Ok(SlotMap::of(&told, target.tls)) }
}

async fn ask_one(target: &RedisTarget, address: &Address, meters: &Arc<Meters>) -> Result<Told, String> {
    let text = |error: redis::RedisError| cause(&error);
    let dial = Dial::new(target, address).map_err(text)?;
    let link = dial.command(CancellationToken::new(), meters).await.map_err(text)?;
    let mut command = redis::cmd("CLUSTER");
    command.arg("NODES");
    let answer = link.call(&command).await.map_err(|fault| fault.to_string())?;
    let bytes = reply::bytes(answer).map_err(|error| error.to_string())?;
    Ok(Told { by: address.clone(), text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// A tag of a node's own whose slot is a primary's.
pub(super) fn tag(node: NodeId, map: &SlotMap, address: &Address) -> Option<(String, u16)> {
    let tags = (0..TAGS).map(|number| format!("{node}-{number}"));
    tags.map(|tag| (slot_of(tag.as_bytes()), tag))
        .find(|(slot, _)| map.owner(*slot) == Some(address))
        .map(|(slot, tag)| (tag, slot))
}

fn is_live(way: &Way) -> bool {
    way.condition.borrow().state == LinkState::Live
}

impl Voices {
    /// Says what holds for all slots: up while each has a primary that delivers, and an ack means what the weakest of them gives. While some
    /// have none: for which sessions it holds.
    fn tell(&mut self, map: &Arc<SlotMap>, opened: &HashMap<Address, Opened>) {
        let whole = map.is_whole() && map.primaries().iter().all(|address| opened.contains_key(address));
        let conditions: Vec<Condition> =
            opened.values().map(|opened| opened.way.condition.borrow().clone()).collect();
        let healths: Vec<Health> = opened.values().map(|opened| opened.way.health.borrow().clone()).collect();
        let live = whole && conditions.iter().all(|condition| condition.state == LinkState::Live);
        let condition = Condition {
            state: if live { LinkState::Live } else { LinkState::Connecting },
            durability: weakest(conditions.iter().filter_map(|condition| condition.durability)),
            too_weak: conditions.iter().find_map(|condition| condition.too_weak),
        };
        self.condition.send_if_modified(|before| std::mem::replace(before, condition.clone()) != condition);
        let up = whole && healths.iter().all(|health| health.up);
        let partly = if up { None } else { self.in_part(map, opened) };
        self.health.send_if_modified(|before| {
            let next = Health {
                // A node that has started once goes on starting never again: what is away then is an outage.
                starting: before.starting && !up,
                up,
                partly,
                durability: weakest(healths.iter().map(|health| health.durability))
                    .unwrap_or(before.durability),
            };
            if next.up != before.up {
                tracing::info!(up = next.up, primaries = healths.len(), "redis cluster delivery");
            }
            let changed = *before != next;
            *before = next;
            changed
        });
    }

    /// Which sessions are delivered, as the same value for as long as it is the same.
    fn in_part(&mut self, map: &Arc<SlotMap>, opened: &HashMap<Address, Opened>) -> Option<Partly> {
        let up = opened.iter().filter(|(_, opened)| opened.way.health.borrow().up);
        let now = Delivering { map: map.clone(), up: up.map(|(address, _)| address.clone()).collect() };
        if self.partly.as_deref() != Some(&now) {
            self.partly = (!now.up.is_empty()).then(|| Arc::new(now));
        }
        self.partly.clone().map(|partly| Partly::of(partly))
    }
}

fn weakest(all: impl Iterator<Item = Durability>) -> Option<Durability> {
    all.min_by_key(|durability| match durability {
        Durability::Memory => 0,
        Durability::Aof => 1,
        Durability::Fsync => 2,
        Durability::Replicated => 3,
    })
}
