//! The floor: a server that copies what one connection says to all others, and does nothing else.
//!
//! One thread, one epoll, one write per listener for whatever the speaker sent since the last look. No protocol, no order to keep, nobody
//! to know, nothing to count: what it costs is what the kernel asks for copying bytes into so many sockets. Who connects says one byte,
//! what it is. Not a server to use: it trusts everybody and forgets everything.

use std::io::{ErrorKind, Read as _, Write as _};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

/// The first byte of who wants to hear.
pub(super) const LISTEN: u8 = b'L';
/// The first byte of who speaks.
pub(super) const SPEAK: u8 = b'S';
/// Who connects is known by this; the others by their place in the list.
const DOOR: Token = Token(usize::MAX);
/// Bytes taken from the speaker at once.
const READ: usize = 64 * 1024;
/// Bytes that may wait for one listener. A receiver that far behind is broken, and is dropped.
const WAITING: usize = 64 * 1024 * 1024;

struct Peer {
    stream: TcpStream,
    waiting: Vec<u8>,
    role: Option<u8>,
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
    let (mut peers, mut buffer) = (Vec::<Option<Peer>>::new(), vec![0; READ]);
    loop {
        if let Err(error) = poll.poll(&mut events, None) {
            anyhow::ensure!(error.kind() == ErrorKind::Interrupted, error);
        }
        for event in &events {
            if event.token() == DOOR {
                admit(&door, &mut peers, poll.registry())?;
                continue;
            }
            let at = event.token().0;
            if event.is_writable() {
                flush(&mut peers[at]);
            }
            while event.is_readable() {
                let heard = hear(&mut peers[at], &mut buffer);
                tell(&mut peers, &buffer[..heard]);
                // Less than what was asked for is all there was; more comes with another event.
                if heard < buffer.len() {
                    break;
                }
            }
        }
    }
}

fn admit(door: &TcpListener, peers: &mut Vec<Option<Peer>>, registry: &Registry) -> anyhow::Result<()> {
    while let Ok((mut stream, _)) = door.accept() {
        stream.set_nodelay(true)?;
        registry.register(&mut stream, Token(peers.len()), Interest::READABLE | Interest::WRITABLE)?;
        peers.push(Some(Peer { stream, waiting: Vec::new(), role: None }));
    }
    Ok(())
}

/// Reads once; how many bytes there are to tell. A peer that ended is forgotten.
fn hear(slot: &mut Option<Peer>, buffer: &mut [u8]) -> usize {
    let Some(peer) = slot else { return 0 };
    if peer.role.is_none() {
        let mut role = [0];
        if peer.stream.read(&mut role).is_ok_and(|count| count == 1) {
            peer.role = Some(role[0]);
        }
    }
    match peer.stream.read(buffer) {
        Ok(count) if count > 0 => return if peer.role == Some(SPEAK) { count } else { 0 },
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        _ => *slot = None,
    }
    0
}

fn tell(peers: &mut [Option<Peer>], bytes: &[u8]) {
    for slot in peers.iter_mut().filter(|_| !bytes.is_empty()) {
        let Some(peer) = slot.as_mut().filter(|peer| peer.role == Some(LISTEN)) else { continue };
        if !peer.waiting.is_empty() {
            peer.waiting.extend_from_slice(bytes);
            flush(slot);
            continue;
        }
        match peer.stream.write(bytes) {
            Ok(count) => peer.waiting.extend_from_slice(&bytes[count..]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => peer.waiting.extend_from_slice(bytes),
            Err(_) => *slot = None,
        }
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
        let mut socket = Socket::connect(addr).expect("connects");
        socket.write_all(&[role]).expect("says what it is");
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
}
