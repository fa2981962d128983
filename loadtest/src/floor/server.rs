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
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(1024));
    let mut door = TcpListener::bind("127.0.0.1:0".parse()?)?;
    poll.registry().register(&mut door, DOOR, Interest::READABLE)?;
    println!("{}", door.local_addr()?);
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
