//! The gateway under test, started by the generator itself: limits off, memory backend, a port of its own on loopback.
//!
//! Its cost is read where the kernel keeps it (`/proc`), so that no figure depends on what the server says of itself.

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

/// How long a gateway may take to listen.
const START: Duration = Duration::from_secs(10);
/// Ticks a second of the CPU times in `/proc/<pid>/stat`: fixed for programs, whatever the kernel's own (`sysconf(_SC_CLK_TCK)` on Linux).
const TICKS: f64 = 100.0;

/// Everything that would hold a load back, out of the way.
const SETTINGS: &[(&str, &str)] = &[
    ("ENVIRONMENT", "development"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("JWT_SECRET", "load-tests-only-0123456789-abcdefghijklmnop"),
    ("BCRYPT_COST", "4"),
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
    child: Child,
    pid: u32,
    addr: SocketAddr,
    _log: JoinSet<()>,
}

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Time on a processor since it began.
    pub(crate) cpu: Duration,
    /// Bytes resident.
    pub(crate) resident: u64,
}

impl Cost {
    /// What a process has cost so far.
    ///
    /// # Errors
    /// It runs no more.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Cost> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        Ok(Cost {
            cpu: cpu(&read("stat")?).context("a stat")?,
            resident: resident(&read("status")?).context("a status")?,
        })
    }
}

impl Gateway {
    /// Starts `binary`, or the one beside this program, with these settings on top of those of every load.
    ///
    /// # Errors
    /// It cannot be started, or does not listen.
    pub(crate) async fn start(binary: Option<&Path>, settings: &[(&str, &str)]) -> anyhow::Result<Gateway> {
        let binary = binary.map_or_else(beside_us, |binary| Ok(binary.to_owned()))?;
        let mut command = Command::new(&binary);
        command.env_clear().envs(SETTINGS.iter().copied()).envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("starting {}", binary.display()))?;
        let pid = child.id().context("the gateway ended at once")?;
        let mut log = BufReader::new(child.stdout.take().context("a pipe")?);
        let addr = timeout(START, listening(&mut log)).await.context("it does not listen")??;
        let mut drain = JoinSet::new();
        // A full pipe drops log lines; read, it costs the server what a log costs.
        drain.spawn(async move {
            let mut line = String::new();
            while log.read_line(&mut line).await.is_ok_and(|count| count > 0) {
                line.clear();
            }
        });
        Ok(Gateway { child, pid, addr, _log: drain })
    }

    /// Where it listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its API.
    pub(crate) fn api(&self) -> Api {
        Api(self.addr)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has cost so far.
    ///
    /// # Errors
    /// It runs no more.
    pub(crate) fn cost(&self) -> anyhow::Result<Cost> {
        Cost::of(self.pid)
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
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

/// User and system time of a `/proc/<pid>/stat`. The name may hold anything, so fields count from its closing parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS))
}

/// Resident bytes of a `/proc/<pid>/status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let stat = "7 (watch (party) x) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(resident("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!((cpu("nonsense"), resident("")), (None, None));
    }
}
