//! The generator's one thread: it receives for every listener of both servers, and speaks when it is time.
//!
//! One epoll and one buffer for all. It looks at the clock after every read, so that speaking does not wait until a thousand listeners were read, and
//! a timer of the kernel wakes it when nothing comes: epoll's own timeout knows whole milliseconds only.

use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::Context as _;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::time::Instant;

use super::listener::Listener;
use super::server;
use super::speaker::Speaker;
use super::tally::{Schedule, Tally};
use crate::api::Ticket;
use crate::histogram::Times;

const TIMER: Token = Token(usize::MAX);
/// Bytes read at once: more than a `welcome`, little enough for a core's cache.
const READ: usize = 64 * 1024;
/// Sockets looked at before the clock and the ends of the round are.
const EVENTS: usize = 256;
/// Connections that may be on their way in at once; together they share what their joining tells everybody.
const ARRIVING: usize = 64;
/// How long it must be quiet before a room is at rest.
const QUIET: Duration = Duration::from_millis(300);
/// How long a room may take to come to rest, and the last messages to arrive.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a look at the sockets waits, when nothing is due before.
const LOOK: Duration = Duration::from_millis(10);

/// Those who hear one server's speaker.
#[derive(Debug)]
pub(super) struct Cast {
    /// Their places on the stage.
    pub(super) listeners: Range<usize>,
    /// Who speaks.
    pub(super) speaker: Speaker,
    /// Whether each message is answered.
    pub(super) acks: bool,
}

/// What the generator saw of a round.
#[derive(Debug)]
pub(super) struct Heard {
    /// What arrived.
    pub(super) tally: Tally,
    /// How late messages left.
    pub(super) lateness: Times,
    /// From the first message to the last delivery.
    pub(super) lasted: Duration,
}

/// The thread's possessions.
#[derive(Debug)]
pub(super) struct Stage {
    poll: Poll,
    events: Events,
    timer: OwnedFd,
    buffer: Vec<u8>,
    listeners: Vec<Listener>,
    tally: Tally,
}

/// Who speaks now, and how far they got.
struct Turn<'s> {
    speaker: &'s mut Speaker,
    said: u64,
    lateness: Times,
}

const SILENCE: Schedule = Schedule { step: Duration::ZERO, burst: 1, total: 0 };

impl Stage {
    /// An empty one.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn new() -> anyhow::Result<Stage> {
        let poll = Poll::new()?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let (events, buffer) = (Events::with_capacity(EVENTS), vec![0; READ]);
        let tally = Tally::new(SILENCE, 0);
        Ok(Stage { poll, events, timer, buffer, listeners: Vec::new(), tally })
    }

    /// Connects everybody to a gateway and waits until their coming was told; the first ticket is the speaker's, who also listens.
    ///
    /// # Errors
    /// It does not take them.
    pub(super) fn seat(&mut self, addr: SocketAddr, tickets: &[Ticket], body: usize) -> anyhow::Result<Cast> {
        let from = self.listeners.len();
        let mut speaker = None;
        for (at, ticket) in tickets.iter().enumerate() {
            let request = format!(
                "GET /ws/{} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
                ticket.session, ticket.token
            );
            let stream = dial(addr, request.as_bytes())?;
            if at == 0 {
                speaker = Some(Speaker::client(TcpStream::from_std(stream.try_clone()?), body));
            }
            self.add(Listener::upgrading(TcpStream::from_std(stream)))?;
            let deadline = Instant::now() + PATIENCE;
            while self.listeners[from..].iter().rev().filter(|l| !l.is_live()).count() >= ARRIVING {
                anyhow::ensure!(Instant::now() < deadline, "nobody was welcomed in time");
                self.pump(LOOK, None)?;
            }
        }
        let listeners = from..self.listeners.len();
        self.rest(&listeners)?;
        Ok(Cast { listeners, speaker: speaker.context("nobody to seat")?, acks: true })
    }

    /// Connects so many listeners and a speaker to a floor: they get copies of `sample`, with numbers from `seq` on.
    ///
    /// # Errors
    /// It does not take them.
    pub(super) fn gather(
        &mut self,
        addr: SocketAddr,
        count: u32,
        sample: &[u8],
        seq: u64,
    ) -> anyhow::Result<Cast> {
        let from = self.listeners.len();
        for _ in 0..count {
            let stream = dial(addr, &[server::LISTEN])?;
            self.add(Listener::live(TcpStream::from_std(stream), seq))?;
        }
        let stream = TcpStream::from_std(dial(addr, &[server::SPEAK])?);
        let listeners = from..self.listeners.len();
        self.rest(&listeners)?;
        Ok(Cast { listeners, speaker: Speaker::copy(stream, sample, seq)?, acks: false })
    }

    /// From here on a listener keeps the last entry it gets.
    pub(super) fn keep_sample(&mut self, listener: usize) {
        self.listeners[listener].sample = Some(Vec::new());
    }

    /// The entry that a listener kept, header and all. It keeps none from here on.
    pub(super) fn sample(&mut self, listener: usize) -> Option<Vec<u8>> {
        self.listeners[listener].sample.take()
    }

    /// The number that comes next.
    pub(super) fn next(&self, listener: usize) -> u64 {
        self.listeners[listener].next
    }

    /// One round: says all on schedule, and waits until everybody has everything.
    ///
    /// # Errors
    /// A connection ended, or something did not come at all.
    pub(super) fn round(&mut self, cast: &mut Cast, schedule: Schedule) -> anyhow::Result<Heard> {
        self.rest(&cast.listeners)?;
        let first = self.listeners[cast.listeners.start].next;
        let all = schedule.total * cast.listeners.len() as u64;
        let acks = if cast.acks { schedule.total } else { 0 };
        self.tally = Tally::new(schedule, first);
        self.wake_every(schedule.step)?;
        let mut turn = Turn { speaker: &mut cast.speaker, said: 0, lateness: Times::new() };
        let deadline = self.tally.start + schedule.due(schedule.total) + PATIENCE;
        speak(&mut Some(&mut turn), &self.tally, Instant::now())?;
        while self.tally.delivered < all || self.tally.acked < acks {
            self.pump(LOOK, Some(&mut turn))?;
            anyhow::ensure!(
                Instant::now() < deadline,
                "{} of {all} deliveries came, {} of {acks} acks, {:?}",
                self.tally.delivered,
                self.tally.acked,
                self.tally.faults
            );
        }
        self.wake_every(Duration::ZERO)?;
        let lasted = self.tally.start.elapsed();
        let lateness = turn.lateness;
        // What comes twice may come late.
        self.rest(&cast.listeners)?;
        let tally = std::mem::replace(&mut self.tally, Tally::new(SILENCE, 0));
        Ok(Heard { tally, lateness, lasted })
    }

    fn add(&mut self, mut listener: Listener) -> anyhow::Result<()> {
        let token = Token(self.listeners.len());
        self.poll.registry().register(&mut listener.stream, token, Interest::READABLE)?;
        self.listeners.push(listener);
        Ok(())
    }

    /// Waits until nothing comes any more and all are at the same number.
    fn rest(&mut self, who: &Range<usize>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let sum = |stage: &Stage| stage.listeners[who.clone()].iter().map(|l| l.next).sum::<u64>();
        let (mut seen, mut since) = (sum(self), Instant::now());
        loop {
            self.pump(LOOK, None)?;
            if sum(self) != seen {
                (seen, since) = (sum(self), Instant::now());
            }
            let all = &self.listeners[who.clone()];
            let together =
                all.windows(2).all(|two| two[0].next == two[1].next) && all.iter().all(Listener::is_live);
            if together && since.elapsed() > QUIET {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "the room does not come to rest");
        }
    }

    /// Reads what came, and says what is due.
    fn pump(&mut self, wait: Duration, mut turn: Option<&mut Turn<'_>>) -> anyhow::Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, Some(wait)) {
            anyhow::ensure!(error.kind() == ErrorKind::Interrupted, error);
        }
        speak(&mut turn, &self.tally, Instant::now())?;
        for event in &self.events {
            if event.token() == TIMER {
                // A timer that is not read does not go on. Empty: read before.
                let _ = rustix::io::read(&self.timer, &mut [0; 8]);
                continue;
            }
            let listener = &mut self.listeners[event.token().0];
            loop {
                let (more, now) = listener.read(&mut self.buffer, &mut self.tally)?;
                speak(&mut turn, &self.tally, now)?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    fn wake_every(&self, step: Duration) -> anyhow::Result<()> {
        let every = Timespec { tv_sec: step.as_secs().try_into()?, tv_nsec: step.subsec_nanos().into() };
        let spec = Itimerspec { it_interval: every, it_value: every };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec)?;
        Ok(())
    }
}

fn speak(turn: &mut Option<&mut Turn<'_>>, tally: &Tally, now: Instant) -> anyhow::Result<()> {
    let Some(turn) = turn else { return Ok(()) };
    let (schedule, since) = (tally.schedule, now.saturating_duration_since(tally.start));
    while turn.said < schedule.total {
        let due = schedule.due(turn.said);
        let Some(late) = since.checked_sub(due) else { break };
        turn.lateness.record(late);
        turn.speaker.say(schedule.burst, due)?;
        turn.said += u64::from(schedule.burst);
    }
    turn.speaker.flush()
}

fn dial(addr: SocketAddr, first: &[u8]) -> anyhow::Result<std::net::TcpStream> {
    let mut stream = std::net::TcpStream::connect(addr).context("connecting")?;
    stream.set_nodelay(true)?;
    stream.write_all(first)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::Faults;

    #[test]
    fn a_round_on_a_real_floor_is_whole() {
        let mut stage = Stage::new().expect("a stage");
        let mut sample = Vec::new();
        crate::frames::put_as_server(&[br#"{"type":"event","seq":98,"ts":1,"data":{}}"#], &mut sample);
        let mut cast = stage.gather(server::here(), 5, &sample, 99).expect("they come");
        let schedule = Schedule { step: Duration::from_millis(2), burst: 3, total: 60 };
        for round in 1..=2 {
            let heard = stage.round(&mut cast, schedule).expect("a round");
            assert_eq!((heard.tally.delivered, heard.tally.faults), (300, Faults::default()));
            assert_eq!((heard.tally.times.len(), heard.lateness.len()), (300, 20));
            assert!(heard.lasted >= schedule.due(59), "it kept to its schedule");
            assert_eq!(stage.next(cast.listeners.start), 99 + 60 * round);
        }
    }

    #[test]
    fn what_a_listener_got_can_be_said_again() {
        let mut stage = Stage::new().expect("a stage");
        let mut sample = Vec::new();
        crate::frames::put_as_server(&[br#"{"type":"event","seq":7,"ts":1,"data":{}}"#], &mut sample);
        let mut cast = stage.gather(server::here(), 1, &sample, 8).expect("they come");
        stage.keep_sample(0);
        stage
            .round(&mut cast, Schedule { step: Duration::from_millis(1), burst: 1, total: 2 })
            .expect("a round");
        let kept = stage.sample(0).expect("a sample");
        assert_eq!(kept[2..], *br#"{"type":"event","seq":9,"ts":1,"data":{}}"#);
        assert_eq!(kept.len(), sample.len());
    }
}
