//! The composition root: builds everything from the settings, owns the listeners, drains.
//!
//! A server is a value: it is started, asked for its address, told to stop, and waited for. Two fit in one process.

mod admin;
mod file_limit;
mod parts;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::backend::Durability;
use crate::backend::redis::{self, Condition, Facts, LinkState, Shortfall};
use crate::config::Config;
use crate::config::redis::{Durability as Asked, RedisConfig};
use crate::http::{accept, router};
use crate::metrics::Metrics;
use crate::model::id::NodeId;
use crate::shutdown::{self, Shutdown};
use crate::telemetry::DroppedLines;
use parts::Built;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// Signals cannot be listened to.
    #[error("signals: {0}")]
    Signals(std::io::Error),
    /// The hashing pool did not start.
    #[error("password hashing: {0}")]
    Passwords(#[from] crate::auth::password::StartError),
    /// The Redis that the settings describe cannot be used.
    #[error("redis: {0}")]
    Redis(#[from] crate::backend::redis::ConnectError),
    /// Redis gives less than is promised to clients.
    #[error("redis: it gives durability {}, and DURABILITY asks for {}", .seen.as_str(), .asked.as_str())]
    TooWeak {
        /// What its settings show.
        seen: Durability,
        /// What is asked for.
        asked: Asked,
    },
    /// Redis has fewer replicas than must have each entry.
    #[error("redis: replicas online: {seen}, and DURABILITY=replicated asks for {asked}")]
    TooFewReplicas {
        /// How many follow it.
        seen: u32,
        /// `DURABILITY_REPLICAS`.
        asked: u32,
    },
    /// The admin listener's thread did not start.
    #[error("admin listener: {0}")]
    Admin(std::io::Error),
}

/// A running gateway.
pub struct Server {
    address: SocketAddr,
    admin: Option<SocketAddr>,
    shutdown: Shutdown,
    built: Built,
}

impl Server {
    /// Builds everything and serves.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub async fn start(config: Config, dropped_lines: DroppedLines) -> Result<Self, StartError> {
        let shutdown = Shutdown::default();
        let listener = listen(config.server.public_addr)?;
        let admin_listener = config.server.admin_addr.map(listen).transpose()?;
        let address = bound(&listener, config.server.public_addr)?;
        let admin = admin_listener.as_ref().map(|listener| bound(listener, address)).transpose()?;
        let built = parts::build(config, &shutdown, dropped_lines)?;

        if let Some(listener) = admin_listener {
            admin::serve(listener, built.edge.clone(), &shutdown).map_err(StartError::Admin)?;
        }
        let (refuse, work) = (shutdown.refuse.clone(), shutdown.work.clone());
        let public = (router::public(&built.edge), built.edge.config.outbox.behind);
        shutdown.background(accept::run(listener, public, refuse, work));
        Ok(Self { address, admin, shutdown, built })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stops it.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Waits for the order to drain, and drains; how many connections were still there at the end.
    ///
    /// # Errors
    /// [`StartError::TooWeak`] and [`StartError::TooFewReplicas`], on the first contact with Redis only: later it makes the node not ready, because its clients are
    /// better off waiting than cut.
    pub async fn wait(self) -> Result<usize, StartError> {
        tokio::select! {
            () = self.shutdown.drain.cancelled() => {}
            shortfall = too_weak(self.built.condition.clone()) => {
                self.shutdown.refuse.cancel();
                self.shutdown.stop.cancel();
                return Err(refusal(shortfall, &self.built.edge.config.redis));
            }
        }
        let Built { edge, wheels, .. } = &self.built;
        Ok(shutdown::drain(&self.shutdown, &edge.gateway, wheels, &edge.config.drain).await)
    }
}

fn refusal(shortfall: Shortfall, asked: &RedisConfig) -> StartError {
    match shortfall {
        Shortfall::Level(seen) => StartError::TooWeak { seen, asked: asked.durability },
        Shortfall::Replicas(seen) => StartError::TooFewReplicas { seen, asked: asked.durability_replicas },
    }
}

/// What Redis lacks, when its first contact shows that it gives less than asked for; waits for ever when it is enough.
async fn too_weak(condition: Option<watch::Receiver<Condition>>) -> Shortfall {
    if let Some(mut condition) = condition {
        let judged = |now: &Condition| now.state == LinkState::Live || now.too_weak.is_some();
        // An error means that the link's keeper has ended, and the node with it.
        if let Ok(now) = condition.wait_for(judged).await
            && let Some(shortfall) = now.too_weak
        {
            return shortfall;
        }
    }
    std::future::pending().await
}

/// Serves until a signal says stop.
///
/// # Errors
/// [`StartError`].
pub async fn run(config: Config, dropped_lines: DroppedLines) -> Result<(), StartError> {
    let server = Server::start(config, dropped_lines).await?;
    shutdown::listen_for_signals(server.shutdown()).map_err(StartError::Signals)?;
    announce(&server);
    let stragglers = server.wait().await?;
    if stragglers == 0 {
        tracing::info!("drained, nobody was cut");
    } else {
        tracing::warn!(stragglers, "drained, some connections were cut");
    }
    Ok(())
}

fn announce(server: &Server) {
    let edge = &server.built.edge;
    let address = server.address;
    tracing::info!(addr = %address, "listening");
    if let Some(admin) = server.admin {
        tracing::info!(addr = %admin, "admin listening");
    }
    let (gateway, backend) = (edge.gateway.clone(), edge.gateway.health().backend);
    let (page, metrics) =
        (format!("http://{address}/"), format!("http://{}/metrics", server.admin.unwrap_or(address)));
    // With Redis that may be later, or never: nobody is sent here before `/health/ready` says so, and the log says no more than it does.
    server.shutdown.background(async move {
        gateway.until_ready().await;
        tracing::info!(%page, %metrics, backend, "ready for use");
    });
    if backend == "memory" {
        tracing::warn!(
            "no Redis is set: sessions live in this process alone and end with it, and other nodes do not share them"
        );
    }
}

/// How many connections the file limit carries, for `doctor`; `None` where there is no limit.
#[must_use]
pub fn connections_carried() -> Option<usize> {
    file_limit::carried()
}

/// Asks the Redis of these settings once, for `doctor`; `None` when they name none. The error's text holds no secret.
#[must_use]
pub fn look_at_redis(config: &Config) -> Option<Result<Facts, String>> {
    let target = config.redis.target.as_ref()?;
    let ask = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let node = NodeId::new_random();
        let settings = parts::redis_settings(config, target, node).map_err(|error| error.to_string())?;
        let metrics = Metrics::new(parts::build_of(config), runtime.handle().clone());
        runtime.block_on(redis::check_up(&settings, &metrics)).map_err(|error| error.to_string())
    };
    Some(ask())
}

/// A listener with room for a wave of reconnects.
fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    /// Connections that wait to be accepted; the kernel lowers it to `net.core.somaxconn`.
    const BACKLOG: i32 = 8192;
    let open = || {
        use socket2::{Domain, Protocol, Socket, Type};
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    open().map_err(|error| StartError::Listen { address, error })
}

fn bound(listener: &TcpListener, address: SocketAddr) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|error| StartError::Listen { address, error })
}
