//! The open model: messages leave on schedule, whatever became of those before them.
//!
//! A generator that waits for answers asks less of a slow server and calls it fast. One that cannot keep its own schedule has measured
//! itself: how late messages left is kept beside what was measured. A thread of its own that sleeps in the kernel, because the runtime's
//! timers tick in milliseconds, which is more than most deliveries take.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use super::crowd::Hall;
use super::sender::{Scratch, Sender};
use crate::histogram::{Times, micros};
use crate::message::{Micros, Verb};

/// The longest sleep without a look at whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// What is said, by whom, how often and when.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    /// They take turns.
    pub(crate) speakers: Vec<Arc<Sender>>,
    /// What they say, in turn.
    pub(crate) verbs: &'static [Verb],
    /// Messages a second, all of them together.
    pub(crate) rate: f64,
    /// When the first is meant to leave.
    pub(crate) from: Micros,
    /// For how long.
    pub(crate) length: Duration,
}

impl Score {
    /// How many messages it has.
    pub(crate) fn len(&self) -> u64 {
        if self.speakers.is_empty() {
            return 0;
        }
        // So that 10 s at 6000/s are 60000 and not one more.
        whole((self.rate * self.length.as_secs_f64() - 1e-6).ceil())
    }

    /// When a message is meant to leave.
    pub(crate) fn due(&self, number: u64) -> Micros {
        #[expect(clippy::cast_precision_loss, reason = "messages of a run are fewer than 2^52")]
        let after = number as f64 * 1e6 / self.rate;
        self.from + whole(after)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, and far below 2^52"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

/// How it went.
#[derive(Debug)]
pub(crate) struct Played {
    /// How much later than meant messages left, of those that count.
    pub(crate) lateness: Times,
}

/// Says all of it, and returns when it is said or somebody asked to stop. To be called on a thread that may sleep.
pub(crate) fn play(hall: &Hall, score: &Score) -> Played {
    let mut played = Played { lateness: Times::new() };
    let mut scratch = Scratch::default();
    for number in 0..score.len() {
        let due = score.due(number);
        if !sleep_until(hall, due) {
            break;
        }
        let late = hall.clock.now().saturating_sub(due);
        let speaker = &score.speakers[turn(number, score.speakers.len())];
        let verb = score.verbs[turn(number / score.speakers.len() as u64, score.verbs.len())];
        if speaker.say(verb, due, &mut scratch) {
            hall.sent.fetch_add(1, Ordering::Relaxed);
        }
        if hall.clock.counts(due) {
            played.lateness.took(late);
        }
    }
    played
}

#[expect(clippy::cast_possible_truncation, reason = "less than the count, which is one of memory")]
fn turn(number: u64, count: usize) -> usize {
    (number % count as u64) as usize
}

/// Sleeps; `false`: somebody asked to stop.
fn sleep_until(hall: &Hall, due: Micros) -> bool {
    let due = hall.clock.at(due);
    loop {
        if hall.stop.asked() {
            return false;
        }
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(NAP));
    }
}

/// The run's time so long after now.
pub(crate) fn soon(hall: &Hall, after: Duration) -> Micros {
    hall.clock.now() + micros(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stop::Stop;
    use crate::report::progress::{Progress, Show};

    fn score(rate: f64, length: Duration, speakers: u32) -> Score {
        let speakers = (0..speakers).map(|id| Arc::new(Sender::new(id, 1, 64))).collect();
        Score { speakers, verbs: &[Verb::Event], rate, from: 1000, length }
    }

    #[test]
    fn a_schedule_is_even_and_has_as_many_as_were_asked_for() {
        let ten = Duration::from_secs(10);
        let even = score(6000.0, ten, 1);
        assert_eq!((even.len(), even.due(0), even.due(6000)), (60_000, 1000, 1_001_000));
        assert_eq!(score(0.5, ten, 1).len(), 5);
        assert_eq!(score(1.0, Duration::from_millis(1), 1).len(), 1, "the first is due at once");
        assert_eq!(score(6000.0, ten, 0).len(), 0);
        let odd = score(7.0, ten, 1);
        let steps: Vec<u64> = (1..70).map(|number| odd.due(number) - odd.due(number - 1)).collect();
        assert!(steps.iter().all(|step| (142_856..=142_858).contains(step)), "{steps:?}");
    }

    #[test]
    fn speakers_take_turns_and_a_wish_to_stop_ends_it() {
        let stop = Stop::default();
        let hall = Hall::new(1, Arc::new(Progress::new(Show::Quiet)), stop.clone());
        let score = score(2000.0, Duration::from_millis(5), 3);
        hall.clock.count(0, u64::MAX);
        let played = play(&hall, &score);
        assert_eq!(score.speakers.iter().map(|one| one.sums().said).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!((played.lateness.len(), hall.sent.load(Ordering::Relaxed)), (10, 10));
        stop.ask();
        assert_eq!(play(&hall, &score).lateness.len(), 0);
    }
}
