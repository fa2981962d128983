//! An upgrade request, answered: refused with a fault where a status says enough, or switched over to a connection's own task.
//! `http` mounts this at `GET /ws/{id}` and puts faults into words.

use std::sync::Arc;
use std::task::{Context, Waker};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Sockets;
use super::carrier::Carrier;
use super::connection::{Arrival, serve};
use super::extension::{self, Agreement};
use super::upgrade::{Accepted, Refusal, SUBPROTOCOL, WEBSOCKET_VERSION, negotiate};
use crate::backend::limiter::Scope;
use crate::gateway::error::over_limit;
use crate::metrics::label::{RateScope, RefusedReason};
use crate::model::address::LimitKey;
use crate::model::id::SessionId;
use crate::model::rate::RateLimit;
use crate::protocol::inbound::Resume;
use crate::protocol::problem::{Code, Fault};

/// How long somebody waits who found the node or their address full, in milliseconds, before jitter of as much again.
const FULL_RETRY_MS: u64 = 2000;

/// An upgrade that did not happen.
#[derive(Debug)]
pub struct Refused {
    /// What to say.
    pub fault: Fault,
    /// What else to say it with.
    pub headers: HeaderMap,
}

impl Sockets {
    /// Answers a request for a socket of `session`; `None` when the address names no session.
    ///
    /// # Errors
    /// [`Refused`]: `upgrade_required`, `invalid_request`, `forbidden`, `session_not_found`, `rate_limited`, `unavailable`.
    pub async fn upgrade(
        self: &Arc<Self>,
        mut request: Request,
        session: Option<SessionId>,
        address: LimitKey,
    ) -> Result<Response, Refused> {
        let since = Instant::now();
        let method = request.method().clone();
        let origins = &self.gateway.config().origins;
        let accepted = negotiate(&method, request.version(), request.headers(), origins)
            .map_err(|refusal| self.refuse(reason(refusal), told(refusal)))?;
        let session = session
            .ok_or_else(|| self.refuse(RefusedReason::Path, plain(Fault::of(Code::SessionNotFound))))?;
        if self.gateway.is_draining() {
            return Err(self.refuse(RefusedReason::Draining, plain(full(Code::Unavailable))));
        }
        self.limit(address).await?;
        let ticket = self.gate.enter(address).map_err(|reason| {
            let code = if reason == RefusedReason::Capacity { Code::Unavailable } else { Code::RateLimited };
            self.refuse(reason, plain(full(code)))
        })?;
        let token = bearer(request.headers());
        let resume = request.uri().query().and_then(Resume::from_query);
        let offered = self.gateway.config().connections.deflate.then_some(request.headers());
        let deflate = offered.and_then(extension::agree);
        let window = deflate.map(Agreement::window);
        let arrival = Arrival { session, token, resume, ticket, since, deflate: window };
        let socket = socket_of(hyper::upgrade::on(&mut request));
        // What the request held is let go before the connection begins: it would live as long.
        drop(request);
        self.gateway.tracker().spawn(serve(self.clone(), socket, arrival));
        Ok(switching(accepted, deflate))
    }

    async fn limit(&self, address: LimitKey) -> Result<(), Refused> {
        let RateLimit::At(rate) = self.gateway.config().limits.connect else { return Ok(()) };
        let decision = self.gateway.limiter().take(Scope::Connect, &address.to_string(), rate, 1).await;
        if decision.allowed {
            return Ok(());
        }
        if !decision.outage {
            self.gateway.metrics().access.rate_limited.get(RateScope::Connect).increment(1);
        }
        Err(self.refuse(RefusedReason::Rate, plain(over_limit(decision))))
    }

    fn refuse(&self, reason: RefusedReason, refused: Refused) -> Refused {
        self.gateway.metrics().sockets.refused.get(reason).increment(1);
        refused
    }
}

fn plain(fault: Fault) -> Refused {
    let headers = HeaderMap::from_iter([(header::CONNECTION, HeaderValue::from_static("close"))]);
    Refused { fault, headers }
}

/// Come back, but not all in the same moment.
#[must_use]
pub fn full(code: Code) -> Fault {
    Fault::of(code).retry_after(FULL_RETRY_MS + fastrand::u64(0..FULL_RETRY_MS))
}

fn told(refusal: Refusal) -> Refused {
    let code = match refusal {
        Refusal::Method => Code::MethodNotAllowed,
        Refusal::NotAnUpgrade | Refusal::Version => Code::UpgradeRequired,
        Refusal::Origin => Code::Forbidden,
        _ => Code::InvalidRequest,
    };
    let mut refused = plain(Fault::because(code, refusal.to_string()));
    match code {
        Code::UpgradeRequired => {
            refused.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade, close"));
            refused.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            refused
                .headers
                .insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(WEBSOCKET_VERSION));
        }
        Code::MethodNotAllowed => {
            refused.headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        _ => {}
    }
    refused
}

fn reason(refusal: Refusal) -> RefusedReason {
    if refusal == Refusal::Origin { RefusedReason::Origin } else { RefusedReason::Upgrade }
}

/// The answer that switches over.
pub(super) fn switching(accepted: Accepted, deflate: Option<Agreement>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accepted.accept);
    if accepted.subprotocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    }
    if let Some(agreement) = deflate {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, agreement.answer());
    }
    response
}

/// The socket, once hyper has answered the upgrade; `None` when nobody is there any more.
async fn socket_of(upgrade: OnUpgrade) -> Option<(TcpStream, Vec<u8>)> {
    match upgrade.await.map(raw) {
        Ok(Ok(socket)) => return Some(socket),
        Ok(Err(_)) => tracing::error!("upgraded connection is not the socket that was accepted"),
        Err(error) => tracing::debug!(%error, "client went away during the upgrade"),
    }
    None
}

/// The socket itself, taken back from hyper, with what it had read already.
pub(super) fn raw(upgraded: Upgraded) -> Result<(TcpStream, Vec<u8>), Upgraded> {
    let parts = upgraded.downcast::<TokioIo<Carrier>>()?;
    let socket = parts.io.into_inner().into_socket();
    forget_wakers(&socket);
    Ok((socket, parts.read_buf.to_vec()))
}

/// The socket keeps the waker of who polled it last until something happens on it. That is the task that spoke HTTP: a kilobyte that an
/// idle connection would hold until its peer says something.
fn forget_wakers(socket: &TcpStream) {
    let mut nobody = Context::from_waker(Waker::noop());
    // Whether it is ready is for the reader to find out, who asks by another way.
    let _ = socket.poll_read_ready(&mut nobody);
    let _ = socket.poll_write_ready(&mut nobody);
}

/// The token of an `Authorization: Bearer` header. Another scheme is no token, and a `hello` is awaited.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}
