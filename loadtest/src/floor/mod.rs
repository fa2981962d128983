//! The gateway beside the floor: what a delivery costs each, in the same run, by turns.
//!
//! Responsible for the scene of each regime and for its rounds. Both servers are started for a regime and stay for all its rounds, their sockets
//! open: a round then begins with warm code and a log of its usual length, and connecting, which is not what is measured, is paid
//! once. Rounds go floor, gateway, gateway, floor, so that a machine that tires favours neither, and a ratio is of two neighbours. Growth
//! compares scenes with each other, so it goes through its sizes several times, there and back, with new servers each time: what the
//! machine does meanwhile falls on all sizes. The processor time is the kernel's count for the server's process, from the first message
//! until everybody has the last.

mod cores;
mod growth;
mod listener;
mod plan;
mod report;
mod server;
mod speaker;
mod stage;
mod tally;

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::accounting::Faults;
use crate::api::{Api, Ticket};
use crate::cli::FloorOptions;
use crate::histogram::Times;
use crate::mint::Mint;
use crate::report::figures::Outcome;
use crate::report::publish::Out;
use crate::target::gateway::{Gateway, SECRET};
use crate::target::process::{Cost, Process};
use cores::Cores;
use plan::Plan;
pub(crate) use server::serve;
use stage::{Cast, Stage};

/// The gateway has those of every load.
const NO_SETTINGS: &[(&str, &str)] = &[];
/// Seconds of the round that warms up.
const WARM_UP: u32 = 2;

/// Who was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The bare broadcaster.
    Floor,
    /// Ours.
    Gateway,
}

/// The figures of a round.
#[derive(Debug)]
struct Round {
    side: Side,
    /// Which pair of rounds it belongs to.
    cycle: u32,
    /// Messages that were said, what came of them, and what else was sent for them: answers to publishers.
    entries: u64,
    deliveries: u64,
    answers: u64,
    /// Processor time of the server, and of the generator.
    cpu: Duration,
    generator: Duration,
    /// From the first message to the last delivery.
    lasted: Duration,
    /// How late entries came, and how late messages left.
    times: Times,
    lateness: Times,
    faults: Faults,
    /// Bytes resident in the server at the end.
    resident: u64,
}

/// All rounds of one scene.
#[derive(Debug)]
struct Measured {
    plan: Plan,
    /// Bytes of a delivery, header and all.
    frame: usize,
    rounds: Vec<Round>,
}

/// Runs what was asked for, prints what came of it, and writes it to `out`.
///
/// # Errors
/// It could not be run.
pub(crate) async fn run(options: &FloorOptions, out: Option<&Out>) -> anyhow::Result<Outcome> {
    let cores = Cores::find(options.unpinned)?;
    println!(
        "floor: messages of {} bytes, rounds of {} s, {}; gateway on the memory backend",
        options.payload,
        options.seconds,
        cores.told()
    );
    let plans = Plan::all(options);
    let mut measured: Vec<Measured> = Vec::new();
    for pass in 0..plans.iter().map(|plan| plan.passes).max().unwrap_or_default() {
        let mut turns: Vec<usize> = (0..plans.len()).filter(|at| pass < plans[*at].passes).collect();
        if pass % 2 == 1 {
            turns.reverse();
        }
        for at in turns {
            let plan = plans[at];
            let more = measure(plan, options, cores).await.with_context(|| plan.name())?;
            match measured.get_mut(at) {
                Some(known) => known.go_on(more),
                None => measured.push(more),
            }
        }
    }
    report::verdict(&measured, options, (&cores.told(), out))
}

impl Measured {
    /// Adds the rounds of a later pass.
    fn go_on(&mut self, more: Measured) {
        let cycles = self.rounds.iter().map(|round| round.cycle + 1).max().unwrap_or_default();
        self.rounds
            .extend(more.rounds.into_iter().map(|round| Round { cycle: round.cycle + cycles, ..round }));
    }
}

async fn measure(plan: Plan, options: &FloorOptions, cores: Cores) -> anyhow::Result<Measured> {
    cores.server()?;
    let gateway = Gateway::start(options.gateway.gateway.as_deref(), NO_SETTINGS).await?;
    let (floor, floor_addr) = floor().await?;
    cores.generator()?;
    let floor_pid = floor.id().context("the floor ended at once")?;
    let tickets = tickets(&plan, gateway.addr).await?;
    let scene = Scene {
        plan,
        seconds: options.seconds,
        pids: (floor_pid, gateway.process.0),
        addrs: (floor_addr, gateway.addr),
    };
    let (rounds, body) = (options.rounds, options.payload as usize);
    // A thread of its own: this one goes on reading the gateway's log, which costs the gateway what a log costs.
    let measured = tokio::task::spawn_blocking(move || scene.play(&tickets, rounds, body)).await??;
    drop((gateway, floor));
    Ok(measured)
}

/// Everybody who comes, room after room.
async fn tickets(plan: &Plan, gateway: SocketAddr) -> anyhow::Result<Vec<Ticket>> {
    let mut tickets = Vec::new();
    for _ in 0..plan.rooms {
        let host = Api(gateway).create(plan.subscribers + 1).await?;
        let (mint, session) = (Mint::of(SECRET, &host)?, host.session.clone());
        tickets.push(host);
        for _ in 1..plan.subscribers {
            tickets.push(mint.ticket(&session)?);
        }
    }
    Ok(tickets)
}

/// A floor that runs until it is dropped, and where it listens.
async fn floor() -> anyhow::Result<(Child, SocketAddr)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("floor-server").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("starting the floor")?;
    let mut told = BufReader::new(child.stdout.take().context("a pipe")?).lines();
    let addr = told.next_line().await?.context("the floor says nothing")?.parse()?;
    Ok((child, addr))
}

/// Two servers to be measured: the floor, then the gateway.
struct Scene {
    plan: Plan,
    seconds: u32,
    pids: (u32, u32),
    addrs: (SocketAddr, SocketAddr),
}

impl Scene {
    fn play(&self, tickets: &[Ticket], rounds: u32, body: usize) -> anyhow::Result<Measured> {
        let (mut stage, size) = (Stage::new(self.plan.awake)?, self.plan.subscribers as usize);
        let mut gateway = stage.seat(self.addrs.1, (tickets, size), body)?;
        let listener = gateway.listeners.start;
        stage.keep_sample(listener);
        stage.round(&mut gateway, self.plan.schedule(WARM_UP))?;
        let sample = stage.sample(listener).context("no sample")?;
        let from = (&sample, stage.next(listener));
        let mut floor = stage.gather(self.addrs.0, (self.plan.rooms, size), from, self.plan.answered())?;
        stage.round(&mut floor, self.plan.schedule(WARM_UP))?;
        let frame = sample.entry.len();
        report::heading(&self.plan, self.pids, frame);
        let mut measured = Measured { plan: self.plan, frame, rounds: Vec::new() };
        for cycle in 0..rounds {
            let mut turns = [Side::Floor, Side::Gateway];
            if cycle % 2 == 1 {
                turns.reverse();
            }
            for side in turns {
                let cast = if side == Side::Floor { &mut floor } else { &mut gateway };
                let round = self.round(&mut stage, cast, (side, cycle))?;
                report::line(&round);
                measured.rounds.push(round);
            }
        }
        Ok(measured)
    }

    fn round(&self, stage: &mut Stage, cast: &mut Cast, (side, cycle): (Side, u32)) -> anyhow::Result<Round> {
        let pid = if side == Side::Floor { self.pids.0 } else { self.pids.1 };
        let (server, own) = (cost(pid)?, cost(std::process::id())?);
        let heard = stage.round(cast, self.plan.schedule(self.seconds))?;
        let (after, own_after) = (cost(pid)?, cost(std::process::id())?);
        Ok(Round {
            side,
            cycle,
            entries: self.plan.schedule(self.seconds).total(),
            deliveries: heard.tally.delivered,
            answers: heard.tally.acked,
            cpu: after.cpu.saturating_sub(server.cpu),
            generator: own_after.cpu.saturating_sub(own.cpu),
            lasted: heard.lasted,
            times: heard.tally.times,
            lateness: heard.lateness,
            faults: heard.tally.faults,
            resident: after.resident,
        })
    }
}

fn cost(pid: u32) -> anyhow::Result<Cost> {
    Process(pid).cost()
}
