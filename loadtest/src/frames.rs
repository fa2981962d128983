//! WebSocket frames as this client needs them (RFC 6455, 5.2): server frames cut from bytes, client frames made.
//!
//! Pure. Not a library: the gateway sends whole, unmasked frames of text and control, and anything else is an error worth stopping for.

/// What a server frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message.
    Text,
    /// The end.
    Close,
    /// To be answered.
    Ping,
    /// An answer.
    Pong,
}

/// A frame's payload is longer than anything a gateway sends.
const LONGEST: u64 = 16 * 1024 * 1024;

/// A frame as its first bytes tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// What it is.
    pub(crate) kind: Kind,
    /// Bytes of the header.
    pub(crate) head: usize,
    /// Bytes of the payload, which follows.
    pub(crate) length: usize,
}

/// Reads the header that the bytes begin with; `None` while it is not all there.
///
/// # Errors
/// A frame that this gateway never sends.
pub(crate) fn header(bytes: &[u8]) -> anyhow::Result<Option<Header>> {
    let Some([first, second]) = bytes.get(..2).map(|head| [head[0], head[1]]) else { return Ok(None) };
    let kind = match first {
        0x81 => Kind::Text,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8a => Kind::Pong,
        other => anyhow::bail!("a frame that begins with {other:#04x}"),
    };
    anyhow::ensure!(second & 0x80 == 0, "a masked frame from a server");
    let (head, length) = match second {
        126 => {
            let Some(long) = bytes.get(2..4) else { return Ok(None) };
            (4, u64::from(u16::from_be_bytes([long[0], long[1]])))
        }
        127 => {
            let Some(long) = bytes.get(2..10) else { return Ok(None) };
            (10, u64::from_be_bytes(long.try_into()?))
        }
        short => (2, u64::from(short)),
    };
    anyhow::ensure!(length <= LONGEST, "a frame of {length} bytes");
    Ok(Some(Header { kind, head, length: usize::try_from(length)? }))
}

/// Whole frames at the head of some bytes, one after the other; what is left over is the beginning of one.
#[derive(Debug)]
pub(crate) struct Frames<'b> {
    bytes: &'b [u8],
}

impl<'b> Frames<'b> {
    /// Those in these bytes.
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// The next whole frame; none while it is not all there.
    ///
    /// # Errors
    /// A frame that this gateway never sends.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<(Kind, &'b [u8])>> {
        let Some(Header { kind, head, length }) = header(self.bytes)? else { return Ok(None) };
        let Some(payload) = self.bytes.get(head..head + length) else { return Ok(None) };
        self.bytes = &self.bytes[head + length..];
        Ok(Some((kind, payload)))
    }

    /// What no whole frame was made of yet.
    pub(crate) fn rest(&self) -> &'b [u8] {
        self.bytes
    }
}

/// Appends a client frame. The mask is nothing, which is a mask: it keeps masking off the generator's bill.
pub(crate) fn put(kind: Kind, payload: &[u8], out: &mut Vec<u8>) {
    out.push(match kind {
        Kind::Text => 0x81,
        Kind::Close => 0x88,
        Kind::Ping => 0x89,
        Kind::Pong => 0x8a,
    });
    put_length(payload.len(), 0x80, out);
    out.extend([0; 4]);
    out.extend(payload);
}

/// Appends a text frame as a server sends it; `parts` one after another are its text.
pub(crate) fn put_as_server(parts: &[&[u8]], out: &mut Vec<u8>) {
    out.push(0x81);
    put_length(parts.iter().map(|part| part.len()).sum(), 0, out);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn put_length(length: usize, masked: u8, out: &mut Vec<u8>) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(masked | short),
        (_, Ok(two)) => {
            out.push(masked | 126);
            out.extend(two.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
}

/// The code in a close frame's payload; 1005 for none (RFC 6455, 7.1.5).
pub(crate) fn close_code(payload: &[u8]) -> u16 {
    payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_cut_whole_however_they_arrive() {
        for length in [0usize, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut wire = Vec::new();
            put(Kind::Text, &payload, &mut wire);
            // As a server sends it: without the mask.
            wire[1] &= 0x7f;
            let head = wire.len() - length - 4;
            wire.drain(head..head + 4);
            let (_, most) = wire.split_last().expect("at least two bytes");
            let mut frames = Frames::new(most);
            assert_eq!(frames.next().expect("sound"), None, "{length}");
            assert_eq!(frames.rest(), most);
            wire.push(0x89);
            let mut frames = Frames::new(&wire);
            let (kind, got) = frames.next().expect("sound").expect("whole");
            assert_eq!((kind, got), (Kind::Text, &payload[..]));
            assert_eq!(frames.next().expect("sound"), None);
            assert_eq!(frames.rest(), [0x89]);
        }
    }

    #[test]
    fn what_this_gateway_never_sends_is_an_error() {
        for wire in [&[0x82, 0][..], &[0x01, 0], &[0x81, 0x80], &[0xc1, 0]] {
            assert!(Frames::new(wire).next().is_err(), "{wire:?}");
        }
    }

    #[test]
    fn a_close_tells_its_code() {
        assert_eq!(close_code(&[0x11, 0x38, b'x']), 4408);
        assert_eq!(close_code(&[]), 1005);
    }
}
