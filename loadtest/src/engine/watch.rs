//! A look at both processes and at the readers' times, each second: what goes on, and the most of what went on.
//!
//! Responsible for the series of a run. What one phase cost is the difference of two marks. A gateway whose process is not known tells of
//! itself by `/metrics`.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::crowd::Hall;
use super::lane::Lane;
use super::lock;
use super::own::Own;
use crate::histogram::Window;
use crate::message::Micros;
use crate::report::figures::Sample;
use crate::report::progress::Live;
use crate::target::{Load, Target};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at whether the gateways still run.
const ALIVE: Duration = Duration::from_millis(100);
/// Seconds kept; a run of a day has more, and from then on only every other second is.
const SAMPLES_MAX: usize = 7200;

/// What both sides had cost at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: Micros,
    /// What the gateway had cost, and what its store had.
    pub(crate) load: Load,
    /// What this program had.
    pub(crate) own_cpu: Duration,
    /// See `own_cpu`.
    pub(crate) own_rss: u64,
    /// And its threads.
    pub(crate) own: Own,
    /// Messages that had left, and those that had come.
    pub(crate) sent: u64,
    /// See `sent`.
    pub(crate) delivered: u64,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Book {
    /// Times of all readers.
    pub(crate) times: Window,
    /// Each second.
    pub(crate) samples: Vec<Sample>,
    /// The most that was resident in the gateway, and in this program.
    pub(crate) rss_peak: u64,
    /// See `rss_peak`.
    pub(crate) own_rss_peak: u64,
    /// The most connections that were open.
    pub(crate) connections: u64,
    /// The most bytes that waited in the gateway for anybody.
    pub(crate) waiting: f64,
}

/// Looks each second until it is dropped.
pub(crate) struct Watch {
    book: Arc<Mutex<Book>>,
    seen: Seen,
    _looking: JoinSet<()>,
}

#[derive(Clone)]
struct Seen {
    hall: Arc<Hall>,
    lanes: Vec<Arc<Lane>>,
    target: Arc<Target>,
}

impl Watch {
    /// Begins to look.
    pub(crate) fn begin(hall: Arc<Hall>, lanes: Vec<Arc<Lane>>, target: Arc<Target>) -> Self {
        let book = Book {
            times: Window::new(),
            samples: Vec::new(),
            rss_peak: 0,
            own_rss_peak: 0,
            connections: 0,
            waiting: 0.0,
        };
        let book = Arc::new(Mutex::new(book));
        let seen = Seen { hall, lanes, target };
        let mut looking = JoinSet::new();
        looking.spawn(look(seen.clone(), book.clone()));
        let target = seen.target.clone();
        looking.spawn(async move {
            // The target remembers when it was first found gone.
            while target.runs() {
                tokio::time::sleep(ALIVE).await;
            }
        });
        Self { book, seen, _looking: looking }
    }

    /// What both sides have cost so far.
    pub(crate) async fn mark(&self) -> Mark {
        self.seen.mark().await
    }

    /// What was seen so far, times of this moment included.
    pub(crate) fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        let mut book = lock(&self.book);
        self.seen.collect(&mut book.times);
        book
    }
}

impl Seen {
    async fn mark(&self) -> Mark {
        let own = self.target.own();
        Mark {
            at: self.hall.clock.now(),
            load: self.target.load().await,
            own_cpu: own.cpu,
            own_rss: own.resident,
            own: Own::now(),
            sent: self.hall.sent.load(Ordering::Relaxed),
            delivered: self.lanes.iter().map(|lane| lane.deliveries()).sum(),
        }
    }

    /// Takes the readers' times.
    fn collect(&self, times: &mut Window) {
        self.lanes.iter().for_each(|lane| times.drain(&mut lock(&lane.window)));
    }
}

async fn look(seen: Seen, book: Arc<Mutex<Book>>) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut before, mut second) = (seen.mark().await, Window::new());
    looks.tick().await;
    loop {
        looks.tick().await;
        let now = seen.mark().await;
        seen.collect(&mut second);
        let sample = sample(&seen.hall, (&before, &now), &second);
        seen.hall.progress.live(&live(&sample, seen.hall.outstanding()));
        let mut book = lock(&book);
        book.rss_peak = book.rss_peak.max(now.load.resident.unwrap_or(0));
        book.own_rss_peak = book.own_rss_peak.max(now.own_rss);
        book.connections = book.connections.max(sample.connections);
        book.waiting = book.waiting.max(now.load.waiting);
        if book.samples.len() >= SAMPLES_MAX {
            let mut odd = false;
            book.samples.retain(|_| {
                odd = !odd;
                odd
            });
        }
        book.samples.push(sample);
        book.times.drain(&mut second);
        drop(book);
        before = now;
    }
}

#[expect(clippy::cast_precision_loss, reason = "messages of a second are fewer than 2^52")]
fn sample(hall: &Hall, (before, now): (&Mark, &Mark), second: &Window) -> Sample {
    let seconds = Duration::from_micros(now.at.saturating_sub(before.at)).as_secs_f64().max(1e-3);
    let cores = |before: Duration, now: Duration| now.saturating_sub(before).as_secs_f64() / seconds;
    Sample {
        at_s: Duration::from_micros(now.at).as_secs_f64(),
        connections: hall.open.load(Ordering::Relaxed),
        sent_per_s: (now.sent - before.sent) as f64 / seconds,
        deliveries_per_s: (now.delivered - before.delivered) as f64 / seconds,
        p50_us: second.deliver.at(0.5),
        p99_us: second.deliver.at(0.99),
        server_cpu: before.load.cpu.zip(now.load.cpu).map(|(before, now)| cores(before, now)),
        server_rss_bytes: now.load.resident,
        generator_cpu: Some(cores(before.own_cpu, now.own_cpu)),
    }
}

fn live(sample: &Sample, missing: u64) -> Live {
    Live {
        connections: sample.connections,
        messages_per_s: sample.sent_per_s,
        deliveries_per_s: sample.deliveries_per_s,
        p50: sample.p50_us.map(Duration::from_micros),
        p99: sample.p99_us.map(Duration::from_micros),
        missing,
        server_cpu: sample.server_cpu,
        server_rss_bytes: sample.server_rss_bytes,
    }
}
