//! A scene: sessions, the people in them, and what happens to them, phase by phase. Scenarios are made of these steps.
//!
//! Every step ends by itself: arrivals by attempts that are counted, speaking by its length, waiting by a deadline, and all of it when somebody
//! asks to stop. What it came to is put together in `sums`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::crowd::{Arrival, Hall, arrive};
use super::lane::Lane;
use super::lock;
use super::pace::{self, Played, Score};
use super::participant::Participant;
use super::room::Room;
use super::sender::Sender;
use super::stop::Stop;
use super::sums::{self, Sums};
use super::watch::{Mark, Watch};
use crate::api::{Api, Ticket};
use crate::cli::load::Knobs;
use crate::histogram::{Times, Window, micros};
use crate::message::Verb;
use crate::report::figures::{Counts, Own, PhaseSpan, Step};
use crate::report::progress::{Extent, Phase, Progress};
use crate::target::Target;

/// Requests to the API at the same time, while the scene is set.
const ASKING: usize = 16;
/// Before the first message, so that it is not late because its thread has to start.
const HEAD_START: Duration = Duration::from_millis(50);
/// Between two looks at who has caught up.
const LOOK: Duration = Duration::from_millis(10);
/// How long those who came may take to be told to the others.
const LEVEL: Duration = Duration::from_secs(60);
/// Quiet before memory is read, so that what a ramp needed for a moment is given back.
const REST: Duration = Duration::from_millis(1500);

/// What every scene of a run shares.
#[derive(Clone)]
pub(crate) struct Stage {
    /// The gateways.
    pub(crate) target: Arc<Target>,
    /// Tells what goes on.
    pub(crate) progress: Arc<Progress>,
    /// Whether to stop.
    pub(crate) stop: Stop,
    /// Cores of this machine.
    pub(crate) cores: f64,
}

/// Who is where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Sessions.
    pub(crate) rooms: u32,
    /// People, all together; they spread evenly.
    pub(crate) people: u32,
    /// How many of those in a room may speak.
    pub(crate) speakers: u32,
    /// Seats a room has beyond its people.
    pub(crate) spare: u32,
}

/// What both sides had cost when each phase began or ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Before the first connection.
    pub(crate) empty: Option<Mark>,
    /// With all connections open.
    pub(crate) full: Option<Mark>,
    /// How many those were.
    pub(crate) connected: u64,
    /// When measuring began, when it ended, and when nothing was on its way any more.
    pub(crate) running: Option<Mark>,
    /// See `running`.
    pub(crate) ran: Option<Mark>,
    /// See `running`.
    pub(crate) drained: Option<Mark>,
}

/// A scene.
pub(crate) struct Scene {
    /// Where everybody meets.
    pub(crate) hall: Arc<Hall>,
    /// Who reads.
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// Sessions.
    pub(crate) rooms: Vec<Arc<Room>>,
    /// Everybody, room by room in turn: the first of each, then the second of each.
    pub(crate) people: Vec<Arc<Participant>>,
    /// What was marked.
    pub(crate) marks: Marks,
    /// Looks each second.
    pub(crate) watch: Watch,
    /// Steps of a ramp.
    pub(crate) steps: Vec<Step>,
    /// How much load.
    pub(crate) knobs: Knobs,
    lateness: Times,
    /// Messages sent and deliveries that earlier rounds told of.
    told: (u64, u64),
    phases: Vec<PhaseSpan>,
    stage: Stage,
    mint: Option<Arc<crate::mint::Mint>>,
}

/// What a scene came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// Its figures.
    pub(crate) sums: Sums,
    /// Figures that the report has no name for.
    pub(crate) own: Vec<Own>,
    /// Why they say nothing about the gateway.
    pub(crate) void: Vec<String>,
    /// What went wrong, in words, and how often.
    pub(crate) sayings: Vec<String>,
}

impl Scene {
    /// Makes sessions and tickets; nobody is connected yet.
    ///
    /// # Errors
    /// The gateway does not make them.
    pub(crate) async fn set(stage: &Stage, knobs: &Knobs, plan: Plan) -> anyhow::Result<Scene> {
        let run = fastrand::u32(..);
        let hall = Arc::new(Hall::new(run, stage.progress.clone(), stage.stop.clone()));
        let lanes: Vec<Arc<Lane>> =
            (0..knobs.threads as usize).map(Lane::start).collect::<anyhow::Result<_>>()?;
        let watch = Watch::begin(hall.clone(), lanes.clone(), stage.target.clone());
        let mut scene = Scene {
            hall,
            lanes,
            rooms: Vec::new(),
            people: Vec::new(),
            marks: Marks::default(),
            watch,
            steps: Vec::new(),
            lateness: Times::new(),
            told: (0, 0),
            phases: Vec::new(),
            knobs: knobs.clone(),
            stage: stage.clone(),
            mint: None,
        };
        scene.fill(plan).await?;
        // Set here only.
        let _ = scene.hall.people.set(scene.people.clone());
        scene.marks.empty = Some(scene.watch.mark().await);
        Ok(scene)
    }

    async fn fill(&mut self, plan: Plan) -> anyhow::Result<()> {
        let most = plan.people.div_ceil(plan.rooms);
        let hosts = self.sessions(plan.rooms, most + plan.spare + 1).await?;
        let host = hosts.first().context("no session")?;
        self.mint = self.stage.target.mint(host)?.map(Arc::new);
        for (number, host) in (0u32..).zip(&hosts) {
            let room = Room::new(host.session.clone(), number * plan.speakers, plan.speakers);
            self.rooms.push(Arc::new(room.with_bodies_of(self.knobs.payload as usize)));
        }
        let rooms = hosts.len();
        let tickets = self.tickets(&hosts, plan.people as usize).await?;
        for (at, ticket) in tickets.into_iter().enumerate() {
            let (room, member) = (self.rooms[at % rooms].clone(), at / rooms);
            let speaker = room.senders().nth(member);
            let mut who = Participant::new(room, ticket, self.gateway(at % rooms + member));
            who.source = self.source(at);
            who.lane = at;
            let length = self.knobs.payload as usize;
            who.sender = speaker.map(|id| Arc::new(Sender::new(id, self.hall.clock.run, length)));
            self.people.push(Arc::new(who));
        }
        Ok(())
    }

    /// Somebody more in a room, who listens.
    ///
    /// # Errors
    /// There is no ticket for them.
    pub(crate) async fn listener(&self, at: usize) -> anyhow::Result<Participant> {
        let (room, mint) = (self.rooms[at % self.rooms.len()].clone(), self.mint.clone());
        let ticket = ticket(mint, Api(self.gateway(at)), room.session.clone()).await?;
        let mut who = Participant::new(room, ticket, self.gateway(at));
        who.source = self.source(at);
        who.lane = at;
        Ok(who)
    }

    fn gateway(&self, at: usize) -> std::net::SocketAddr {
        let gateways = &self.stage.target.gateways;
        gateways[at % gateways.len()]
    }

    fn source(&self, at: usize) -> Option<std::net::IpAddr> {
        let sources = &self.stage.target.sources;
        sources.get(at % sources.len().max(1)).copied()
    }

    async fn sessions(&self, count: u32, seats: u32) -> anyhow::Result<Vec<Ticket>> {
        let gateways = self.stage.target.gateways.clone();
        let make = move |at: usize| {
            let api = Api(gateways[at % gateways.len()]);
            async move { api.create(seats).await.context("making a session") }
        };
        all(count as usize, &self.hall.stop, make).await
    }

    /// Tickets of so many people, room by room in turn. The first of each room is its host, who has one.
    async fn tickets(&self, hosts: &[Ticket], people: usize) -> anyhow::Result<Vec<Ticket>> {
        let mut tickets: Vec<Ticket> = hosts.iter().take(people).cloned().collect();
        let (mint, gateways) = (self.mint.clone(), self.stage.target.gateways.clone());
        let sessions: Vec<String> = hosts.iter().map(|host| host.session.clone()).collect();
        let make = move |at: usize| {
            let (mint, session) = (mint.clone(), sessions[at % sessions.len()].clone());
            ticket(mint, Api(gateways[at % gateways.len()]), session)
        };
        tickets.extend(all(people - tickets.len(), &self.hall.stop, make).await?);
        Ok(tickets)
    }

    /// A phase begins; the one before is over.
    pub(crate) fn phase(&mut self, phase: Phase, extent: Extent) {
        self.end_phase();
        let from_s = Duration::from_micros(self.hall.clock.now()).as_secs_f64();
        self.phases.push(PhaseSpan { name: phase.name().to_owned(), from_s, seconds: f64::NAN });
        self.hall.progress.phase(phase, extent);
    }

    fn end_phase(&mut self) {
        let now = Duration::from_micros(self.hall.clock.now()).as_secs_f64();
        if let Some(last) = self.phases.last_mut().filter(|phase| phase.seconds.is_nan()) {
            last.seconds = now - last.from_s;
        }
    }

    /// Lets everybody in over the ramp.
    pub(crate) async fn arrive(&mut self) {
        let people = self.people.clone();
        self.phase(Phase::Connect, Extent::Count(people.len() as u64));
        let how = Arrival { over: self.knobs.ramp, attempts: 1, storm: false };
        arrive(&self.hall, &self.lanes, &people, how).await;
        self.settled().await;
    }

    /// Waits until those who came have been told to all others, and marks what that cost. In a room of a thousand that is half a million
    /// deliveries, and whoever speaks before they are done measures them.
    pub(crate) async fn settled(&mut self) {
        let deadline = Instant::now() + LEVEL;
        while !self.level() && self.hall.stop.pause(LOOK * 5).await {
            if Instant::now() > deadline {
                self.hall.say("some had not been told of everybody's coming when the run began");
                break;
            }
        }
        self.hall.stop.pause(REST).await;
        self.marks.connected = self.hall.open.load(Ordering::Relaxed);
        self.marks.full = Some(self.watch.mark().await);
    }

    /// Whether all who are in a room are at the same place of its log.
    fn level(&self) -> bool {
        let mut heads: HashMap<&str, u64> = HashMap::with_capacity(self.rooms.len());
        let at = |who: &Participant| {
            let received = lock(&who.received);
            received.present.then(|| received.seq.highest())
        };
        let places: Vec<_> = self.people.iter().map(|who| (who.room.session.as_str(), at(who))).collect();
        for (room, place) in &places {
            let head = heads.entry(room).or_default();
            *head = (*head).max(place.unwrap_or(0));
        }
        places.iter().all(|(room, place)| place.is_none_or(|place| heads.get(room) == Some(&place)))
    }

    /// Everybody who speaks.
    pub(crate) fn speakers(&self) -> Vec<Arc<Sender>> {
        self.people.iter().filter_map(|who| who.sender.clone()).collect()
    }

    /// The score of the knobs: everybody who may speak, events, for warm-up and run.
    pub(crate) fn score(&self) -> Score {
        Score {
            speakers: self.speakers(),
            verbs: &[Verb::Event],
            rate: self.knobs.rate,
            from: pace::soon(&self.hall, HEAD_START),
            length: self.knobs.warm_up + self.knobs.duration,
        }
    }

    /// Lets them speak while something happens; what is said in the warm-up is not timed. Returns when all is said.
    pub(crate) async fn perform(&mut self, scores: Vec<Score>, meanwhile: impl Future<Output = ()>) {
        let from = scores.first().map_or_else(|| self.hall.clock.now(), |score| score.from);
        let run = from + micros(self.knobs.warm_up);
        let until = run + micros(self.knobs.duration);
        self.hall.speaks();
        self.hall.clock.count(run, until);
        let mut playing: JoinSet<Played> = JoinSet::new();
        for score in scores {
            let hall = self.hall.clone();
            playing.spawn_blocking(move || pace::play(&hall, &score));
        }
        self.phase(Phase::WarmUp, Extent::Time(self.knobs.warm_up));
        self.wait_for(run).await;
        self.marks.running = Some(self.watch.mark().await);
        self.phase(Phase::Run, Extent::Time(self.knobs.duration));
        tokio::select! {
            () = async { meanwhile.await; std::future::pending().await } => {}
            () = self.wait_for(until) => {}
        }
        self.marks.ran = Some(self.watch.mark().await);
        while let Some(played) = playing.join_next().await {
            // A thread that panicked has said so itself.
            if let Ok(played) = played {
                self.lateness.add(&played.lateness);
            }
        }
        self.end_phase();
    }

    async fn wait_for(&self, time: u64) {
        let left = time.saturating_sub(self.hall.clock.now());
        self.hall.stop.pause(Duration::from_micros(left)).await;
    }

    /// Waits until everything said is answered and everybody who is there has it, or for as long as the knobs say.
    pub(crate) async fn drain(&mut self) {
        self.phase(Phase::Drain, Extent::Time(self.knobs.drain));
        let deadline = Instant::now() + self.knobs.drain;
        while !self.at_rest() && Instant::now() < deadline {
            if !self.hall.stop.pause(LOOK).await {
                // Whoever interrupts waits a moment for what is on its way, and no longer.
                tokio::time::sleep(LOOK * 20).await;
                break;
            }
        }
        self.marks.drained = Some(self.watch.mark().await);
        self.end_phase();
    }

    fn at_rest(&self) -> bool {
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let hall = &self.hall;
        let all_in = count(&hall.welcomed) + count(&hall.absent) >= count(&hall.expected);
        let mut speakers = self.people.iter().filter_map(|who| who.sender.as_ref());
        all_in
            && speakers.all(|sender| sender.sums().flying == 0)
            && self.people.iter().all(|who| who.caught_up())
    }

    /// What it came to since it was set or this was asked last, but for what everybody got: that is told once, in the end.
    pub(crate) fn round(&mut self) -> (Sums, f64) {
        self.end_phase();
        let mut sums = Sums::new();
        sums.server = sums::server_cost(&self.marks, self.stage.cores);
        // Readers, the thread that keeps the time and the one of the scenario: as many cores as they can use here.
        sums.generator = sums::own_cost(&self.marks, f64::from(self.knobs.threads + 2).min(self.stage.cores));
        let mut book = self.watch.book();
        let people = self.hall.people.get().map_or(&[][..], Vec::as_slice);
        sums::waiting(&mut book.times, people, &self.hall.clock);
        sums.times = std::mem::replace(&mut book.times, Window::new());
        sums.samples = std::mem::take(&mut book.samples);
        let sent = self.hall.sent.load(Ordering::Relaxed);
        let delivered = self.lanes.iter().map(|lane| lane.deliveries()).sum();
        let before = std::mem::replace(&mut self.told, (sent, delivered));
        (sums.counts.sent, sums.counts.delivered) = (sent - before.0, delivered - before.1);
        sums.counts.connections = book.connections.max(self.marks.connected);
        sums.server.rss_peak_bytes = Some(std::mem::take(&mut book.rss_peak)).filter(|peak| *peak > 0);
        sums.generator.rss_peak_bytes = Some(std::mem::take(&mut book.own_rss_peak)).filter(|peak| *peak > 0);
        let waiting = std::mem::take(&mut book.waiting);
        drop(book);
        sums.lateness = std::mem::replace(&mut self.lateness, Times::new());
        sums.phases = std::mem::take(&mut self.phases);
        sums.steps = std::mem::take(&mut self.steps);
        sums.count_time_from_its_beginning();
        (sums, waiting)
    }

    /// Ends every connection, and says what it all came to.
    pub(crate) fn finish(mut self) -> Done {
        let (mut sums, waiting) = self.round();
        sums.counts = Counts { connections: sums.counts.connections, ..Counts::default() };
        let people = self.people.iter().map(|who| &**who);
        sums::count(&mut sums.counts, people);
        self.lanes.iter().for_each(|lane| lane.hang_up());
        let hall = &self.hall;
        let counter = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        sums.counts.attempts = counter(&hall.attempts);
        sums.counts.connect_errors = counter(&hall.errors);
        // Visitors are not among them: who came for a while is expected to be gone.
        let residents = hall.people.get().map_or(&[][..], Vec::as_slice);
        sums.counts.absent = residents.iter().filter(|who| !lock(&who.received).present).count() as u64;
        sums.counts.recovered = counter(&hall.recovered);
        sums.counts.refused += counter(&hall.refusals);
        sums.counts.closes = lock(&hall.closes).closes.clone();
        let own = sums::beside(&self.marks, waiting);
        let void = sums::void(&self.marks).into_iter().collect();
        let sayings = hall.sayings().into_iter().map(|(what, times)| format!("{times} × {what}")).collect();
        Done { sums, own, void, sayings }
    }
}

async fn ticket(mint: Option<Arc<crate::mint::Mint>>, api: Api, session: String) -> anyhow::Result<Ticket> {
    match mint {
        Some(mint) => mint.ticket(&session),
        None => api.join(&session).await.context("joining a session"),
    }
}

/// Makes so many of something, a few at a time, in order.
async fn all<T: Send + 'static, F: Future<Output = anyhow::Result<T>> + Send + 'static>(
    count: usize,
    stop: &Stop,
    make: impl Fn(usize) -> F,
) -> anyhow::Result<Vec<T>> {
    let mut made: Vec<Option<T>> = (0..count).map(|_| None).collect();
    let (mut asking, mut next) = (JoinSet::new(), 0);
    while next < count || !asking.is_empty() {
        anyhow::ensure!(!stop.asked(), "stopped before the scene was set");
        while next < count && asking.len() < ASKING {
            let (at, one) = (next, make(next));
            asking.spawn(async move { (at, one.await) });
            next += 1;
        }
        if let Some(done) = asking.join_next().await {
            let (at, one) = done?;
            made[at] = Some(one?);
        }
    }
    Ok(made.into_iter().flatten().collect())
}
