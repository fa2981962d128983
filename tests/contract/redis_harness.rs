//! The suite on Redis: a `redis-server` of its own for each case, whose clock runs by itself.
//!
//! Responsible for starting the server, for its end whatever happens to the test, and for the promise that no key stays for ever. A server
//! per case, because one takes 20 ms to start and cases cannot then disturb each other.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watchparty::backend::Backend;
use watchparty::backend::log::Deliver;
use watchparty::backend::redis::{OnOutage, RedisSettings, RedisTarget, Surroundings, connect};
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::id::NodeId;

use crate::harness::{HISTORY_ENTRIES, Harness, Store, until};

/// A harness on a Redis of its own.
pub(crate) async fn start() -> Harness {
    let server = RedisChild::start().await;
    let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
    Harness::new(Box::new(OnRedis { server, stop, tracker })).await
}

struct OnRedis {
    server: RedisChild,
    stop: CancellationToken,
    tracker: TaskTracker,
}

#[async_trait]
impl Store for OnRedis {
    async fn connect(&self, deliver: Arc<dyn Deliver>) -> Backend {
        let settings = RedisSettings {
            target: RedisTarget::plain("127.0.0.1", self.server.port),
            prefix: String::from("wp"),
            node: NodeId::new_random(),
            history_entries: HISTORY_ENTRIES,
            durability: None,
            on_outage: OnOutage::Allow,
        };
        let build = Build { version: "contract", revision: "contract", backend: BackendKind::Redis };
        let metrics = Metrics::new(build, tokio::runtime::Handle::current());
        let (stop, tracker) = (self.stop.clone(), &self.tracker);
        let surroundings = Surroundings { deliver, stop, tracker, metrics: &metrics, clock: Arc::default() };
        let backend = connect(settings, surroundings).expect("settings that can work");
        until("the link to Redis", || async { backend.health.borrow().up.then_some(()) }).await;
        backend
    }

    /// Redis has its own clock.
    fn pass(&self, _time: Duration) {}

    async fn finish(&self) {
        self.stop.cancel();
        self.tracker.close();
        until("the adapter's tasks to end", || async { self.tracker.is_empty().then_some(()) }).await;
        let script = "local left = {} for _, key in ipairs(redis.call('KEYS', '*')) do \
                      if redis.call('PTTL', key) == -1 then left[#left + 1] = key end end \
                      return 'without end: ' .. table.concat(left, ' ')";
        let answer = self.server.ask(&["EVAL", script, "0"]).await.expect("Redis answers");
        assert!(answer.contains("without end: \r\n"), "keys that would stay for ever: {answer}");
    }
}

/// A `redis-server` without persistence.
struct RedisChild {
    shell: Child,
    port: u16,
}

impl RedisChild {
    /// The shell between ends the server when its input ends: when this process drops it, or dies in whatever way.
    const WATCHED: &str = r#"redis-server "$@" </dev/null >/dev/null 2>&1 & read -r _; kill -9 $!"#;

    async fn start() -> Self {
        // Between our look at a port and Redis' bind another test may take it: then we look again.
        for _ in 0..20 {
            if let Some(server) = Self::launch().await {
                return server;
            }
        }
        panic!("redis-server does not start, twenty times (is it installed?)");
    }

    async fn launch() -> Option<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        // A name of our own, so that a stranger on the same port is not taken for ours.
        let name = NodeId::new_random().to_string();
        let arguments = ["--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"];
        let shell = Command::new("sh")
            .args(["-c", Self::WATCHED, "sh", "--port", &port.to_string(), "--dbfilename", &name])
            .args(arguments)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        let server = Self { shell, port };
        for _ in 0..400 {
            match server.ask(&["CONFIG", "GET", "dbfilename"]).await {
                Ok(answer) if answer.contains(&name) => return Some(server),
                Ok(_) => return None,
                // Not there yet; the pause only spares the processor.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        None
    }

    /// One command on a connection of its own; the raw answer.
    async fn ask(&self, words: &[&str]) -> io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        command.push_str("*1\r\n$4\r\nQUIT\r\n");
        stream.write_all(command.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

impl Drop for RedisChild {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Fails only for a child that was waited for already, and nobody else waits.
        let _ = self.shell.wait();
    }
}
