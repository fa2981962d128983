//! A primary, its replicas and the sentinels that watch them, as children on loopback, each server behind a way that a test can break.
//!
//! Everybody reaches a server by its way alone: nodes, sentinels and the other servers, as its announced port is the way's. So a way that is
//! silent is a server cut off from everybody. Sentinels are told of one another at the start, so that a test need not wait for their
//! gossip. Not responsible for judging: whether a promise held is the tests' to say.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::chaos_proxy::ChaosProxy;
use super::pair;
use super::process::{Process, TempDir, free_port};
use super::redis_server::{RedisOptions, RedisServer};
use super::resp::{self, Reply};
use super::wait;

/// What the sentinels call the primary.
pub const MASTER: &str = "watch";
/// Sentinels, of which two have to agree.
const SENTINELS: usize = 3;
/// How long a server is silent before a sentinel calls it down.
const DOWN_AFTER: Duration = Duration::from_secs(1);
/// A failover that did not succeed is tried again after twice this.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(6);
/// How long sentinels may take until everybody follows: they leave a server alone for eight seconds before they correct it, and may have to twice.
const SETTLES: Duration = Duration::from_secs(90);
/// How long they get for it before somebody else does it.
const CORRECTED_BY: Duration = Duration::from_secs(20);

/// How they are started.
#[derive(Clone)]
pub struct SentinelOptions {
    /// Of each server.
    pub redis: RedisOptions,
    /// Beside the primary.
    pub replicas: usize,
    /// More lines of each `sentinel.conf`.
    pub extra: Vec<String>,
}

impl Default for SentinelOptions {
    fn default() -> SentinelOptions {
        SentinelOptions { redis: pair::options(), replicas: 2, extra: Vec::new() }
    }
}

/// One server and the way to it.
pub struct Watched {
    /// The server.
    pub server: RedisServer,
    /// Where everybody finds it.
    pub way: ChaosProxy,
}

struct Sentinel {
    // Declared before the directory: the process ends before its files go.
    process: Process,
    port: u16,
    tls_port: u16,
    dir: TempDir,
}

/// All of them.
pub struct Sentinels {
    sentinels: Vec<Sentinel>,
    /// The primary of the start first.
    pub servers: Vec<Watched>,
    tls: bool,
}

impl Sentinels {
    /// With two replicas; returns when they follow and the sentinels know them.
    pub async fn start() -> Sentinels {
        Sentinels::start_settled(SentinelOptions::default()).await
    }

    /// Returns when the replicas follow and the sentinels could fail over.
    pub async fn start_settled(options: SentinelOptions) -> Sentinels {
        let all = Sentinels::start_with(options).await;
        all.follow(0).await;
        all.ready().await;
        all
    }

    /// Returns when everybody answers.
    pub async fn start_with(options: SentinelOptions) -> Sentinels {
        let tls = options.redis.tls;
        let mut servers = Vec::new();
        for _ in 0..=options.replicas {
            servers.push(Watched::start(&options.redis).await);
        }
        let mut all = Sentinels { sentinels: Vec::new(), servers, tls };
        let primary = all.servers[0].way.port().to_string();
        for replica in &all.servers[1..] {
            assert_eq!(replica.server.cli(&["REPLICAOF", "127.0.0.1", &primary]).await, "OK");
        }
        let seats: Vec<(u16, u16, String)> =
            (0..SENTINELS).map(|at| (free_port(), free_port(), format!("{:040x}", at + 1))).collect();
        for at in 0..SENTINELS {
            all.sentinels.push(all.launch(at, &seats, &options.extra));
        }
        for at in 0..SENTINELS {
            wait::until("a sentinel to answer", || async { all.tell(at, &["PING"]).await.ok() }).await;
        }
        all
    }

    fn launch(&self, at: usize, seats: &[(u16, u16, String)], extra: &[String]) -> Sentinel {
        let (port, tls_port, id) = &seats[at];
        let dir = TempDir::new("sentinel");
        let ways: Vec<u16> = self.servers.iter().map(|watched| watched.way.port()).collect();
        let mut text =
            format!("bind 127.0.0.1\nport {port}\ndir {}\nlogfile sentinel.log\n", dir.path().display());
        if self.tls {
            super::certificates::Certificates::get().write(dir.path());
            text.push_str(&format!(
                "tls-port {tls_port}\ntls-cert-file redis.pem\ntls-key-file redis.key\ntls-ca-cert-file ca.pem\n\
                 tls-auth-clients no\ntls-replication yes\n"
            ));
        }
        text.push_str(&format!(
            "sentinel myid {id}\nsentinel monitor {MASTER} 127.0.0.1 {} 2\n\
             sentinel down-after-milliseconds {MASTER} {}\nsentinel failover-timeout {MASTER} {}\n",
            ways[0],
            DOWN_AFTER.as_millis(),
            FAILOVER_TIMEOUT.as_millis(),
        ));
        for way in &ways[1..] {
            text.push_str(&format!("sentinel known-replica {MASTER} 127.0.0.1 {way}\n"));
        }
        for (other, (port, tls_port, id)) in seats.iter().enumerate() {
            if other != at {
                let port = if self.tls { tls_port } else { port };
                text.push_str(&format!("sentinel known-sentinel {MASTER} 127.0.0.1 {port} {id}\n"));
            }
        }
        extra.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        let conf = dir.path().join("sentinel.conf");
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&conf).arg("--sentinel").current_dir(dir.path());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start("redis-sentinel", &mut command);
        Sentinel { process, port: *port, tls_port: *tls_port, dir }
    }

    /// Waits until every other server follows `primary`. After a failover sentinels see to it once a server was up for eight seconds without a
    /// break, which on a busy machine can be never: then it is told by hand, as an operator would.
    pub async fn follow(&self, primary: usize) {
        let (by_hand, way) = (Instant::now() + CORRECTED_BY, self.servers[primary].way.port().to_string());
        let others = self.servers.iter().enumerate().filter(|(at, _)| *at != primary);
        let others: Vec<&RedisServer> = others.map(|(_, watched)| &watched.server).collect();
        for server in &others {
            wait::until_within(SETTLES, "a replica to follow", || async {
                let told = asked(server, &["INFO", "replication"]).await?;
                let there = told.contains(&format!("master_port:{way}\r"));
                if !there && Instant::now() > by_hand {
                    asked(server, &["REPLICAOF", "127.0.0.1", &way]).await?;
                }
                (there && told.contains("master_link_status:up")).then_some(())
            })
            .await;
        }
        wait::until_within(SETTLES, "every replica to be listed", || async {
            let told = asked(&self.servers[primary].server, &["INFO", "replication"]).await?;
            let online = |line: &&str| line.starts_with("slave") && line.contains("state=online");
            (told.lines().filter(online).count() == others.len()).then_some(())
        })
        .await;
    }

    /// Waits until all sentinels answer, see the primary and one another, and would agree on a failover.
    async fn ready(&self) {
        for at in 0..self.sentinels.len() {
            wait::until("a sentinel to know the others", || async {
                let answer = self.tell(at, &["SENTINEL", "CKQUORUM", MASTER]).await.ok()?;
                let seen = self.tell(at, &["SENTINEL", "REPLICAS", MASTER]).await.ok()?.text();
                let unseen = seen.contains("s_down") || seen.contains("disconnected");
                (answer.text().starts_with("OK 3 usable") && !unseen).then_some(())
            })
            .await;
        }
    }

    /// One command to a sentinel.
    pub async fn tell(&self, at: usize, command: &[&str]) -> std::io::Result<Reply> {
        resp::ask(self.sentinels[at].port, command).await
    }

    /// `host:port` of each sentinel, the ports that clients use.
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(|one| if self.tls { one.tls_port } else { one.port }).collect()
    }

    /// The value for `REDIS_URL`.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "rediss+sentinel" } else { "redis+sentinel" };
        let hosts: Vec<String> = self.ports().iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("{scheme}://{}/{MASTER}", hosts.join(","))
    }

    /// SIGSTOP to a sentinel: its connections stay open and silent.
    pub fn freeze_sentinel(&self, at: usize) {
        self.sentinels[at].process.freeze();
    }

    /// SIGCONT to a sentinel.
    pub fn thaw_sentinel(&self, at: usize) {
        self.sentinels[at].process.signal("CONT");
    }

    /// The server that a sentinel names; `None` while it does not answer.
    async fn named_by(&self, at: usize) -> Option<usize> {
        let answer = tokio::time::timeout(
            Duration::from_secs(1),
            self.tell(at, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER]),
        );
        let Ok(Ok(Reply::Array(answer))) = answer.await else { return None };
        let port = answer.get(1)?.text();
        self.servers.iter().position(|watched| watched.way.port().to_string() == port)
    }

    /// Waits until two sentinels name the same server, another one than `old`, and it is a primary.
    pub async fn promoted(&self, old: usize) -> usize {
        let (by, told) = (Instant::now() + SETTLES - CORRECTED_BY, AtomicBool::new(false));
        wait::until_within(SETTLES, "another primary", || async {
            if Instant::now() > by && !told.swap(true, Ordering::Relaxed) {
                self.print_logs();
            }
            let mut votes = vec![0; self.servers.len()];
            for at in 0..self.sentinels.len() {
                if let Some(named) = self.named_by(at).await {
                    votes[named] += 1;
                }
            }
            let named = votes.iter().position(|votes| *votes >= 2).filter(|named| *named != old)?;
            let role = asked(&self.servers[named].server, &["ROLE"]).await?;
            role.starts_with("master").then_some(named)
        })
        .await
    }

    /// What they wrote last, for whoever asks why they did not agree.
    fn print_logs(&self) {
        for (at, sentinel) in self.sentinels.iter().enumerate() {
            let log = std::fs::read_to_string(sentinel.dir.path().join("sentinel.log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("sentinel {at}:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"));
        }
    }

    /// A failover that nothing made necessary; returns who the primary is then.
    pub async fn fail_over(&self, old: usize) -> usize {
        wait::until("a failover to begin", || async {
            // Refused while the sentinel has not yet seen a good replica.
            let answer = self.tell(0, &["SENTINEL", "FAILOVER", MASTER]).await.ok()?;
            (answer == Reply::Text("OK".to_owned())).then_some(())
        })
        .await;
        self.promoted(old).await
    }
}

/// What a server answers, as text; `None` while it does not: one that is demoted ends its connections.
async fn asked(server: &RedisServer, command: &[&str]) -> Option<String> {
    resp::ask(server.port(), command).await.ok().map(|reply| reply.text())
}

impl Watched {
    async fn start(options: &RedisOptions) -> Watched {
        let mut server = RedisServer::start_with(options.clone()).await;
        let port = if options.tls { server.tls_port() } else { server.port() };
        let way = ChaosProxy::to_port(port).await;
        server.set("replica-announce-ip", "127.0.0.1").await;
        server.set("replica-announce-port", &way.port().to_string()).await;
        if options.tls {
            server.set("tls-replication", "yes").await;
        }
        Watched { server, way }
    }
}
