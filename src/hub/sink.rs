//! Where a listener's bytes go: a raw socket, or the body of a server-sent event stream. The two are treated alike.

use std::io;

use bytes::Bytes;
use rustix::net::SendFlags;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::run::Run;
use crate::protocol::deflate::Window;
use crate::protocol::framing::Framing;

/// One of the two.
#[derive(Debug)]
pub enum Sink {
    /// The socket itself: the hot path. With the peer's window, if it takes compressed messages.
    Socket(TcpStream, Option<Window>),
    /// A response body that somebody else writes.
    Stream(mpsc::Sender<Bytes>),
}

/// Bytes of one chunk of a stream. What a body has taken is out of the outbox' sight, so it is given as little at a time as the kernel
/// is on a socket; and a reader's progress is seen in steps no larger than this.
const CHUNK: usize = 16 * 1024;

impl Sink {
    /// How messages are put on it.
    #[must_use]
    pub fn framing(&self) -> Framing {
        match self {
            Self::Socket(_, Some(window)) if *window >= Window::NARROW => Framing::Deflated,
            Self::Socket(..) => Framing::WebSocket,
            Self::Stream(_) => Framing::EventStream,
        }
    }

    /// How one message of so many bytes is put on it: plain, if the peer's window is too small for it.
    #[must_use]
    pub fn framing_of(&self, payload: usize) -> Framing {
        match self {
            Self::Socket(_, Some(window)) if !window.holds(payload) => Framing::WebSocket,
            _ => self.framing(),
        }
    }

    /// What a run in its framing has for it.
    #[must_use]
    pub fn bytes_of<'r>(&self, run: &'r Run) -> &'r Bytes {
        match (self, &run.narrow) {
            (Self::Socket(_, Some(window)), Some(narrow)) if *window < Window::FULL => narrow,
            _ => &run.bytes,
        }
    }

    /// Writes what fits without waiting; 0 when nothing does. `more`: bytes follow in a moment, and both may leave together. If none follow, the
    /// kernel lets these go by itself after a fifth of a second (`MSG_MORE`, tcp(7) at `TCP_CORK`).
    ///
    /// # Errors
    /// The peer is gone.
    pub fn try_write(&self, bytes: &Bytes, more: bool) -> io::Result<usize> {
        match self {
            Self::Socket(socket, _) => send(socket, bytes, more),
            Self::Stream(body) => try_send(body, bytes),
        }
    }

    /// Waits until something may fit again.
    ///
    /// # Errors
    /// The peer is gone.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Socket(socket, _) => socket.writable().await,
            Self::Stream(body) => {
                body.reserve().await.map(drop).map_err(|_| io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}

/// Writes to the kernel without asking the runtime whether it may: what the runtime knows of a socket lies far away in memory, and a
/// healthy one takes the bytes anyway. One that does not is asked again by way of the runtime, which then knows to wait for it.
fn send(socket: &TcpStream, bytes: &[u8], more: bool) -> io::Result<usize> {
    let mut flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    flags.set(SendFlags::MORE, more);
    let sent = match rustix::net::send(socket, bytes, flags) {
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => socket.try_write(bytes),
        Err(error) => Err(error.into()),
        Ok(count) => Ok(count),
    };
    match sent {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

/// Gives a body what it takes, chunk by chunk.
fn try_send(body: &mpsc::Sender<Bytes>, bytes: &Bytes) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        let end = bytes.len().min(sent + CHUNK);
        match body.try_send(bytes.slice(sent..end)) {
            Ok(()) => sent = end,
            Err(mpsc::error::TrySendError::Full(_)) => break,
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
    Ok(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_given_chunks_and_no_more_than_it_takes() {
        let (body, mut read) = mpsc::channel(2);
        let sink = Sink::Stream(body);
        let bytes = Bytes::from(vec![7; 3 * CHUNK]);
        assert_eq!(sink.try_write(&bytes, false).unwrap(), 2 * CHUNK);
        assert_eq!(sink.try_write(&bytes, false).unwrap(), 0, "it is full");
        assert_eq!(read.try_recv().unwrap().len(), CHUNK);
        assert_eq!(sink.try_write(&Bytes::from_static(b"last"), true).unwrap(), 4);
        drop(read);
        assert_eq!(sink.try_write(&bytes, false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn what_waits_for_more_leaves_with_it_or_alone() {
        use tokio::io::AsyncReadExt as _;
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(door.local_addr().unwrap()), door.accept());
        let (sink, mut peer) = (Sink::Socket(ours.unwrap(), None), theirs.unwrap().0);
        let say =
            |text: &'static str, more| sink.try_write(&Bytes::from_static(text.as_bytes()), more).unwrap();
        assert_eq!((say("ack ", true), say("entry ", false)), (4, 6));
        let mut got = [0; 10];
        peer.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"ack entry ");
        assert_eq!(say("alone", true), 5);
        peer.read_exact(&mut got[..5]).await.unwrap();
        assert_eq!(&got[..5], b"alone");
    }
}
