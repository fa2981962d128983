//! One slow reader among many: rounds without one, with one that reads nothing and with one that reads 10 KB a second, in turn.
//!
//! Responsible for the scene and the rounds. What is made of their figures is in `report`, the slow readers themselves in `reader`. The kinds
//! alternate in one run against one process, because figures of two runs on a shared machine differ more than what is looked for.

mod reader;
mod report;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::accounting::Faults;
use crate::api::Ticket;
use crate::cli::SlowOptions;
use crate::client::{self, Connection, Received, Run, lock};
use crate::gateway::{Cost, Gateway};
use crate::histogram::Times;
use crate::publisher::Publisher;
use crate::scenario::Verdict;
use reader::{Fate, SlowReader};

/// Messages before the first round, so that code is warm and the log has reached its length.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long the last messages of a round may take to reach everybody.
const SETTLE: Duration = Duration::from_secs(15);
/// Between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(250);

/// What stands beside the others in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Nobody.
    Nobody,
    /// Somebody who reads nothing.
    Stalled,
    /// Somebody who reads 10 KB a second.
    Trickle,
}

impl Beside {
    /// All kinds, in the order of the first cycle.
    pub(crate) const ALL: [Self; 3] = [Self::Nobody, Self::Stalled, Self::Trickle];
}

/// The figures of a round.
#[derive(Debug)]
pub(crate) struct Round {
    /// Of which kind.
    pub(crate) beside: Beside,
    /// How late messages came to those who read.
    pub(crate) times: Times,
    /// Processor time of the server, and how much more memory it had at most than at the round's start.
    pub(crate) cpu: Duration,
    /// See `cpu`.
    pub(crate) grown: u64,
    /// The most that waited in the server for anybody.
    pub(crate) waiting: f64,
    /// What became of the slow reader.
    pub(crate) fate: Option<Fate>,
}

/// All that a run brought.
pub(crate) struct Outcome {
    /// In order.
    pub(crate) rounds: Vec<Round>,
    /// Of those who read.
    pub(crate) faults: Faults,
    /// How late messages left.
    pub(crate) lateness: Times,
    /// Resident before the first round and after the last.
    pub(crate) resident: (u64, u64),
}

struct Scene {
    gateway: Gateway,
    host: Ticket,
    run: Run,
    publisher: Publisher,
    listeners: Vec<Arc<Mutex<Received>>>,
    times: Arc<Mutex<Times>>,
    reading: JoinSet<anyhow::Result<()>>,
}

/// Runs it all and prints what came of it.
///
/// # Errors
/// It could not be run.
pub(crate) async fn run(options: &SlowOptions) -> anyhow::Result<Verdict> {
    let mut scene = Scene::set(options).await?;
    println!(
        "slow: {} listeners, {} messages/s of {} bytes, rounds of {} s; gateway on the memory backend, OUTBOX_BEHIND {} s",
        options.subscribers, options.rate, options.payload, options.seconds, options.behind
    );
    scene.publisher.publish(options.rate, WARM_UP).await?;
    scene.caught_up().await?;
    lock(&scene.times).take();
    let before = scene.gateway.cost()?.resident;
    let mut rounds = Vec::new();
    for cycle in 0..options.rounds as usize {
        for turn in 0..Beside::ALL.len() {
            // Each kind comes first as often as last: a machine that warms or tires favours none.
            let round = scene.round(Beside::ALL[(cycle + turn) % Beside::ALL.len()], options).await?;
            report::line(rounds.len() + 1, &round);
            rounds.push(round);
        }
    }
    let resident = (before, scene.gateway.cost()?.resident);
    let faults = scene.faults();
    let ran = Outcome { rounds, faults, lateness: scene.publisher.lateness.take(), resident };
    Ok(report::verdict(&ran))
}

impl Scene {
    async fn set(options: &SlowOptions) -> anyhow::Result<Scene> {
        let behind = options.behind.to_string();
        let settings = [("OUTBOX_BEHIND", behind.as_str())];
        let gateway = Gateway::start(options.gateway.gateway.as_deref(), &settings).await?;
        let run = Run { number: fastrand::u32(..), began: Instant::now() };
        // Each round brings somebody new, and a seat is held for half a minute after its holder went.
        let seats = options.subscribers + 3 * options.rounds + 1;
        let host = gateway.api().create(seats).await?;
        let mut connection = Connection::open(gateway.addr(), &host, None).await?;
        let at = connection.welcome().await?;
        let publisher = Publisher::new(connection, run, at, options.payload as usize);
        let times = Arc::new(Mutex::new(Times::new()));
        let mut scene =
            Scene { gateway, host, run, publisher, listeners: Vec::new(), times, reading: JoinSet::new() };
        for _ in 0..options.subscribers {
            scene.listen().await?;
        }
        Ok(scene)
    }

    async fn listen(&mut self) -> anyhow::Result<()> {
        let ticket = self.gateway.api().join(&self.host.session).await?;
        let mut connection = Connection::open(self.gateway.addr(), &ticket, None).await?;
        let received = Received::after(connection.welcome().await?, 0);
        self.listeners.push(received.clone());
        self.reading.spawn(client::listen(connection, self.run, received, self.times.clone()));
        Ok(())
    }

    async fn round(&mut self, beside: Beside, options: &SlowOptions) -> anyhow::Result<Round> {
        let slow = match beside {
            Beside::Nobody => None,
            Beside::Stalled => Some(SlowReader::seat(&self.gateway, &self.host, self.run, None).await?),
            Beside::Trickle => {
                Some(SlowReader::seat(&self.gateway, &self.host, self.run, Some(reader::TRICKLE)).await?)
            }
        };
        let start = self.gateway.cost()?;
        let mut peak = Peak { cost: start, waiting: 0.0 };
        {
            let publishing = self.publisher.publish(options.rate, options.round());
            tokio::select! {
                published = publishing => published?,
                failed = watch(&self.gateway, &mut peak) => failed?,
            }
        }
        self.caught_up().await?;
        let end = self.gateway.cost()?;
        let fate = match slow {
            Some(slow) => Some(slow.fate().await?),
            None => None,
        };
        Ok(Round {
            beside,
            times: lock(&self.times).take(),
            cpu: end.cpu.saturating_sub(start.cpu),
            grown: peak.cost.resident.saturating_sub(start.resident),
            waiting: peak.waiting,
            fate,
        })
    }

    /// Waits until everybody who reads has all that was acked.
    async fn caught_up(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLE;
        anyhow::ensure!(self.publisher.settle(deadline).await?, "not everything said was acked");
        let said = self.publisher.said();
        while self.listeners.iter().any(|listener| lock(listener).n.highest() < said) {
            anyhow::ensure!(self.gateway.runs(), "the gateway ended");
            if Instant::now() > deadline {
                // What is missing is counted at the end.
                break;
            }
            self.publisher.read_until(Instant::now() + Duration::from_millis(20)).await?;
        }
        Ok(())
    }

    fn faults(&self) -> Faults {
        let (said, head) = (self.publisher.said(), lock(self.publisher.received()).seq.highest());
        let mut faults = Faults::default();
        for listener in &self.listeners {
            let listener = lock(listener);
            faults.add(&listener.n, said);
            // Somebody may have left or come since; what was said has been waited for.
            let seq = &listener.seq;
            faults.add(seq, seq.highest().min(head));
            faults.resets += listener.resets;
        }
        faults
    }
}

/// The most of what was seen.
struct Peak {
    cost: Cost,
    waiting: f64,
}

/// Looks at the server until it is stopped; returns only when that fails.
async fn watch(gateway: &Gateway, peak: &mut Peak) -> anyhow::Result<()> {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        looks.tick().await;
        peak.cost.resident = peak.cost.resident.max(gateway.cost()?.resident);
        peak.waiting = peak.waiting.max(gateway.api().metric("watchparty_outbox_bytes", "").await?);
    }
}
