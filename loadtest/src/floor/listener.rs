//! One receiving socket, the same for both servers: bytes in, frames counted, pings answered.
//!
//! It owns no buffer: all read into one, and what is left of a cut frame is kept until the rest comes. One read per wake-up, because less
//! than what was asked for is all there was.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::Context as _;
use mio::net::TcpStream;
use tokio::time::Instant;

use super::tally::{ACK, EVENT, Place, Tally};
use crate::frames::{self, Header, Kind};

/// How far a connection got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The answer to the upgrade has not come.
    Upgrading,
    /// The `welcome` has not come.
    Greeting,
    /// Entries come.
    Live,
}

/// One receiving socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) stream: TcpStream,
    state: State,
    kept: Vec<u8>,
    /// Its room, and the number that comes next.
    pub(super) place: Place,
    /// The last of what comes, while it is wanted.
    pub(super) sample: Option<Sample>,
}

/// What a gateway sends, header and all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// The last entry.
    pub(super) entry: Vec<u8>,
    /// The last answer to a publisher.
    pub(super) ack: Vec<u8>,
}

impl Listener {
    /// Of a room of the gateway: the request to upgrade has been sent.
    pub(super) fn upgrading(stream: TcpStream, room: u32) -> Listener {
        let place = Place { room, next: 0 };
        Listener { stream, state: State::Upgrading, kept: Vec::new(), place, sample: None }
    }

    /// Of the floor: the next number is known.
    pub(super) fn live(stream: TcpStream, place: Place) -> Listener {
        Listener { stream, state: State::Live, kept: Vec::new(), place, sample: None }
    }

    /// Whether it gets entries.
    pub(super) fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Reads once. `true`: there may be more. The time is when the read was done.
    ///
    /// # Errors
    /// The connection ended, or something came that a gateway never sends.
    pub(super) fn read(&mut self, buffer: &mut [u8], tally: &mut Tally) -> anyhow::Result<(bool, Instant)> {
        let kept = self.kept.len();
        buffer[..kept].copy_from_slice(&self.kept);
        let got = match self.stream.read(&mut buffer[kept..]) {
            Ok(got) => got,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((false, Instant::now())),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok((true, Instant::now())),
            Err(error) => return Err(error).context("a listener's connection"),
        };
        anyhow::ensure!(got > 0, "a listener's connection ended");
        let (end, now) = (kept + got, Instant::now());
        let taken = self.take(&buffer[..end], tally, now)?;
        anyhow::ensure!(taken > 0 || end < buffer.len(), "a frame longer than the buffer");
        self.kept.clear();
        self.kept.extend_from_slice(&buffer[taken..end]);
        Ok((end == buffer.len(), now))
    }

    /// Counts the whole frames; how many bytes they were.
    fn take(&mut self, bytes: &[u8], tally: &mut Tally, now: Instant) -> anyhow::Result<usize> {
        let mut at = 0;
        if self.state == State::Upgrading {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(0) };
            let told = String::from_utf8_lossy(&bytes[..end]);
            anyhow::ensure!(told.starts_with("HTTP/1.1 101"), "the upgrade was answered with {told}");
            self.state = State::Greeting;
            at = end + 4;
        }
        let since = now.saturating_duration_since(tally.start);
        while let Some(Header { kind, head, length }) = frames::header(&bytes[at..])? {
            let Some(payload) = bytes.get(at + head..at + head + length) else { break };
            match kind {
                Kind::Text if self.state == State::Live => tally.frame(payload, &mut self.place, since),
                Kind::Text => self.greeted(payload)?,
                Kind::Ping => self.answer(payload)?,
                Kind::Pong => {}
                Kind::Close => {
                    anyhow::bail!(
                        "a listener was closed: {}",
                        String::from_utf8_lossy(payload.get(2..).unwrap_or_default())
                    )
                }
            }
            if let Some(sample) = &mut self.sample {
                let whole = &bytes[at..at + head + length];
                match payload {
                    entry if entry.starts_with(EVENT) => sample.entry = whole.to_vec(),
                    ack if ack.starts_with(ACK) => sample.ack = whole.to_vec(),
                    _ => {}
                }
            }
            at += head + length;
        }
        Ok(at)
    }

    fn greeted(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let welcome: serde_json::Value = serde_json::from_slice(payload)?;
        anyhow::ensure!(welcome["type"] == "welcome", "no welcome but {}", String::from_utf8_lossy(payload));
        self.place.next = welcome["data"]["head"].as_u64().context("a welcome without a head")? + 1;
        self.state = State::Live;
        Ok(())
    }

    /// Pings come only to who says nothing, so this stands in nobody's way.
    fn answer(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let mut pong = Vec::with_capacity(payload.len() + 6);
        frames::put(Kind::Pong, payload, &mut pong);
        let sent = self.stream.write(&pong).context("a pong")?;
        anyhow::ensure!(sent == pong.len(), "half a pong");
        Ok(())
    }
}
