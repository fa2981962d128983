//! One connection's story: greeted, seated, served, ended.
//!
//! Responsible for the order of the phases and for what each leaves to the next; what a seated connection does is in `live`.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::frame::Decoder;
use super::gate::Ticket;
use super::live::Live;
use super::{Sockets, closing, greeting};
use crate::auth::token::{Claims, TokenError};
use crate::gateway::error::GatewayError;
use crate::gateway::rooms::Attached;
use crate::hub::outbox::{Closing, Outbox};
use crate::hub::sink::Sink;
use crate::metrics::label::Label as _;
use crate::model::id::SessionId;
use crate::protocol::close::Ending;
use crate::protocol::deflate::Window;
use crate::protocol::inbound::Resume;
use crate::protocol::problem::Code;

/// How long the node waits for the backend before it sends a newcomer elsewhere.
const OVERLOADED_MS: u32 = 1000;

/// What the upgrade knows of a connection.
pub(super) struct Arrival {
    /// The session in the address.
    pub(super) session: SessionId,
    /// The token of an `Authorization` header, unread: then no `hello` is awaited.
    pub(super) token: Option<String>,
    /// Where to go on, from the query.
    pub(super) resume: Option<Resume>,
    /// Its place at the gate.
    pub(super) ticket: Ticket,
    /// When the upgrade began.
    pub(super) since: Instant,
    /// Whether messages may be compressed, and for which window ours have to be.
    pub(super) deflate: Option<Window>,
}

/// Serves a connection from its upgrade to its end. `socket` is what the upgrade gives back, with what had been read.
///
/// Its greeting and its end hold much and take a moment: boxed, they are no part of what a connection holds for life.
pub(super) fn serve(
    sockets: Arc<Sockets>,
    socket: impl Future<Output = Option<(TcpStream, Vec<u8>)>> + Send + 'static,
    arrival: Arrival,
) -> impl Future<Output = ()> + Send {
    let beginning = Box::pin(begin(sockets, socket, arrival));
    async move {
        let over = match beginning.await {
            Begun::Seated(mut live, ticket, first) => {
                let closing = live.run(first).await;
                Box::new(Over::of(*live, closing, ticket))
            }
            Begun::Over(over) => over,
            Begun::Gone => return,
        };
        let span = span(&over.outbox);
        Box::pin(over.end()).instrument(span).await;
    }
}

/// What lines about a connection stand in, while it is greeted and while it ends. Between the two it may be silent for hours, and a span would be
/// a part of what each holds for life.
fn span(outbox: &Outbox) -> Span {
    tracing::info_span!(parent: None, "connection", connection.id = outbox.connection.0)
}

/// How a connection began.
enum Begun {
    /// With a seat, its place at the gate, and what it said after its greeting, not decoded yet.
    Seated(Box<Live>, Box<Place>, Vec<u8>),
    /// Not at all: it was greeted by its end.
    Over(Box<Over>),
    /// Nobody was there any more.
    Gone,
}

/// Its place at the gate, and since when.
struct Place {
    ticket: Ticket,
    since: Instant,
}

async fn begin(
    sockets: Arc<Sockets>,
    socket: impl Future<Output = Option<(TcpStream, Vec<u8>)>>,
    arrival: Arrival,
) -> Begun {
    let Some((socket, mut first)) = socket.await else { return Begun::Gone };
    let Arrival { session, token, resume, ticket, since, deflate } = arrival;
    let mut place = Box::new(Place { ticket, since });
    let outbox = Outbox::new(sockets.number(), Sink::Socket(socket, deflate), sockets.terms.clone());
    sockets.wheels.add(&outbox);
    let mut decoder = Decoder::new(greeting::HELLO_BYTES).deflating(deflate.is_some());
    let asked = (session, token, resume);
    match greet(&sockets, &outbox, (&mut decoder, &mut first), asked).instrument(span(&outbox)).await {
        Ok((claims, attached)) => {
            place.ticket.accepted();
            sockets.gateway.metrics().sockets.handshake.record(since.elapsed());
            let live = Live::new(sockets, outbox, attached, claims).reading(decoder);
            Begun::Seated(Box::new(live), place, first)
        }
        Err(closing) => {
            Begun::Over(Box::new(Over { sockets, outbox, attached: None, decoder, closing, place }))
        }
    }
}

/// A connection that ends.
struct Over {
    sockets: Arc<Sockets>,
    outbox: Arc<Outbox>,
    attached: Option<Attached>,
    decoder: Decoder,
    closing: Closing,
    place: Box<Place>,
}

impl Over {
    fn of(live: Live, closing: Closing, place: Box<Place>) -> Self {
        let outbox = live.outbox().clone();
        let Live { sockets, attached, decoder, .. } = live;
        Self { sockets, outbox, attached: Some(attached), decoder, closing, place }
    }

    /// Gives the seat back and says goodbye.
    async fn end(self: Box<Self>) {
        let Self { sockets, outbox, attached, mut decoder, closing, place } = *self;
        if let Some(attached) = attached {
            if matches!(closing, Closing::Ours(_)) {
                closing::settle(&outbox).await;
            }
            let leaving = closing == Closing::Ours(Ending::Left);
            sockets.gateway.detach(attached, outbox.connection, leaving).await;
        }
        let socket = outbox.socket().expect("it was made over one");
        closing::say_goodbye(socket, &outbox, &mut decoder, closing).await;
        let metrics = sockets.gateway.metrics();
        metrics.sockets.closed.get(closing::label(closing)).increment(1);
        metrics.sockets.duration.record(place.since.elapsed());
        tracing::info!(
            close.reason = closing::label(closing).value(),
            duration_ms = u64::try_from(place.since.elapsed().as_millis()).unwrap_or(u64::MAX),
            "connection closed"
        );
    }
}

/// Before anything else: a token, accepted, and a seat.
async fn greet(
    sockets: &Sockets,
    outbox: &Arc<Outbox>,
    (decoder, first): (&mut Decoder, &mut Vec<u8>),
    (session, token, resume): (SessionId, Option<String>, Option<Resume>),
) -> Result<(Claims, Attached), Closing> {
    let (token, resume) = match token {
        Some(token) => (token, resume),
        None => {
            let socket = outbox.socket().expect("it was made over one");
            let hello = greeting::hello(socket, outbox, decoder, first).await?;
            // Fed already; what followed the hello waits in the decoder.
            first.clear();
            (hello.token, hello.resume)
        }
    };
    let gateway = &sockets.gateway;
    let claims = gateway.verify(&token).map_err(|error| {
        // Whoever hears the second has a token that was good: nothing is told to one who makes them up.
        let rule = if error == TokenError::Expired { "token_expired" } else { "token_invalid" };
        Closing::Ours(Ending::Unauthorized(rule))
    })?;
    if claims.sid != session {
        return Err(Closing::Ours(Ending::Unauthorized("token_of_another_session")));
    }
    let attached =
        gateway.attach(&claims, resume, outbox).await.map_err(|error| Closing::Ours(refusal(&error)))?;
    Ok((claims, attached))
}

fn refusal(error: &GatewayError) -> Ending {
    match error.fault().code {
        Code::SessionNotFound => Ending::NoSession,
        Code::Forbidden => Ending::Kicked,
        Code::SessionFull => Ending::Full,
        Code::SessionLocked => Ending::Locked,
        Code::Unavailable => Ending::Overloaded(OVERLOADED_MS),
        _ => Ending::Internal,
    }
}
