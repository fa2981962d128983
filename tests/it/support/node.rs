//! The real `watchparty` binary as a child process, and several of them around one Redis.
//!
//! Tests see a node as an operator does: settings in the environment, lines on stdout, HTTP, signals, `/proc`. The
//! environment is emptied first and the working directory is empty, so neither a developer's variables nor a
//! `.env` decides a test.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::watch;

use super::api::Api;
use super::chaos_proxy::ChaosProxy;
use super::mint::Mint;
use super::process::{Process, TempDir};
use super::redis_server::RedisServer;
use super::wait;

/// The `JWT_SECRET` of every test node.
pub const SECRET: &str = "integration-tests-only-0123456789-abcdefghij";

/// Lines kept per node; the oldest go. Enough for a failing test's report, too few to fill memory under load.
const LOG_LINES: usize = 10_000;

/// What a node is started with, before a test's own settings: loopback and a free port, fast passwords, no limits
/// (a test of limits sets the one it means), and an end without a wait.
const SETTINGS: &[(&str, &str)] = &[
    ("ENVIRONMENT", "development"),
    ("HOST", "127.0.0.1"),
    ("PORT", "0"),
    ("JWT_SECRET", SECRET),
    ("BCRYPT_COST", "4"),
    ("DRAIN_DELAY", "0"),
    ("DRAIN_WINDOW", "1"),
    ("LOG_FORMAT", "json"),
    ("LOG_LEVEL", "info"),
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

#[derive(Default)]
struct Log {
    lines: Mutex<VecDeque<String>>,
    /// Raised with every line, so that waiting for one needs no polling.
    count: watch::Sender<u64>,
}

impl Log {
    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
        drop(lines);
        self.count.send_modify(|count| *count += 1);
    }

    fn snapshot(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().cloned().collect()
    }

    /// The first kept line, old or new, for which `find` answers `Some`.
    async fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let mut count = self.count.subscribe();
        loop {
            count.borrow_and_update();
            if let Some(found) = self.lines.lock().unwrap().iter().find_map(|line| find(line)) {
                return found;
            }
            count.changed().await.expect("the log lives as long as its node");
        }
    }
}

/// One node.
pub struct Node {
    process: Process,
    log: Arc<Log>,
    addr: SocketAddr,
    settings: Vec<(String, String)>,
    dir: TempDir,
}

impl Node {
    /// Starts a node with these settings on top of the defaults (an empty value unsets one), and waits until it is
    /// ready.
    pub async fn start(settings: &[(&str, &str)]) -> Node {
        let node = Node::start_unready(settings).await;
        node.wait_ready().await;
        node
    }

    /// [`Node::start`] that waits only for the listener: a node without its Redis is never ready.
    pub async fn start_unready(settings: &[(&str, &str)]) -> Node {
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Node::launch(settings).await
    }

    async fn launch(settings: Vec<(String, String)>) -> Node {
        let dir = TempDir::new("node");
        let mut command = command(&settings, &dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start("watchparty", &mut command);
        let log = Arc::new(Log::default());
        let stdout = process.child().stdout.take().expect("stdout is a pipe");
        let stderr = process.child().stderr.take().expect("stderr is a pipe");
        collect(stdout, Arc::clone(&log));
        collect(stderr, Arc::clone(&log));
        let addr = tokio::select! {
            addr = wait::soon("the line that says `listening`", log.wait_for(listening)) => addr,
            status = process.ended() => {
                panic!("the node ended ({status}) before it listened:\n{}", log.snapshot().join("\n"))
            }
        };
        Node { process, log, addr, settings, dir }
    }

    /// Runs the binary to its end with these settings and arguments: exit status and everything it printed.
    pub async fn run_to_end(arguments: &[&str], settings: &[(&str, &str)]) -> (ExitStatus, String) {
        let dir = TempDir::new("node");
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let mut command = command(&settings, &dir);
        command.args(arguments).stdin(Stdio::null());
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = wait::soon("the binary to end", ended).await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status, String::from_utf8(text).unwrap())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its HTTP API.
    pub fn api(&self) -> Api {
        Api::new(self.addr)
    }

    /// A mint with the secret of all test nodes.
    pub fn mint(&self) -> Mint {
        Mint::new(SECRET)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until `/health/ready` answers 200.
    pub async fn wait_ready(&self) {
        self.wait_ready_is(200).await;
    }

    /// Waits until `/health/ready` answers `status` (503 while it cannot deliver).
    pub async fn wait_ready_is(&self, status: u16) {
        let api = self.api();
        wait::until(&format!("/health/ready to answer {status}"), || async move {
            (api.get("/health/ready", None).await.status == status).then_some(())
        })
        .await;
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// SIGTERM, and returns at once: the drain begins.
    pub fn term(&self) {
        self.process.signal("TERM");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        self.process.ended().await
    }

    /// SIGSTOP: a zombie whose connections stay open.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }

    /// Kills it when it still runs and starts it with the same settings; the port is a new one.
    pub async fn restart(&mut self) {
        self.kill9();
        let settings = std::mem::take(&mut self.settings);
        *self = Node::launch(settings).await;
        self.wait_ready().await;
    }

    /// The last log lines, oldest first.
    pub fn log(&self) -> Vec<String> {
        self.log.snapshot()
    }

    /// Waits for a line with this message and returns it as JSON.
    pub async fn wait_log(&self, message: &str) -> Value {
        let find = |line: &str| event(line).filter(|event| event["message"] == message);
        wait::soon(&format!("the log line `{message}`"), self.log.wait_for(find)).await
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.process.resident_bytes()
    }
}

fn command(settings: &[(String, String)], dir: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchparty"));
    command.env_clear().envs(SETTINGS.iter().copied()).current_dir(dir.path());
    for (name, value) in settings {
        command.env(name, value);
    }
    command
}

/// Reads a pipe to its end on a thread of its own: a full pipe would stop the node.
fn collect(pipe: impl Read + Send + 'static, log: Arc<Log>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            // An error here is the end of the child, as the end of the pipe is.
            let Ok(line) = line else { return };
            log.push(String::from_utf8_lossy(&line).into_owned());
        }
    });
}

/// The fields of a JSON log line, flat whether or not the formatter nests them under `fields`.
fn event(line: &str) -> Option<Value> {
    let line: Value = serde_json::from_str(line).ok()?;
    Some(if line["fields"].is_object() { line["fields"].clone() } else { line })
}

fn listening(line: &str) -> Option<SocketAddr> {
    if let Some((_, address)) = line.split_once(": listening addr=") {
        return address.split_whitespace().next()?.parse().ok();
    }
    let event = event(line).filter(|event| event["message"] == "listening")?;
    event["addr"].as_str()?.parse().ok()
}

/// How the nodes of a cluster are started.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClusterOptions<'a> {
    /// A proxy of its own between each node and Redis.
    pub proxied: bool,
    /// Settings of every node.
    pub settings: &'a [(&'a str, &'a str)],
}

/// Nodes around one Redis.
pub struct Cluster {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// `proxies[i]` stands between `nodes[i]` and Redis; empty when they connect directly.
    pub proxies: Vec<ChaosProxy>,
}

impl Cluster {
    /// `count` nodes with default settings, connected directly.
    pub async fn start(count: usize, redis: &RedisServer) -> Cluster {
        Cluster::start_with(count, redis, ClusterOptions::default()).await
    }

    /// `count` nodes, each ready.
    pub async fn start_with(count: usize, redis: &RedisServer, options: ClusterOptions<'_>) -> Cluster {
        let mut cluster = Cluster { nodes: Vec::new(), proxies: Vec::new() };
        for _ in 0..count {
            let mut url = redis.url();
            if options.proxied {
                let proxy = ChaosProxy::to_port(redis.port()).await;
                url = format!("redis://{}", proxy.addr());
                cluster.proxies.push(proxy);
            }
            let mut settings = vec![("REDIS_URL", url.as_str())];
            settings.extend_from_slice(options.settings);
            cluster.nodes.push(Node::start(&settings).await);
        }
        cluster
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_either_shape_of_line() {
        let addr: SocketAddr = "127.0.0.1:4711".parse().unwrap();
        let nested = r#"{"level":"INFO","fields":{"message":"listening","addr":"127.0.0.1:4711"}}"#;
        let flat = r#"{"level":"INFO","message":"listening","addr":"127.0.0.1:4711"}"#;
        assert_eq!(listening(nested), Some(addr));
        assert_eq!(listening(flat), Some(addr));
        assert_eq!(listening(r#"{"message":"admin listening","addr":"127.0.0.1:4711"}"#), None);
        let text = "2026-11-22T08:00:00.000000Z  INFO watchparty::server: listening addr=127.0.0.1:4711";
        assert_eq!(listening(text), Some(addr));
        assert_eq!(listening("listening on 127.0.0.1:4711"), None);
    }

    #[tokio::test]
    async fn a_log_keeps_the_newest_lines_and_wakes_who_waits() {
        let log = Log::default();
        for number in 0..=LOG_LINES {
            log.push(number.to_string());
        }
        let lines = log.snapshot();
        assert_eq!((lines.len(), lines[0].as_str()), (LOG_LINES, "1"));
        let wait = log.wait_for(|line| (line == "late").then_some(line.len()));
        let (length, ()) = tokio::join!(wait, async { log.push("late".to_owned()) });
        assert_eq!(length, 4);
    }

    #[tokio::test]
    async fn the_binary_runs_with_settings_of_the_test_only() {
        let dir = TempDir::new("node");
        let command = command(&[("PORT".to_owned(), "1".to_owned())], &dir);
        let set: Vec<_> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?))).collect();
        assert!(set.contains(&("PORT", "1")) && set.contains(&("BCRYPT_COST", "4")), "{set:?}");
        assert_eq!(command.get_current_dir(), Some(dir.path()));
    }
}
