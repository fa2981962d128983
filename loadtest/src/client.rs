//! A WebSocket client that costs little per message: one buffer per connection, frames cut from it, a few fields read.
//!
//! Own and small, because the generator shares its machine with the server: a client that costs as much as the server halves what can be
//! measured. It answers pings and counts; it reconnects for nobody.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::accounting::Row;
use crate::api::Ticket;
use crate::frames::{self, Kind};
use crate::histogram::Times;
use crate::message::{self, Frame};

/// Bytes asked from the socket at once.
const READ: usize = 64 * 1024;

/// The run: its number, which tells its messages from others, and when it began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// The number.
    pub(crate) number: u32,
    /// What times count from.
    pub(crate) began: Instant,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Connection {
    /// Connects and upgrades. `window`: the receive buffer, when it should be small.
    ///
    /// # Errors
    /// The gateway does not take it.
    pub(crate) async fn open(
        addr: SocketAddr,
        ticket: &Ticket,
        window: Option<u32>,
    ) -> anyhow::Result<Connection> {
        let socket = TcpSocket::new_v4()?;
        if let Some(window) = window {
            socket.set_recv_buffer_size(window)?;
        }
        let mut stream = socket.connect(addr).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /ws/{} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {}\r\n\r\n",
            ticket.session, ticket.token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut connection = Connection { stream, buffer: BytesMut::new() };
        let head = connection.head().await?;
        anyhow::ensure!(head.starts_with("HTTP/1.1 101"), "the upgrade was answered with {head}");
        Ok(connection)
    }

    async fn head(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok(String::from_utf8_lossy(&self.buffer.split_to(end + 4)).into_owned());
            }
            let count = self.stream.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(count > 0, "closed during the upgrade");
        }
    }

    /// Reads to the `welcome`, and gives the head it tells.
    ///
    /// # Errors
    /// Something else came.
    pub(crate) async fn welcome(&mut self) -> anyhow::Result<u64> {
        loop {
            if let Some((kind, payload)) = frames::take(&mut self.buffer)? {
                let welcome: serde_json::Value = serde_json::from_slice(&payload).unwrap_or_default();
                anyhow::ensure!(
                    kind == Kind::Text && welcome["type"] == "welcome",
                    "no welcome but {}",
                    String::from_utf8_lossy(&payload)
                );
                return welcome["data"]["head"].as_u64().context("a welcome without a head");
            }
            let count = self.stream.read_buf(&mut self.buffer).await?;
            anyhow::ensure!(count > 0, "closed before the welcome");
        }
    }

    /// Sends one text frame.
    ///
    /// # Errors
    /// The peer is gone.
    pub(crate) async fn say(&mut self, text: &str) -> anyhow::Result<()> {
        let mut wire = Vec::with_capacity(text.len() + 14);
        frames::put(Kind::Text, text.as_bytes(), &mut wire);
        Ok(self.stream.write_all(&wire).await?)
    }

    /// Waits for bytes and hands on the frames they complete, pings answered. `false`: the connection ended.
    ///
    /// # Errors
    /// A frame that this gateway never sends.
    pub(crate) async fn read(
        &mut self,
        most: usize,
        mut on: impl FnMut(Kind, Bytes),
    ) -> anyhow::Result<bool> {
        self.buffer.reserve(most.min(READ));
        let mut limited = (&mut self.stream).take(most as u64);
        // An error is an end like any other here: the caller says what it thinks of one.
        if limited.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
            return Ok(false);
        }
        let mut answers = Vec::new();
        while let Some((kind, payload)) = frames::take(&mut self.buffer)? {
            if kind == Kind::Ping {
                frames::put(Kind::Pong, &payload, &mut answers);
            }
            on(kind, payload);
        }
        if !answers.is_empty() {
            self.stream.write_all(&answers).await?;
        }
        Ok(true)
    }
}

/// What one receiver got so far.
#[derive(Debug)]
pub(crate) struct Received {
    /// The log's numbers.
    pub(crate) seq: Row,
    /// The author's.
    pub(crate) n: Row,
    /// `reset` frames.
    pub(crate) resets: u64,
    /// `error` frames.
    pub(crate) errors: u64,
    /// The highest number acked to it.
    pub(crate) acked: u64,
    /// How it ended: the close code, 1006 for none.
    pub(crate) closed: Option<u16>,
}

impl Received {
    /// Nothing, from a position on.
    pub(crate) fn after(seq: u64, n: u64) -> Arc<Mutex<Self>> {
        let (seq, n) = (Row::after(seq), Row::after(n));
        Arc::new(Mutex::new(Self { seq, n, resets: 0, errors: 0, acked: 0, closed: None }))
    }

    /// Counts a frame; how late its message is, if it is one of this run.
    pub(crate) fn take(&mut self, (kind, payload): (Kind, &Bytes), run: Run) -> Option<Duration> {
        match kind {
            Kind::Close => {
                let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                self.closed = Some(code);
            }
            Kind::Text => match message::read(payload, run.number) {
                Frame::Entry { seq, said } => {
                    self.seq.take(seq);
                    let said = said?;
                    self.n.take(said.n);
                    return Some(run.began.elapsed().saturating_sub(said.meant));
                }
                Frame::Ack { n } => self.acked = self.acked.max(n),
                Frame::Reset => self.resets += 1,
                Frame::Error => self.errors += 1,
                Frame::Other => {}
            },
            Kind::Ping | Kind::Pong => {}
        }
        None
    }
}

/// Reads for ever, as fast as is sent, and counts.
///
/// # Errors
/// A frame that this gateway never sends.
pub(crate) async fn listen(
    mut connection: Connection,
    run: Run,
    received: Arc<Mutex<Received>>,
    times: Arc<Mutex<Times>>,
) -> anyhow::Result<()> {
    loop {
        let on = |kind, payload: Bytes| {
            if let Some(late) = lock(&received).take((kind, &payload), run) {
                lock(&times).record(late);
            }
        };
        if !connection.read(READ, on).await? {
            lock(&received).closed.get_or_insert(1006);
            return Ok(());
        }
    }
}

/// The lock of something that this program's one thread shares between tasks.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
