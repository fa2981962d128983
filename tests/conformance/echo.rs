//! The echo route on a port of its own, for a conformance suite to try the socket layer by (`scripts/autobahn.sh`). An example and not a part
//! of the gateway: it needs the cargo feature `conformance`, which no release is built with.
//!
//! Usage: echo [PORT]      prints the address it listens on, on 127.0.0.1 only, and serves until it is killed

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watchparty::http::accept;
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::ws::echo::Echo;

/// How long a reader may take nothing: a suite that looks at what it got takes its time.
const BEHIND: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("{}", listener.local_addr()?);
    let build = Build { version: "conformance", revision: "unknown", backend: BackendKind::Memory };
    let (metrics, work) = (Arc::new(Metrics::new(build, Handle::current())), TaskTracker::new());
    let echo = Arc::new(Echo::new(metrics, work.clone()));
    let answer = |State(echo): State<Arc<Echo>>, request: Request| async move { echo.upgrade(request) };
    let router = Router::new().route("/echo", any(answer)).with_state(echo);
    accept::run(listener, (router, BEHIND), CancellationToken::new(), work).await;
    Ok(())
}
