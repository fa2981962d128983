//! One frame header (RFC 6455, 5.2), read by tungstenite's codec and held to the rules a header alone can
//! break.
//!
//! Responsible for the checks that need no other frame; those that do (is a message open, how long is it
//! already) are the decoder's. A header is refused the moment it is complete: nothing of its payload is
//! awaited, and nothing is allocated for a length it declares. This is the one place where RSV1 becomes legal
//! when permessage-deflate is negotiated.

use super::Violation;
use super::mask::Mask;
use crate::protocol::framing::MAX_CONTROL_PAYLOAD;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Most bytes kept of something not complete: a client's control frame, with its two bytes, mask and payload.
/// A header alone is at most 14.
pub(super) const MAX_HELD: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

/// A frame of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A text frame: a message begins.
    First,
    /// A continuation.
    Next,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data(Part),
    Ping,
    Pong,
    Close,
}

/// A header that breaks no rule by itself.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) kind: Kind,
    /// Whether the frame ends its message.
    pub(super) last: bool,
    /// Payload bytes, as declared.
    pub(super) length: u64,
    pub(super) mask: Mask,
    /// Bytes of the header itself.
    pub(super) size: usize,
}

impl Head {
    /// Reads the header at the beginning of `bytes`; `None` when it is not complete.
    ///
    /// # Errors
    /// The first rule it breaks.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let mut cursor = Cursor::new(bytes);
        // Reading from memory cannot fail, so the codec's only error is an opcode it does not know.
        let Some((header, length)) =
            FrameHeader::parse(&mut cursor).map_err(|_| Violation::ReservedOpcode)?
        else {
            return Ok(None);
        };
        let size = cursor.position() as usize;
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::ReservedBit);
        }
        if size != header.len(length) {
            return Err(Violation::LongLength);
        }
        let kind = kind(header.opcode)?;
        if !matches!(kind, Kind::Data(_)) {
            check_control(&header, length)?;
        }
        let mask = Mask::new(header.mask.ok_or(Violation::Unmasked)?);
        Ok(Some(Self { kind, last: header.is_final, length, mask, size }))
    }

    /// Where a control frame ends, counted from its first byte. Only of a control frame, whose length is
    /// bounded.
    pub(super) fn end(&self) -> usize {
        self.size + self.length as usize
    }

    /// Whether a control frame lies whole in `bytes`, which begin with its header.
    pub(super) fn is_whole_in(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.end()
    }
}

fn kind(opcode: OpCode) -> Result<Kind, Violation> {
    match opcode {
        OpCode::Data(Data::Text) => Ok(Kind::Data(Part::First)),
        OpCode::Data(Data::Continue) => Ok(Kind::Data(Part::Next)),
        OpCode::Data(Data::Binary) => Err(Violation::Binary),
        OpCode::Control(Control::Ping) => Ok(Kind::Ping),
        OpCode::Control(Control::Pong) => Ok(Kind::Pong),
        OpCode::Control(Control::Close) => Ok(Kind::Close),
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            Err(Violation::ReservedOpcode)
        }
    }
}

fn check_control(header: &FrameHeader, length: u64) -> Result<(), Violation> {
    if !header.is_final {
        return Err(Violation::ControlFragmented);
    }
    if length > MAX_CONTROL_PAYLOAD as u64 {
        return Err(Violation::ControlTooLong);
    }
    Ok(())
}
