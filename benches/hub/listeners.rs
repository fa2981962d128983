//! Where a measured hub writes to: channels that somebody empties between the windows, or sockets of this machine.
//!
//! A channel takes what it is given for some tens of nanoseconds, so what is left is the hub's own time: the inbox, the ring, the encoding,
//! each listener's lock, cursor and bounds. A socket adds what the kernel does for a write, and on loopback that is also the
//! receiving half as far as the other's buffer. Nobody sleeps in a read of it, so no wake-up is in it; but for the one listener that is waited
//! for, which is read within the window and makes the figures of ten listeners a few hundredths larger.

use std::io::{ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use bytes::Bytes;
use tokio::sync::mpsc;
use watchparty::hub::outbox::Outbox;
use watchparty::hub::sink::Sink;
use watchparty::hub::terms::Terms;
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::entry::Seq;
use watchparty::model::id::ConnectionId;

/// Chunks a channel holds: a window's, and more. Channels of this size cost what they hold.
const CHUNKS: usize = 512;

/// What the hub writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Channel,
    Socket,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Socket => "socket",
        }
    }
}

/// The other end of a sink.
enum End {
    Channel(mpsc::Receiver<Bytes>),
    Socket(TcpStream),
    /// One that is waited for.
    Watched(tokio::net::TcpStream),
}

/// A listener, and the end where its bytes come out.
pub(crate) struct Listener {
    pub(crate) outbox: Arc<Outbox>,
    end: End,
}

/// Metrics that nobody reads.
pub(crate) fn metrics() -> Arc<Metrics> {
    let build = Build { version: "bench", revision: "bench", backend: BackendKind::Memory };
    Arc::new(Metrics::new(build, tokio::runtime::Handle::current()))
}

/// The bounds a node has by default.
pub(crate) fn terms(metrics: Arc<Metrics>) -> Arc<Terms> {
    let (frames, bytes, bytes_total) = (256, 256 << 10, 256 << 20);
    Arc::new(Terms { frames, bytes, bytes_total, held: AtomicUsize::new(0), metrics })
}

impl Listener {
    /// One whose bytes go to a channel.
    pub(crate) fn channel(number: u64, terms: &Arc<Terms>) -> Self {
        let (body, read) = mpsc::channel(CHUNKS);
        Self::new(number, Sink::Stream(body), End::Channel(read), terms)
    }

    /// One whose bytes go to a socket; `watched`: it is one that [`Self::reach`] waits for.
    pub(crate) async fn socket(number: u64, terms: &Arc<Terms>, watched: bool) -> Self {
        let (near, far) = pair();
        let near = tokio::net::TcpStream::from_std(near).expect("a runtime's socket");
        // Until the runtime has heard so from the kernel, it takes every write for one that would block.
        near.writable().await.expect("an open socket");
        let end = match watched {
            true => End::Watched(tokio::net::TcpStream::from_std(far).expect("a runtime's socket")),
            false => End::Socket(far),
        };
        Self::new(number, Sink::Socket(near, None), end, terms)
    }

    fn new(number: u64, sink: Sink, end: End, terms: &Arc<Terms>) -> Self {
        Self { outbox: Outbox::new(ConnectionId(number), sink, terms.clone()), end }
    }

    /// Whether it was given everything up to `head`, and it was taken from the outbox.
    pub(crate) fn has(&self, head: Seq) -> bool {
        self.outbox.cursor().is_some_and(|cursor| cursor.seq >= head) && !self.outbox.todo().queued
    }

    /// Waits until something comes out.
    pub(crate) async fn wait(&mut self) {
        match &mut self.end {
            End::Channel(read) => drop(read.recv().await.expect("the hub holds the other end")),
            End::Watched(socket) => {
                socket.readable().await.expect("an open socket");
                empty(|buffer| socket.try_read(buffer));
            }
            End::Socket(_) => unreachable!("only those that are watched are waited for"),
        }
    }

    /// Waits until it was given everything up to `head`.
    pub(crate) async fn reach(&mut self, head: Seq) {
        while !self.has(head) {
            self.wait().await;
        }
    }

    /// Throws away what has come out.
    pub(crate) fn empty(&mut self) {
        match &mut self.end {
            End::Channel(read) => while read.try_recv().is_ok() {},
            End::Socket(socket) => empty(|buffer| socket.read(buffer)),
            End::Watched(socket) => empty(|buffer| socket.try_read(buffer)),
        }
    }
}

/// Reads until nothing is there.
fn empty(mut read: impl FnMut(&mut [u8]) -> std::io::Result<usize>) {
    let mut buffer = [0; 64 * 1024];
    loop {
        match read(&mut buffer) {
            Ok(0) => panic!("nobody closes a socket that is measured"),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("a socket of this machine: {error}"),
        }
    }
}

/// Both ends of a connection over loopback, as the gateway sets its own.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let far = TcpStream::connect(listener.local_addr().expect("a bound socket")).expect("it listens");
    let (near, _) = listener.accept().expect("somebody connects");
    for socket in [&near, &far] {
        socket.set_nonblocking(true).expect("an open socket");
        socket.set_nodelay(true).expect("an open socket");
    }
    (near, far)
}
