//! A seated connection: one task, one select over named inputs, one way out.
//!
//! Responsible for what happens between `welcome` and the first reason to end. The task owns the socket's reading. Writing belongs to whoever
//! has something to say, through the outbox; the task only drains what did not fit. It is woken by bytes, by its outbox, or by a deadline,
//! and by nothing else. Not responsible for the greeting or the goodbye (`connection`).

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frame::{Decoder, Event, Flow};
use super::machine::{Controls, Machine, Order, Rates};
use super::requests::Actor;
use super::socket::{self, Read};
use super::{Sockets, closing};
use crate::auth::token::Claims;
use crate::gateway::caller::unauthorized;
use crate::gateway::pull::{Pulling, pulled};
use crate::gateway::rooms::Attached;
use crate::hub::outbox::{Closing, Outbox};
use crate::metrics::label::{EntryResult, Label as _, ReceivedType};
use crate::model::time::ClusterMs;
use crate::protocol::close::Ending;
use crate::protocol::framing::pong_frame;
use crate::protocol::inbound::Kind;
use crate::protocol::outbound;
use crate::protocol::problem::{Code, Fault};

/// Answers a connection may be owed before its socket is not read any more: TCP's own backpressure, no error.
const UNACKED: u32 = 32;
/// How long a message may take from its first fragment to its last.
const MESSAGE: Duration = Duration::from_secs(10);
/// How long before its end a token's holder is told.
const EXPIRY_NOTICE: Duration = Duration::from_mins(1);
/// How long after its end a connection still stands, so that a refresh under way can arrive.
const EXPIRY_GRACE: Duration = Duration::from_secs(30);

/// What the next deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    ExpiryNotice,
    Expiry,
    Message,
    Progress,
}

/// A seated connection: what it holds for life.
pub(super) struct Live {
    pub(super) sockets: Arc<Sockets>,
    pub(super) attached: Attached,
    actor: Actor,
    claims: Claims,
    pub(super) decoder: Decoder,
    /// What it has spent of its limits; nothing for one that has said nothing.
    machine: Option<Box<Machine>>,
    controls: Controls,
    /// Whether the decoder keeps bytes that were not judged yet.
    paused: bool,
    noticed: bool,
    /// When the message that is not whole yet began.
    message_since: Option<Instant>,
    /// When something last moved while something waits to be written.
    stuck_since: Option<Instant>,
}

impl Live {
    pub(super) fn new(
        sockets: Arc<Sockets>,
        outbox: Arc<Outbox>,
        attached: Attached,
        claims: Claims,
    ) -> Self {
        let actor = Actor::new(sockets.gateway.clone(), outbox, attached.seat);
        Self {
            sockets,
            attached,
            actor,
            claims,
            decoder: Decoder::new(0),
            machine: None,
            controls: Controls::default(),
            paused: true,
            noticed: false,
            message_since: None,
            stuck_since: None,
        }
    }

    /// Goes on with what has been read, under the bounds of one who has a seat.
    pub(super) fn reading(mut self, mut decoder: Decoder) -> Self {
        decoder.set_message_limit(self.sockets.gateway.config().sessions.message_bytes);
        self.decoder = decoder;
        self
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.actor.outbox
    }

    /// Serves it until something ends it. `first` is what it said already and nobody has decoded.
    pub(super) async fn run(&mut self, mut first: Vec<u8>) -> Closing {
        self.feed_first(&mut first);
        drop(first);
        let outbox = self.actor.outbox.clone();
        let socket = outbox.socket().expect("it was made over one");
        let mut deadline: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        let mut pulling: Option<Pulling> = None;
        loop {
            let todo = outbox.todo();
            if let Some(closing) = todo.closing {
                return closing;
            }
            self.go_on();
            let due = self.next_due(todo.queued);
            if let Some((_, at)) = due
                && deadline.deadline() != at
            {
                deadline.as_mut().reset(at);
            }
            self.sockets.gateway.keep_pulling(&mut pulling, &self.attached.room, &outbox);
            let is_pulling = pulling.is_some();
            tokio::select! {
                () = outbox.woken() => {}
                ready = socket.readable(), if !self.paused => {
                    if ready.is_err() {
                        return Closing::PeerLost;
                    }
                    self.read(socket);
                }
                ready = outbox.writable(), if todo.queued => {
                    if ready.is_err() {
                        return Closing::PeerLost;
                    }
                    self.drain();
                }
                () = pulled(&mut pulling), if is_pulling => {}
                () = deadline.as_mut(), if due.is_some() => {
                    if let Some((due, _)) = due {
                        self.on_time(due);
                    }
                }
            }
        }
    }

    /// What came with the upgrade, or after the hello in the same read.
    fn feed_first(&mut self, first: &mut [u8]) {
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::new(0));
        let mut paused = false;
        let resumed = decoder.resume(|event| self.judge(event, &mut paused));
        let fed = resumed.and_then(|()| decoder.feed(first, |event| self.judge(event, &mut paused)));
        self.decoder = decoder;
        self.paused = paused;
        if let Err(violation) = fed {
            self.end(Closing::Ours(closing::of(violation)));
        }
    }

    /// Judges what was kept back, once there is room for its answers.
    fn go_on(&mut self) {
        if !self.paused || !self.may_read() {
            return;
        }
        self.feed_first(&mut []);
    }

    fn read(&mut self, socket: &TcpStream) {
        let mut decoder = std::mem::replace(&mut self.decoder, Decoder::new(0));
        let mut paused = false;
        let read = socket::read(socket, &mut decoder, |event| self.judge(event, &mut paused));
        self.decoder = decoder;
        self.paused = paused;
        match read {
            Ok(Read::Bytes(0)) => {}
            Ok(Read::Bytes(count)) => {
                self.sockets.wheels.heard(&self.actor.outbox);
                self.sockets.gateway.metrics().sockets.received_bytes.increment(count as u64);
            }
            Ok(Read::End) | Err(_) => self.end(Closing::PeerLost),
            Ok(Read::Violation(violation)) => self.end(Closing::Ours(closing::of(violation))),
        }
        self.message_since = match self.decoder.mid_message() {
            true => self.message_since.or_else(|| Some(Instant::now())),
            false => None,
        };
    }

    fn drain(&mut self) {
        match self.actor.outbox.drain() {
            Ok(0) => {}
            Ok(_) => {
                // A slow reader's pong waits behind what it reads: that it reads is as good.
                self.sockets.wheels.heard(&self.actor.outbox);
                self.stuck_since = Some(Instant::now());
            }
            Err(_) => self.end(Closing::PeerLost),
        }
    }

    fn judge(&mut self, event: Event<'_>, paused: &mut bool) -> Flow {
        let now = Instant::now();
        let outbox = &self.actor.outbox;
        match event {
            Event::Text(text) => {
                // Whatever is unfinished now began after this one.
                self.message_since = None;
                self.text(text, now);
            }
            Event::Ping(payload) => match self.controls.add(now) {
                Ok(()) => {
                    outbox.control(pong_frame(payload));
                }
                Err(ending) => outbox.finish(Closing::Ours(ending)),
            },
            Event::Pong(payload) => match self.controls.add(now) {
                Ok(()) => self.sockets.time_pong(payload),
                Err(ending) => outbox.finish(Closing::Ours(ending)),
            },
            Event::Binary(_) => outbox.finish(Closing::Ours(Ending::Binary)),
            Event::Close(_) => outbox.finish(Closing::Client),
        }
        *paused = !self.may_read();
        if *paused { Flow::Pause } else { Flow::Continue }
    }

    /// Whether one more message may be taken: answers owed are few and get out, and nothing has ended the connection.
    fn may_read(&self) -> bool {
        let outbox = &self.actor.outbox;
        if outbox.debts().owed() >= UNACKED {
            outbox.debts().hold();
            // Paid between the two looks: nobody would wake us.
            if outbox.debts().owed() >= UNACKED {
                return false;
            }
        }
        !outbox.is_congested() && outbox.todo().closing.is_none()
    }

    fn text(&mut self, text: &str, now: Instant) {
        let limits = &self.sockets.gateway.config().limits;
        let rates = || Rates { messages: limits.messages, signals: limits.signals, bytes: limits.bytes };
        let machine = self.machine.get_or_insert_with(|| Box::new(Machine::new(rates())));
        let decision = machine.text(text, now);
        let metrics = self.sockets.gateway.metrics();
        metrics.sockets.frames_received.get(received(decision.kind)).increment(1);
        if let Some(scope) = decision.limited {
            metrics.access.rate_limited.get(scope).increment(1);
            if decision.kind.is_some_and(Kind::durable) {
                metrics.sessions.entries.get(EntryResult::RateLimited).increment(1);
            }
        }
        match decision.order {
            Order::Close(ending) => self.end(Closing::Ours(ending)),
            Order::Leave => self.end(Closing::Ours(Ending::Left)),
            Order::Refresh { id, token } => self.refresh(id.as_deref(), &token),
            order => self.actor.carry_out(order, &self.attached.room),
        }
    }

    /// Another token for the same participant of the same session; anything else is refused, and the old one stands.
    fn refresh(&mut self, id: Option<&str>, token: &str) {
        #[derive(serde::Serialize)]
        struct Refreshed {
            expires_at: ClusterMs,
        }
        match self.sockets.gateway.verify(token) {
            Ok(claims) if claims.sub == self.claims.sub && claims.sid == self.claims.sid => {
                self.claims = claims;
                self.noticed = false;
                self.actor.reply(id, &Refreshed { expires_at: self.claims.exp.millis() });
            }
            Ok(_) => self.actor.refuse(id, None, &Fault::of(Code::Forbidden)),
            Err(error) => self.actor.refuse(id, None, &unauthorized(error)),
        }
    }

    /// The next moment something is due, if nothing else happens.
    fn next_due(&mut self, queued: bool) -> Option<(Due, Instant)> {
        self.stuck_since = if queued { self.stuck_since.or_else(|| Some(Instant::now())) } else { None };
        let (now, clock) = (Instant::now(), self.sockets.gateway.now());
        let expires = now + self.claims.exp.millis().since(clock);
        let over = clock.since(self.claims.exp.millis());
        let expiry = if self.noticed || over > Duration::ZERO {
            (Due::Expiry, expires + EXPIRY_GRACE.saturating_sub(over))
        } else {
            (Due::ExpiryNotice, expires.checked_sub(EXPIRY_NOTICE).unwrap_or(now))
        };
        let behind = self.sockets.gateway.config().outbox.behind;
        let message = self.message_since.map(|since| (Due::Message, since + MESSAGE));
        let progress = self.stuck_since.map(|since| (Due::Progress, since + behind));
        [Some(expiry), message, progress].into_iter().flatten().min_by_key(|(_, at)| *at)
    }

    fn on_time(&mut self, due: Due) {
        match due {
            Due::ExpiryNotice => {
                self.noticed = true;
                let frame = outbound::token_expiring(self.claims.exp.millis());
                self.actor.outbox.send("token.expiring", &frame);
            }
            Due::Expiry => self.end(Closing::Ours(Ending::Unauthorized("token_expired"))),
            Due::Message => self.end(Closing::Ours(Ending::Malformed)),
            Due::Progress => self.end(Closing::Ours(Ending::TooSlow)),
        }
    }

    fn end(&self, closing: Closing) {
        self.actor.outbox.finish(closing);
    }
}

fn received(kind: Option<Kind>) -> ReceivedType {
    let Some(kind) = kind else { return ReceivedType::Invalid };
    // The enums list the same words; the metric's is matched by name, so that neither floor imports the other's order.
    ReceivedType::ALL
        .iter()
        .copied()
        .find(|label| label.value() == kind.as_str())
        .unwrap_or(ReceivedType::Invalid)
}

#[cfg(test)]
mod tests;
