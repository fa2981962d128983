//! The first frame: who is this? A phase of its own, consumed by success: what follows cannot begin without a token.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::closing;
use super::frame::{Decoder, Event, Flow};
use super::machine::Controls;
use super::socket::{self, Read};
use crate::hub::outbox::{Closing, Outbox};
use crate::protocol::close::Ending;
use crate::protocol::framing::pong_frame;
use crate::protocol::inbound::{self, Hello, Inbound, Kind, Message, Misread, Rejected};
use crate::protocol::outbound;

/// How long a client may take to say who it is.
pub(super) const HELLO: Duration = Duration::from_secs(5);

/// Bytes of a first frame at most: a token of 4 KiB fits with what stands around it.
pub(super) const HELLO_BYTES: usize = 6 * 1024;

/// What was heard until now.
struct Heard<'o> {
    outbox: &'o Outbox,
    /// Counts everything that is no hello: whoever is unknown may not make us write for ever.
    others: Controls,
    end: Option<Result<Hello, Closing>>,
}

/// Waits for the first frame.
///
/// # Errors
/// Why the connection ends instead.
pub(super) async fn hello(
    socket: &TcpStream,
    outbox: &Outbox,
    decoder: &mut Decoder,
    first: &mut [u8],
) -> Result<Hello, Closing> {
    let late = Closing::Ours(Ending::Unauthorized("hello_timeout"));
    let deadline = Instant::now() + HELLO;
    let mut heard = Heard { outbox, others: Controls::default(), end: None };
    if let Err(violation) = decoder.feed(first, |event| heard.note(&event)) {
        return Err(Closing::Ours(closing::of(violation)));
    }
    loop {
        if let Some(end) = heard.end {
            return end;
        }
        if let Some(closing) = outbox.todo().closing {
            return Err(closing);
        }
        tokio::select! {
            ready = timeout_at(deadline, socket.readable()) => {
                ready.map_err(|_| late)?.map_err(|_| Closing::PeerLost)?;
            }
            // Told to go: the node drains, or the peer is lost.
            () = outbox.woken() => continue,
        }
        match socket::read(socket, decoder, |event| heard.note(&event)) {
            Ok(Read::Bytes(_)) => {}
            Ok(Read::End) | Err(_) => return Err(Closing::PeerLost),
            Ok(Read::Violation(violation)) => return Err(Closing::Ours(closing::of(violation))),
        }
    }
}

impl Heard<'_> {
    fn note(&mut self, event: &Event<'_>) -> Flow {
        match event {
            Event::Text(text) => self.text(text),
            Event::Ping(payload) => {
                if self.goes_on() {
                    self.outbox.control(pong_frame(payload));
                }
            }
            Event::Pong(_) => {
                self.goes_on();
            }
            Event::Binary(_) => self.end = Some(Err(Closing::Ours(Ending::Binary))),
            Event::Close(_) => self.end = Some(Err(Closing::Client)),
        }
        // What follows a hello is judged by the limits of a participant.
        if self.end.is_some() { Flow::Pause } else { Flow::Continue }
    }

    fn text(&mut self, text: &str) {
        let ours = |ending| Some(Err(Closing::Ours(ending)));
        match inbound::parse(text).map_err(|misread| *misread) {
            Ok(Inbound { message: Message::Hello(hello), .. }) => self.end = Some(Ok(hello)),
            Ok(_) => self.end = ours(Ending::Unauthorized("hello_expected")),
            Err(Misread { rejected: Rejected::Malformed, .. }) => self.end = ours(Ending::Malformed),
            // A hello with a field that cannot be is a mistake like any other: it is told, and may be said again in time.
            Err(Misread { kind: Some(Kind::Hello), rejected: Rejected::Refused { id, n, fault } }) => {
                if self.goes_on() {
                    self.outbox.send("error", &outbound::error(id.as_deref(), n, &fault));
                }
            }
            Err(_) => self.end = ours(Ending::Unauthorized("hello_expected")),
        }
    }

    /// One more that is no hello; whether the connection may go on.
    fn goes_on(&mut self) -> bool {
        if let Err(ending) = self.others.add(Instant::now()) {
            self.end = Some(Err(Closing::Ours(ending)));
        }
        self.end.is_none()
    }
}
