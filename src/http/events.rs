//! `GET /api/sessions/{id}/events`: the frames a socket would get, as server-sent events, for where WebSockets are blocked.
//!
//! The stream is a listener like any other: it takes the participant's seat, lags and catches up by the same rules, and is kept
//! awake by wheels of their own. A stream has no close codes: its last event is `error` with the word and the number that a socket
//! would have been closed with.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::Edge;
use super::extract::{self, Seated};
use super::peer::Peer;
use super::problem::Problem;
use crate::auth::token::Claims;
use crate::gateway::error::GatewayError;
use crate::gateway::pull::{Pulling, pulled};
use crate::gateway::rooms::Attached;
use crate::hub::outbox::{Closing, Outbox};
use crate::hub::sink::Sink;
use crate::model::address::LimitKey;
use crate::protocol::close::Ending;
use crate::protocol::inbound::Resume;
use crate::protocol::outbound;
use crate::protocol::problem::Code;
use crate::ws::gate::Ticket;
use crate::ws::route::full;

/// Where a reader of events was (WHATWG HTML, 9.2.4): `<epoch>:<seq>`, as our events' ids.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Chunks between the outbox and the body. Few: what waits should wait in the outbox, where it is bounded and counted.
const CHUNKS: usize = 4;

/// How long the last events may take to leave.
const PATIENCE: Duration = Duration::from_secs(2);

/// Opens a stream.
pub async fn stream(
    State(edge): State<Edge>,
    Seated(claims): Seated,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Problem> {
    if edge.gateway.is_draining() {
        return Err(full(Code::Unavailable).into());
    }
    let resume = position(request.headers(), query.as_deref());
    let ticket = ticket(&edge, &request)?;
    let (send, body) = mpsc::channel(CHUNKS);
    let outbox = Outbox::new(edge.sockets.number(), Sink::Stream(send.clone()), edge.sockets.terms.clone());
    let (tell, told) = oneshot::channel();
    // Not in the request's own task: a client that leaves in the middle would cut it off, and leave a room that nobody closes.
    let gateway = edge.gateway.clone();
    gateway.tracker().spawn(async move {
        match edge.gateway.attach(&claims, resume, &outbox).await {
            Ok(attached) => {
                edge.streams.add(&outbox);
                // Nobody to tell: the body is gone too, which ends the stream.
                let _ = tell.send(Ok(()));
                serve(edge, claims, outbox, attached, send, ticket).await;
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    });
    told.await.unwrap_or_else(|_| Err(GatewayError::of(Code::Internal)))?;
    Ok(answer(ReceiverStream::new(body)))
}

async fn serve(
    edge: Edge,
    claims: Claims,
    outbox: Arc<Outbox>,
    attached: Attached,
    body: mpsc::Sender<Bytes>,
    ticket: Ticket,
) {
    let since = Instant::now();
    let closing = run(&edge, &claims, &outbox, &attached, &body).await;
    edge.gateway.detach(attached, outbox.connection, false).await;
    if let Closing::Ours(ending) = closing {
        outbox.send("error", &outbound::ended(ending));
        let _ = timeout(PATIENCE, outbox.flush()).await;
    }
    edge.metrics.sockets.closed.get(crate::ws::closing::label(closing)).increment(1);
    edge.metrics.sockets.duration.record(since.elapsed());
    drop(ticket);
}

/// Drains, pulls and waits until something ends the stream.
async fn run(
    edge: &Edge,
    claims: &Claims,
    outbox: &Arc<Outbox>,
    attached: &Attached,
    body: &mpsc::Sender<Bytes>,
) -> Closing {
    let left = claims.exp.millis().since(edge.gateway.now());
    let expiry = sleep_until(Instant::now() + left);
    let mut expiry = std::pin::pin!(expiry);
    let behind = edge.config.outbox.behind;
    let mut moved = Instant::now();
    let mut pulling: Option<Pulling> = None;
    loop {
        let todo = outbox.todo();
        if let Some(closing) = todo.closing {
            return closing;
        }
        if !todo.queued {
            moved = Instant::now();
        }
        edge.gateway.keep_pulling(&mut pulling, &attached.room, outbox);
        let is_pulling = pulling.is_some();
        tokio::select! {
            () = outbox.woken() => {}
            () = body.closed() => return Closing::PeerLost,
            ready = outbox.writable(), if todo.queued => match ready.and_then(|()| outbox.drain()) {
                Ok(written) if written > 0 => moved = Instant::now(),
                Ok(_) => {}
                Err(_) => return Closing::PeerLost,
            },
            () = pulled(&mut pulling), if is_pulling => {}
            () = sleep_until(moved + behind), if todo.queued => return Closing::Ours(Ending::TooSlow),
            () = expiry.as_mut() => return Closing::Ours(Ending::Unauthorized("token_expired")),
        }
    }
}

fn ticket(edge: &Edge, request: &Request) -> Result<Ticket, Problem> {
    let peer = request.extensions().get::<Peer>().ok_or_else(|| Problem::of(Code::Internal))?;
    let mut ticket = edge.sockets.gate.enter(LimitKey::from(peer.client)).map_err(|reason| {
        let capacity = reason == crate::metrics::label::RefusedReason::Capacity;
        full(if capacity { Code::Unavailable } else { Code::RateLimited })
    })?;
    ticket.accepted();
    Ok(ticket)
}

fn answer(body: ReceiverStream<Bytes>) -> Response {
    let mut response = Response::new(Body::from_stream(body.map(Ok::<_, std::convert::Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep events back to fill a buffer.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Where the reader was: what the browser remembers wins over the address, which is the first one for ever.
fn position(headers: &HeaderMap, query: Option<&str>) -> Option<Resume> {
    match extract::only(headers, LAST_EVENT_ID) {
        Some(id) => Some(Resume::from_event_id(id)),
        None => query.and_then(Resume::from_query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::{Epoch, Seq};

    #[test]
    fn the_browsers_memory_wins_over_the_address() {
        let (old, new) = (Epoch::new_random(), Epoch::new_random());
        let mut headers = HeaderMap::new();
        let query = format!("epoch={old}&seq=3");
        assert_eq!(position(&headers, Some(&query)), Some(Resume { epoch: Some(old), seq: Seq(3) }));
        headers.insert(LAST_EVENT_ID, format!("{new}:9").parse().unwrap());
        assert_eq!(position(&headers, Some(&query)), Some(Resume { epoch: Some(new), seq: Seq(9) }));
        assert_eq!(position(&HeaderMap::new(), None), None);
    }
}
