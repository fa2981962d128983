//! The first frame: who is this? A phase of its own, consumed by success: what follows cannot begin without a token.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::closing;
use super::frame::{Decoder, Event, Flow};
use super::socket::{self, Read};
use crate::hub::outbox::{Closing, Outbox};
use crate::protocol::close::Ending;
use crate::protocol::framing::pong_frame;
use crate::protocol::inbound::{self, Hello, Message, Rejected};

/// How long a client may take to say who it is.
pub(super) const HELLO: Duration = Duration::from_secs(5);

/// Bytes of a first frame at most: a token of 4 KiB fits with what stands around it.
pub(super) const HELLO_BYTES: usize = 6 * 1024;

/// Waits for the first frame.
///
/// # Errors
/// Why the connection ends instead.
pub(super) async fn hello(
    socket: &Arc<TcpStream>,
    outbox: &Outbox,
    decoder: &mut Decoder,
    first: &mut [u8],
) -> Result<Hello, Closing> {
    let late = Closing::Ours(Ending::Unauthorized("hello_timeout"));
    let deadline = Instant::now() + HELLO;
    let mut heard = None;
    if let Err(violation) = decoder.feed(first, |event| note(&event, outbox, &mut heard)) {
        return Err(Closing::Ours(closing::of(violation)));
    }
    loop {
        if let Some(heard) = heard {
            return heard;
        }
        timeout_at(deadline, socket.readable()).await.map_err(|_| late)?.map_err(|_| Closing::PeerLost)?;
        match socket::read(socket, decoder, |event| note(&event, outbox, &mut heard)) {
            Ok(Read::Bytes(_)) => {}
            Ok(Read::End) | Err(_) => return Err(Closing::PeerLost),
            Ok(Read::Violation(violation)) => return Err(Closing::Ours(closing::of(violation))),
        }
    }
}

fn note(event: &Event<'_>, outbox: &Outbox, heard: &mut Option<Result<Hello, Closing>>) -> Flow {
    match event {
        Event::Text(text) => {
            *heard = Some(read(text));
            // What follows is judged by the limits of a participant.
            Flow::Pause
        }
        Event::Ping(payload) => {
            outbox.put(pong_frame(payload));
            Flow::Continue
        }
        Event::Pong(_) => Flow::Continue,
        Event::Close(_) => {
            *heard = Some(Err(Closing::Client));
            Flow::Pause
        }
    }
}

fn read(text: &str) -> Result<Hello, Closing> {
    let ours = |ending| Err(Closing::Ours(ending));
    match inbound::parse(text) {
        Ok(inbound) => match inbound.message {
            Message::Hello(hello) => Ok(hello),
            _ => ours(Ending::Unauthorized("hello_expected")),
        },
        Err(misread) => match misread.rejected {
            Rejected::Malformed => ours(Ending::Malformed),
            Rejected::Refused { .. } => ours(Ending::Unauthorized("hello_expected")),
        },
    }
}
