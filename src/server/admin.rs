//! The admin listener: health and numbers on a thread and a runtime of their own, so that load cannot starve a probe.

use std::io;
use std::thread;

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::http::{Edge, accept, router};
use crate::shutdown::Shutdown;

/// Serves until the node stops. Unlike the public listener it goes on while the node drains.
pub(super) fn serve(listener: TcpListener, edge: Edge, shutdown: &Shutdown) -> io::Result<()> {
    let listener = listener.into_std()?;
    let stop = shutdown.stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name("admin".to_owned()).spawn(move || {
        runtime.block_on(async move {
            match TcpListener::from_std(listener) {
                // Its own tracker: a scrape under way does not hold the drain up.
                Ok(listener) => {
                    let admin = (router::admin(&edge), edge.config.outbox.behind);
                    accept::run(listener, admin, stop, TaskTracker::new()).await;
                }
                Err(error) => tracing::error!(%error, "admin listener lost"),
            }
        });
    })?;
    Ok(())
}
