//! What arrived in a round: how many deliveries, whether each listener got the next one every time, and how late.
//!
//! Written for a million frames a second: an entry is known by its first bytes, its number follows them, and from its number follows when it
//! was meant to leave. Nothing else of it is looked at.

use std::time::Duration;

use tokio::time::Instant;

use crate::accounting::Faults;
use crate::histogram::Times;

/// How an entry that somebody said begins; its number follows.
pub(super) const EVENT: &[u8] = b"{\"type\":\"event\",\"seq\":";
const ACK: &[u8] = b"{\"type\":\"ack\"";
const ERROR: &[u8] = b"{\"type\":\"error\"";
const RESET: &[u8] = b"{\"type\":\"reset\"";

/// When messages are meant to leave: `burst` of them at a time, evenly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Between two bursts.
    pub(super) step: Duration,
    /// Messages that leave at once.
    pub(super) burst: u32,
    /// Messages in all.
    pub(super) total: u64,
}

impl Schedule {
    /// When a message (the first is 0) is meant to leave, since the round's start.
    pub(super) fn due(&self, message: u64) -> Duration {
        let bursts = message / u64::from(self.burst);
        Duration::from_nanos(bursts * u64::try_from(self.step.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// The figures of a round while it runs.
#[derive(Debug)]
pub(super) struct Tally {
    /// What is said when.
    pub(super) schedule: Schedule,
    /// When the round began.
    pub(super) start: Instant,
    /// The number of its first message.
    pub(super) first: u64,
    /// Entries that came, of all listeners.
    pub(super) delivered: u64,
    /// Answers to the publisher.
    pub(super) acked: u64,
    /// What was not right.
    pub(super) faults: Faults,
    /// How late entries came.
    pub(super) times: Times,
}

impl Tally {
    /// A round that starts now; its first message is number `first`.
    pub(super) fn new(schedule: Schedule, first: u64) -> Tally {
        let (start, times) = (Instant::now(), Times::new());
        Tally { schedule, start, first, delivered: 0, acked: 0, faults: Faults::default(), times }
    }

    /// A frame's text came to a listener whose next number is `next`. `now`: since the round's start.
    pub(super) fn frame(&mut self, text: &[u8], next: &mut u64, now: Duration) {
        if let Some(rest) = text.strip_prefix(EVENT) {
            let seq = number(rest);
            if self.in_turn(seq, next) {
                self.delivered += 1;
                let meant = self.schedule.due(seq.saturating_sub(self.first));
                self.times.record(now.saturating_sub(meant));
            }
            return;
        }
        match text {
            text if text.starts_with(ACK) => self.acked += 1,
            // Said, and not in the log: as lost as if it had not come.
            text if text.starts_with(ERROR) => self.faults.missing += 1,
            text if text.starts_with(RESET) => self.faults.resets += 1,
            text => self.other(text, next),
        }
    }

    /// An entry that nobody said (somebody joined): it has its place in the row. One within a round would move all numbers after it.
    fn other(&mut self, text: &[u8], next: &mut u64) {
        let number_at = text.windows(7).take(64).position(|window| window == b",\"seq\":");
        if let Some(at) = number_at
            && self.in_turn(number(&text[at + 7..]), next)
            && self.schedule.total > 0
        {
            self.faults.phantom += 1;
        }
    }

    fn in_turn(&mut self, seq: u64, next: &mut u64) -> bool {
        if seq < *next {
            self.faults.duplicated += 1;
            return false;
        }
        self.faults.missing += seq - *next;
        *next = seq + 1;
        true
    }
}

/// The number that the text begins with; 0 for none.
fn number(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(total: u64) -> Tally {
        Tally::new(Schedule { step: Duration::from_millis(10), burst: 2, total }, 5)
    }

    #[test]
    fn bursts_leave_together() {
        let schedule = tally(9).schedule;
        let due: Vec<_> = (0..5).map(|message| schedule.due(message).as_millis()).collect();
        assert_eq!(due, [0, 0, 10, 10, 20]);
    }

    #[test]
    fn entries_count_when_they_are_the_next_and_are_late_by_their_number() {
        let (mut tally, mut next) = (tally(9), 5);
        for seq in [5, 6, 7] {
            let text = format!(r#"{{"type":"event","seq":{seq},"ts":1}}"#);
            tally.frame(text.as_bytes(), &mut next, Duration::from_millis(12));
        }
        assert_eq!((tally.delivered, next, tally.faults), (3, 8, Faults::default()));
        let near = |part: f64, millis: u128| {
            let found = tally.times.quantile(part).as_micros();
            assert!(found.abs_diff(millis * 1000) < 20, "{found}");
        };
        near(0.0, 2);
        near(1.0, 12);
    }

    #[test]
    fn what_is_wrong_is_counted_as_what_it_is() {
        let say = |tally: &mut Tally, next: &mut u64, text: &str| {
            tally.frame(text.as_bytes(), next, Duration::ZERO)
        };
        let (mut told, mut next) = (tally(9), 5);
        say(&mut told, &mut next, r#"{"type":"event","seq":8,"ts":1}"#);
        say(&mut told, &mut next, r#"{"type":"event","seq":8,"ts":1}"#);
        say(&mut told, &mut next, r#"{"type":"participant.left","seq":9,"ts":1}"#);
        say(&mut told, &mut next, r#"{"type":"reset","data":{}}"#);
        say(&mut told, &mut next, r#"{"type":"ack","n":1,"data":{"seq":8}}"#);
        say(&mut told, &mut next, r#"{"type":"notify","data":{}}"#);
        let expected = Faults { missing: 3, duplicated: 1, reordered: 0, phantom: 1, resets: 1 };
        assert_eq!((told.faults, told.delivered, told.acked, next), (expected, 1, 1, 10));
        let (mut between, mut next) = (tally(0), 9);
        say(&mut between, &mut next, r#"{"type":"participant.left","seq":9,"ts":1}"#);
        assert_eq!((between.faults, next), (Faults::default(), 10), "between rounds people may come");
    }
}
