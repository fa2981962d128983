//! What the load is made against: gateways that run somewhere, or such as the generator starts itself, alone or several with a Redis.
//!
//! Responsible for where they are, what lets people in, and what they cost. Loopback unless it is said aloud that it need not be: a load test
//! that is pointed at the wrong address is an attack.

pub(crate) mod gateway;
pub(crate) mod process;
pub(crate) mod redis;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::lookup_host;
use tokio::time::Instant;

use crate::api::{Api, Ticket};
use crate::cli::target::TargetOptions;
use crate::mint::Mint;
use crate::report::figures::Server;
use gateway::{Gateway, SECRET, SETTINGS};
use process::{Cost, Process};
use redis::RedisServer;

/// Addresses of loopback that connections to it come from: 28 000 ports each, and no gateway's bound for one address is met early.
const LOOPBACK_SOURCES: u8 = 16;

/// The gateways under test; those that were started end when it is dropped.
pub(crate) struct Target {
    /// Where they listen.
    pub(crate) gateways: Vec<SocketAddr>,
    /// Where connections come from, in turn; any if empty.
    pub(crate) sources: Vec<IpAddr>,
    /// How the report calls them.
    pub(crate) server: Server,
    secret: Option<String>,
    processes: Vec<Process>,
    redis: Option<RedisServer>,
    /// When it was reached, and how long after that one of its processes was first found gone.
    reached: Instant,
    ended: OnceLock<Duration>,
    nodes: Mutex<Vec<Option<Gateway>>>,
}

/// What they have cost so far, all together; what is not known is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Time on a processor.
    pub(crate) cpu: Option<Duration>,
    /// Bytes resident.
    pub(crate) resident: Option<u64>,
    /// The same of the Redis that was started for them.
    pub(crate) redis: Option<Cost>,
    /// Bytes that wait in them for connections.
    pub(crate) waiting: f64,
    /// Holes in announcements that they repaired from the log.
    pub(crate) gaps: f64,
}

impl Target {
    /// Finds or starts what was asked for.
    ///
    /// # Errors
    /// It is not there, cannot be started, or is not on loopback and nobody said that this is meant.
    pub(crate) async fn reach(options: &TargetOptions) -> anyhow::Result<Target> {
        let mut target = if options.url.is_empty() { start(options).await? } else { find(options).await? };
        if !options.source.is_empty() {
            target.sources.clone_from(&options.source);
        } else if target.gateways.iter().all(|gateway| gateway.is_ipv4() && gateway.ip().is_loopback()) {
            target.sources =
                (2..2 + LOOPBACK_SOURCES).map(|last| Ipv4Addr::new(127, 0, 0, last).into()).collect();
        }
        let metrics = Api(target.gateways[0]).metrics().await.unwrap_or_default();
        target.server.build = metrics.build();
        target.server.urls = target.gateways.iter().map(|gateway| format!("http://{gateway}")).collect();
        Ok(target)
    }

    /// What makes tokens for sessions of this host, if the secret is known.
    ///
    /// # Errors
    /// The secret is another.
    pub(crate) fn mint(&self, host: &Ticket) -> anyhow::Result<Option<Mint>> {
        self.secret.as_ref().map(|secret| Mint::of(secret, host)).transpose()
    }

    /// What the gateways have cost.
    pub(crate) async fn load(&self) -> Load {
        let mut load = Load::default();
        let costs: Option<Vec<Cost>> = self.processes.iter().map(|process| process.cost().ok()).collect();
        if let Some(costs) = costs.filter(|costs| !costs.is_empty()) {
            load.cpu = Some(costs.iter().map(|cost| cost.cpu).sum());
            load.resident = Some(costs.iter().map(|cost| cost.resident).sum());
        }
        load.redis = self.redis.as_ref().and_then(|redis| redis.process.cost().ok());
        for gateway in &self.gateways {
            let Ok(metrics) = Api(*gateway).metrics().await else { continue };
            load.waiting += metrics.sum("watchparty_outbox_bytes", "");
            load.gaps += metrics.sum("watchparty_resyncs_total", "cause=\"gap\"");
            if self.processes.is_empty() {
                let cpu = Duration::from_secs_f64(metrics.sum("process_cpu_seconds_total", "").max(0.0));
                load.cpu = Some(load.cpu.unwrap_or_default() + cpu);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "bytes of memory"
                )]
                let resident = metrics.sum("process_resident_memory_bytes", "").max(0.0) as u64;
                load.resident = Some(load.resident.unwrap_or_default() + resident);
            }
        }
        load
    }

    /// What this program has cost.
    pub(crate) fn own(&self) -> Cost {
        // Of a process that asks, `/proc` tells.
        Process(std::process::id()).cost().unwrap_or_default()
    }

    /// Kills a gateway that was started here, as a machine that goes dark would.
    pub(crate) fn kill(&self, at: usize) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped, its process is killed.
        nodes.get_mut(at).and_then(Option::take);
    }

    /// Whether every gateway whose process is known still runs, but for those that were killed here. That one does not is remembered with the
    /// time it was found.
    pub(crate) fn runs(&self) -> bool {
        let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let killed = |at: usize| matches!(nodes.get(at), Some(None));
        let mut processes = self.processes.iter().enumerate();
        let runs = processes.all(|(at, process)| killed(at) || process.cost().is_ok());
        if !runs {
            self.ended.get_or_init(|| self.reached.elapsed());
        }
        runs
    }

    /// How long after it was reached a gateway was found to have ended, if one has.
    pub(crate) fn ended(&self) -> Option<Duration> {
        if self.runs() { None } else { self.ended.get().copied() }
    }
}

async fn find(options: &TargetOptions) -> anyhow::Result<Target> {
    let mut gateways = Vec::new();
    for url in &options.url {
        let rest = url.strip_prefix("http://").with_context(|| format!("{url}: only http:// is spoken"))?;
        let host = rest.trim_end_matches('/');
        let named = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let found = lookup_host(&named).await.with_context(|| format!("looking up {named}"))?.next();
        let gateway = found.with_context(|| format!("{named} has no address"))?;
        anyhow::ensure!(
            gateway.ip().is_loopback() || options.allow_remote,
            "{url} is not on loopback: if it is yours to load, say --allow-remote"
        );
        gateways.push(gateway);
    }
    let secret = if options.mint {
        Some(
            std::env::var_os("JWT_SECRET")
                .and_then(|secret| secret.into_string().ok())
                .context("--mint needs the gateway's JWT_SECRET in the environment")?,
        )
    } else {
        None
    };
    let processes = options.pid.iter().copied().map(Process).collect();
    let server = Server::default();
    Ok(Target {
        gateways,
        sources: Vec::new(),
        server,
        secret,
        processes,
        redis: None,
        reached: Instant::now(),
        ended: OnceLock::new(),
        nodes: Mutex::default(),
    })
}

async fn start(options: &TargetOptions) -> anyhow::Result<Target> {
    let redis = match &options.redis_server {
        Some(program) => Some(RedisServer::start(program).await?),
        None => None,
    };
    anyhow::ensure!(
        options.nodes == 1 || redis.is_some(),
        "{} nodes need a Redis between them: say --redis-server",
        options.nodes
    );
    let mut settings = options.settings.clone();
    if let Some(redis) = &redis {
        settings.push(("REDIS_URL".to_owned(), format!("redis://{}", redis.addr)));
    }
    let mut nodes = Vec::new();
    for _ in 0..options.nodes {
        nodes.push(Gateway::start(options.gateway.as_deref(), &settings).await?);
    }
    let told = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut told: BTreeMap<String, String> = SETTINGS.iter().map(told).collect();
    // Its port is another each time, which a comparison would take for a difference.
    told.extend(options.settings.iter().cloned());
    let server = Server { started_here: true, settings: told, ..Server::default() };
    Ok(Target {
        gateways: nodes.iter().map(|node| node.addr).collect(),
        sources: Vec::new(),
        server,
        secret: Some(SECRET.to_owned()),
        processes: nodes.iter().map(|node| node.process).collect(),
        redis,
        reached: Instant::now(),
        ended: OnceLock::new(),
        nodes: Mutex::new(nodes.into_iter().map(Some).collect()),
    })
}
