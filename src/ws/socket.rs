//! Reading a raw socket without a buffer of its own: bytes land in a scratch buffer that all connections of a thread share, are
//! decoded there, and only a partial frame is kept.

use std::cell::RefCell;
use std::io;

use tokio::net::TcpStream;

use super::frame::{Decoder, Event, Flow, Violation};

/// Bytes read at once. A whole message of the default bound fits.
const SCRATCH: usize = 64 * 1024;

/// Reads before another connection gets its turn.
const READS: usize = 4;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How reading went.
#[derive(Debug)]
pub(super) enum Read {
    /// So many bytes came, and were decoded.
    Bytes(usize),
    /// The peer's end is closed.
    End,
    /// A frame broke the protocol.
    Violation(Violation),
}

/// Decodes what has arrived, without waiting.
///
/// # Errors
/// The peer is gone.
pub(super) fn read(
    socket: &TcpStream,
    decoder: &mut Decoder,
    mut on: impl FnMut(Event<'_>) -> Flow,
) -> io::Result<Read> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.resize(SCRATCH, 0);
        let mut total = 0;
        let mut paused = false;
        for _ in 0..READS {
            let count = match socket.try_read(buffer) {
                Ok(0) => return Ok(Read::End),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            total += count;
            let fed = decoder.feed(&mut buffer[..count], |event| {
                let flow = on(event);
                paused |= matches!(flow, Flow::Pause);
                flow
            });
            if let Err(violation) = fed {
                return Ok(Read::Violation(violation));
            }
            // Fed while paused, a decoder would have to keep what comes; a short read means that nothing more is there.
            if paused || count < SCRATCH {
                break;
            }
        }
        Ok(Read::Bytes(total))
    })
}
