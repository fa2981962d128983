//! What is noted of a request: one line, one count, one time.
//!
//! A line names the route and never the path, as a path holds a session's id; never a query, a header or a body. Sessions wished
//! for and joined are counted here too and not in the gateway, because only here every end is seen: bodies refused and limits spent.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::Edge;
use super::request_id::RequestId;
use crate::metrics::Metrics;
use crate::metrics::label::{CreateResult, JoinResult, Route, StatusClass};
use crate::protocol::problem::{Code, Fault};
use crate::telemetry::traces;

/// Which trace a request belongs to, by the W3C.
const TRACEPARENT: &str = "traceparent";

/// The layer.
pub async fn note(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.as_ref().map_or("", RequestId::as_str);
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let matched = matched.as_ref().map(MatchedPath::as_str);
    let method = request.method().clone();
    let span = tracing::info_span!("request", request.id = id, otel.kind = Empty, trace_id = Empty);
    traces::begin(&span, || traceparent(&edge, &request));
    let response = next.run(request).instrument(span.clone()).await;

    let route = route_of(matched);
    let (status, elapsed) = (response.status(), started.elapsed());
    traces::answered(&span, method.as_str(), matched, status.as_u16());
    edge.metrics.http.requests.get(route).get(StatusClass::of(status.as_u16())).increment(1);
    if let Some(timed) = route.timed() {
        edge.metrics.http.duration.get(timed).record(elapsed);
    }
    if method == Method::POST {
        let known = response.extensions().get::<JoinResult>().copied();
        count_result(&edge.metrics, route, (response.extensions().get::<Fault>(), known), status);
    }
    let line = Line { id, method: &method, route: matched.unwrap_or("-"), status };
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if traces::are_exported() {
        // So that the line names its trace.
        span.in_scope(|| line.put(route, duration_ms));
    } else {
        line.put(route, duration_ms);
    }
    response
}

/// The trace that the caller wants to see this in. Who is not trusted to tell addresses is not trusted to have us trace either.
fn traceparent<'a>(edge: &Edge, request: &'a Request) -> Option<&'a str> {
    let header = request.headers().get(TRACEPARENT)?;
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    edge.addresses.trusts(peer.ip()).then_some(header)?.to_str().ok()
}

/// Which group of routes a pattern of the router belongs to.
fn route_of(matched: Option<&str>) -> Route {
    match matched {
        Some("/api/sessions/create") => Route::Create,
        Some("/api/sessions/join") => Route::Join,
        Some("/api/sessions/{id}") => Route::Session,
        Some("/api/sessions/{id}/messages") => Route::Messages,
        Some("/api/sessions/{id}/participants/{pid}") => Route::Participants,
        Some("/api/sessions/{id}/token") => Route::Token,
        Some("/api/sessions/{id}/ice") => Route::Ice,
        Some("/api/clock") => Route::Clock,
        // An event stream is a socket by other means.
        Some("/ws/{id}" | "/api/sessions/{id}/events") => Route::Ws,
        Some("/" | "/s/{*link}" | "/s/" | "/web/{*file}" | "/sdk/{*module}" | "/docs" | "/openapi.json") => {
            Route::Web
        }
        Some("/health" | "/health/live" | "/health/ready" | "/metrics") => Route::Ops,
        Some(_) | None => Route::Other,
    }
}

/// Counts by the fault, unless the route knows better (`known`): one code stands for two limits of a join.
fn count_result(
    metrics: &Metrics,
    route: Route,
    (fault, known): (Option<&Fault>, Option<JoinResult>),
    status: StatusCode,
) {
    let code = fault.map(|fault| fault.code);
    match route {
        Route::Create => metrics.sessions.created.get(create_result(code, status)).increment(1),
        Route::Join => {
            let result = known.unwrap_or_else(|| join_result(code, status));
            metrics.sessions.joins.get(result).increment(1);
        }
        _ => {}
    }
}

fn create_result(code: Option<Code>, status: StatusCode) -> CreateResult {
    match code {
        None if status.is_success() => CreateResult::Ok,
        Some(Code::InvalidRequest | Code::PayloadTooLarge | Code::UnsupportedMediaType) => {
            CreateResult::Invalid
        }
        Some(Code::RateLimited) => CreateResult::RateLimited,
        Some(Code::Unavailable) => CreateResult::Unavailable,
        _ => CreateResult::Error,
    }
}

fn join_result(code: Option<Code>, status: StatusCode) -> JoinResult {
    match code {
        None if status.is_success() => JoinResult::Ok,
        Some(Code::SessionFull) => JoinResult::Full,
        Some(Code::SessionLocked) => JoinResult::Locked,
        Some(Code::RateLimited) => JoinResult::RateLimited,
        Some(Code::Unavailable) => JoinResult::Unavailable,
        Some(_) if status.is_client_error() => JoinResult::Refused,
        _ => JoinResult::Error,
    }
}

/// The line of one request.
struct Line<'a> {
    id: &'a str,
    method: &'a Method,
    route: &'a str,
    status: StatusCode,
}

impl Line<'_> {
    fn put(&self, group: Route, duration_ms: u64) {
        let Self { id, method, route, status } = *self;
        let status = status.as_u16();
        // Probes and scrapes come every few seconds, and nobody looks for them.
        if group == Route::Ops {
            tracing::debug!(request.id = id, %method, route, status, duration_ms, "request answered");
        } else {
            tracing::info!(request.id = id, %method, route, status, duration_ms, "request answered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_the_router_has_a_group() {
        for pattern in super::super::router::tests::patterns() {
            assert_ne!(route_of(Some(&pattern)), Route::Other, "{pattern}");
        }
        assert_eq!(route_of(None), Route::Other);
    }

    #[test]
    fn ends_are_counted_as_what_they_are() {
        for (code, status, create, join) in [
            (None, 201, CreateResult::Ok, JoinResult::Ok),
            (Some(Code::InvalidRequest), 400, CreateResult::Invalid, JoinResult::Refused),
            (Some(Code::Unauthorized), 401, CreateResult::Error, JoinResult::Refused),
            (Some(Code::PayloadTooLarge), 413, CreateResult::Invalid, JoinResult::Refused),
            (Some(Code::SessionFull), 409, CreateResult::Error, JoinResult::Full),
            (Some(Code::SessionLocked), 423, CreateResult::Error, JoinResult::Locked),
            (Some(Code::RateLimited), 429, CreateResult::RateLimited, JoinResult::RateLimited),
            (Some(Code::Unavailable), 503, CreateResult::Unavailable, JoinResult::Unavailable),
            (Some(Code::Internal), 500, CreateResult::Error, JoinResult::Error),
            (None, 500, CreateResult::Error, JoinResult::Error),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(create_result(code, status), create, "{code:?}");
            assert_eq!(join_result(code, status), join, "{code:?}");
        }
    }
}
