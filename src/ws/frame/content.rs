//! What a message that is not complete has brought so far, and what it is once it is complete.
//!
//! Responsible for its memory, which grows with what came and never past what headers declared, and for turning payload into text:
//! as it arrives where that is possible ([`PartialText`]), at the end where it has to be inflated first. Not responsible for limits on
//! what is gathered.

use std::str;

use super::head::Form;
use super::utf8::PartialText;
use super::{Event, Violation};
use crate::protocol::deflate::{self, Unfit};

/// Payload so far.
#[derive(Debug)]
pub(super) enum Content {
    Text(PartialText),
    /// Not text, or not yet.
    Bytes(Vec<u8>, Form),
}

impl Content {
    pub(super) fn new(form: Form) -> Self {
        match form {
            Form { binary: false, deflated: false } => Self::Text(PartialText::default()),
            _ => Self::Bytes(Vec::new(), form),
        }
    }

    pub(super) fn is_deflated(&self) -> bool {
        matches!(self, Self::Bytes(_, Form { deflated: true, .. }))
    }

    /// Bytes of payload taken in.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes, _) => bytes.len(),
        }
    }

    /// Bytes of heap this holds.
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Bytes(bytes, _) => bytes.capacity(),
        }
    }

    /// Takes in the next bytes of a frame of which `expected` (these included) are still to come.
    ///
    /// # Errors
    /// [`Violation::NotUtf8`] as soon as a text cannot become valid.
    pub(super) fn push(&mut self, payload: &[u8], expected: usize) -> Result<(), Violation> {
        match self {
            Self::Text(text) => {
                text.make_room(payload.len(), expected);
                text.push(payload)
            }
            Self::Bytes(bytes, _) => {
                let needed = bytes.len() + payload.len();
                if needed > bytes.capacity() {
                    let room = (bytes.capacity() * 2).min(bytes.len() + expected).max(needed);
                    bytes.reserve_exact(room - bytes.len());
                }
                bytes.extend_from_slice(payload);
                Ok(())
            }
        }
    }

    /// The whole message, once nothing more comes. `limit`: how far it may be inflated.
    ///
    /// # Errors
    /// As [`whole`]; a text may end within a character.
    pub(super) fn finish<R>(self, limit: usize, on: impl FnOnce(Event<'_>) -> R) -> Result<R, Violation> {
        match self {
            Self::Text(text) => Ok(on(Event::Text(&text.finish()?))),
            Self::Bytes(bytes, form) => whole(&bytes, form, limit, on),
        }
    }
}

/// A message whose whole payload is here.
///
/// # Errors
/// [`Violation::Deflate`] and [`Violation::TooBig`] of what cannot be inflated, [`Violation::NotUtf8`] of a text that is none.
pub(super) fn whole<R>(
    payload: &[u8],
    form: Form,
    limit: usize,
    on: impl FnOnce(Event<'_>) -> R,
) -> Result<R, Violation> {
    let inflated;
    let payload = if form.deflated {
        inflated = deflate::inflate(payload, limit).map_err(|unfit| match unfit {
            Unfit::Corrupt => Violation::Deflate,
            Unfit::TooBig => Violation::TooBig,
        })?;
        &inflated
    } else {
        payload
    };
    if form.binary {
        return Ok(on(Event::Binary(payload)));
    }
    Ok(on(Event::Text(str::from_utf8(payload).map_err(|_| Violation::NotUtf8)?)))
}
