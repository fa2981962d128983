//! The writers: connections whose writes count only once replicas have them (`DURABILITY=replicated`).
//!
//! Responsible for the steps that somebody is told of. `WAIT` blocks its connection and speaks of what that connection wrote, so these
//! steps have a few connections of their own, each session always the same one. While one group is under way on a writer, calls gather;
//! then they go out together, followed by a mark and one `WAIT` (group commit). Without enough replicas in time the outcome is unknown:
//! the primary has it, and may be the only one.
//!
//! The mark is a write of ours. Since 7.2 `WAIT` waits for the last thing its connection *wrote*, so that a repeat that writes nothing
//! (`duplicate`, known to the primary alone) would be vouched for by replicas that never saw its entry, on a new connection at once.
//! With a mark at the end of each group, replicas that have it have all that the primary knew when it answered.
//!
//! Not responsible for opening the connections (`supervisor`), nor for anything nobody is told of: leases, frames to pass on, limits.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::link::{Fault, Link};
use super::meters::Meters;
use super::scripts::{self, Call};
use crate::model::id::SessionId;
use crate::model::time::millis;

/// Connections: several, so that one large group does not hold every session up; few, as each `WAIT` has replicas asked.
pub(super) const WRITERS: usize = 4;
/// How long replicas may take. A healthy one needs its round trip; shorter than a link's response timeout, so that the answer is how many
/// replicas have it, and not silence.
const REPLICATED_WITHIN: Duration = Duration::from_millis(500);
/// Calls in one group: past it a group would hold Redis for tens of milliseconds.
const GROUP: usize = 256;
/// Calls that may wait on one writer; past it they are refused, and the gateway tries again.
const WAITING_CALLS: usize = 1024;
/// How long a call may wait for its turn: two groups that replicas did not answer. Then it is refused unsent, and the gateway tries again.
const TURN_WITHIN: Duration = Duration::from_secs(1);
/// How long a mark stays: it means nothing once the group is answered.
const MARK_LIVES: Duration = Duration::from_secs(60);

/// A call that waits for its turn; without one, somebody only asks whether replicas follow.
struct Wanted {
    call: Option<Call>,
    since: Instant,
    answer: oneshot::Sender<Result<Value, Fault>>,
}

impl Wanted {
    /// Whether it is worth sending: somebody still waits for the answer, and has not waited too long.
    fn is_due(&self) -> bool {
        !self.answer.is_closed() && self.since.elapsed() < TURN_WITHIN
    }

    fn answer(self, answer: Result<Value, Fault>) {
        // Whoever asked may have given up.
        let _ = self.answer.send(answer);
    }
}

/// One writer as its users see it.
struct Lane {
    queue: mpsc::Sender<Wanted>,
    link: watch::Sender<Option<Arc<Link>>>,
}

/// All writers of a primary.
pub(super) struct Writers(Vec<Lane>);

impl Writers {
    /// Them, and what works on their queues; each is idle until it has a connection. A step counts once `replicas` have it.
    pub(super) fn new(replicas: u32, mark: &str, meters: &Arc<Meters>) -> (Self, Vec<Writer>) {
        let mut closing = scripts::MARK.whole(&[mark.to_owned()]);
        closing.arg(millis(MARK_LIVES));
        let both = (0..WRITERS).map(|_| {
            let (queue, receiver) = mpsc::channel(WAITING_CALLS);
            let (link, seen_link) = watch::channel(None);
            let mark = closing.clone();
            let writer = Writer { queue: receiver, link: seen_link, replicas, mark, meters: meters.clone() };
            (Lane { queue, link }, writer)
        });
        let (lanes, writers) = both.unzip();
        (Self(lanes), writers)
    }

    /// Puts other connections in place, one for each writer, or none at all.
    pub(super) fn replace(&self, links: Vec<Arc<Link>>) {
        let mut links = links.into_iter();
        for lane in &self.0 {
            lane.link.send_replace(links.next());
        }
    }

    /// Runs a step of a session; the answer is there when replicas have it.
    pub(super) async fn commit(&self, session: SessionId, call: Call) -> Result<Value, Fault> {
        self.queue(usize::from(session.as_bytes()[15]), Some(call)).await
    }

    /// Whether replicas have what was written up to now, asked on one of the writers.
    pub(super) async fn confirm(&self, turn: u64) -> Result<(), Fault> {
        self.queue(usize::try_from(turn % WRITERS as u64).unwrap_or(0), None).await.map(drop)
    }

    async fn queue(&self, lane: usize, call: Option<Call>) -> Result<Value, Fault> {
        let (answer, answered) = oneshot::channel();
        let wanted = Wanted { call, since: Instant::now(), answer };
        if self.0[lane % WRITERS].queue.try_send(wanted).is_err() {
            return Err(refused("too many calls wait for replicas"));
        }
        answered.await.unwrap_or_else(|_| Err(Fault::Silent("the writer has ended".into())))
    }
}

/// What works on one writer's queue.
pub(super) struct Writer {
    queue: mpsc::Receiver<Wanted>,
    link: watch::Receiver<Option<Arc<Link>>>,
    replicas: u32,
    mark: Cmd,
    meters: Arc<Meters>,
}

impl Writer {
    /// Works until stopped; what is under way then has an unknown outcome.
    pub(super) async fn run(self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.work()).await;
    }

    async fn work(mut self) {
        let mut group = Vec::with_capacity(GROUP);
        while self.queue.recv_many(&mut group, GROUP).await > 0 {
            let (due, late): (Vec<_>, Vec<_>) = group.drain(..).partition(Wanted::is_due);
            late.into_iter().for_each(|late| late.answer(Err(refused("no turn in time"))));
            let link = self.link.borrow().clone();
            match link {
                Some(link) => self.commit(&link, due).await,
                None => due.into_iter().for_each(|due| due.answer(Err(refused("no connection to Redis")))),
            }
        }
    }

    /// Carries a group out, handing scripts over first that Redis has forgotten.
    async fn commit(&self, link: &Link, group: Vec<Wanted>) {
        let forgotten = self.carry_out(link, group).await;
        if forgotten.is_empty() {
            return;
        }
        for call in forgotten.iter().filter_map(|wanted| wanted.call.as_ref()) {
            if let Err(fault) = link.call(&call.script.load()).await {
                return forgotten.into_iter().for_each(|wanted| wanted.answer(Err(fault.clone())));
            }
        }
        let still = self.carry_out(link, forgotten).await;
        still.into_iter().for_each(|wanted| wanted.answer(Err(Fault::NoScript)));
    }

    /// Sends a group and answers it; returns those whose script Redis has forgotten, for which nothing was done.
    async fn carry_out(&self, link: &Link, group: Vec<Wanted>) -> Vec<Wanted> {
        if group.is_empty() {
            return group;
        }
        let mut commands = redis::pipe();
        for call in group.iter().filter_map(|wanted| wanted.call.as_ref()) {
            commands.add_command(call.command.clone());
        }
        commands.add_command(self.mark.clone());
        commands.cmd("WAIT").arg(self.replicas).arg(millis(REPLICATED_WITHIN));
        let count = commands.len();
        let mut answers = match link.call_each(&commands, count).await {
            Ok(answers) => answers,
            Err(fault) => {
                group.into_iter().for_each(|wanted| wanted.answer(Err(fault.clone())));
                return Vec::new();
            }
        };
        let (waited, marked) = (answers.pop(), answers.pop());
        let enough = match (marked, waited) {
            (Some(Ok(_)), Some(Ok(Value::Int(have)))) => have >= i64::from(self.replicas),
            (marked, waited) => {
                tracing::warn!(?marked, ?waited, "replicas cannot be waited for");
                false
            }
        };
        self.answer(group, answers, enough)
    }

    /// Hands the answers to those who wait; what too few replicas have is nobody's yet.
    fn answer(&self, group: Vec<Wanted>, answers: Vec<Result<Value, Fault>>, enough: bool) -> Vec<Wanted> {
        let (mut answers, mut forgotten) = (answers.into_iter(), Vec::new());
        for wanted in group {
            let answer = match wanted.call {
                Some(_) => {
                    answers.next().unwrap_or_else(|| Err(Fault::Silent("an answer is missing".into())))
                }
                None => Ok(Value::Nil),
            };
            match answer {
                Ok(_) if !enough => {
                    self.meters.unreplicated.increment(1);
                    wanted.answer(Err(Fault::Unreplicated));
                }
                Err(Fault::NoScript) => forgotten.push(wanted),
                answer => wanted.answer(answer),
            }
        }
        forgotten
    }
}

/// Nothing was sent.
fn refused(why: &str) -> Fault {
    Fault::Refused(why.to_owned())
}
