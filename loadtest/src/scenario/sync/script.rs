//! What happens in a round: people come, a film is played, sought, paused and sped up, others come late, and a node may be killed under it all.
//!
//! Responsible for who is told what and when. It waits for the gateway's states, never for players: how those follow is what is measured.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::follow::whole;
use super::line::Playback;
use super::live::{self, Lived, ORDERS, Order, Person, Shared};
use super::viewer::{Bounds, Viewer};
use super::{Ms, SyncPlan, length};
use crate::api::{Api, Ticket};
use crate::engine::lane::Lane;
use crate::engine::lock;
use crate::engine::participant::Participant;
use crate::engine::stop::Stop;
use crate::mint::Mint;
use crate::report::progress::{Extent, Phase, Progress};
use crate::scenario::Setting;
use crate::target::Target;

/// Who talks throughout, so that a loss would be seen, and who moves the film.
const TALKER: usize = 0;
/// See `TALKER`.
const ACTOR: usize = 1;
/// Between two things the talker says.
const TALK: Duration = Duration::from_millis(250);
/// For the first pings of those who have just come.
const SETTLE: Duration = Duration::from_millis(2_000);
/// The longest wait for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(20);
/// A seek so short does not stop the film.
const HOP_MS: Ms = 1_500.0;
/// How long a pause lasts.
const PAUSE: Duration = Duration::from_millis(2_500);
const PAUSES: u32 = 3;
/// People who come while the film plays, and how long each has.
pub(super) const LATE: usize = 3;
const LATE_EACH: Duration = Duration::from_millis(4_000);
/// How long what happens after a kill is looked at.
const KILLED: Duration = Duration::from_secs(10);
/// For what is on its way at the end.
const DRAIN: Duration = Duration::from_millis(1_500);

/// The people of a round, as the script sees them.
pub(super) struct Cast {
    pub(super) shared: Arc<Shared>,
    target: Arc<Target>,
    lane: Arc<Lane>,
    stop: Stop,
    progress: Arc<Progress>,
    mint: Option<Mint>,
    host: Ticket,
    bounds: Bounds,
    seed: u64,
    orders: Vec<mpsc::Sender<Order>>,
    told: Vec<oneshot::Receiver<Lived>>,
    /// None until everybody is there: what is said to nobody would leave a hole in the talker's numbers.
    next_talk: Option<Instant>,
    /// When a node was killed.
    pub(super) killed: Option<Ms>,
}

impl Cast {
    /// A session, and nobody in it.
    ///
    /// # Errors
    /// The gateway does not make one.
    pub(super) fn new(
        shared: Arc<Shared>,
        (target, setting): (Arc<Target>, &Setting),
        host: Ticket,
        plan: &SyncPlan,
    ) -> anyhow::Result<Self> {
        let mint = target.mint(&host)?;
        Ok(Self {
            shared,
            target,
            lane: Lane::start(0)?,
            stop: setting.stop.clone(),
            progress: setting.progress.clone(),
            mint,
            host,
            bounds: plan.bounds,
            seed: plan.seed,
            orders: Vec::new(),
            told: Vec::new(),
            next_talk: None,
            killed: None,
        })
    }

    /// Somebody comes.
    async fn enter(&mut self) -> anyhow::Result<()> {
        let at = self.orders.len();
        let session = &self.host.session;
        let ticket = match (&self.mint, at) {
            (_, ACTOR) => self.host.clone(),
            (Some(mint), _) => mint.ticket(session)?,
            (None, _) => Api(self.shared.gateways[0]).join(session).await?,
        };
        let mut who = Participant::new(self.shared.room.clone(), ticket, self.shared.gateways[0]);
        let sources = &self.target.sources;
        who.source = sources.get(at % sources.len().max(1)).copied();
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(at as u64);
        let viewer = Viewer::new(seed, self.bounds, self.shared.time.now());
        let sender = (at == TALKER).then(|| self.shared.room.senders().start);
        let random = fastrand::Rng::with_seed(!seed);
        let person = Person { who, gateway: at, viewer, sender, random };
        let (orders, taken) = mpsc::channel(ORDERS);
        let (tell, told) = oneshot::channel();
        self.lane.run(live::live(self.shared.clone(), person, taken, tell));
        self.orders.push(orders);
        self.told.push(told);
        Ok(())
    }

    /// Time passes, and the talker talks.
    ///
    /// # Errors
    /// Somebody wants to stop, or a gateway ended.
    async fn wait(&mut self, length: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            anyhow::ensure!(self.target.runs(), "a gateway ended");
            let next = self.next_talk.map_or(end, |next| next.min(end));
            let left = next.saturating_duration_since(Instant::now());
            anyhow::ensure!(self.stop.pause(left).await, "stopped in the middle of the film");
            if self.next_talk.is_some_and(|next| next <= Instant::now()) {
                self.next_talk = Some(Instant::now() + TALK);
                self.order(TALKER, Order::Talk).await?;
            }
        }
        Ok(())
    }

    async fn order(&self, who: usize, order: Order) -> anyhow::Result<()> {
        self.orders[who].send(order).await.context("somebody is gone")
    }

    async fn film(&self, verb: &'static str, data: Value) -> anyhow::Result<()> {
        self.order(ACTOR, Order::Film(verb, data)).await
    }

    /// Waits until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Shared) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !holds(&self.shared) {
            if Instant::now() >= end {
                let said = lock(&self.shared.marks).sayings.join("; ");
                anyhow::bail!("in vain for {} s: {what} ({said})", PATIENCE.as_secs());
            }
            self.wait(Duration::from_millis(50)).await?;
        }
        Ok(())
    }

    async fn until_phase(&mut self, phase: &'static str, after: u64) -> anyhow::Result<()> {
        let is = move |state: Arc<Playback>| state.version > after && state.phase == phase;
        self.until(phase, |shared| lock(&shared.truth).newest().is_some_and(is)).await
    }

    fn version(&self) -> u64 {
        lock(&self.shared.truth).newest().map_or(0, |state| state.version)
    }

    async fn until_all_live(&mut self) -> anyhow::Result<()> {
        let all = self.orders.len();
        self.until("everybody is there", |shared| shared.live.load(Ordering::Relaxed) == all).await
    }

    /// Plays, and waits until the film plays.
    async fn play(&mut self, verb: &'static str, data: Value) -> anyhow::Result<()> {
        let version = self.version();
        self.film(verb, data).await?;
        self.until_phase("playing", version).await
    }

    /// The round.
    ///
    /// # Errors
    /// It cannot go on; what there was of it is as it was.
    pub(super) async fn perform(&mut self, people: usize, plan: &SyncPlan) -> anyhow::Result<()> {
        let played = self.play_out(people, plan).await;
        self.next_talk = None;
        self.progress.phase(Phase::Drain, Extent::Time(DRAIN));
        // What is on its way comes, and who was lost notices.
        self.stop.pause(DRAIN).await;
        played
    }

    async fn play_out(&mut self, people: usize, plan: &SyncPlan) -> anyhow::Result<()> {
        self.progress.phase(Phase::Connect, Extent::Time(PATIENCE));
        for _ in 0..people {
            self.enter().await?;
        }
        self.until_all_live().await?;
        self.progress.phase(Phase::Run, Extent::Time(length(plan)));
        self.next_talk = Some(Instant::now());
        self.wait(SETTLE).await?;
        let media = json!({"kind": "sample", "src": "sample", "title": "Load", "duration_ms": 7_200_000});
        self.film("load", json!({"media": media, "position_ms": 0})).await?;
        self.until_phase("paused", 0).await?;
        self.wait(Duration::from_secs(1)).await?;
        self.play("play", json!({})).await?;
        self.wait(plan.hold).await?;
        self.play("seek", json!({"position_ms": 1_200_000})).await?;
        self.wait(plan.hold).await?;
        let now = self.shared.time.now();
        let there = lock(&self.shared.truth).at(now).map_or(0.0, |state| state.position(now));
        self.play("seek", json!({"position_ms": whole(there + HOP_MS)})).await?;
        self.wait(plan.hold).await?;
        self.play("rate", json!({"rate": 1.25})).await?;
        self.wait(plan.hold).await?;
        self.pauses(plan.hold / 2).await?;
        self.play("rate", json!({"rate": 1})).await?;
        self.wait(plan.hold).await?;
        for _ in 0..LATE {
            self.enter().await?;
            self.wait(LATE_EACH).await?;
        }
        self.until_all_live().await?;
        if plan.kill {
            self.kill(plan.hold).await?;
        }
        self.until_all_live().await
    }

    async fn pauses(&mut self, hold: Duration) -> anyhow::Result<()> {
        for _ in 0..PAUSES {
            let version = self.version();
            self.order(ACTOR, Order::Pause).await?;
            self.until_phase("paused", version).await?;
            self.wait(PAUSE).await?;
            self.play("play", json!({})).await?;
            self.wait(hold).await?;
        }
        Ok(())
    }

    /// The last of the nodes dies while the film plays; then its people move the film again.
    async fn kill(&mut self, hold: Duration) -> anyhow::Result<()> {
        self.killed = Some(self.shared.time.now());
        self.target.kill(self.shared.gateways.len() - 1);
        self.wait(KILLED).await?;
        self.until_all_live().await?;
        self.play("seek", json!({"position_ms": 2_400_000})).await?;
        self.wait(hold).await
    }

    /// Everybody goes; what became of them.
    ///
    /// # Errors
    /// Somebody's task ended before its time.
    pub(super) async fn end(self) -> anyhow::Result<Vec<Lived>> {
        drop(self.orders);
        let mut lived = Vec::new();
        for told in self.told {
            lived.push(told.await.context("a viewer's task ended early")?);
        }
        Ok(lived)
    }
}
