//! Everything around the routes, in order. The first is outermost: it sees a request first and its answer last.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::set_header::SetResponseHeaderLayer;

use super::problem::Problem;
use super::{Edge, cors, observe, peer, problem, request_id};
use crate::gateway::error::RETRY_MS;
use crate::protocol::problem::{Code, Fault};

/// Until an answer begins. Longer than a body may take to arrive and a queued password to be hashed, shorter than what proxies
/// in front wait (mostly 30 to 60 s), so that the client hears it from us.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an address at most. Ours have some 200 with the longest query; RFC 9110 (4.1) asks for 8000 to be understood.
const ADDRESS_MAX: usize = 8 * 1024;

/// Smaller answers fit into one packet either way.
const COMPRESS_FROM: u64 = 1024;

/// Puts the layers around routes.
pub fn wrap(routes: Router<Edge>, edge: &Edge) -> Router {
    let static_header =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let layers = ServiceBuilder::new()
        .layer(from_fn(request_id::name))
        .layer(from_fn_with_state(edge.clone(), observe::note))
        .layer(from_fn(problem::write))
        .layer(static_header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(static_header(REFERRER_POLICY, "no-referrer"))
        .layer(static_header(CACHE_CONTROL, "no-store"))
        .layer(from_fn(short_address))
        .layer(from_fn_with_state(edge.clone(), peer::find))
        .layer(from_fn_with_state(edge.clone(), cors::refuse))
        .layer(cors::answers(&edge.config))
        .layer(
            CompressionLayer::new()
                .gzip(true)
                .quality(CompressionLevel::Fastest)
                .compress_when(is_worth_it()),
        )
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(in_time));
    routes.layer(layers).with_state(edge.clone())
}

/// Neither upgrades nor streams of events, as what must go out at once must not wait in a compressor; nor films, which are compressed and
/// asked for in ranges.
fn is_worth_it() -> impl Predicate {
    let no_upgrade = |status: StatusCode, _: _, _: &_, _: &_| status != StatusCode::SWITCHING_PROTOCOLS;
    SizeAbove::new(COMPRESS_FROM)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("video/"))
        .and(no_upgrade)
}

/// A handler panicked: our bug, and nothing of it is told. The hook has printed where.
fn panicked(_payload: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a request panicked");
    Problem::of(Code::Internal).into_response()
}

async fn short_address(request: Request, next: Next) -> Response {
    let length = request.uri().path_and_query().map_or(0, |address| address.as_str().len());
    if length > ADDRESS_MAX {
        return Problem::of(Code::UriTooLong).into_response();
    }
    next.run(request).await
}

async fn in_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        tracing::warn!("a request ran out of time");
        Problem::from(Fault::of(Code::Unavailable).retry_after(RETRY_MS)).into_response()
    })
}
