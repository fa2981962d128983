//! Where a listener's bytes go: a raw socket, or the body of a server-sent event stream. The two are treated alike.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::protocol::framing::Framing;

/// One of the two.
#[derive(Debug)]
pub enum Sink {
    /// The socket itself: the hot path.
    Socket(Arc<TcpStream>),
    /// A response body that somebody else writes.
    Stream(mpsc::Sender<Bytes>),
}

impl Sink {
    /// How messages are put on it.
    #[must_use]
    pub fn framing(&self) -> Framing {
        match self {
            Self::Socket(_) => Framing::WebSocket,
            Self::Stream(_) => Framing::EventStream,
        }
    }

    /// Writes what fits without waiting; 0 when nothing does.
    ///
    /// # Errors
    /// The peer is gone.
    pub fn try_write(&self, bytes: &Bytes) -> io::Result<usize> {
        match self {
            Self::Socket(socket) => match socket.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                other => other,
            },
            Self::Stream(body) => match body.try_send(bytes.clone()) {
                Ok(()) => Ok(bytes.len()),
                Err(mpsc::error::TrySendError::Full(_)) => Ok(0),
                Err(mpsc::error::TrySendError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    /// Waits until something may fit again.
    ///
    /// # Errors
    /// The peer is gone.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.writable().await,
            Self::Stream(body) => {
                body.reserve().await.map(drop).map_err(|_| io::ErrorKind::BrokenPipe.into())
            }
        }
    }
}
