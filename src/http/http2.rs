//! HTTP/2 in clear, as proxies speak it to a backend: many requests on one connection, for the API and the page.
//!
//! Responsible for what one such connection may cost: streams, resets, heads, silence. Not responsible for WebSockets, which stay with
//! HTTP/1.1 (`accept`): extended CONNECT is not offered, so a socket asked for here is refused like any request without an upgrade.
//! Tasks that hyper starts for it are tracked like ours, so that a drain waits for them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::patience::{HEAD, IDLE};

/// Requests under way at once; more wait with the peer. What browsers and proxies assume at least.
const STREAMS: u32 = 100;
/// Streams that may be opened and reset before they are looked at; over it the connection ends (`ENHANCE_YOUR_CALM`), as opening and
/// resetting costs the peer nothing and us a request each ("rapid reset").
const RESETS_PENDING: usize = 20;
/// Streams that we had to reset for what the peer did with them; over it the connection ends.
const RESETS_OURS: usize = 100;
/// Bytes of a request's head, as HPACK counts them; the same as over HTTP/1.1.
const HEAD_BYTES: u32 = 16 * 1024;
/// Bytes of a stream that may be under way to us: one message fits. And of all streams together.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Bytes of an answer that may wait for the peer to take them, per stream.
const ANSWER_BYTES: usize = 64 * 1024;
/// How often a peer is asked whether it is there, and how long it may take to say so.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_WITHIN: Duration = Duration::from_secs(10);

/// What every HTTP/2 client says first; no method of HTTP/1.1 begins so.
pub(super) const PREFACE: [u8; 4] = *b"PRI ";

/// Starts hyper's own tasks where the drain can see them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

/// Speaks HTTP/2 until the peer closes, is silent for too long, or the node drains.
pub(super) async fn speak(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    (refuse, work): (CancellationToken, TaskTracker),
) {
    let asked = Arc::new(AtomicU64::new(0));
    let count = asked.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        count.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(axum::body::Body::new))
    });
    let connection = bounded(work).serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let mut leaves = false;
    let (mut seen, mut patience) = (0, HEAD);
    let result = loop {
        tokio::select! {
            result = connection.as_mut() => break result,
            () = refuse.cancelled(), if !leaves => leaves = true,
            // Nothing was asked for so long, or not even the preface came whole.
            () = sleep(patience), if !leaves => {
                let now = asked.load(Ordering::Relaxed);
                leaves = now == seen;
                (seen, patience) = (now, IDLE);
            }
        }
        if leaves {
            // Nobody is kept by a preface that does not come whole: hyper would wait for the rest of it.
            if asked.load(Ordering::Relaxed) == 0 {
                return;
            }
            // What is under way is finished, and no more is taken.
            connection.as_mut().graceful_shutdown();
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "http/2 connection ended");
    }
}

fn bounded(work: TaskTracker) -> http2::Builder<Tracked> {
    let mut http = http2::Builder::new(Tracked(work));
    http.timer(TokioTimer::new()).keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE_WITHIN);
    http.max_concurrent_streams(STREAMS).max_header_list_size(HEAD_BYTES).max_send_buf_size(ANSWER_BYTES);
    http.max_pending_accept_reset_streams(RESETS_PENDING).max_local_error_reset_streams(RESETS_OURS);
    http.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    http
}
