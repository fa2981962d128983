//! Opening a connection, and reading one cheaply: bytes of all connections of a thread go through one buffer, and only the beginning of
//! a frame that is not all there yet is kept.
//!
//! Own and small, because the generator shares its machine with the server: a client that costs as much as the server halves what can be
//! measured, and one with a buffer of its own makes ten thousand of them a gigabyte.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};

use anyhow::Context as _;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use super::participant::Participant;
use crate::frames::Frames;

/// Bytes read at once, at most: a thread's buffer.
pub(crate) const READ: usize = 256 * 1024;
/// Bytes of the answer to an upgrade; the gateway's is some 200.
const HEAD_MAX: usize = 16 * 1024;
/// A kept beginning of a frame that grew beyond this is let go of once the frame was read.
const SPILL_KEPT: usize = 4 * 1024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// The side that is read.
#[derive(Debug)]
pub(crate) struct Reader {
    read: OwnedReadHalf,
    spill: Vec<u8>,
    /// There may be whole frames in the spill: what came together with the answer to the upgrade.
    fresh: bool,
}

/// Connects and upgrades. `window`: the receive buffer, when it should be small.
///
/// # Errors
/// The gateway does not take it.
pub(crate) async fn open(who: &Participant, window: Option<u32>) -> anyhow::Result<(Reader, OwnedWriteHalf)> {
    let mut stream = connect(who, window).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
        who.path(),
        who.gateway,
        who.ticket.token
    );
    stream.write_all(request.as_bytes()).await?;
    drop(request);
    let spill = upgraded(&mut stream).await?;
    let (read, write) = stream.into_split();
    let fresh = !spill.is_empty();
    Ok((Reader { read, spill, fresh }, write))
}

async fn connect(who: &Participant, window: Option<u32>) -> anyhow::Result<TcpStream> {
    let socket = if who.gateway.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(window) = window {
        socket.set_recv_buffer_size(window)?;
    }
    if let Some(source) = who.source {
        socket.bind(SocketAddr::new(source, 0)).with_context(|| format!("a port of {source}"))?;
    }
    let stream = socket.connect(who.gateway).await.context("connect")?;
    stream.set_nodelay(true)?;
    // A cut is a cut: no farewell to the peer, and no port that waits two minutes for its next use.
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO))?;
    Ok(stream)
}

/// Reads the answer to the upgrade, and gives what came after it.
async fn upgraded(stream: &mut TcpStream) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            anyhow::ensure!(
                bytes.starts_with(b"HTTP/1.1 101"),
                "the upgrade was answered {}",
                status(&bytes)
            );
            return Ok(bytes.split_off(end + 4));
        }
        anyhow::ensure!(bytes.len() < HEAD_MAX, "an endless answer to the upgrade");
        anyhow::ensure!(stream.read_buf(&mut bytes).await? > 0, "closed during the upgrade");
    }
}

fn status(head: &[u8]) -> String {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    String::from_utf8_lossy(line).into_owned()
}

impl Reader {
    /// Waits for bytes and hands on the frames they complete. `false`: the connection ended.
    ///
    /// # Errors
    /// What `on` does not take.
    pub(crate) async fn read(
        &mut self,
        most: usize,
        mut on: impl FnMut(&mut Frames<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        if std::mem::take(&mut self.fresh) {
            self.through_spill(&[], &mut on)?;
        }
        std::future::poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let most = most.min(scratch.len());
                let mut buffer = ReadBuf::new(&mut scratch[..most]);
                let read = ready!(Pin::new(&mut self.read).poll_read(context, &mut buffer));
                // An error is an end like any other here: the caller says what it thinks of one.
                if read.is_err() || buffer.filled().is_empty() {
                    return Poll::Ready(Ok(false));
                }
                Poll::Ready(self.take(buffer.filled(), &mut on).map(|()| true))
            })
        })
        .await
    }

    fn take(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(&mut Frames<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if !self.spill.is_empty() {
            return self.through_spill(bytes, on);
        }
        let mut frames = Frames::new(bytes);
        on(&mut frames)?;
        self.spill.extend_from_slice(frames.rest());
        Ok(())
    }

    fn through_spill(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(&mut Frames<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.spill.extend_from_slice(bytes);
        let mut frames = Frames::new(&self.spill);
        on(&mut frames)?;
        let used = self.spill.len() - frames.rest().len();
        self.spill.drain(..used);
        if self.spill.is_empty() && self.spill.capacity() > SPILL_KEPT {
            self.spill = Vec::new();
        }
        Ok(())
    }
}
