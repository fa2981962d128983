//! The accept loop: our own, because `axum::serve` sets no header timeout and does not wait for upgraded sockets.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONNECTION, HOST};
use axum::http::{StatusCode, Version};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::http2;
use super::patience::{HEAD, Patience};
use crate::ws::carrier::{Carrier, Spoke};

/// Header fields of a request. Browsers behind two proxies send about 40.
const HEADERS: usize = 64;
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;
/// How much longer than the gateway the kernel waits for a client that takes nothing. Linux counts a closed receive window as it counts
/// bytes that nobody acknowledges, so a shorter time would cut a reader who merely pauses, without a word.
const KERNEL_SPARE: Duration = Duration::from_secs(15);
/// How long an idle connection is silent before the kernel asks whether the peer is there.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// Bytes the kernel keeps unsent: more would only age there.
const NOT_SENT: u32 = 16 * 1024;
/// After a failed accept (no descriptors left), so that the loop does not spin until one is free.
const BREATH: Duration = Duration::from_millis(50);

/// Accepts until told to refuse. Connections are tracked in `work`. `behind`: how long a reader may take nothing.
pub async fn run(
    listener: TcpListener,
    (router, behind): (Router, Duration),
    refuse: CancellationToken,
    work: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = refuse.cancelled() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                if let Err(error) = tune(&socket, behind + KERNEL_SPARE) {
                    tracing::debug!(%error, "socket options not set");
                }
                work.spawn(connection(socket, peer, router.clone(), (refuse.clone(), work.clone())));
            }
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(BREATH).await;
            }
        }
    }
}

/// Speaks what the peer speaks, by its first bytes. Whoever says nothing in time, or nothing whole of HTTP/2's, is closed or taken for HTTP/1.1.
async fn connection(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    (refuse, work): (CancellationToken, TaskTracker),
) {
    let mut first = [0; http2::PREFACE.len()];
    let heard = tokio::select! {
        heard = timeout(HEAD, socket.peek(&mut first)) => heard,
        // Nothing was asked, so nothing has to be finished.
        () = refuse.cancelled() => return,
    };
    match heard {
        Ok(Ok(_)) if first == http2::PREFACE => http2::speak(socket, peer, router, (refuse, work)).await,
        Ok(Ok(1..)) => http1(socket, peer, router, refuse).await,
        // Closed, broken, or silent.
        _ => {}
    }
}

/// Speaks HTTP/1.1 on one connection until it closes, is upgraded, or the node drains.
async fn http1(socket: TcpStream, peer: SocketAddr, router: Router, refuse: CancellationToken) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let router = names_its_host(&request).then(|| router.clone());
        async move {
            match router {
                Some(router) => router.oneshot(request.map(axum::body::Body::new)).await,
                None => Ok((StatusCode::BAD_REQUEST, [(CONNECTION, "close")]).into_response()),
            }
        }
    });
    let mut http = conn::http1::Builder::new();
    let spoke = Spoke::default();
    http.timer(Patience::new(spoke.clone())).header_read_timeout(HEAD);
    http.max_headers(HEADERS).max_buf_size(HEAD_BYTES);
    let carrier = TokioIo::new(Carrier::new(socket, spoke));
    let connection = http.serve_connection(carrier, service).with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = refuse.cancelled() => {
            // Finishes the request under way; an idle one closes at once.
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "http connection ended");
    }
}

/// Whether a head says once for whom it is meant, as RFC 9112 (3.2) demands: two proxies could read two lines differently. Health checks of
/// HTTP/1.0 name nobody.
fn names_its_host<B>(request: &Request<B>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        count => count == 1,
    }
}

fn tune(socket: &TcpStream, user_timeout: Duration) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(user_timeout))?;
        socket.set_tcp_notsent_lowat(NOT_SENT)?;
    }
    Ok(())
}
