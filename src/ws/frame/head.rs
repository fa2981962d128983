//! One frame header (RFC 6455, 5.2), read by tungstenite's codec and held to the rules a header alone can
//! break.
//!
//! Responsible for the checks that need no other frame; those that do (is a message open, how long is it
//! already) are the decoder's. A header is refused the moment it is complete: nothing of its payload is
//! awaited, and nothing is allocated for a length it declares. RSV1 is legal where permessage-deflate gives it a
//! meaning: once that is negotiated, on the first frame of a message (RFC 7692, 6).

use super::Violation;
use super::mask::Mask;
use crate::protocol::framing::MAX_CONTROL_PAYLOAD;
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Most bytes kept of something not complete: a client's control frame, with its two bytes, mask and payload.
/// A header alone is at most 14.
pub(super) const MAX_HELD: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

/// What is legal beside frames of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    pub(super) deflate: bool,
    pub(super) binary: bool,
}

/// A frame of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// A text frame, or a binary one: a message begins.
    First(Form),
    /// A continuation.
    Next,
}

/// What its first frame says of a whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) binary: bool,
    pub(super) deflated: bool,
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
    pub(super) fn read(bytes: &[u8], allowed: Allowed) -> Result<Option<Self>, Violation> {
        let mut cursor = Cursor::new(bytes);
        // Reading from memory cannot fail, so the codec's only error is an opcode it does not know.
        let Some((header, length)) =
            FrameHeader::parse(&mut cursor).map_err(|_| Violation::ReservedOpcode)?
        else {
            return Ok(None);
        };
        let size = cursor.position() as usize;
        let starts_message = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        if header.rsv1 && !(allowed.deflate && starts_message) || header.rsv2 || header.rsv3 {
            return Err(Violation::ReservedBit);
        }
        if size != header.len(length) {
            return Err(Violation::LongLength);
        }
        let kind = kind(&header, allowed)?;
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

fn kind(header: &FrameHeader, allowed: Allowed) -> Result<Kind, Violation> {
    let first = |binary| Ok(Kind::Data(Part::First(Form { binary, deflated: header.rsv1 })));
    match header.opcode {
        OpCode::Data(Data::Text) => first(false),
        OpCode::Data(Data::Continue) => Ok(Kind::Data(Part::Next)),
        OpCode::Data(Data::Binary) if allowed.binary => first(true),
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
