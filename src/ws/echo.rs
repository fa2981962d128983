//! A route that says again what it is told, for conformance suites, which know nothing of sessions. For tests only: compiled with the cargo
//! feature `conformance`, mounted by `tests/conformance/echo.rs` and by nothing else.
//!
//! Upgrade, agreement on extensions, socket, decoder, framing, outbox and goodbye are those of every connection. Other are the limits, as
//! suites send messages of megabytes in thousands of frames, and that binary messages are let through.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use super::closing;
use super::extension::{self, Agreement};
use super::frame::{Decoder, Event, Flow, Rules};
use super::route::{raw, switching};
use super::socket::{self, Read};
use super::upgrade::negotiate;
use crate::hub::outbox::{Closing, Outbox};
use crate::hub::sink::Sink;
use crate::hub::terms::Terms;
use crate::metrics::Metrics;
use crate::model::id::ConnectionId;
use crate::model::origin::AllowedOrigins;
use crate::protocol::deflate::Window;
use crate::protocol::framing::pong_frame;

/// Bytes of a message, and frames it may come in: of what suites send, group 9 of Autobahn has the largest (16 MiB) and most (65 536).
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
const FRAGMENTS: u32 = 1 << 17;

/// The low half of a frame's first byte, and a binary message in it.
const OPCODE: u8 = 0x0f;
const BINARY: u8 = 0x02;

/// What all sockets of the route share.
pub struct Echo {
    terms: Arc<Terms>,
    tracker: TaskTracker,
    next: AtomicU64,
}

impl Echo {
    /// Nobody is connected.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, tracker: TaskTracker) -> Self {
        let most = usize::MAX / 4;
        let held = AtomicUsize::new(0);
        let terms = Terms { frames: most, bytes: most, bytes_total: most, held, metrics };
        Self { terms: Arc::new(terms), tracker, next: AtomicU64::new(1) }
    }

    /// Answers a request for a socket.
    pub fn upgrade(&self, mut request: Request) -> Response {
        let (method, version) = (request.method().clone(), request.version());
        let Ok(accepted) = negotiate(&method, version, request.headers(), &AllowedOrigins::Any) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let deflate = extension::agree(request.headers());
        let upgrade = hyper::upgrade::on(&mut request);
        let (terms, number) = (self.terms.clone(), self.next.fetch_add(1, Ordering::Relaxed));
        self.tracker.spawn(async move {
            drop(request);
            if let Ok(Ok((socket, first))) = upgrade.await.map(raw) {
                let window = deflate.map(Agreement::window);
                Connection::new(socket, window, (ConnectionId(number), terms)).serve(first).await;
            }
        });
        switching(accepted, deflate)
    }
}

struct Connection {
    outbox: Arc<Outbox>,
    decoder: Decoder,
}

impl Connection {
    fn new(socket: TcpStream, window: Option<Window>, (number, terms): (ConnectionId, Arc<Terms>)) -> Self {
        let outbox = Outbox::new(number, Sink::Socket(socket, window), terms);
        let rules = Rules {
            message_bytes: MESSAGE_BYTES,
            fragments: FRAGMENTS,
            deflate: window.is_some(),
            binary: true,
        };
        Self { outbox, decoder: Decoder::with(rules) }
    }

    async fn serve(mut self, mut first: Vec<u8>) {
        let outbox = self.outbox.clone();
        let socket = outbox.socket().expect("it was made over one");
        if let Err(violation) = self.decoder.feed(&mut first, |event| answer(&outbox, &event)) {
            outbox.finish(Closing::Ours(closing::of(violation)));
        }
        let closing = loop {
            let todo = outbox.todo();
            if let Some(closing) = todo.closing {
                break closing;
            }
            let moved = tokio::select! {
                ready = outbox.writable(), if todo.queued => ready.and_then(|()| outbox.drain()).map(drop),
                ready = socket.readable() => ready.map(|()| self.read(socket)),
            };
            if moved.is_err() {
                break Closing::PeerLost;
            }
        };
        closing::say_goodbye(socket, &outbox, &mut self.decoder, closing).await;
    }

    fn read(&mut self, socket: &TcpStream) {
        let outbox = &self.outbox;
        match socket::read(socket, &mut self.decoder, |event| answer(outbox, &event)) {
            Ok(Read::Bytes(_)) => {}
            Ok(Read::End) | Err(_) => outbox.finish(Closing::PeerLost),
            Ok(Read::Violation(violation)) => outbox.finish(Closing::Ours(closing::of(violation))),
        }
    }
}

/// Says it again. What comes after a close is not heard.
fn answer(outbox: &Outbox, event: &Event<'_>) -> Flow {
    match event {
        Event::Text(text) => outbox.put(framed(outbox, text.as_bytes()).freeze()),
        Event::Binary(payload) => {
            let mut frame = framed(outbox, payload);
            frame[0] = frame[0] & !OPCODE | BINARY;
            outbox.put(frame.freeze());
        }
        Event::Ping(payload) => outbox.control(pong_frame(payload)),
        Event::Pong(_) => {}
        Event::Close(_) => outbox.finish(Closing::Client),
    }
    Flow::Continue
}

fn framed(outbox: &Outbox, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    outbox.framing_of(payload.len()).encode("", None, payload, &mut out);
    out
}
