//! The assembler: bytes in, events out, with as little kept in between as the bytes force.
//!
//! Responsible for the order of frames (fragments, control frames between them, the end at a close) and for
//! every byte of memory reading costs. A frame that lies whole in what was read is unmasked there and handed
//! out borrowed; only what the end of a read cuts off is copied, into a [`Spill`] that is boxed, so that an
//! idle connection carries one pointer, and freed with the message that needed it. Not responsible for the
//! rules of one header ([`super::head`]), nor for timing an unfinished message: it says
//! [`Decoder::mid_message`], the connection owns the clock.

use super::content;
use super::head::{Allowed, Head, Kind, Part};
use super::spill::{OpenFrame, Spill};
use super::{Event, Flow, Violation};
use crate::protocol::deflate::most_deflated;
use std::mem;
use std::str;
use tungstenite::protocol::frame::coding::CloseCode;

/// Most frames one message may come in. Nothing we know cuts a message of 64 KiB into more pieces than this,
/// and without a bound an endless row of empty fragments is work that no size limit sees.
pub const MAX_FRAGMENTS: u32 = 64;

/// What a decoder lets through, of what RFC 6455 would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of payload of one message, after inflating.
    pub message_bytes: usize,
    /// Frames of one message.
    pub fragments: u32,
    /// Whether a message may be compressed: permessage-deflate was negotiated, and no context is taken over.
    pub deflate: bool,
    /// Whether a message may be binary. Not on our wire, which is JSON; conformance suites send some.
    pub binary: bool,
}

/// The reading side of one connection; see the module's own words.
#[derive(Debug)]
pub struct Decoder {
    // The rules, not as one struct: it would be padded, and every idle connection pay for that.
    message_limit: usize,
    fragments: u32,
    allowed: Allowed,
    /// A close was read, or a rule was broken: whatever else comes is ignored.
    ended: bool,
    spill: Option<Box<Spill>>,
}

/// How far one step came in the bytes it was given, and whether to take another.
struct Step {
    used: usize,
    flow: Flow,
}

impl Step {
    /// Used so much, and nothing to tell.
    fn silent(used: usize) -> Self {
        Self { used, flow: Flow::Continue }
    }
}

impl Decoder {
    /// A decoder for a new connection of our wire: text, not compressed, in at most [`MAX_FRAGMENTS`] frames.
    /// `message_limit` is in bytes of payload of one message.
    #[must_use]
    pub fn new(message_limit: usize) -> Self {
        let fragments = MAX_FRAGMENTS;
        Self::with(Rules { message_bytes: message_limit, fragments, deflate: false, binary: false })
    }

    /// A decoder under other rules.
    #[must_use]
    pub fn with(rules: Rules) -> Self {
        let Rules { message_bytes: message_limit, fragments, deflate, binary } = rules;
        Self { message_limit, fragments, allowed: Allowed { deflate, binary }, ended: false, spill: None }
    }

    /// Lets messages be compressed from now on, if that was negotiated.
    #[must_use]
    pub fn deflating(mut self, negotiated: bool) -> Self {
        self.allowed.deflate = negotiated;
        self
    }

    /// Changes the limit for every frame whose header is read from now on. To have it hold for the frame
    /// right behind an event (the one after `hello`), answer that event with [`Flow::Pause`], change it, and
    /// [`resume`](Self::resume).
    pub fn set_message_limit(&mut self, message_limit: usize) {
        self.message_limit = message_limit;
    }

    /// Takes in what one read brought, and unmasks it where it lies: `bytes` is scratch afterwards.
    ///
    /// Bytes a pause kept go first, as in [`resume`](Self::resume). Better not to read while paused: what is
    /// fed then is kept in full, and bounding it is up to whoever reads.
    ///
    /// # Errors
    /// The rule the client broke. Events before it were delivered; everything after it is ignored.
    pub fn feed(&mut self, bytes: &mut [u8], mut on: impl FnMut(Event<'_>) -> Flow) -> Result<(), Violation> {
        if let Some(spill) = self.spill.as_mut().filter(|spill| spill.is_waiting()) {
            spill.waiting.extend_from_slice(bytes);
            return self.resume(on);
        }
        let used = self.run(bytes, &mut on)?;
        if used < bytes.len() && !self.ended {
            self.spill_mut().waiting.extend_from_slice(&bytes[used..]);
        }
        Ok(())
    }

    /// Goes on after a pause, with the bytes that were kept.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub fn resume(&mut self, mut on: impl FnMut(Event<'_>) -> Flow) -> Result<(), Violation> {
        let Some(spill) = &mut self.spill else { return Ok(()) };
        let mut waiting = mem::take(&mut spill.waiting);
        let from = mem::take(&mut spill.waiting_from);
        let reached = from + self.run(&mut waiting[from..], &mut on)?;
        if reached < waiting.len() && !self.ended {
            let spill = self.spill_mut();
            spill.waiting = waiting;
            spill.waiting_from = reached;
        }
        Ok(())
    }

    /// Whether nothing more will come of it: a close was read, or a rule was broken.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the client began a message or frame and has yet to send the rest: never true of bytes a pause
    /// keeps, for then it is we who let it wait.
    #[must_use]
    pub fn mid_message(&self) -> bool {
        self.spill.as_ref().is_some_and(|spill| spill.is_mid_message() && !spill.is_waiting())
    }

    /// Bytes of heap the decoder holds: none when idle, and otherwise at most the message limit (as much as a
    /// message of that size may have when it is deflated), a small header and what a pause keeps.
    #[must_use]
    pub fn spilled_bytes(&self) -> usize {
        self.spill.as_ref().map_or(0, |spill| spill.bytes())
    }

    /// Steps through `bytes` until they are used, the client is done, or `on` pauses; how many were used.
    fn run(&mut self, bytes: &mut [u8], on: &mut impl FnMut(Event<'_>) -> Flow) -> Result<usize, Violation> {
        let mut used = 0;
        while used < bytes.len() && !self.ended {
            let step = self.step(&mut bytes[used..], on).inspect_err(|_| self.end())?;
            used += step.used;
            if step.flow == Flow::Pause {
                break;
            }
        }
        if self.spill.as_ref().is_some_and(|spill| !spill.is_mid_message()) {
            self.spill = None;
        }
        Ok(used)
    }

    /// Takes one frame, or as much of one as there is. Uses at least one byte.
    fn step(&mut self, bytes: &mut [u8], on: &mut impl FnMut(Event<'_>) -> Flow) -> Result<Step, Violation> {
        if let Some(spill) = &self.spill {
            if spill.is_inside_frame() {
                return self.take_payload(bytes, on);
            }
            if !spill.held().is_empty() {
                return self.take_with_held(bytes, on);
            }
        }
        match Head::read(bytes, self.allowed)? {
            Some(head) if matches!(head.kind, Kind::Data(_)) => self.open_frame(&head, head.size, bytes, on),
            Some(mut head) if head.is_whole_in(bytes) => {
                let used = head.end();
                Ok(Step { used, flow: self.deliver_control(&mut head, &mut bytes[..used], on)? })
            }
            _ => Ok(self.hold(bytes)),
        }
    }

    /// The same, when the frame's first bytes came with an earlier read.
    fn take_with_held(
        &mut self,
        bytes: &mut [u8],
        on: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Step, Violation> {
        let allowed = self.allowed;
        let spill = self.spill_mut();
        let before = spill.held().len();
        let (mut joined, size) = spill.held_and(bytes);
        let joined = &mut joined[..size];
        match Head::read(joined, allowed)? {
            Some(head) if matches!(head.kind, Kind::Data(_)) => {
                spill.let_go();
                self.open_frame(&head, head.size - before, bytes, on)
            }
            Some(mut head) if head.is_whole_in(joined) => {
                spill.let_go();
                let end = head.end();
                Ok(Step {
                    used: end - before,
                    flow: self.deliver_control(&mut head, &mut joined[..end], on)?,
                })
            }
            _ => Ok(self.hold(bytes)),
        }
    }

    fn hold(&mut self, bytes: &[u8]) -> Step {
        self.spill_mut().hold(bytes);
        Step::silent(bytes.len())
    }

    /// Begins a data frame whose payload starts at `at` in `bytes`: delivers it from there when it is a whole
    /// message, spills it otherwise.
    fn open_frame(
        &mut self,
        head: &Head,
        at: usize,
        bytes: &mut [u8],
        on: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Step, Violation> {
        let remaining = self.check_place(head)?;
        let mut mask = head.mask;
        let payload = &mut bytes[at..];
        if let Kind::Data(Part::First(form)) = head.kind {
            if head.last && payload.len() >= remaining {
                let payload = &mut payload[..remaining];
                mask.apply(payload);
                let flow = content::whole(payload, form, self.message_limit, on)?;
                return Ok(Step { used: at + remaining, flow });
            }
            self.spill_mut().open_message(form);
        }
        self.spill_mut().open_frame(OpenFrame { last: head.last, remaining, mask });
        let step = self.take_payload(payload, on)?;
        Ok(Step { used: at + step.used, ..step })
    }

    /// The rules a data frame's header breaks by where it stands, and its length once that is known to be
    /// within bounds.
    fn check_place(&self, head: &Head) -> Result<usize, Violation> {
        let message = self.spill.as_ref().and_then(|spill| spill.message.as_ref());
        let (so_far, deflated) = match (head.kind, message) {
            (Kind::Data(Part::First(_)), Some(_)) => return Err(Violation::Interleaved),
            (Kind::Data(Part::First(form)), None) => (0, form.deflated),
            (_, None) => return Err(Violation::StrayContinuation),
            (_, Some(message)) if message.frames >= self.fragments => {
                return Err(Violation::TooManyFragments);
            }
            (_, Some(message)) => (message.content.len(), message.content.is_deflated()),
        };
        let most = if deflated { most_deflated(self.message_limit) } else { self.message_limit };
        let room = most.saturating_sub(so_far);
        usize::try_from(head.length).ok().filter(|length| *length <= room).ok_or(Violation::TooBig)
    }

    /// Gathers payload of the open frame; delivers the message when that completes it.
    fn take_payload(
        &mut self,
        bytes: &mut [u8],
        on: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Step, Violation> {
        let limit = self.message_limit;
        let spill = self.spill_mut();
        let used = spill.gather(bytes)?;
        match spill.take_finished() {
            None => Ok(Step::silent(used)),
            Some(content) => Ok(Step { used, flow: content.finish(limit, on)? }),
        }
    }

    /// Unmasks and delivers the whole control frame in `frame`, its header included.
    fn deliver_control(
        &mut self,
        head: &mut Head,
        frame: &mut [u8],
        on: &mut impl FnMut(Event<'_>) -> Flow,
    ) -> Result<Flow, Violation> {
        let payload = &mut frame[head.size..];
        head.mask.apply(payload);
        match head.kind {
            Kind::Ping => Ok(on(Event::Ping(payload))),
            Kind::Pong => Ok(on(Event::Pong(payload))),
            Kind::Close | Kind::Data(_) => {
                let flow = on(Event::Close(close_body(payload)?));
                self.end();
                Ok(flow)
            }
        }
    }

    fn spill_mut(&mut self) -> &mut Spill {
        self.spill.get_or_insert_with(Box::default)
    }

    fn end(&mut self) {
        self.ended = true;
        self.spill = None;
    }
}

/// A close frame's code and reason (RFC 6455, 5.5.1): nothing, or a code that may be on the wire and UTF-8.
fn close_body(payload: &[u8]) -> Result<Option<(u16, &str)>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok(None) } else { Err(Violation::CloseBody) };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() {
        return Err(Violation::CloseCode);
    }
    str::from_utf8(reason).map(|reason| Some((code, reason))).map_err(|_| Violation::NotUtf8)
}
