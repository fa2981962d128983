//! Proves twice a second that what is published is delivered, by publishing a marker and waiting for it to come home.
//!
//! Responsible for readiness ([`Health`]) and for the cluster's clock, which it reads on the way. A marker that Redis took and that did
//! not come home in 1.5 s means a deaf subscriber connection, which nothing else would notice: it is torn down. Markers are sent only while
//! the links stand, and one under way when they fall says nothing: judged as lost it would tear the next connection down, whose
//! marker would be sent too early again, and so for ever. Where acks wait for replicas, a marker counts once they follow, too.
//! Not responsible for connections otherwise.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::meters::Meters;
use super::primary::Primary;
use super::reply::{Reply, unreadable};
use super::scripts::{self, Call};
use super::subscriber::Subscriber;
use super::supervisor::{Condition, LinkState};
use crate::backend::clock::ClusterClock;
use crate::backend::error::BackendError;
use crate::backend::{Durability, Health};
use crate::model::time::ClockName;

/// Between markers. With [`HOME_WITHIN`] it is how long a deaf connection can go unnoticed: 2 s (`DELIVERY`).
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a marker may take.
const HOME_WITHIN: Duration = Duration::from_millis(1500);
/// Without a marker for this long, because none could be sent, delivery counts as impossible. A link that is replaced at once stays within.
const DOWN_AFTER: Duration = Duration::from_secs(2);
/// Markers home in a row that make delivery possible again.
const UP_AFTER: u32 = 2;
/// Clock readings of which the quickest is believed: the quickest round trip hides the least.
const READINGS: usize = 6;

/// What became of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Home,
    /// Not sent, or the links fell while it was under way, or too few replicas follow: nothing would be acked.
    Unsent,
    Lost,
}

/// The prober of one primary.
pub(super) struct Probe {
    pub(super) home: String,
    pub(super) primary: Arc<Primary>,
    pub(super) subscriber: Arc<Subscriber>,
    pub(super) returned: watch::Receiver<u64>,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) clock: Arc<ClusterClock>,
    pub(super) health: watch::Sender<Health>,
    pub(super) meters: Arc<Meters>,
}

impl Probe {
    /// Runs until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut verdict = Verdict::new(Instant::now());
        let mut readings = Readings::default();
        let mut marker = 0;
        loop {
            // The first probe goes out as soon as the links work, so that a start is not a second slower than it must be.
            let woken = async {
                if verdict.starting {
                    let _ =
                        self.condition.clone().wait_for(|condition| condition.state == LinkState::Live).await;
                }
                ticks.tick().await
            };
            if stop.run_until_cancelled(woken).await.is_none() {
                return;
            }
            marker += 1;
            let Some(outcome) = stop.run_until_cancelled(self.send(marker, &mut readings)).await else {
                return;
            };
            if outcome == Outcome::Lost {
                self.subscriber.tear_down();
            }
            verdict.note(outcome, Instant::now());
            self.tell(&verdict);
        }
    }

    /// Sends one marker and waits for it.
    async fn send(&mut self, marker: u64, readings: &mut Readings) -> Outcome {
        let mut condition = self.condition.clone();
        if condition.borrow_and_update().state != LinkState::Live {
            return Outcome::Unsent;
        }
        let sent = Instant::now();
        let call = Call::new(&scripts::PROBE, std::slice::from_ref(&self.home)).arg(marker);
        let answer = self.primary.run(&call).await.map_err(|fault| fault.into_error(true));
        match answer.and_then(|answer| Reading::new(answer, sent)) {
            Ok(reading) => readings.note(reading, &self.clock),
            Err(error) => {
                tracing::debug!(%error, "a probe was not sent");
                return Outcome::Unsent;
            }
        }
        tokio::select! {
            Ok(_) = self.returned.wait_for(|newest| *newest >= marker) => {
                self.meters.probe.record(sent.elapsed().as_secs_f64());
            }
            // Any change, as a link may be lost and back between two looks.
            _ = condition.changed() => return Outcome::Unsent,
            () = tokio::time::sleep_until(sent + HOME_WITHIN) => return Outcome::Lost,
        }
        match self.primary.confirm(marker).await {
            Ok(()) => Outcome::Home,
            Err(error) => {
                tracing::debug!(%error, "replicas do not follow");
                Outcome::Unsent
            }
        }
    }

    fn tell(&self, verdict: &Verdict) {
        let durability = self.condition.borrow().durability;
        self.health.send_if_modified(|health| {
            let next = Health {
                starting: verdict.starting,
                up: verdict.up,
                partly: None,
                durability: durability.unwrap_or(health.durability),
            };
            if next.up != health.up {
                tracing::info!(up = next.up, durability = next.durability.as_str(), "redis delivery");
            }
            let changed = *health != next;
            *health = next;
            changed
        });
    }
}

/// What Redis' clock showed in answer to `lua/probe.lua`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    clock: ClockName,
    time: Duration,
    round_trip: Duration,
    at: Instant,
}

impl Reading {
    /// Reads the answer to a probe that was sent then.
    pub(super) fn new(answer: Value, sent: Instant) -> Result<Self, BackendError> {
        let (at, mut reply) = (Instant::now(), Reply::array(answer)?);
        let time = Duration::from_secs(reply.next_number()?) + Duration::from_micros(reply.next_number()?);
        let clock = ClockName::of_branch(&reply.next_text()?).ok_or_else(|| unreadable("a branch"))?;
        Ok(Self { clock, time, round_trip: at - sent, at })
    }

    /// The quickest of several: its round trip hides the least.
    pub(super) fn quickest(readings: impl IntoIterator<Item = Self>) -> Option<Self> {
        readings.into_iter().min_by_key(|reading| reading.round_trip)
    }

    /// Sets the cluster's clock, if it follows another one: of one that it follows already, the probe knows better.
    pub(super) fn follow(self, clock: &ClusterClock) {
        if clock.read().1 != Some(self.clock) {
            self.set(clock);
        }
    }

    /// What it showed, at some moment between the question and the answer.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    fn set(self, clock: &ClusterClock) {
        clock.correct(self.clock, self.time + self.at.elapsed(), self.round_trip);
    }
}

/// What the probes say together.
struct Verdict {
    starting: bool,
    up: bool,
    in_a_row: u32,
    last_home: Instant,
}

impl Verdict {
    fn new(now: Instant) -> Self {
        Self { starting: true, up: false, in_a_row: 0, last_home: now }
    }

    fn note(&mut self, outcome: Outcome, now: Instant) {
        if outcome == Outcome::Home {
            (self.in_a_row, self.last_home) = (self.in_a_row + 1, now);
            self.up |= self.starting || self.in_a_row >= UP_AFTER;
            self.starting = false;
            return;
        }
        self.in_a_row = 0;
        // A marker that Redis took and that did not come home is a proof: nothing said since the one before it was delivered here.
        self.up &= outcome != Outcome::Lost && now.saturating_duration_since(self.last_home) < DOWN_AFTER;
    }
}

/// The newest readings of Redis' clock.
#[derive(Default)]
struct Readings(VecDeque<Reading>);

impl Readings {
    fn note(&mut self, reading: Reading, clock: &ClusterClock) {
        // What another primary showed says nothing of this one.
        self.0.retain(|earlier| earlier.clock == reading.clock);
        self.0.push_back(reading);
        while self.0.len() > READINGS {
            self.0.pop_front();
        }
        if let Some(quickest) = Reading::quickest(self.0.iter().copied()) {
            quickest.set(clock);
        }
    }
}

/// Before any Redis was seen.
pub(super) fn unknown(asked: Option<Durability>) -> Health {
    Health { starting: true, up: false, partly: None, durability: asked.unwrap_or(Durability::Memory) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn up_with_the_first_and_again_with_two() {
        let start = Instant::now();
        let mut verdict = Verdict::new(start);
        verdict.note(Outcome::Unsent, at(start, 1));
        assert!(verdict.starting && !verdict.up);
        verdict.note(Outcome::Home, at(start, 2));
        assert!(!verdict.starting && verdict.up);
        verdict.note(Outcome::Unsent, at(start, 3));
        assert!(verdict.up, "one is not yet an outage");
        verdict.note(Outcome::Unsent, at(start, 4));
        assert!(!verdict.up, "two seconds without one are");
        verdict.note(Outcome::Home, at(start, 5));
        assert!(!verdict.up && !verdict.starting);
        verdict.note(Outcome::Home, at(start, 6));
        assert!(verdict.up);
    }

    #[test]
    fn a_lost_marker_is_an_outage_and_so_are_two_seconds_without_one() {
        let start = Instant::now();
        let mut verdict = Verdict::new(start);
        verdict.note(Outcome::Home, at(start, 1));
        verdict.note(Outcome::Lost, at(start, 2));
        assert!(!verdict.up, "a proof needs no second one");
        verdict.note(Outcome::Home, at(start, 3));
        verdict.note(Outcome::Home, at(start, 4));
        assert!(verdict.up);
        verdict.note(Outcome::Unsent, at(start, 5));
        assert!(verdict.up);
        verdict.note(Outcome::Unsent, at(start, 6));
        assert!(!verdict.up);
    }

    #[tokio::test(start_paused = true)]
    async fn the_quickest_reading_sets_the_clock() {
        let clock = ClusterClock::new();
        let mut readings = Readings::default();
        readings.note(reading('a', 1000, 2), &clock);
        readings.note(reading('a', 5000, 900), &clock);
        let now = clock.now().0;
        assert!((1_000_000..1_060_000).contains(&now), "{now}");
        for _ in 0..READINGS {
            readings.note(reading('a', 5000, 900), &clock);
        }
        assert!(clock.now().0 >= 5_000_000, "an old reading is not believed for ever");
        readings.note(reading('b', 9000, 950), &clock);
        assert!(clock.now().0 >= 9_000_000, "nor is another primary's, however quick it was");
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_look_at_a_primary_sets_the_clock_and_a_second_does_not() {
        let clock = ClusterClock::new();
        for (branch, seconds, expected) in [('a', 1000, 1000), ('a', 2000, 1000), ('b', 3000, 3000)] {
            reading(branch, seconds, 10).follow(&clock);
            let now = clock.now().0 / 1000;
            assert!((expected..expected + 60).contains(&now), "{now}");
        }
    }

    #[test]
    fn a_reading_is_a_time_and_whose() {
        let branch = || Value::BulkString("ab".repeat(20).into_bytes());
        let time = || [Value::BulkString(b"1000".to_vec()), Value::BulkString(b"250000".to_vec())];
        let [seconds, micros] = time();
        let read = Reading::new(Value::Array(vec![seconds, micros, branch()]), Instant::now()).unwrap();
        assert_eq!(read.time, Duration::from_millis(1_000_250));
        assert_eq!(Some(read.clock), ClockName::of_branch(&"ab".repeat(20)));
        assert!(Reading::new(Value::Array(time().to_vec()), Instant::now()).is_err(), "without a branch");
    }

    fn reading(branch: char, seconds: u64, round_trip_ms: u64) -> Reading {
        Reading {
            clock: ClockName::of_branch(&String::from(branch).repeat(40)).unwrap(),
            time: Duration::from_secs(seconds),
            round_trip: Duration::from_millis(round_trip_ms),
            at: Instant::now(),
        }
    }
}
