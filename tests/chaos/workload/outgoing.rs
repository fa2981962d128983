//! What a publisher has said and may have to say again: the client's half of "an ack means exactly one entry".
//!
//! Pure, without sockets or clocks of its own. Messages are numbered 1, 2, 3 … for the session's life. Unacked ones are kept, and of the acked the
//! newest [`REMEMBERED`], because a Redis that lost its tail loses acked entries too: whoever hears of it (`last_n` in `welcome`, the error
//! `gap`) says again what is missing, with the same numbers. Answers carry the number of the attempt they answer, so that thirty refusals of
//! one burst make one rewind and not thirty.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// Acked messages kept to be sent again (`DELIVERY`, promise 4).
const REMEMBERED: usize = 256;

/// Attempts without an answer: past it the node would stop reading anyway.
const IN_FLIGHT: usize = 32;

struct Held {
    text: String,
    acked: bool,
}

/// One frame to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Its own number, echoed by the answer.
    pub(crate) id: u64,
    /// The message's number.
    pub(crate) n: u64,
    pub(crate) text: String,
}

/// What was learnt from `last_n`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// Acked messages the log has lost and this publisher will send again.
    pub(crate) again: Vec<u64>,
    /// Messages the log does not have and this publisher cannot send again.
    pub(crate) gone: Vec<u64>,
}

/// The book of one publisher.
#[derive(Default)]
pub(crate) struct Outgoing {
    written: u64,
    held: BTreeMap<u64, Held>,
    queue: VecDeque<u64>,
    attempts: u64,
    /// Refusals of attempts before this one are of the past.
    era: u64,
    flight: HashMap<u64, u64>,
    paused_until: Option<Instant>,
}

impl Outgoing {
    /// A new message; its number.
    pub(crate) fn write(&mut self, text: String) -> u64 {
        self.written += 1;
        self.held.insert(self.written, Held { text, acked: false });
        self.queue.push_back(self.written);
        self.written
    }

    /// Whether a new message would wait behind more than a window of others.
    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() >= IN_FLIGHT
    }

    /// Messages nobody has acked.
    pub(crate) fn unacked(&self) -> usize {
        self.held.values().filter(|held| !held.acked).count()
    }

    /// Nothing to send, nothing to hear.
    pub(crate) fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.flight.is_empty() && self.unacked() == 0
    }

    /// The next to send now.
    pub(crate) fn attempt(&mut self, now: Instant) -> Option<Attempt> {
        if self.flight.len() >= IN_FLIGHT || self.paused_until.is_some_and(|until| now < until) {
            return None;
        }
        let n = self.queue.pop_front()?;
        self.attempts += 1;
        self.flight.insert(self.attempts, n);
        let text = self.held[&n].text.clone();
        Some(Attempt { id: self.attempts, n, text })
    }

    /// A connection began, and the log's newest number of ours is `last_n`.
    pub(crate) fn connected(&mut self, last_n: u64) -> Learnt {
        self.rewind(last_n)
    }

    /// Another answer of no consequence: the attempt is over.
    pub(crate) fn answered(&mut self, attempt: u64) {
        self.flight.remove(&attempt);
    }

    /// The connection is gone: what was in flight is unknown, and stays unacked. The numbers of those messages, one for each attempt.
    pub(crate) fn disconnected(&mut self) -> Vec<u64> {
        self.era = self.attempts + 1;
        std::mem::take(&mut self.flight).into_values().collect()
    }

    /// An ack.
    pub(crate) fn acked(&mut self, attempt: u64, n: u64) {
        self.flight.remove(&attempt);
        if let Some(held) = self.held.get_mut(&n) {
            held.acked = true;
        }
        let acked: Vec<u64> = self.held.iter().filter(|(_, held)| held.acked).map(|(n, _)| *n).collect();
        for n in acked.iter().take(acked.len().saturating_sub(REMEMBERED)) {
            self.held.remove(n);
        }
    }

    /// Not in the log, or nobody knows: everything unacked again, after a while.
    pub(crate) fn unavailable(&mut self, attempt: u64, after: Duration, now: Instant) {
        self.flight.remove(&attempt);
        if attempt >= self.era {
            self.queue_again(u64::MAX);
            self.paused_until = Some(now + after);
        }
    }

    /// Numbers were skipped: the log's last of ours is `last_n`.
    pub(crate) fn gap(&mut self, attempt: u64, last_n: u64) -> Learnt {
        self.flight.remove(&attempt);
        if attempt >= self.era { self.rewind(last_n) } else { Learnt::default() }
    }

    fn rewind(&mut self, last_n: u64) -> Learnt {
        let missing: Vec<u64> = (last_n + 1..=self.written).collect();
        if missing.first().is_some_and(|first| !self.held.contains_key(first)) {
            // What would close the gap is forgotten: numbers can only go on after the log's last.
            self.held.clear();
            self.queue.clear();
            self.written = last_n;
            self.era = self.attempts + 1;
            return Learnt { again: Vec::new(), gone: missing };
        }
        let again = missing.into_iter().filter(|n| self.held.get(n).is_some_and(|held| held.acked)).collect();
        self.queue_again(last_n);
        Learnt { again, gone: Vec::new() }
    }

    /// Everything unacked, and everything after `last_n`, in order; refusals still on their way are answered by this.
    fn queue_again(&mut self, last_n: u64) {
        self.era = self.attempts + 1;
        for (n, held) in &mut self.held {
            held.acked &= *n <= last_n;
        }
        self.queue = self.held.iter().filter(|(_, held)| !held.acked).map(|(n, _)| *n).collect();
        self.paused_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(messages: u64) -> (Outgoing, Instant) {
        let (mut book, now) = (Outgoing::default(), Instant::now());
        book.connected(0);
        for n in 1..=messages {
            assert_eq!(book.write(format!("text {n}")), n);
        }
        (book, now)
    }

    fn send_all(book: &mut Outgoing, now: Instant) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| book.attempt(now)).map(|attempt| (attempt.id, attempt.n)).collect()
    }

    #[tokio::test]
    async fn a_burst_of_refusals_is_one_rewind() {
        let (mut book, now) = book(4);
        let sent = send_all(&mut book, now);
        book.acked(sent[0].0, 1);
        book.unavailable(sent[1].0, Duration::ZERO, now);
        assert_eq!(book.gap(sent[2].0, 1), Learnt::default(), "of the past");
        assert_eq!(book.gap(sent[3].0, 1), Learnt::default(), "of the past");
        let again: Vec<u64> = send_all(&mut book, now).into_iter().map(|(_, n)| n).collect();
        assert_eq!(again, [2, 3, 4]);
        assert!(book.attempt(now).is_none() && !book.is_settled());
    }

    #[tokio::test]
    async fn what_the_log_lost_is_said_again_with_its_number() {
        let (mut book, now) = book(4);
        for (attempt, n) in send_all(&mut book, now) {
            book.acked(attempt, n);
        }
        assert!(book.is_settled());
        book.disconnected();
        let learnt = book.connected(2);
        assert_eq!(learnt, Learnt { again: vec![3, 4], gone: Vec::new() });
        let again: Vec<u64> = send_all(&mut book, now).into_iter().map(|(_, n)| n).collect();
        assert_eq!(again, [3, 4]);
    }

    #[tokio::test]
    async fn what_is_forgotten_is_told_and_numbers_go_on() {
        let (mut book, now) = book(0);
        for n in 1..=300 {
            book.write(format!("text {n}"));
            for (attempt, n) in send_all(&mut book, now) {
                book.acked(attempt, n);
            }
        }
        assert_eq!(book.connected(10).gone.len(), 290);
        assert_eq!(book.write("more".to_owned()), 11);
    }

    #[tokio::test]
    async fn a_window_is_not_exceeded() {
        let (mut book, now) = book(100);
        assert_eq!(send_all(&mut book, now).len(), IN_FLIGHT);
        assert!(book.is_full());
    }
}
