//! A WebSocket as a client has it, for `doctor`: text frames in one piece, pings answered, the close code told.
//!
//! It shares no code with the gateway's own sockets, so that a mistake there cannot hide here.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::wire::{BYTES_MAX, Stream, more};

/// What RFC 6455 (1.3) has a server append to the key.
const ACCEPT_SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a socket said.
#[derive(Debug, PartialEq)]
pub(super) enum Heard {
    Frame(Value),
    Closed(u16),
}

/// An open WebSocket.
pub(super) struct Socket {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

impl Socket {
    /// Over a stream that was upgraded; `unread` came with the upgrade's answer.
    pub(super) fn new(stream: Box<dyn Stream>, unread: Vec<u8>) -> Self {
        Self { stream, unread }
    }

    /// Sends one text frame.
    pub(super) fn say(&mut self, message: &Value) -> Result<(), String> {
        self.send(1, message.to_string().as_bytes())
    }

    fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<(), String> {
        self.stream.write_all(&masked(opcode, payload)).map_err(|error| format!("the socket: {error}"))
    }

    /// The next text frame, or the end; pings are answered on the way.
    pub(super) fn hear(&mut self) -> Result<Heard, String> {
        loop {
            let (opcode, payload) = self.frame().map_err(|error| format!("the socket: {error}"))?;
            match opcode {
                1 => {
                    let frame = serde_json::from_slice(&payload);
                    return frame.map(Heard::Frame).map_err(|_| "the socket: a frame is no JSON".to_owned());
                }
                8 => {
                    let code = payload.first_chunk::<2>().map_or(1005, |code| u16::from_be_bytes(*code));
                    return Ok(Heard::Closed(code));
                }
                9 => self.send(10, &payload)?,
                10 => {}
                other => return Err(format!("the socket: a frame of kind {other}")),
            }
        }
    }

    fn frame(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        let [first, second] = self.take()?;
        let length = match second {
            126 => u64::from(u16::from_be_bytes(self.take()?)),
            127 => u64::from_be_bytes(self.take()?),
            short => u64::from(short),
        };
        // A masked one has the highest bit of the second byte set, and is no server's.
        let length = usize::try_from(length).ok().filter(|length| *length <= BYTES_MAX && second < 128);
        let length = length.ok_or_else(|| std::io::Error::other("a frame that no server sends"))?;
        self.fill(length)?;
        let rest = self.unread.split_off(length);
        Ok((first & 0x0f, std::mem::replace(&mut self.unread, rest)))
    }

    fn take<const N: usize>(&mut self) -> std::io::Result<[u8; N]> {
        self.fill(N)?;
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(self.unread.drain(..N)) {
            *to = from;
        }
        Ok(bytes)
    }

    fn fill(&mut self, length: usize) -> std::io::Result<()> {
        while self.unread.len() < length {
            more(&mut *self.stream, &mut self.unread)?;
        }
        Ok(())
    }
}

/// A frame as a client has to send it.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | payload.len() as u8),
        Ok(longer) => {
            frame.push(0x80 | 126);
            frame.extend(longer.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    let mask = fastrand::u32(..).to_be_bytes();
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

pub(super) fn accept(key: &str) -> String {
    let salted = format!("{key}{ACCEPT_SALT}");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_the_standard_has_it() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn frames_are_masked_and_of_every_length() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let frame = masked(1, &payload);
            let header = match length {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            assert_eq!(frame.len(), header + 4 + length);
            assert_eq!((frame[0], frame[1] >> 7), (0x81, 1));
            let mask = &frame[header..header + 4];
            let plain = frame[header + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            assert!(plain.eq(payload));
        }
    }
}
