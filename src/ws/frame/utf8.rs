//! Text that arrives in pieces, checked as it arrives (RFC 3629; RFC 6455, 8.1).
//!
//! Responsible for refusing a message at the first byte that cannot be UTF-8, however the message is cut, and
//! for holding what was good as a `String` that needs no second check. Not responsible for limits on the
//! whole; the caller says how much more may come, and memory grows with what came, never with what was
//! promised. The state between two pieces is only the at most three bytes of a character that is not
//! complete.

use super::Violation;
use std::str;

/// Longest incomplete character plus the byte that completes it.
const CHARACTER_BYTES: usize = 4;

/// The good text so far, and the beginning of a character.
#[derive(Debug, Default)]
pub(super) struct PartialText {
    text: String,
    cut: [u8; CHARACTER_BYTES],
    cut_len: u8,
}

impl PartialText {
    /// Bytes of payload taken in, the incomplete character included.
    pub(super) fn len(&self) -> usize {
        self.text.len() + usize::from(self.cut_len)
    }

    /// Bytes of heap this holds.
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Makes room for `more` bytes now, expecting at most `expected` bytes (`more` included) in all:
    /// doubling, but never past what is expected, so that a message costs no more memory than its declared
    /// size.
    pub(super) fn make_room(&mut self, more: usize, expected: usize) {
        let needed = self.len() + more;
        if needed > self.text.capacity() {
            let doubled = self.text.capacity() * 2;
            let target = doubled.min(self.len() + expected).max(needed);
            self.text.reserve_exact(target - self.text.len());
        }
    }

    /// Takes in the next bytes.
    ///
    /// # Errors
    /// [`Violation::NotUtf8`] as soon as no continuation could make the whole valid.
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while self.cut_len > 0 {
            let Some((first, rest)) = bytes.split_first() else { return Ok(()) };
            bytes = rest;
            self.complete_with(*first)?;
        }
        match str::from_utf8(bytes) {
            Ok(text) => self.text.push_str(text),
            Err(error) if error.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(error) => {
                let (whole, cut) = bytes.split_at(error.valid_up_to());
                self.text.push_str(str::from_utf8(whole).map_err(|_| Violation::NotUtf8)?);
                self.cut[..cut.len()].copy_from_slice(cut);
                self.cut_len = cut.len() as u8;
            }
        }
        Ok(())
    }

    /// The whole text, once nothing more comes.
    ///
    /// # Errors
    /// [`Violation::NotUtf8`] when it ends within a character.
    pub(super) fn finish(self) -> Result<String, Violation> {
        if self.cut_len == 0 { Ok(self.text) } else { Err(Violation::NotUtf8) }
    }

    /// Adds one byte to the incomplete character. It is complete, bad or still incomplete, and never longer
    /// than four.
    fn complete_with(&mut self, byte: u8) -> Result<(), Violation> {
        let len = usize::from(self.cut_len);
        self.cut[len] = byte;
        match str::from_utf8(&self.cut[..=len]) {
            Ok(character) => {
                self.text.push_str(character);
                self.cut_len = 0;
            }
            Err(error) if error.error_len().is_some() => return Err(Violation::NotUtf8),
            Err(_) => self.cut_len += 1,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::PartialText;
    use crate::ws::frame::Violation;

    /// Feeds byte by byte; how many bytes were taken before the refusal.
    fn refused_after(bytes: &[u8]) -> Option<usize> {
        let mut text = PartialText::default();
        bytes.iter().position(|byte| text.push(&[*byte]).is_err())
    }

    #[test]
    fn text_cut_anywhere_is_the_same_text() {
        let whole = "aß水🎬\u{10ffff}z";
        for cut in 0..=whole.len() {
            let mut text = PartialText::default();
            text.push(&whole.as_bytes()[..cut]).expect("a valid beginning");
            assert_eq!(text.len(), cut);
            text.push(&whole.as_bytes()[cut..]).expect("a valid rest");
            assert_eq!(text.finish().as_deref(), Ok(whole), "cut at {cut}");
        }
    }

    #[test]
    fn the_first_impossible_byte_is_refused() {
        for (bytes, at) in [
            (&b"ab\xff"[..], 2),
            (b"\x80", 0),
            (b"\xc0", 0),
            (b"\xe0\x80", 1),
            (b"\xed\xa0", 1),
            (b"\xf4\x90", 1),
            (b"\xf5", 0),
            (b"\xf0\x9f\x8e.", 3),
        ] {
            assert_eq!(refused_after(bytes), Some(at), "{bytes:x?}");
            let mut whole = PartialText::default();
            assert_eq!(whole.push(bytes), Err(Violation::NotUtf8), "{bytes:x?} at once");
        }
    }

    #[test]
    fn a_text_that_ends_within_a_character_is_refused_at_its_end() {
        let mut text = PartialText::default();
        text.push(b"a\xf0\x9f\x8e").expect("may still become a character");
        assert_eq!(text.finish(), Err(Violation::NotUtf8));
    }

    #[test]
    fn room_grows_with_what_came_and_stops_at_what_is_expected() {
        let mut text = PartialText::default();
        text.make_room(10, 1000);
        assert_eq!(text.capacity(), 10);
        for _ in 0..10 {
            text.make_room(100, 1000 - text.len());
            text.push(&[b'x'; 100]).expect("text");
            assert!(text.capacity() <= 1000, "{}", text.capacity());
        }
        assert_eq!(text.len(), 1000);
    }
}
