//! Where everybody meets: the run's clock, what is counted of connections, and how people arrive.
//!
//! People arrive on a schedule too, but never more than a bounded number at once stand at the door: what waits behind them is this program's
//! own bound, so it is not in any connection's time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::Lane;
use super::lock;
use super::participant::Participant;
use super::stop::Stop;
use crate::histogram::micros;
use crate::message::Micros;
use crate::report::figures::Counts;
use crate::report::progress::Progress;

/// Handshakes at the same time during a ramp: below the gateway's bound for one address (256), with room for what it has not counted out.
const AT_THE_DOOR: u64 = 200;
/// Between two looks at who may come in next.
const TICK: Duration = Duration::from_millis(5);
/// Different complaints kept for the report.
const SAYINGS: usize = 8;

/// The run's number and its time.
#[derive(Debug)]
pub(crate) struct Clock {
    /// Tells the messages of this run from others.
    pub(crate) run: u32,
    began: Instant,
    from: AtomicU64,
    until: AtomicU64,
}

impl Clock {
    /// A run that begins now; nothing counts yet.
    pub(crate) fn new(run: u32) -> Self {
        Self { run, began: Instant::now(), from: AtomicU64::new(u64::MAX), until: AtomicU64::new(u64::MAX) }
    }

    /// The run's time.
    pub(crate) fn now(&self) -> Micros {
        micros(self.began.elapsed())
    }

    /// The instant of a time of the run.
    pub(crate) fn at(&self, time: Micros) -> Instant {
        self.began + Duration::from_micros(time)
    }

    /// From here on messages are timed that are meant to leave from `from` and before `until`.
    pub(crate) fn count(&self, from: Micros, until: Micros) {
        self.from.store(from, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

    /// Whether a message that was meant to leave then is timed.
    pub(crate) fn counts(&self, meant: Micros) -> bool {
        meant >= self.from.load(Ordering::Relaxed) && meant < self.until.load(Ordering::Relaxed)
    }
}

/// What all connections share.
pub(crate) struct Hall {
    /// The run's time.
    pub(crate) clock: Clock,
    /// Connections that are open.
    pub(crate) open: AtomicU64,
    /// Attempts to connect.
    pub(crate) attempts: AtomicU64,
    /// Attempts that came to nothing.
    pub(crate) errors: AtomicU64,
    /// Those that were welcomed.
    pub(crate) welcomed: AtomicU64,
    /// Those whose last attempt came to nothing.
    pub(crate) absent: AtomicU64,
    /// People who were let in, each time they were: so many must be welcomed or absent in the end.
    pub(crate) expected: AtomicU64,
    /// Those that were cut and have caught up.
    pub(crate) recovered: AtomicU64,
    /// Refusals of what has no number.
    pub(crate) refusals: AtomicU64,
    /// Connections that the other side ended, by code.
    pub(crate) closes: Mutex<Counts>,
    /// Messages that left.
    pub(crate) sent: AtomicU64,
    /// Everybody, once it is known who that is.
    pub(crate) people: OnceLock<Vec<Arc<Participant>>>,
    spoken: AtomicBool,
    said: Mutex<BTreeMap<String, u64>>,
    /// Tells what goes on.
    pub(crate) progress: Arc<Progress>,
    /// Whether to stop.
    pub(crate) stop: Stop,
}

impl Hall {
    /// An empty one.
    pub(crate) fn new(run: u32, progress: Arc<Progress>, stop: Stop) -> Self {
        let none = AtomicU64::default;
        Self {
            clock: Clock::new(run),
            open: none(),
            attempts: none(),
            errors: none(),
            welcomed: none(),
            absent: none(),
            expected: none(),
            recovered: none(),
            refusals: none(),
            closes: Mutex::default(),
            sent: none(),
            people: OnceLock::new(),
            spoken: AtomicBool::new(false),
            said: Mutex::default(),
            progress,
            stop,
        }
    }

    /// An attempt to connect failed.
    pub(crate) fn refused(&self, why: &anyhow::Error) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.say(&format!("connect: {why:#}"));
    }

    /// Somebody gave up.
    pub(crate) fn gave_up(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was ended by the other side.
    pub(crate) fn ended(&self, code: Option<u16>) {
        lock(&self.closes).closed(code);
    }

    /// Something to be told at the end, with how often it was said.
    pub(crate) fn say(&self, what: &str) {
        let mut said = lock(&self.said);
        // Nobody reads more kinds than these.
        if said.len() < SAYINGS || said.contains_key(what) {
            *said.entry(what.to_owned()).or_default() += 1;
        }
    }

    /// What was said, and how often.
    pub(crate) fn sayings(&self) -> BTreeMap<String, u64> {
        lock(&self.said).clone()
    }

    /// Entries that are acknowledged and have not come to somebody who is there; those on their way included.
    pub(crate) fn outstanding(&self) -> u64 {
        self.people.get().map_or(0, |people| people.iter().map(|who| who.outstanding()).sum())
    }

    /// Whether nobody has spoken yet.
    pub(crate) fn quiet(&self) -> bool {
        !self.spoken.load(Ordering::Relaxed)
    }

    /// From here on somebody has.
    pub(crate) fn speaks(&self) {
        self.spoken.store(true, Ordering::Relaxed);
    }
}

/// How people arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// They come evenly over this time; zero: as fast as the door takes them.
    pub(crate) over: Duration,
    /// Attempts each has.
    pub(crate) attempts: u32,
    /// Whether all stand at the door at once.
    pub(crate) storm: bool,
}

/// Lets these people in, and returns when each of them is in or has given up, or somebody asked to stop.
pub(crate) async fn arrive(hall: &Arc<Hall>, lanes: &[Arc<Lane>], people: &[Arc<Participant>], how: Arrival) {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let before = count(&hall.welcomed) + count(&hall.absent);
    let began = Instant::now();
    let mut started = 0;
    loop {
        let over = count(&hall.welcomed) + count(&hall.absent) - before;
        hall.progress.done(count(&hall.open));
        if over >= people.len() as u64 || hall.stop.asked() {
            return;
        }
        let due = due(people.len(), began.elapsed(), how.over);
        while started < due && (how.storm || (started as u64) < over + AT_THE_DOOR) {
            let who = people[started].clone();
            let_in(hall, lanes, who, how.attempts);
            started += 1;
        }
        hall.stop.pause(TICK).await;
    }
}

/// Lets somebody in, without waiting for them.
pub(crate) fn let_in(hall: &Arc<Hall>, lanes: &[Arc<Lane>], who: Arc<Participant>, attempts: u32) {
    hall.expected.fetch_add(1, Ordering::Relaxed);
    let lane = lanes[who.lane % lanes.len()].clone();
    let task = super::attend::attend(hall.clone(), who.clone(), lane.clone(), attempts);
    who.attended_by(lane.run(task));
}

/// How many of so many are due.
fn due(people: usize, elapsed: Duration, over: Duration) -> usize {
    if elapsed >= over {
        return people;
    }
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^52")]
    let share = people as f64 * elapsed.as_secs_f64() / over.as_secs_f64();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and their number")]
    let due = share as usize;
    due.min(people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_due_evenly_and_all_in_the_end() {
        let second = Duration::from_secs(1);
        assert_eq!(due(100, Duration::ZERO, second * 10), 0);
        assert_eq!(due(100, second * 5, second * 10), 50);
        assert_eq!(due(100, second * 11, second * 10), 100);
        assert_eq!(due(100, Duration::ZERO, Duration::ZERO), 100);
    }

    #[test]
    fn only_what_leaves_in_the_window_counts() {
        let clock = Clock::new(1);
        assert!(!clock.counts(0) && !clock.counts(u64::MAX - 1));
        clock.count(10, 20);
        assert_eq!([9, 10, 19, 20].map(|meant| clock.counts(meant)), [false, true, true, false]);
    }
}
