//! permessage-deflate (RFC 7692) as far as bytes go: one message compressed into a frame, one message inflated.
//!
//! Responsible for what compressing costs and when it is worth that, and for the bounds of inflating. Not responsible for what was
//! negotiated (`ws/extension`) nor for who gets which bytes (the hub). Neither side takes over context, so a message is compressed by
//! itself: its frame is the same for every listener, and nobody's connection holds a window between two messages. What compressing
//! and inflating need (some 300 KiB and 11 KiB) belongs to the thread, comes with its first message and is used again.

use std::cell::RefCell;

use bytes::BytesMut;
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::CompressorOxide;
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT as MORE_COMES, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF as IN_ONE_PIECE,
};
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};

use super::framing;

/// Payload bytes from which a message is compressed. Below, the tenth to be saved is less than the headers of the segment it travels in.
pub const COMPRESS_FROM: usize = 1024;

/// Of ten bytes so many may be left, or the plain frame is sent: inflating costs the receiver more than the rest saves.
const WORTH_TENTHS: usize = 9;

/// The fastest level. The next ones save a tenth more of a chat's bytes and cost two to five times as much.
const LEVEL: CompressionLevel = CompressionLevel::BestSpeed;

/// What a sender leaves off a message's end (RFC 7692, 7.2.1): an empty block that is not compressed.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];

/// What is put in its place, and a last block behind it. Data that was cut short is within a block there and does not see an end.
const TAIL: [u8; 9] = [0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff];

/// What a stream's state costs to begin anew is little, but an empty stream is two bytes long: without a bound they are work that no size
/// limit sees. Who cannot flush ends one stream and begins another (7.2.3.4), once a message.
const STREAMS: usize = 16;

/// Room that inflating begins with, in bytes; it doubles from there.
const FIRST_ROOM: usize = 4 * 1024;

thread_local! {
    static DEFLATER: RefCell<Option<Deflater>> = const { RefCell::new(None) };
    static INFLATER: RefCell<Option<Box<DecompressorOxide>>> = const { RefCell::new(None) };
}

/// How far back a peer can look while it inflates: `2^bits` bytes, 8 to 15 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(u8);

impl Window {
    /// As far as the format goes: what a peer has who asks for nothing.
    pub const FULL: Self = Self(15);

    /// The smallest that shared frames are compressed for: 4 KiB, what PyPI's `websockets` asks for. Who has less gets plain ones, as next
    /// to nothing is both long enough to be compressed and short enough for it.
    pub const NARROW: Self = Self(12);

    /// Of so many bits; `None` for what RFC 7692 does not know.
    #[must_use]
    pub fn of_bits(bits: u8) -> Option<Self> {
        (8..=15).contains(&bits).then_some(Self(bits))
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether a peer with this window can inflate a compressed message of so many bytes. Ours are compressed for the full window, and
    /// none of them can look further back than it is long; a longer one goes plain to this peer.
    #[must_use]
    pub fn holds(self, payload: usize) -> bool {
        self == Self::FULL || payload <= 1 << self.0
    }
}

/// A compressor and where it puts its bytes.
struct Deflater {
    state: Box<CompressorOxide>,
    out: Vec<u8>,
}

impl Default for Deflater {
    fn default() -> Self {
        let state = CompressorOxide::with_format_and_level(DataFormat::Raw, LEVEL);
        Self { state: Box::new(state), out: Vec::new() }
    }
}

/// Appends `payload`, which must be UTF-8, as one compressed text frame. `false`: it is too short, or too little would be saved, and
/// nothing was appended.
pub fn put_text_frame(payload: &[u8], out: &mut BytesMut) -> bool {
    if payload.len() < COMPRESS_FROM {
        return false;
    }
    DEFLATER.with_borrow_mut(|deflater| {
        let Some(compressed) = deflater.get_or_insert_default().run(payload) else { return false };
        framing::deflated_text_frame(compressed, out);
        true
    })
}

impl Deflater {
    /// Compresses one message; `None` when it does not become short enough.
    fn run(&mut self, payload: &[u8]) -> Option<&[u8]> {
        // One byte more than may be used: a compressor that has filled its room is not done.
        let room = payload.len() / 10 * WORTH_TENTHS + FLUSHED.len() + 1;
        if self.out.len() < room {
            self.out.resize(room, 0);
        }
        self.state.reset();
        let done = deflate(&mut self.state, payload, &mut self.out[..room], MZFlush::Sync);
        let whole = done.status == Ok(MZStatus::Ok) && done.bytes_consumed == payload.len();
        let message = self.out[..done.bytes_written].strip_suffix(&FLUSHED);
        message.filter(|_| whole && done.bytes_written < room)
    }
}

/// Why a message cannot be inflated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not deflate data, or ends within it.
    #[error("not whole deflate data")]
    Corrupt,
    /// It has more than the limit. It was inflated to one byte past that and no further.
    #[error("inflates past the limit")]
    TooBig,
}

/// Most bytes a message of `limit` bytes can have when it is deflated: blocks that are not compressed, or literals in nine bits, make it
/// longer than it was.
#[must_use]
pub fn most_deflated(limit: usize) -> usize {
    limit.saturating_add(limit / 8).saturating_add(64)
}

/// Inflates one message of at most `limit` bytes, memory for which grows with what comes out.
///
/// # Errors
/// [`Unfit`].
pub fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, Unfit> {
    let mut out = Vec::new();
    if payload.is_empty() {
        // Not what RFC 7692 makes of an empty message, but what zlib does the second time.
        return Ok(out);
    }
    INFLATER.with_borrow_mut(|inflater| {
        let inflater = inflater.get_or_insert_default();
        inflater.init();
        let mut inflating = Inflating { inflater, out: &mut out, written: 0, limit, streams: 1 };
        // A message may end with the last block of a stream, though it should not: then nothing was left off.
        let ended = inflating.take(payload)? || inflating.take(&TAIL)?;
        let written = inflating.written;
        out.truncate(written);
        if ended { Ok(()) } else { Err(Unfit::Corrupt) }
    })?;
    Ok(out)
}

/// A message on its way out: into one piece of memory, which is the inflater's window too.
struct Inflating<'i> {
    inflater: &'i mut DecompressorOxide,
    out: &'i mut Vec<u8>,
    written: usize,
    limit: usize,
    streams: usize,
}

impl Inflating<'_> {
    /// Inflates all of `input`; whether a stream ended exactly with it.
    fn take(&mut self, mut input: &[u8]) -> Result<bool, Unfit> {
        loop {
            self.make_room();
            let flags = MORE_COMES | IN_ONE_PIECE;
            let (status, read, written) = decompress(self.inflater, input, self.out, self.written, flags);
            input = &input[read..];
            self.written += written;
            if self.written > self.limit {
                return Err(Unfit::TooBig);
            }
            match status {
                TINFLStatus::Done if input.is_empty() => return Ok(true),
                TINFLStatus::Done => self.next_stream()?,
                TINFLStatus::NeedsMoreInput => return Ok(false),
                TINFLStatus::HasMoreOutput => {}
                _ => return Err(Unfit::Corrupt),
            }
        }
    }

    fn next_stream(&mut self) -> Result<(), Unfit> {
        self.streams += 1;
        if self.streams > STREAMS {
            return Err(Unfit::Corrupt);
        }
        self.inflater.init();
        Ok(())
    }

    /// Room for at least one byte: twice as much as before, never more than one byte past the limit.
    fn make_room(&mut self) {
        if self.written == self.out.len() {
            let room = (self.out.len() * 2).max(FIRST_ROOM).min(self.limit.saturating_add(1));
            self.out.reserve_exact(room - self.out.len());
            self.out.resize(room, 0);
        }
    }
}

#[cfg(test)]
mod tests;
