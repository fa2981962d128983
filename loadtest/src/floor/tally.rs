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
/// How the answer to a publisher begins.
pub(super) const ACK: &[u8] = b"{\"type\":\"ack\"";
const ERROR: &[u8] = b"{\"type\":\"error\"";
const RESET: &[u8] = b"{\"type\":\"reset\"";

/// When messages are meant to leave: each room's publisher says `burst` of them at a time, evenly, all rooms at the same moments.
///
/// At the same moments, because a message to 5000 is so many writes at one moment too: a server then works and rests as long at a time whatever the
/// rooms' size, and what the kernel does in between (timers, a processor that slows down) is the same for all sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Between two bursts of a room.
    pub(super) step: Duration,
    /// Messages that leave a room's publisher at once.
    pub(super) burst: u32,
    /// Rooms that take turns.
    pub(super) rooms: u32,
    /// Turns in all: bursts of all rooms.
    pub(super) turns: u64,
}

impl Schedule {
    /// When a turn (the first is 0) is meant to come, since the round's start.
    pub(super) fn turn(&self, turn: u64) -> Duration {
        let steps = turn / u64::from(self.rooms);
        Duration::from_nanos(steps * u64::try_from(self.step.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Whose turn it is.
    pub(super) fn room(&self, turn: u64) -> usize {
        usize::try_from(turn % u64::from(self.rooms)).unwrap_or_default()
    }

    /// When a room's message (the first is 0) is meant to leave.
    pub(super) fn due(&self, room: u32, message: u64) -> Duration {
        self.turn(message / u64::from(self.burst) * u64::from(self.rooms) + u64::from(room))
    }

    /// Messages of all rooms.
    pub(super) fn total(&self) -> u64 {
        self.turns * u64::from(self.burst)
    }
}

/// Where a listener is: in which room, and which number comes next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) room: u32,
    pub(super) next: u64,
}

/// The figures of a round while it runs.
#[derive(Debug)]
pub(super) struct Tally {
    /// What is said when.
    pub(super) schedule: Schedule,
    /// When the round began.
    pub(super) start: Instant,
    /// The number of each room's first message.
    pub(super) firsts: Vec<u64>,
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
    /// A round that starts now; the first messages of its rooms have the numbers `firsts`.
    pub(super) fn new(schedule: Schedule, firsts: Vec<u64>) -> Tally {
        let (start, times) = (Instant::now(), Times::new());
        Tally { schedule, start, firsts, delivered: 0, acked: 0, faults: Faults::default(), times }
    }

    /// A frame's text came to a listener. `now`: since the round's start.
    pub(super) fn frame(&mut self, text: &[u8], place: &mut Place, now: Duration) {
        if let Some(rest) = text.strip_prefix(EVENT) {
            let seq = number(rest);
            if self.in_turn(seq, &mut place.next) {
                self.delivered += 1;
                let first = self.firsts.get(place.room as usize).copied().unwrap_or_default();
                let meant = self.schedule.due(place.room, seq.saturating_sub(first));
                self.times.record(now.saturating_sub(meant));
            }
            return;
        }
        match text {
            text if text.starts_with(ACK) => self.acked += 1,
            // Said, and not in the log: as lost as if it had not come.
            text if text.starts_with(ERROR) => self.faults.missing += 1,
            text if text.starts_with(RESET) => self.faults.resets += 1,
            text => self.other(text, &mut place.next),
        }
    }

    /// An entry that nobody said (somebody joined): it has its place in the row. One within a round would move all numbers after it.
    fn other(&mut self, text: &[u8], next: &mut u64) {
        let number_at = text.windows(7).take(64).position(|window| window == b",\"seq\":");
        if let Some(at) = number_at
            && self.in_turn(number(&text[at + 7..]), next)
            && self.schedule.turns > 0
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

    fn tally(turns: u64) -> Tally {
        Tally::new(Schedule { step: Duration::from_millis(10), burst: 2, rooms: 1, turns }, vec![5])
    }

    fn at(next: u64) -> Place {
        Place { room: 0, next }
    }

    #[test]
    fn bursts_leave_together() {
        let schedule = tally(9).schedule;
        let due: Vec<_> = (0..5).map(|message| schedule.due(0, message).as_millis()).collect();
        assert_eq!((due, schedule.total()), (vec![0, 0, 10, 10, 20], 18));
    }

    #[test]
    fn rooms_speak_one_after_another_at_the_same_moments() {
        let schedule = Schedule { step: Duration::from_millis(10), burst: 1, rooms: 3, turns: 6 };
        let turns: Vec<_> =
            (0..6).map(|turn| (schedule.room(turn), schedule.turn(turn).as_millis())).collect();
        assert_eq!(turns, [(0, 0), (1, 0), (2, 0), (0, 10), (1, 10), (2, 10)]);
        let mut tally = Tally::new(schedule, vec![5, 70, 900]);
        // The last room's second message, 4 ms late.
        let mut place = Place { room: 2, next: 901 };
        tally.frame(br#"{"type":"event","seq":901,"ts":1}"#, &mut place, Duration::from_millis(14));
        assert_eq!((tally.delivered, place.next, tally.faults), (1, 902, Faults::default()));
        assert!(tally.times.quantile(1.0).as_micros().abs_diff(4000) < 20);
    }

    #[test]
    fn entries_count_when_they_are_the_next_and_are_late_by_their_number() {
        let (mut tally, mut place) = (tally(9), at(5));
        for seq in [5, 6, 7] {
            let text = format!(r#"{{"type":"event","seq":{seq},"ts":1}}"#);
            tally.frame(text.as_bytes(), &mut place, Duration::from_millis(12));
        }
        assert_eq!((tally.delivered, place.next, tally.faults), (3, 8, Faults::default()));
        let near = |part: f64, millis: u128| {
            let found = tally.times.quantile(part).as_micros();
            assert!(found.abs_diff(millis * 1000) < 20, "{found}");
        };
        near(0.0, 2);
        near(1.0, 12);
    }

    #[test]
    fn what_is_wrong_is_counted_as_what_it_is() {
        let say = |tally: &mut Tally, place: &mut Place, text: &str| {
            tally.frame(text.as_bytes(), place, Duration::ZERO)
        };
        let (mut told, mut place) = (tally(9), at(5));
        say(&mut told, &mut place, r#"{"type":"event","seq":8,"ts":1}"#);
        say(&mut told, &mut place, r#"{"type":"event","seq":8,"ts":1}"#);
        say(&mut told, &mut place, r#"{"type":"participant.left","seq":9,"ts":1}"#);
        say(&mut told, &mut place, r#"{"type":"reset","data":{}}"#);
        say(&mut told, &mut place, r#"{"type":"ack","n":1,"data":{"seq":8}}"#);
        say(&mut told, &mut place, r#"{"type":"notify","data":{}}"#);
        let expected = Faults { missing: 3, duplicated: 1, reordered: 0, phantom: 1, resets: 1 };
        assert_eq!((told.faults, told.delivered, told.acked, place.next), (expected, 1, 1, 10));
        let (mut between, mut place) = (tally(0), at(9));
        say(&mut between, &mut place, r#"{"type":"participant.left","seq":9,"ts":1}"#);
        assert_eq!((between.faults, place.next), (Faults::default(), 10), "between rounds people may come");
    }
}
