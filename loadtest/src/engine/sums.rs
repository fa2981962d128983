//! What a scene came to: counts of every receiver and sender together, times, and what both sides cost, as the report has them.
//!
//! Times stay whole histograms until the end, so that parts of a run can be put together.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::crowd::Clock;
use super::own;
use super::participant::Participant;
use super::room::Room;
use super::sender::Sums as Said;
use super::watch::Mark;
use super::{lock, scene::Marks};
use crate::accounting::Faults;
use crate::histogram::{Times, Window};
use crate::report::figures::{Cost, Counts, Figures, Latencies, Latency, Own, PhaseSpan, Sample, Step, Unit};

/// Connections from which on memory for each is told: of fewer it is mostly what the process takes at a time.
pub(crate) const ENOUGH: u64 = 500;

/// All of one scene.
#[derive(Debug)]
pub(crate) struct Sums {
    /// What it went through.
    pub(crate) phases: Vec<PhaseSpan>,
    /// How much of what.
    pub(crate) counts: Counts,
    /// How long things took.
    pub(crate) times: Window,
    /// How late messages left.
    pub(crate) lateness: Times,
    /// What the gateway cost, and this program.
    pub(crate) server: Cost,
    /// See `server`.
    pub(crate) generator: Cost,
    /// Each second.
    pub(crate) samples: Vec<Sample>,
    /// Steps of a ramp.
    pub(crate) steps: Vec<Step>,
}

impl Sums {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            phases: Vec::new(),
            counts: Counts::default(),
            times: Window::new(),
            lateness: Times::new(),
            server: Cost::default(),
            generator: Cost::default(),
            samples: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Phases and seconds count from when the first phase began.
    pub(crate) fn count_time_from_its_beginning(&mut self) {
        let began = self.phases.first().map_or(0.0, |first| first.from_s);
        self.phases.iter_mut().for_each(|phase| phase.from_s -= began);
        self.samples.retain(|sample| sample.at_s >= began);
        self.samples.iter_mut().for_each(|sample| sample.at_s -= began);
    }

    /// For the report.
    pub(crate) fn figures(&self) -> Figures {
        let latency = |times: &Times| Latency::of(times.inner());
        Figures {
            phases: self.phases.clone(),
            counts: self.counts.clone(),
            latency: Latencies {
                connect: latency(&self.times.connect),
                ack: latency(&self.times.ack),
                deliver: latency(&self.times.deliver),
                recovery: latency(&self.times.recovery),
                lateness: latency(&self.lateness),
            },
            server: self.server.clone(),
            generator: self.generator.clone(),
            samples: self.samples.clone(),
            steps: self.steps.clone(),
            drift: None,
        }
    }

    /// Adds a part that ran after those before.
    pub(crate) fn add(&mut self, mut part: Self) {
        let began = self.phases.last().map_or(0.0, |last| last.from_s + last.seconds);
        for phase in &mut part.phases {
            phase.from_s += began;
        }
        for sample in &mut part.samples {
            sample.at_s += began;
        }
        self.phases.append(&mut part.phases);
        self.samples.append(&mut part.samples);
        self.steps.append(&mut part.steps);
        self.counts.add(&part.counts);
        self.times.drain(&mut part.times);
        self.lateness.add(&part.lateness);
        together(&mut self.server, &part.server);
        together(&mut self.generator, &part.generator);
    }
}

/// Costs of parts that followed one another: times add, memory is the most. A cost for each delivery is a part's own, as parts differ.
fn together(sum: &mut Cost, part: &Cost) {
    let most = |one: Option<u64>, other: Option<u64>| one.max(other);
    sum.cpu_s = match (sum.cpu_s, part.cpu_s) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    };
    sum.cpu = match (sum.cpu, part.cpu) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    sum.cores = sum.cores.or(part.cores);
    sum.rss_start_bytes = sum.rss_start_bytes.or(part.rss_start_bytes);
    sum.rss_peak_bytes = most(sum.rss_peak_bytes, part.rss_peak_bytes);
    sum.rss_end_bytes = part.rss_end_bytes.or(sum.rss_end_bytes);
}

/// Adds what every receiver got and every sender said.
pub(crate) fn count<'p>(counts: &mut Counts, people: impl Iterator<Item = &'p Participant> + Clone) {
    let senders = people.clone().filter_map(|who| who.sender.as_ref());
    let by_sender: HashMap<u32, Said> = senders.map(|sender| (sender.id, sender.sums())).collect();
    for said in by_sender.values() {
        // Not the highest number: a refused one is used again.
        counts.sent += said.acked + said.refused + said.flying;
        counts.acked += said.acked;
        counts.refused += said.refused;
        counts.unanswered += said.flying;
        counts.unsaid += said.unsaid;
    }
    let mut faults = Faults::default();
    for who in people {
        let rows = who.room.senders().map(|sender| {
            let said = by_sender.get(&sender).copied().unwrap_or_default();
            // Messages without a stamp are in no author's row; the log's row has them.
            if said.unstamped > 0 { (0, u64::MAX - 1) } else { (said.acked, said.said) }
        });
        let received = lock(&who.received);
        let found = received.faults(who.room.head(), rows);
        counts.delivered += received.delivered();
        counts.expected += received.delivered() + found.missing;
        counts.gaps += received.gaps();
        faults.sum(found);
    }
    counts.missing += faults.missing;
    counts.duplicated += faults.duplicated;
    counts.reordered += faults.reordered;
    counts.phantom += faults.phantom;
    counts.resets += faults.resets;
}

/// Times of what has no answer now: at least as long as it waits already, to its author and to everybody in its room who does not have it.
/// Without them the times would be those of the messages that fared well.
pub(crate) fn waiting(times: &mut Window, people: &[Arc<Participant>], clock: &Clock) {
    let now = clock.now();
    let mut rooms: HashMap<*const Room, Vec<(usize, u64, u64)>> = HashMap::new();
    for who in people {
        let Some(sender) = &who.sender else { continue };
        let (unanswered, stamped) = sender.unanswered();
        for (n, meant) in unanswered.into_iter().filter(|(_, meant)| clock.counts(*meant)) {
            let waited = now.saturating_sub(meant);
            times.ack.took(waited);
            if let Some(slot) = who.room.slot(sender.id).filter(|_| stamped) {
                rooms.entry(Arc::as_ptr(&who.room)).or_default().push((slot, n, waited));
            }
        }
    }
    for who in people {
        let Some(messages) = rooms.get(&Arc::as_ptr(&who.room)) else { continue };
        let received = lock(&who.received);
        for (_, _, waited) in messages.iter().filter(|(slot, n, _)| !received.has(*slot, *n)) {
            times.deliver.took(*waited);
        }
    }
}

/// What the gateway cost between the marks.
pub(crate) fn server_cost(marks: &Marks, cores: f64) -> Cost {
    let mut cost = Cost { cores: Some(cores), ..Cost::default() };
    let resident = |mark: &Option<Mark>| mark.as_ref().and_then(|mark| mark.load.resident);
    cost.rss_start_bytes = resident(&marks.empty);
    cost.rss_end_bytes = resident(&marks.drained).or(resident(&marks.full));
    cost.rss_per_connection_bytes = per_connection(marks);
    if let (Some(from), Some(to)) = (&marks.running, &marks.ran) {
        cost.cpu_s = from.load.cpu.zip(to.load.cpu).map(|(from, to)| to.saturating_sub(from).as_secs_f64());
        cost.cpu = cost.cpu_s.map(|cpu| cpu / seconds(from, to));
    }
    cost.cpu_per_delivery_us = each_delivery(marks, |mark| mark.load.cpu);
    cost
}

/// What this program cost between the marks.
pub(crate) fn own_cost(marks: &Marks, cores: f64) -> Cost {
    let mut cost = Cost { cores: Some(cores), ..Cost::default() };
    cost.rss_start_bytes = marks.empty.as_ref().map(|mark| mark.own_rss);
    cost.rss_end_bytes = marks.drained.as_ref().or(marks.full.as_ref()).map(|mark| mark.own_rss);
    if let (Some(from), Some(to)) = (&marks.running, &marks.ran) {
        let cpu = to.own_cpu.saturating_sub(from.own_cpu).as_secs_f64();
        cost.cpu_s = Some(cpu);
        cost.cpu = Some(cpu / seconds(from, to));
    }
    cost.cpu_per_delivery_us = each_delivery(marks, |mark| Some(mark.own_cpu));
    cost
}

fn seconds(from: &Mark, to: &Mark) -> f64 {
    Duration::from_micros(to.at.saturating_sub(from.at)).as_secs_f64().max(1e-3)
}

#[expect(clippy::cast_precision_loss, reason = "bytes and connections are far below 2^52")]
fn per_connection(marks: &Marks) -> Option<f64> {
    let (empty, full) = (marks.empty.as_ref()?.load.resident?, marks.full.as_ref()?.load.resident?);
    (marks.connected >= ENOUGH).then(|| (full as f64 - empty as f64) / marks.connected as f64)
}

/// Up to the end of the drain, so that what was still on its way at the end of the phase is paid for and counted.
#[expect(clippy::cast_precision_loss, reason = "deliveries of a run are fewer than 2^52")]
fn each_delivery(marks: &Marks, cpu: impl Fn(&Mark) -> Option<Duration>) -> Option<f64> {
    let (from, to) = (marks.running.as_ref()?, marks.drained.as_ref()?);
    let deliveries = to.delivered - from.delivered;
    let used = cpu(to)?.saturating_sub(cpu(from)?);
    (deliveries > 0).then(|| used.as_secs_f64() * 1e6 / deliveries as f64)
}

/// Figures beside the report's own: the store's, what waited, and how near the generator was to its limit.
#[expect(clippy::cast_precision_loss, reason = "counts of a run are below 2^52")]
pub(crate) fn beside(marks: &Marks, waiting: f64) -> Vec<Own> {
    let mut found = Vec::new();
    let mut tell = |name: &str, what: &str, value: f64, unit: Unit| {
        found.push(Own { name: name.to_owned(), what: what.to_owned(), value, unit });
    };
    if let (Some(from), Some(to)) = (&marks.running, &marks.ran) {
        let busiest = to.own.busiest_since(&from.own, Duration::from_micros(to.at - from.at));
        tell(
            "generator.busiest",
            "share of the time the generator's busiest thread was on a processor",
            busiest,
            Unit::Share,
        );
    }
    if waiting > 0.0 {
        tell(
            "server.waiting",
            "the most bytes that waited in the gateway for connections",
            waiting,
            Unit::Bytes,
        );
    }
    if let (Some(from), Some(to)) = (&marks.running, &marks.drained) {
        let gaps = to.load.gaps - from.load.gaps;
        if gaps > 0.0 {
            tell(
                "server.gaps",
                "holes in announcements that the gateway repaired from the log",
                gaps,
                Unit::Count,
            );
        }
        if let (Some(before), Some(after)) = (from.load.redis, to.load.redis) {
            let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
            tell("redis.cpu", "cores the Redis kept busy", cpu / seconds(from, to), Unit::Cores);
            let entries = to.sent - from.sent;
            if entries > 0 {
                tell(
                    "redis.cpu_per_entry",
                    "its processor time for each message",
                    cpu * 1e6 / entries as f64,
                    Unit::Micros,
                );
            }
        }
    }
    found
}

/// Why times and costs say nothing, beside what the report finds itself.
pub(crate) fn void(marks: &Marks) -> Option<String> {
    let (from, to) = (marks.running.as_ref()?, marks.ran.as_ref()?);
    own::void(to.own.busiest_since(&from.own, Duration::from_micros(to.at - from.at)))
}
