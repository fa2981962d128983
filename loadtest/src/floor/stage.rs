//! The generator's one thread: it receives for every listener of both servers, and speaks when it is time.
//!
//! One epoll and one buffer for all. It looks at the clock after every read, so that speaking does not wait until a thousand listeners were read, and
//! a timer of the kernel wakes it when nothing comes: epoll's own timeout knows whole milliseconds only.
//!
//! It can be told not to sleep during a round. A receiver that sleeps has to be woken by whoever writes to it, some microseconds of the server's own
//! time: of each delivery when few come at once, of one in a hundred when many do. A cost that depends on how busy the *receiver* is hides how
//! a server's own grows with the size of a room, so growth is measured awake.

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

use super::listener::{Listener, Sample};
use super::server;
use super::speaker::Speaker;
use super::tally::{Place, Schedule, Tally};
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

/// Those who hear one server's speakers.
#[derive(Debug)]
pub(super) struct Cast {
    /// Their places on the stage, room after room.
    pub(super) listeners: Range<usize>,
    /// Listeners of each room.
    size: usize,
    /// Who speaks in each room.
    speakers: Vec<Speaker>,
    /// Whether each message is answered.
    acks: bool,
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
    /// Whether it looks for what came without ever sleeping, in a round.
    awake: bool,
}

/// Who speaks now, how far they got, and whose socket did not take all.
struct Turn<'s> {
    speakers: &'s mut [Speaker],
    said: u64,
    stuck: Vec<usize>,
    lateness: Times,
}

const SILENCE: Schedule = Schedule { step: Duration::ZERO, burst: 1, rooms: 1, turns: 0 };

impl Stage {
    /// An empty one. `awake`: it does not sleep during rounds.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn new(awake: bool) -> anyhow::Result<Stage> {
        let poll = Poll::new()?;
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let (events, buffer) = (Events::with_capacity(EVENTS), vec![0; READ]);
        let tally = Tally::new(SILENCE, Vec::new());
        Ok(Stage { poll, events, timer, buffer, listeners: Vec::new(), tally, awake })
    }

    /// Connects everybody to a gateway and waits until their coming was told. `tickets`: room after room, `size` each; the first of a room
    /// speaks, and listens as well. `body`: bytes of a message's body.
    ///
    /// # Errors
    /// It does not take them.
    pub(super) fn seat(
        &mut self,
        addr: SocketAddr,
        (tickets, size): (&[Ticket], usize),
        body: usize,
    ) -> anyhow::Result<Cast> {
        let (from, mut speakers) = (self.listeners.len(), Vec::new());
        for (at, ticket) in tickets.iter().enumerate() {
            let request = format!(
                "GET /ws/{} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
                ticket.session, ticket.token
            );
            let stream = dial(addr, request.as_bytes())?;
            if at % size == 0 {
                speakers.push(Speaker::client(TcpStream::from_std(stream.try_clone()?), body));
            }
            self.add(Listener::upgrading(TcpStream::from_std(stream), u32::try_from(at / size)?))?;
            let deadline = Instant::now() + PATIENCE;
            while self.listeners[from..].iter().rev().filter(|l| !l.is_live()).count() >= ARRIVING {
                anyhow::ensure!(Instant::now() < deadline, "nobody was welcomed in time");
                self.pump(LOOK, None)?;
            }
        }
        let cast = Cast { listeners: from..self.listeners.len(), size, speakers, acks: true };
        self.rest(&cast)?;
        Ok(cast)
    }

    /// Connects so many rooms of so many listeners to a floor: they get copies of `sample`, with numbers from `seq` on. `answered`: the first of
    /// a room speaks, listens as well and is answered, as with a gateway; otherwise somebody else speaks, and is not.
    ///
    /// # Errors
    /// It does not take them.
    pub(super) fn gather(
        &mut self,
        addr: SocketAddr,
        (rooms, size): (u32, usize),
        (sample, seq): (&Sample, u64),
        answered: bool,
    ) -> anyhow::Result<Cast> {
        let (from, mut speakers) = (self.listeners.len(), Vec::new());
        for room in 0..rooms {
            let listen = server::hello(server::LISTEN, room, b"")?;
            let first =
                if answered { server::hello(server::BOTH, room, &sample.ack)? } else { listen.clone() };
            for at in 0..size {
                let stream = dial(addr, if at == 0 { &first } else { &listen })?;
                if at == 0 && answered {
                    speakers.push(Speaker::copy(
                        TcpStream::from_std(stream.try_clone()?),
                        &sample.entry,
                        seq,
                    )?);
                }
                self.add(Listener::live(TcpStream::from_std(stream), Place { room, next: seq }))?;
            }
            if !answered {
                let stream = dial(addr, &server::hello(server::SPEAK, room, b"")?)?;
                speakers.push(Speaker::copy(TcpStream::from_std(stream), &sample.entry, seq)?);
            }
        }
        let cast = Cast { listeners: from..self.listeners.len(), size, speakers, acks: answered };
        self.rest(&cast)?;
        Ok(cast)
    }

    /// From here on a listener keeps the last entry and the last answer it gets.
    pub(super) fn keep_sample(&mut self, listener: usize) {
        self.listeners[listener].sample = Some(Sample::default());
    }

    /// What a listener kept. It keeps nothing from here on.
    pub(super) fn sample(&mut self, listener: usize) -> Option<Sample> {
        self.listeners[listener].sample.take()
    }

    /// The number that comes next.
    pub(super) fn next(&self, listener: usize) -> u64 {
        self.listeners[listener].place.next
    }

    /// One round: says all on schedule, and waits until everybody has everything.
    ///
    /// # Errors
    /// A connection ended, or something did not come at all.
    pub(super) fn round(&mut self, cast: &mut Cast, schedule: Schedule) -> anyhow::Result<Heard> {
        self.rest(cast)?;
        let rooms = self.listeners[cast.listeners.clone()].chunks(cast.size);
        let firsts = rooms.map(|room| room[0].place.next).collect();
        let all = schedule.total() * cast.size as u64;
        let acks = if cast.acks { schedule.total() } else { 0 };
        self.tally = Tally::new(schedule, firsts);
        let wait = if self.awake { Duration::ZERO } else { LOOK };
        if !self.awake {
            self.wake_every(schedule.step)?;
        }
        let speakers = &mut cast.speakers;
        let mut turn = Turn { speakers, said: 0, stuck: Vec::new(), lateness: Times::new() };
        let deadline = self.tally.start + schedule.turn(schedule.turns) + PATIENCE;
        speak(&mut Some(&mut turn), &self.tally, Instant::now())?;
        while self.tally.delivered < all || self.tally.acked < acks {
            self.pump(wait, Some(&mut turn))?;
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
        self.rest(cast)?;
        let tally = std::mem::replace(&mut self.tally, Tally::new(SILENCE, Vec::new()));
        Ok(Heard { tally, lateness, lasted })
    }

    fn add(&mut self, mut listener: Listener) -> anyhow::Result<()> {
        let token = Token(self.listeners.len());
        self.poll.registry().register(&mut listener.stream, token, Interest::READABLE)?;
        self.listeners.push(listener);
        Ok(())
    }

    /// Waits until nothing comes any more and all of a room are at the same number.
    fn rest(&mut self, cast: &Cast) -> anyhow::Result<()> {
        let (who, size) = (&cast.listeners, cast.size);
        let deadline = Instant::now() + PATIENCE;
        let sum = |stage: &Stage| stage.listeners[who.clone()].iter().map(|l| l.place.next).sum::<u64>();
        let (mut seen, mut since) = (sum(self), Instant::now());
        loop {
            self.pump(LOOK, None)?;
            if sum(self) != seen {
                (seen, since) = (sum(self), Instant::now());
            }
            let all = &self.listeners[who.clone()];
            let agreed = |room: &[Listener]| room.iter().all(|l| l.place.next == room[0].place.next);
            let together = all.chunks(size).all(agreed) && all.iter().all(Listener::is_live);
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

fn speak(turn: &mut Option<&mut Turn<'_>>, tally: &Tally, mut now: Instant) -> anyhow::Result<()> {
    let Some(turn) = turn else { return Ok(()) };
    let schedule = tally.schedule;
    while turn.said < schedule.turns {
        let due = schedule.turn(turn.said);
        let Some(late) = now.saturating_duration_since(tally.start).checked_sub(due) else { break };
        turn.lateness.record(late);
        let room = schedule.room(turn.said);
        turn.speakers[room].say(schedule.burst, due)?;
        if !turn.speakers[room].is_done() {
            turn.stuck.push(room);
        }
        turn.said += 1;
        // Many rooms speak at the same moment, and the last of them is later than the first.
        now = Instant::now();
    }
    for room in std::mem::take(&mut turn.stuck) {
        turn.speakers[room].flush()?;
        if !turn.speakers[room].is_done() {
            turn.stuck.push(room);
        }
    }
    Ok(())
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

    fn sample(seq: u64) -> Sample {
        let mut sample = Sample::default();
        let text = format!(r#"{{"type":"event","seq":{seq},"ts":1,"data":{{}}}}"#);
        crate::frames::put_as_server(&[text.as_bytes()], &mut sample.entry);
        crate::frames::put_as_server(&[br#"{"type":"ack","n":1}"#], &mut sample.ack);
        sample
    }

    #[test]
    fn a_round_on_a_real_floor_is_whole() {
        let mut stage = Stage::new(false).expect("a stage");
        let mut cast = stage.gather(server::here(), (1, 5), (&sample(98), 99), false).expect("they come");
        let schedule = Schedule { step: Duration::from_millis(2), burst: 3, rooms: 1, turns: 20 };
        for round in 1..=2 {
            let heard = stage.round(&mut cast, schedule).expect("a round");
            assert_eq!((heard.tally.delivered, heard.tally.faults), (300, Faults::default()));
            assert_eq!((heard.tally.times.len(), heard.lateness.len()), (300, 20));
            assert!(heard.lasted >= schedule.due(0, 59), "it kept to its schedule");
            assert_eq!(stage.next(cast.listeners.start), 99 + 60 * round);
        }
    }

    #[test]
    fn rooms_on_a_real_floor_are_heard_apart_and_their_speakers_answered() {
        let mut stage = Stage::new(true).expect("a stage");
        let mut cast = stage.gather(server::here(), (3, 4), (&sample(98), 99), true).expect("they come");
        let schedule = Schedule { step: Duration::from_millis(2), burst: 1, rooms: 3, turns: 30 };
        let heard = stage.round(&mut cast, schedule).expect("a round");
        assert_eq!((heard.tally.delivered, heard.tally.acked), (120, 30));
        assert_eq!((heard.tally.faults, heard.lateness.len()), (Faults::default(), 30));
        let next: Vec<u64> = cast.listeners.clone().map(|listener| stage.next(listener)).collect();
        assert_eq!(next, [109; 12]);
    }

    #[test]
    fn what_a_listener_got_can_be_said_again() {
        let mut stage = Stage::new(false).expect("a stage");
        let said = sample(7);
        let mut cast = stage.gather(server::here(), (1, 1), (&said, 8), true).expect("they come");
        stage.keep_sample(0);
        let schedule = Schedule { step: Duration::from_millis(1), burst: 1, rooms: 1, turns: 2 };
        stage.round(&mut cast, schedule).expect("a round");
        assert_eq!(stage.sample(0), Some(Sample { entry: sample(9).entry, ack: said.ack }));
    }
}
