//! What the end of a read cut off: the only memory reading keeps between two reads.
//!
//! Responsible for its bounds and for knowing when it is empty, so that the decoder can free it. At most one
//! control frame ([`MAX_HELD`] bytes) is held as it came; a message's content grows with what arrived and never
//! past what its headers declared; bytes wait undecoded only while the caller paused. Not responsible for any
//! rule of the protocol.

use super::Violation;
use super::content::Content;
use super::head::{Form, MAX_HELD};
use super::mask::Mask;

/// See the module's own words.
#[derive(Debug)]
pub(super) struct Spill {
    /// The beginning of a header, or of a control frame, still masked.
    held: [u8; MAX_HELD],
    held_len: usize,
    /// The message that is not complete.
    pub(super) message: Option<OpenMessage>,
    /// What a pause kept, and how much of it is done since.
    pub(super) waiting: Vec<u8>,
    pub(super) waiting_from: usize,
}

/// A message of which frames are still to come, or the rest of one.
#[derive(Debug)]
pub(super) struct OpenMessage {
    pub(super) content: Content,
    /// Frames begun.
    pub(super) frames: u32,
    /// The frame whose payload is not complete; without one, a continuation is awaited.
    frame: Option<OpenFrame>,
}

/// A data frame of which payload is still to come.
#[derive(Debug)]
pub(super) struct OpenFrame {
    pub(super) last: bool,
    pub(super) remaining: usize,
    pub(super) mask: Mask,
}

impl Default for Spill {
    fn default() -> Self {
        Self { held: [0; MAX_HELD], held_len: 0, message: None, waiting: Vec::new(), waiting_from: 0 }
    }
}

impl Spill {
    pub(super) fn is_mid_message(&self) -> bool {
        self.held_len > 0 || self.message.is_some()
    }

    pub(super) fn is_inside_frame(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.frame.is_some())
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        let content = self.message.as_ref().map_or(0, |message| message.content.capacity());
        size_of::<Self>() + content + self.waiting.capacity()
    }

    pub(super) fn held(&self) -> &[u8] {
        &self.held[..self.held_len]
    }

    /// The held bytes with as many of `bytes` behind them as a control frame could need, and how many that
    /// makes.
    pub(super) fn held_and(&self, bytes: &[u8]) -> ([u8; MAX_HELD], usize) {
        let mut joined = self.held;
        let added = bytes.len().min(MAX_HELD - self.held_len);
        let size = self.held_len + added;
        joined[self.held_len..size].copy_from_slice(&bytes[..added]);
        (joined, size)
    }

    /// Holds more bytes of what is not complete. They fit: a frame that filled the space would be complete.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        let size = self.held_len + bytes.len();
        self.held[self.held_len..size].copy_from_slice(bytes);
        self.held_len = size;
    }

    pub(super) fn let_go(&mut self) {
        self.held_len = 0;
    }

    /// Begins a message; [`open_frame`](Self::open_frame) begins its first frame.
    pub(super) fn open_message(&mut self, form: Form) {
        self.message = Some(OpenMessage { content: Content::new(form), frames: 0, frame: None });
    }

    /// Begins a frame of the open message.
    pub(super) fn open_frame(&mut self, frame: OpenFrame) {
        if let Some(message) = &mut self.message {
            message.frames += 1;
            message.frame = Some(frame);
        }
    }

    /// Takes payload of the open frame from the beginning of `bytes`; how many bytes that was.
    pub(super) fn gather(&mut self, bytes: &mut [u8]) -> Result<usize, Violation> {
        let Some(OpenMessage { content, frame: Some(frame), .. }) = &mut self.message else { return Ok(0) };
        let used = frame.remaining.min(bytes.len());
        let payload = &mut bytes[..used];
        frame.mask.apply(payload);
        content.push(payload, frame.remaining)?;
        frame.remaining -= used;
        Ok(used)
    }

    /// Closes the open frame if its payload is complete, and hands out the content if that completes the
    /// message.
    pub(super) fn take_finished(&mut self) -> Option<Content> {
        let message = self.message.as_mut()?;
        let frame = message.frame.take_if(|frame| frame.remaining == 0)?;
        if frame.last { self.message.take().map(|message| message.content) } else { None }
    }
}
