//! What HTTP is spoken over until a WebSocket takes the socket back: a TCP stream that notices when its peer speaks.
//!
//! Responsible for that one notice, which the accept loop needs to tell an idle connection from a head that trickles in: hyper has one
//! timeout for both. Not responsible for any timeout. It stands here and not with the accept loop, because an upgrade must
//! name the type to get its socket back out of hyper.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Whether the peer has said something since it was last asked about.
#[derive(Debug, Default, Clone)]
pub struct Spoke(Arc<AtomicBool>);

impl Spoke {
    /// Whether it has.
    #[must_use]
    pub fn has(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What was said until now is dealt with.
    pub fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A TCP stream and the notice.
#[derive(Debug)]
pub struct Carrier {
    socket: TcpStream,
    spoke: Spoke,
}

impl Carrier {
    /// Around an accepted socket.
    #[must_use]
    pub fn new(socket: TcpStream, spoke: Spoke) -> Self {
        Self { socket, spoke }
    }

    /// The socket, for who reads it from now on.
    #[must_use]
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }
}

impl AsyncRead for Carrier {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.spoke.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Carrier {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
