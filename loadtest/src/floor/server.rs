//! The floor: a server that copies what one connection says to all others of its room, and does nothing else.
//!
//! One thread, one epoll, one write per listener for whatever a speaker sent since the last look, the answers a speaker wants among it. No
//! protocol, no order to keep, nobody to know, nothing to count: what it costs is what the kernel asks for copying bytes into so many
//! sockets. Who connects says what it is ([`hello`]). Not a server to use: it trusts everybody and forgets everything.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::rc::Rc;

use anyhow::Context as _;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

use crate::frames::Frames;

/// The role of who wants to hear.
pub(super) const LISTEN: u8 = b'L';
/// The role of who speaks.
pub(super) const SPEAK: u8 = b'S';
/// The role of who does both.
pub(super) const BOTH: u8 = b'B';
/// Who connects is known by this; the others by their place in the list.
const DOOR: Token = Token(usize::MAX);
/// Bytes taken from a speaker at once.
const READ: usize = 64 * 1024;
/// Bytes that may wait for one listener. A receiver that far behind is broken, and is dropped.
const WAITING: usize = 64 * 1024 * 1024;
/// Bytes before the answer in a hello.
const HELLO: usize = 6;

/// What a connection says first, in one write: what it is, its room, and with what each frame it says is answered, if it is [`BOTH`]
/// (nothing: it is not, and need not say frames).
///
/// # Errors
/// The answer is longer than 255 bytes.
pub(super) fn hello(role: u8, room: u32, answer: &[u8]) -> anyhow::Result<Vec<u8>> {
    let length = u8::try_from(answer.len()).context("an answer too long for the floor")?;
    Ok([&[role][..], &room.to_be_bytes(), &[length], answer].concat())
}

struct Peer {
    stream: TcpStream,
    waiting: Vec<u8>,
    role: Option<u8>,
    room: u32,
    answer: Rc<[u8]>,
    /// The beginning of a frame that was said, of who is answered.
    begun: Vec<u8>,
}

/// Everybody, and who listens in which room, by their places.
#[derive(Default)]
struct House {
    peers: Vec<Option<Peer>>,
    rooms: HashMap<u32, Vec<usize>>,
}

/// Listens on a free port, prints it, and copies for ever.
///
/// # Errors
/// The machine does not let it.
pub(crate) fn serve() -> anyhow::Result<()> {
    let door = TcpListener::bind("127.0.0.1:0".parse()?)?;
    println!("{}", door.local_addr()?);
    copy(door)
}

fn copy(mut door: TcpListener) -> anyhow::Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    poll.registry().register(&mut door, DOOR, Interest::READABLE)?;
    let (mut house, mut buffer) = (House::default(), vec![0; READ]);
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            anyhow::ensure!(error.kind() == ErrorKind::Interrupted, error);
        }
        for event in &events {
            if event.token() == DOOR {
                house.admit(&door, poll.registry())?;
                continue;
            }
            let at = event.token().0;
            if event.is_writable() {
                flush(&mut house.peers[at]);
            }
            while event.is_readable() {
                let heard = house.hear(at, &mut buffer);
                house.tell(at, &buffer[..heard]);
                // Less than what was asked for is all there was; more comes with another event.
                if heard < buffer.len() {
                    break;
                }
            }
        }
    }
}

impl House {
    fn admit(&mut self, door: &TcpListener, registry: &Registry) -> anyhow::Result<()> {
        while let Ok((mut stream, _)) = door.accept() {
            stream.set_nodelay(true)?;
            let token = Token(self.peers.len());
            registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
            let (waiting, answer, begun) = (Vec::new(), Rc::from([]), Vec::new());
            self.peers.push(Some(Peer { stream, waiting, role: None, room: 0, answer, begun }));
        }
        Ok(())
    }

    /// Reads once; how many bytes there are to tell. A peer that ended is forgotten.
    fn hear(&mut self, at: usize, buffer: &mut [u8]) -> usize {
        let Some(peer) = &mut self.peers[at] else { return 0 };
        if peer.role.is_none() && peer.greet().is_ok() && peer.role != Some(SPEAK) {
            self.rooms.entry(peer.room).or_default().push(at);
        }
        match peer.stream.read(buffer) {
            Ok(count) if count > 0 => return if matches!(peer.role, Some(SPEAK | BOTH)) { count } else { 0 },
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            _ => self.peers[at] = None,
        }
        0
    }

    /// What somebody said goes to everybody in their room; who is answered gets it with their answers, in one write.
    fn tell(&mut self, from: usize, bytes: &[u8]) {
        let Some(peer) = self.peers[from].as_mut().filter(|_| !bytes.is_empty()) else { return };
        let (answer, answers) = (peer.answer.clone(), peer.count(bytes));
        for at in self.rooms.get(&peer.room).into_iter().flatten() {
            match answers {
                1.. if *at == from => give(&mut self.peers[from], &[bytes, &answer.repeat(answers)].concat()),
                _ => give(&mut self.peers[*at], bytes),
            }
        }
    }
}

impl Peer {
    /// Reads what it is.
    fn greet(&mut self) -> std::io::Result<()> {
        let (mut head, mut answer) = ([0; HELLO], [0; u8::MAX as usize]);
        self.stream.read_exact(&mut head)?;
        let [role, a, b, c, d, length] = head;
        self.stream.read_exact(&mut answer[..usize::from(length)])?;
        (self.role, self.room) = (Some(role), u32::from_be_bytes([a, b, c, d]));
        self.answer = Rc::from(&answer[..usize::from(length)]);
        Ok(())
    }

    /// Frames that end in what was said now, of who is answered.
    fn count(&mut self, bytes: &[u8]) -> usize {
        if self.answer.is_empty() {
            return 0;
        }
        self.begun.extend_from_slice(bytes);
        let (mut frames, mut count) = (Frames::new(&self.begun), 0);
        while let Ok(Some(_)) = frames.next() {
            count += 1;
        }
        let ended = self.begun.len() - frames.rest().len();
        self.begun.drain(..ended);
        count
    }
}

fn give(slot: &mut Option<Peer>, bytes: &[u8]) {
    let Some(peer) = slot else { return };
    if !peer.waiting.is_empty() {
        peer.waiting.extend_from_slice(bytes);
        return flush(slot);
    }
    match peer.stream.write(bytes) {
        Ok(count) => peer.waiting.extend_from_slice(&bytes[count..]),
        Err(error) if error.kind() == ErrorKind::WouldBlock => peer.waiting.extend_from_slice(bytes),
        Err(_) => *slot = None,
    }
}

fn flush(slot: &mut Option<Peer>) {
    let Some(peer) = slot.as_mut().filter(|peer| !peer.waiting.is_empty()) else { return };
    match peer.stream.write(&peer.waiting) {
        Ok(count) => drop(peer.waiting.drain(..count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(_) => return *slot = None,
    }
    if peer.waiting.len() > WAITING {
        *slot = None;
    }
}

/// A floor in a thread of this process, until it ends.
#[cfg(test)]
pub(super) fn here() -> std::net::SocketAddr {
    let door = TcpListener::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let addr = door.local_addr().expect("its address");
    std::thread::spawn(|| copy(door));
    addr
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream as Socket;

    fn connect(addr: std::net::SocketAddr, role: u8) -> Socket {
        enter(addr, &hello(role, 0, b"").expect("short"))
    }

    fn enter(addr: std::net::SocketAddr, hello: &[u8]) -> Socket {
        let mut socket = Socket::connect(addr).expect("connects");
        socket.write_all(hello).expect("says what it is");
        socket
    }

    /// Listeners are known once they got something.
    fn greet(speaker: &mut Socket, listeners: &mut [Socket]) {
        for listener in listeners {
            listener.set_nonblocking(true).expect("a flag");
            while !listener.read(&mut [0]).is_ok_and(|count| count == 1) {
                speaker.write_all(b".").expect("said");
                std::thread::yield_now();
            }
            listener.set_nonblocking(false).expect("a flag");
        }
        speaker.write_all(b"|").expect("said");
    }

    fn after_greeting(listener: &mut Socket, length: usize) -> Vec<u8> {
        let mut one = [b'.'];
        while one == *b"." {
            listener.read_exact(&mut one).expect("the greeting");
        }
        assert_eq!(one, *b"|");
        let mut got = vec![0; length];
        listener.read_exact(&mut got).expect("all of it");
        got
    }

    #[test]
    fn everybody_gets_everything_even_who_reads_late() {
        let addr = here();
        let mut listeners: Vec<_> = (0..3).map(|_| connect(addr, LISTEN)).collect();
        let mut speaker = connect(addr, SPEAK);
        greet(&mut speaker, &mut listeners);
        // More than sockets hold, and nobody reads while it is said.
        let said: Vec<u8> =
            (0..24_000_000u32).map(|at| b'a' + u8::try_from(at % 23).expect("small")).collect();
        speaker.write_all(&said).expect("taken");
        for listener in &mut listeners {
            assert!(after_greeting(listener, said.len()) == said, "not what was said");
        }
    }

    #[test]
    fn who_goes_is_not_missed_and_listeners_are_not_heard() {
        let addr = here();
        let mut listeners: Vec<_> = (0..2).map(|_| connect(addr, LISTEN)).collect();
        let mut speaker = connect(addr, SPEAK);
        greet(&mut speaker, &mut listeners);
        drop(listeners.remove(0));
        listeners[0].write_all(b"listeners say nothing").expect("sent");
        for _ in 0..100 {
            speaker.write_all(b"on").expect("still there");
        }
        assert_eq!(after_greeting(&mut listeners[0], 200), b"on".repeat(100));
    }

    #[test]
    fn who_speaks_in_a_room_is_heard_there_alone_and_answered_frame_by_frame() {
        let addr = here();
        let hello = |room, role, answer: &[u8]| hello(role, room, answer).expect("short");
        let mut frame = Vec::new();
        crate::frames::put_as_server(&[b"one"], &mut frame);
        let mut both: Vec<_> = (0..2).map(|room| enter(addr, &hello(room, BOTH, b"(ok)"))).collect();
        let mut got = Vec::new();
        for socket in &mut both {
            // A cut frame is passed on as it comes, and answered when it is whole.
            socket.write_all(&frame[..3]).expect("said");
            let mut first = [0; 3];
            socket.read_exact(&mut first).expect("its own words");
            assert_eq!(first, frame[..3]);
            socket.write_all(&[&frame[3..], &frame].concat()).expect("said");
            got.resize(frame.len() * 2 - 3 + 8, 0);
            socket.read_exact(&mut got).expect("the rest, and two answers");
            assert_eq!(got, [&frame[3..], &frame, b"(ok)(ok)"].concat());
        }
        both[0].write_all(&frame).expect("said");
        got.resize(frame.len() + 4, 0);
        both[0].read_exact(&mut got).expect("told and answered");
        both[1].set_nonblocking(true).expect("a flag");
        let nothing = both[1].read(&mut [0]).expect_err("the other room is silent");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    }
}
