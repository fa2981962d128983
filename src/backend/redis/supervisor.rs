//! Keeps the two connections to a primary, for ever.
//!
//! `down -> connecting -> verifying -> subscribing -> resyncing -> live`, and back to `down` when a connection is lost. A node never
//! exits over Redis and never stops trying: 50 ms to 1 s between attempts, jittered, so that nodes do not come back in step. When only the
//! subscriber is lost, the command connection stays: publishing goes on, and what was missed is read from the log.
//!
//! Not responsible for noticing that a connection is to be replaced (`link`, `subscriber`, `probe`), only for what follows.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cause::cause;
use super::link::Link;
use super::meters::{Meters, Side};
use super::primary::Primary;
use super::subscriber::Subscriber;
use super::verify::{self, Demand, Shortfall, Unfit, Verified};
use super::whereabouts::{Found, Whereabouts};
use super::writers::WRITERS;
use crate::backend::Durability;
use crate::backend::clock::ClusterClock;
use crate::backend::log::Deliver;

/// Between the first attempts.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// Between attempts at most.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Where the link pair of a primary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No connection, and none tried yet.
    Down,
    /// Opening.
    Connecting,
    /// Asking whether this Redis will do.
    Verifying,
    /// Subscribing every wanted channel.
    Subscribing,
    /// Telling rooms to read what they missed.
    Resyncing,
    /// Working.
    Live,
}

/// What the supervisor tells the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Where the link pair is.
    pub state: LinkState,
    /// What an ack means, as last verified; `None` before that.
    pub durability: Option<Durability>,
    /// Redis was seen to lack this of what `DURABILITY` asks for; nothing works until that changes.
    pub too_weak: Option<Shortfall>,
}

impl Condition {
    pub(super) fn new() -> Self {
        Self { state: LinkState::Down, durability: None, too_weak: None }
    }
}

/// The keeper of one link pair.
pub(super) struct Supervisor {
    pub(super) whereabouts: Whereabouts,
    pub(super) home: String,
    pub(super) demand: Demand,
    /// Whether this primary took another one's place while the node was running.
    pub(super) succeeds: bool,
    pub(super) primary: Arc<Primary>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) deliver: Arc<dyn Deliver>,
    pub(super) condition: watch::Sender<Condition>,
    pub(super) clock: Arc<ClusterClock>,
    pub(super) meters: Arc<Meters>,
}

/// The command connection and whose it is.
struct Commands {
    link: Arc<Link>,
    run_id: String,
    /// Where it leads, and everything beside it.
    found: Found,
}

impl Supervisor {
    /// Runs until stopped.
    pub(super) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.keep()).await;
        self.subscriber.detach();
        self.primary.clear();
        self.meters.retire();
        self.enter(LinkState::Down);
    }

    async fn keep(&self) {
        let mut commands: Option<Commands> = None;
        let mut wait = BACKOFF_MIN;
        loop {
            match self.establish(&mut commands).await {
                Ok(subscriber) => {
                    wait = BACKOFF_MIN;
                    self.watch(&mut commands, &subscriber).await;
                }
                Err(unfit) => {
                    tracing::warn!(error = %unfit, "redis cannot be used");
                    let too_weak = match unfit {
                        Unfit::TooWeak(shortfall) => Some(shortfall),
                        _ => None,
                    };
                    self.condition.send_modify(|condition| condition.too_weak = too_weak);
                    self.drop_commands(&mut commands);
                }
            }
            self.subscriber.detach();
            self.meters.link(Side::Subscriber).falls();
            self.enter(LinkState::Down);
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * fastrand::f64())) => {}
                () = self.whereabouts.news() => {}
            }
            wait = (wait * 2).min(BACKOFF_MAX);
        }
    }

    /// Opens what is missing; returns the subscriber's connection when everything works.
    async fn establish(&self, commands: &mut Option<Commands>) -> Result<Arc<Link>, Unfit> {
        self.enter(LinkState::Connecting);
        let kept = commands.take().filter(|commands| !commands.link.broken().is_cancelled());
        let found = match kept {
            Some(kept) => kept,
            None => self.open_commands().await?,
        };
        let (run_id, dial) = (found.run_id.clone(), found.found.dial.clone());
        *commands = Some(found);

        let broken = CancellationToken::new();
        let pushed = self.subscriber.pushed(broken.clone());
        let opened = dial.subscriber(pushed, broken, &self.meters).await;
        let link = Arc::new(opened.map_err(unreachable)?);
        // Between the two, a failover can have happened: announcements would come from another server than writes go to.
        if verify::run_id(&link).await? != run_id {
            return Err(Unfit::TwoServers);
        }
        self.enter(LinkState::Subscribing);
        self.subscriber.attach(link.clone()).await?;
        self.enter(LinkState::Resyncing);
        self.subscriber.interrupt(&*self.deliver);
        self.meters.link(Side::Subscriber).stands();
        self.enter(LinkState::Live);
        Ok(link)
    }

    async fn open_commands(&self) -> Result<Commands, Unfit> {
        self.primary.clear();
        let found = self.whereabouts.find().await?;
        if let Some(address) = found.address() {
            tracing::info!(%address, "sentinels name the primary");
        }
        let broken = CancellationToken::new();
        let link = found.dial.command(broken.clone(), &self.meters).await.map_err(unreachable)?;
        let link = Arc::new(link);
        self.enter(LinkState::Verifying);
        let Verified { run_id, durability, reading } =
            verify::verify(&link, &self.home, self.demand()).await?;
        let writers = self.open_writers(&found, &broken, &run_id).await?;
        // Before anything is written here: a film dated by the clock of the primary before would be off by what the two differ.
        reading.into_iter().for_each(|reading| reading.follow(&self.clock));
        self.condition.send_modify(|condition| {
            condition.durability = Some(durability);
            condition.too_weak = None;
        });
        self.primary.replace(link.clone(), writers);
        self.meters.link(Side::Command).stands();
        Ok(Commands { link, run_id, found })
    }

    /// What this Redis must give. Replicas only at the first contact: one that was promoted has none yet, and then reads and
    /// announcements can go on; that nothing is acked meanwhile is the writers' doing, and the probe's to tell.
    fn demand(&self) -> Demand {
        let seen_before = self.succeeds || self.condition.borrow().durability.is_some();
        Demand { replicas: if seen_before { 0 } else { self.demand.replicas }, ..self.demand }
    }

    /// Opens a connection for each writer, if there are any. They end with the command connection, and it with any of them: all of
    /// them lead to one server.
    async fn open_writers(
        &self,
        found: &Found,
        broken: &CancellationToken,
        run_id: &str,
    ) -> Result<Vec<Arc<Link>>, Unfit> {
        let mut links = Vec::new();
        if self.primary.has_writers() {
            for _ in 0..WRITERS {
                let opened = found.dial.command(broken.clone(), &self.meters).await;
                let link = Arc::new(opened.map_err(unreachable)?);
                if verify::run_id(&link).await? != run_id {
                    return Err(Unfit::TwoServers);
                }
                links.push(link);
            }
        }
        Ok(links)
    }

    /// Returns when a connection is lost, or leads to a server that is not the primary any more, as sentinels say.
    async fn watch(&self, commands: &mut Option<Commands>, subscriber: &Link) {
        let Some(current) = commands.as_ref() else { return };
        tokio::select! {
            () = current.link.broken().cancelled() => {
                tracing::warn!(link = Side::Command.as_str(), "a connection to redis was lost");
                self.drop_commands(commands);
            }
            () = subscriber.broken().cancelled() => {
                tracing::warn!(link = Side::Subscriber.as_str(), "a connection to redis was lost");
            }
            // Before it was told so itself, it may go on taking writes, which it will lose.
            () = self.whereabouts.moved(&current.found) => self.drop_commands(commands),
        }
    }

    fn drop_commands(&self, commands: &mut Option<Commands>) {
        *commands = None;
        self.primary.clear();
        self.meters.link(Side::Command).falls();
    }

    fn enter(&self, state: LinkState) {
        let mut before = state;
        // In place: a `borrow` within the arguments of `send_replace` would hold the lock that it waits for.
        self.condition.send_modify(|condition| before = std::mem::replace(&mut condition.state, state));
        if before != state {
            tracing::info!(from = ?before, to = ?state, "redis link");
        }
    }
}

fn unreachable(error: redis::RedisError) -> Unfit {
    Unfit::Unreachable(cause(&error))
}
