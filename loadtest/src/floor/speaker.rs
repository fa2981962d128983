//! Who speaks: to the gateway in its protocol, to the floor in the very bytes that the gateway makes of it.
//!
//! The floor copies bytes, so its speaker sends what the gateway's listeners get: header, type, number and all. Deliveries of both are then of
//! one size, and are counted by one and the same code.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use mio::net::TcpStream;

use super::tally::EVENT;
use crate::frames;
use crate::histogram::micros;
use crate::message::{self, Said, Verb};

/// What a speaker's next message is made of.
#[derive(Debug)]
enum Voice {
    /// A message of the protocol.
    Client { run: u32, body: usize, n: u64 },
    /// A frame as a listener gets it: what follows its number, and the number.
    Copy { tail: Vec<u8>, seq: u64 },
}

/// Somebody who speaks.
#[derive(Debug)]
pub(super) struct Speaker {
    stream: TcpStream,
    voice: Voice,
    out: Vec<u8>,
    text: String,
}

impl Speaker {
    /// To the gateway. `body`: bytes of a message's body.
    pub(super) fn client(stream: TcpStream, body: usize) -> Speaker {
        let voice = Voice::Client { run: fastrand::u32(..), body, n: 0 };
        Speaker { stream, voice, out: Vec::new(), text: String::new() }
    }

    /// To the floor: what a listener of the gateway got, with the numbers from `seq` on.
    ///
    /// # Errors
    /// The sample is no entry.
    pub(super) fn copy(stream: TcpStream, sample: &[u8], seq: u64) -> anyhow::Result<Speaker> {
        let head = frames::header(sample)?.context("an empty sample")?.head;
        let text = sample.get(head..).unwrap_or_default();
        let number = text.strip_prefix(EVENT).context("a sample that is no entry")?;
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let tail = number[digits..].to_vec();
        Ok(Speaker { stream, voice: Voice::Copy { tail, seq }, out: Vec::new(), text: String::new() })
    }

    /// Says the next `count` messages in one write, as far as the socket takes them.
    ///
    /// # Errors
    /// The connection ended.
    pub(super) fn say(&mut self, count: u32, meant: Duration) -> anyhow::Result<()> {
        for _ in 0..count {
            match &mut self.voice {
                Voice::Client { run, body, n } => {
                    *n += 1;
                    let said = Said { sender: 0, n: *n, meant: micros(meant) };
                    message::say(&mut self.text, Verb::Event, *run, said, (*body, ""));
                    frames::put(frames::Kind::Text, self.text.as_bytes(), &mut self.out);
                }
                Voice::Copy { tail, seq } => {
                    let number = seq.to_string();
                    *seq += 1;
                    frames::put_as_server(&[EVENT, number.as_bytes(), tail], &mut self.out);
                }
            }
        }
        self.flush()
    }

    /// Whether the socket took all of it.
    pub(super) fn is_done(&self) -> bool {
        self.out.is_empty()
    }

    /// Goes on with what the socket did not take.
    ///
    /// # Errors
    /// The connection ended.
    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.out) {
            Ok(sent) => drop(self.out.drain(..sent)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error).context("the speaker's connection"),
        }
        Ok(())
    }
}
