//! A gateway under test that the generator starts itself: limits off, a port of its own on loopback, gone when the run is.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::Api;

use super::process::Process;

/// How long a gateway may take to listen.
const START: Duration = Duration::from_secs(10);

/// What it signs tokens with.
pub(crate) const SECRET: &str = "load-tests-only-0123456789-abcdefghijklmnop";

/// Everything that would hold a load back, out of the way.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("ENVIRONMENT", "development"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("BCRYPT_COST", "4"),
    ("SESSION_MAX_PARTICIPANTS", "100000"),
    ("CONNECTIONS_PER_ADDRESS", "50000"),
    ("CONNECTIONS_PENDING_PER_ADDRESS", "50000"),
    ("DRAIN_DELAY", "0"),
    ("DRAIN_WINDOW", "0"),
    ("LOG_FORMAT", "json"),
    ("RATE_LIMIT_CREATE", "off"),
    ("RATE_LIMIT_JOIN", "off"),
    ("RATE_LIMIT_LOOKUP", "off"),
    ("RATE_LIMIT_PUBLISH", "off"),
    ("RATE_LIMIT_CONNECT", "off"),
    ("RATE_LIMIT_JOIN_FAILURES", "off"),
    ("RATE_LIMIT_MESSAGES", "off"),
    ("RATE_LIMIT_SIGNALS", "off"),
    ("RATE_LIMIT_BYTES", "off"),
];

/// A gateway that runs until this is dropped.
pub(crate) struct Gateway {
    // Kills its process when it is dropped.
    _child: Child,
    /// Its process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    _log: JoinSet<()>,
}

impl Gateway {
    /// Starts `binary`, or the one beside this program, with these settings on top of those of every load.
    ///
    /// # Errors
    /// It cannot be started, or does not listen.
    pub(crate) async fn start(
        binary: Option<&Path>,
        settings: &[(impl AsRef<OsStr>, impl AsRef<OsStr>)],
    ) -> anyhow::Result<Gateway> {
        let binary = binary.map_or_else(beside_us, |binary| Ok(binary.to_owned()))?;
        let mut command = Command::new(&binary);
        command.env_clear().envs(SETTINGS.iter().copied()).env("JWT_SECRET", SECRET);
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        // A Ctrl-C is for the generator, which ends its gateways when the report is made.
        command.process_group(0);
        let mut child = command.spawn().with_context(|| format!("starting {}", binary.display()))?;
        let process = Process(child.id().context("the gateway ended at once")?);
        let mut log = BufReader::new(child.stdout.take().context("a pipe")?);
        let addr = timeout(START, listening(&mut log)).await.context("it does not listen")??;
        timeout(START, Api(addr).ready()).await.context("it does not become ready")?;
        let mut drain = JoinSet::new();
        // A full pipe drops log lines; read, it costs the server what a log costs.
        drain.spawn(async move {
            let mut line = String::new();
            while log.read_line(&mut line).await.is_ok_and(|count| count > 0) {
                line.clear();
            }
        });
        Ok(Gateway { _child: child, process, addr, _log: drain })
    }
}

fn beside_us() -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("watchparty");
    anyhow::ensure!(path.exists(), "no gateway at {}: build it, or name one with --gateway", path.display());
    Ok(path)
}

async fn listening(log: &mut BufReader<ChildStdout>) -> anyhow::Result<SocketAddr> {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        anyhow::ensure!(log.read_line(&mut line).await? > 0, "it ended:\n{seen}");
        let event: Value = serde_json::from_str(&line).unwrap_or_default();
        let fields = if event["fields"].is_object() { &event["fields"] } else { &event };
        if fields["message"] == "listening" {
            return Ok(fields["addr"].as_str().context("an address")?.parse()?);
        }
        seen.push_str(&line);
    }
}
