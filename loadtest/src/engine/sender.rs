//! What one participant says: numbers, what is not acknowledged yet, and what the socket did not take yet.
//!
//! Messages are handed over when they are due, whether earlier ones were answered or not. A connection that is lost loses none of them: what was
//! not acknowledged is said again under its number when the next one is welcomed, and the gateway makes one entry of both.
//!
//! Numbers must not have holes, so after a refusal nothing more is said until all answers are there, and then the refused number is used
//! again. What would have been said meanwhile is counted.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::{Mutex, OnceLock};

use tokio::net::tcp::OwnedWriteHalf;

use super::lock;
use crate::frames::{self, Kind};
use crate::message::{self, Micros, Said, Verb};

/// Messages without an answer. Beyond it the gateway is so far behind that more of them would only fill this program's memory.
const FLYING_MAX: usize = 20_000;
/// Bytes the socket did not take yet.
const BACKLOG_MAX: usize = 8 * 1024 * 1024;

/// Somebody who speaks.
#[derive(Debug)]
pub(crate) struct Sender {
    /// Their number in the run.
    pub(crate) id: u32,
    /// Bytes of a message's body.
    length: usize,
    run: u32,
    /// Who signals go to.
    peer: OnceLock<String>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    write: Option<OwnedWriteHalf>,
    backlog: Vec<u8>,
    flying: VecDeque<Flight>,
    sums: Sums,
    holding: bool,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    n: u64,
    meant: Micros,
    verb: Verb,
}

/// How much was said and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// The highest number said.
    pub(crate) said: u64,
    /// The highest number acknowledged.
    pub(crate) acked: u64,
    /// Messages refused.
    pub(crate) refused: u64,
    /// Messages that were due and could not be said: after a refusal, or because too much had no answer.
    pub(crate) unsaid: u64,
    /// Messages that have no answer yet.
    pub(crate) flying: u64,
    /// Messages that do not become entries, and those of them that are for one only.
    pub(crate) passing: u64,
    /// Of these, signals.
    pub(crate) signals: u64,
    /// Messages without a stamp, which nobody can tell from others' by their text.
    pub(crate) unstamped: u64,
}

/// Memory that messages are put together in; one for each thread that says some.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    text: String,
    wire: Vec<u8>,
}

impl Sender {
    /// Somebody who has said nothing yet, in run `run`, with bodies of `length` bytes.
    pub(crate) fn new(id: u32, run: u32, length: usize) -> Self {
        Self { id, length, run, peer: OnceLock::new(), line: Mutex::default() }
    }

    /// Signals go to this participant; the first one named stays.
    pub(crate) fn signals_to(&self, peer: &str) {
        self.peer.get_or_init(|| peer.to_owned());
    }

    /// Their connection was welcomed: what has no answer is said again.
    pub(crate) fn connected(&self, write: OwnedWriteHalf) {
        let mut line = lock(&self.line);
        let mut scratch = Scratch::default();
        let mut again = Vec::new();
        for flight in &line.flying {
            self.put(*flight, &mut scratch);
            again.extend_from_slice(&scratch.wire);
        }
        line.write = Some(write);
        line.backlog.clear();
        line.send(&again);
    }

    /// Their connection is gone.
    pub(crate) fn gone(&self) {
        lock(&self.line).write = None;
    }

    /// Says something that was meant to leave at a time; whether it was said.
    pub(crate) fn say(&self, verb: Verb, meant: Micros, scratch: &mut Scratch) -> bool {
        let mut line = lock(&self.line);
        let lasts = verb.lasts();
        let full = line.flying.len() >= FLYING_MAX || line.backlog.len() >= BACKLOG_MAX;
        if full || (line.holding && lasts) || (!lasts && line.write.is_none()) {
            line.sums.unsaid += 1;
            return false;
        }
        let flight = if lasts {
            line.sums.said += 1;
            line.sums.unstamped += u64::from(matches!(verb, Verb::Seek | Verb::Load));
            let flight = Flight { n: line.sums.said, meant, verb };
            line.flying.push_back(flight);
            flight
        } else {
            line.sums.passing += 1;
            line.sums.signals += u64::from(verb == Verb::Signal);
            Flight { n: line.sums.passing, meant, verb }
        };
        self.put(flight, scratch);
        line.send(&scratch.wire);
        true
    }

    /// An entry of theirs is in the log; when the message was meant to leave, unless that was known before.
    pub(crate) fn acked(&self, n: u64) -> Option<Micros> {
        let mut line = lock(&self.line);
        let at = line.flying.iter().position(|flight| flight.n == n)?;
        let flight = line.flying.remove(at)?;
        line.sums.acked = line.sums.acked.max(n);
        line.answered();
        Some(flight.meant)
    }

    /// A message of theirs was refused.
    pub(crate) fn refused(&self, n: u64) {
        let mut line = lock(&self.line);
        line.flying.retain(|flight| flight.n != n);
        line.sums.refused += 1;
        line.holding = true;
        line.answered();
    }

    /// Bytes that are not a message, such as an answer to a ping.
    pub(crate) fn answer(&self, wire: &[u8]) {
        lock(&self.line).send(wire);
    }

    /// What the socket did not take before is tried again.
    pub(crate) fn flush(&self) {
        let mut line = lock(&self.line);
        if !line.backlog.is_empty() {
            line.send(&[]);
        }
    }

    /// How much was said so far.
    pub(crate) fn sums(&self) -> Sums {
        let line = lock(&self.line);
        Sums { flying: line.flying.len() as u64, ..line.sums }
    }

    /// What has no answer: the number of each and when it was meant to leave; and whether they carry a stamp that tells who got them.
    pub(crate) fn unanswered(&self) -> (Vec<(u64, Micros)>, bool) {
        let line = lock(&self.line);
        (line.flying.iter().map(|flight| (flight.n, flight.meant)).collect(), line.sums.unstamped == 0)
    }

    fn put(&self, Flight { n, meant, verb }: Flight, scratch: &mut Scratch) {
        let said = Said { sender: self.id, n, meant };
        let to = self.peer.get().map_or("", String::as_str);
        message::say(&mut scratch.text, verb, self.run, said, (self.length, to));
        scratch.wire.clear();
        frames::put(Kind::Text, scratch.text.as_bytes(), &mut scratch.wire);
    }
}

impl Line {
    /// After a refusal, the next number is the one after the last that was acknowledged.
    fn answered(&mut self) {
        if self.holding && self.flying.is_empty() {
            self.holding = false;
            self.sums.said = self.sums.acked;
        }
    }

    /// Writes what is left from before and this, as far as the socket takes it.
    fn send(&mut self, wire: &[u8]) {
        let Some(write) = &self.write else { return };
        if self.backlog.is_empty() {
            let taken = taken(write, wire);
            self.backlog.extend_from_slice(&wire[taken..]);
        } else {
            self.backlog.extend_from_slice(wire);
            let taken = taken(write, &self.backlog);
            self.backlog.drain(..taken);
        }
    }
}

/// How much of it the socket takes. One that is broken takes all: who reads from it finds that out, and what was lost is said again.
fn taken(write: &OwnedWriteHalf, wire: &[u8]) -> usize {
    if wire.is_empty() {
        return 0;
    }
    match write.try_write(wire) {
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(_) => wire.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    async fn pair() -> (OwnedWriteHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let addr = listener.local_addr().expect("an address");
        let (ours, theirs) = tokio::join!(TcpStream::connect(addr), listener.accept());
        let (read, write) = ours.expect("connects").into_split();
        // Only one direction is looked at; the other stays open.
        std::mem::forget(read);
        (write, theirs.expect("accepts").0)
    }

    async fn numbers(stream: &mut TcpStream, count: usize) -> Vec<u64> {
        let (mut found, mut bytes) = (Vec::new(), Vec::new());
        while found.len() < count {
            stream.read_buf(&mut bytes).await.expect("reads");
            let text = String::from_utf8_lossy(&bytes);
            let numbers =
                text.split(r#""n":"#).skip(1).filter_map(|rest| rest.split(',').next()?.parse().ok());
            found = numbers.collect();
        }
        found
    }

    #[tokio::test]
    async fn what_has_no_answer_is_said_again_under_its_number() {
        let (sender, mut scratch) = (Sender::new(0, 1, 64), Scratch::default());
        let (write, mut server) = pair().await;
        sender.connected(write);
        for meant in 0..3 {
            assert!(sender.say(Verb::Event, meant, &mut scratch));
        }
        assert_eq!(numbers(&mut server, 3).await, [1, 2, 3]);
        assert_eq!(sender.acked(1), Some(0));
        assert_eq!(sender.acked(1), None, "told before");
        sender.gone();
        assert!(sender.say(Verb::Chat, 9, &mut scratch), "kept while nobody listens");
        let (write, mut server) = pair().await;
        sender.connected(write);
        assert_eq!(numbers(&mut server, 3).await, [2, 3, 4]);
        let sums = sender.sums();
        assert_eq!((sums.said, sums.acked, sums.flying, sums.unsaid), (4, 1, 3, 0));
        assert_eq!(sender.unanswered(), (vec![(2, 1), (3, 2), (4, 9)], true));
    }

    #[tokio::test]
    async fn a_refused_number_is_used_again_when_all_answers_are_there() {
        let (sender, mut scratch) = (Sender::new(0, 1, 64), Scratch::default());
        let (write, mut server) = pair().await;
        sender.connected(write);
        (0..3).for_each(|meant| assert!(sender.say(Verb::Event, meant, &mut scratch)));
        sender.acked(1);
        sender.refused(2);
        assert!(!sender.say(Verb::Event, 3, &mut scratch), "an answer is missing");
        sender.refused(3);
        assert!(sender.say(Verb::Event, 4, &mut scratch));
        assert_eq!(numbers(&mut server, 4).await, [1, 2, 3, 2]);
        let sums = sender.sums();
        assert_eq!((sums.said, sums.acked, sums.refused, sums.unsaid), (2, 1, 2, 1));
    }

    #[tokio::test]
    async fn what_does_not_last_needs_somebody_who_listens() {
        let (sender, mut scratch) = (Sender::new(0, 1, 64), Scratch::default());
        assert!(!sender.say(Verb::Notify, 0, &mut scratch));
        let (write, mut server) = pair().await;
        sender.connected(write);
        sender.signals_to("somebody");
        assert!(sender.say(Verb::Signal, 0, &mut scratch));
        let mut bytes = Vec::new();
        server.read_buf(&mut bytes).await.expect("reads");
        assert!(String::from_utf8_lossy(&bytes).contains(r#""to":"somebody""#));
        assert_eq!((sender.sums().passing, sender.sums().signals, sender.sums().said), (1, 1, 0));
    }
}
