//! A real `redis-server` per test: own port, own directory, gone with the test.
//!
//! Killing, freezing and cutting its files are done as the world does them (signals, truncated files), never by a
//! switch inside the gateway. It is not a pool: a Redis shared by tests would make each one's faults everybody's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::certificates::Certificates;
use super::process::{Process, TempDir, free_port};
use super::resp::{self, Reply};
use super::wait;

/// When Redis calls fsync on its append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aof {
    /// No persistence: a restart is empty.
    Off,
    /// `appendfsync everysec`, the default of the gateway's documentation.
    EverySecond,
    /// `appendfsync always`.
    Always,
}

/// How a Redis is started.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Persistence.
    pub aof: Aof,
    /// `maxmemory` in bytes, with `noeviction` as the gateway asks.
    pub maxmemory: Option<u64>,
    /// More lines of `redis.conf`, for example `requirepass secret-word`.
    pub extra: Vec<String>,
    /// Seconds that its host's clock is ahead of this one's.
    pub ahead_s: i64,
    /// Whether it listens with TLS, too, on a port of its own.
    pub tls: bool,
    /// Its port; any free one otherwise.
    pub at: Option<u16>,
    /// The same for its port with TLS.
    pub tls_at: Option<u16>,
    /// Files that lie in its directory before it starts, by name.
    pub files: Vec<(String, String)>,
}

impl Default for RedisOptions {
    fn default() -> RedisOptions {
        RedisOptions {
            aof: Aof::Off,
            maxmemory: None,
            extra: Vec::new(),
            ahead_s: 0,
            tls: false,
            at: None,
            tls_at: None,
            files: Vec::new(),
        }
    }
}

impl RedisOptions {
    /// With an append-only file, synced each second.
    pub fn durable() -> RedisOptions {
        RedisOptions { aof: Aof::EverySecond, ..RedisOptions::default() }
    }
}

/// A running (or killed, or frozen) `redis-server`.
pub struct RedisServer {
    // Declared before the directory: the process ends before its files go.
    process: Option<Process>,
    dir: TempDir,
    port: u16,
    tls_port: Option<u16>,
    options: RedisOptions,
}

impl RedisServer {
    /// Starts one without persistence and waits until it answers.
    pub async fn start() -> RedisServer {
        RedisServer::start_with(RedisOptions::default()).await
    }

    /// Starts one and waits until it answers.
    pub async fn start_with(options: RedisOptions) -> RedisServer {
        let dir = TempDir::new("redis");
        if options.tls {
            Certificates::get().write(dir.path());
        }
        for (name, text) in &options.files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let mut server = RedisServer { process: None, dir, port: 0, tls_port: None, options };
        // Between our look at a port and Redis' bind another test may take it: then it exits, and we look again.
        for _ in 0..20 {
            server.port = server.options.at.unwrap_or_else(free_port);
            let tls_at = server.options.tls_at;
            server.tls_port =
                server.options.tls.then(|| tls_at.unwrap_or_else(|| free_port_but(server.port)));
            server.launch();
            if server.answers_or_ends().await {
                return server;
            }
        }
        panic!("redis-server ended at once, twenty times; its last log:\n{}", server.log());
    }

    fn launch(&mut self) {
        let conf = self.dir.path().join("redis.conf");
        std::fs::write(&conf, self.configuration()).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(&conf).current_dir(self.dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        if self.options.ahead_s != 0 {
            command.env("LD_PRELOAD", self.shifted_clock());
        }
        self.process = Some(Process::start("redis-server", &mut command));
    }

    /// The library that shifts the clock, built by the compiler that Rust links with.
    fn shifted_clock(&self) -> PathBuf {
        let (source, library) = (self.dir.path().join("clock.c"), self.dir.path().join("clock.so"));
        std::fs::write(&source, include_str!("shifted_clock.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", &format!("-DAHEAD=({})", self.options.ahead_s), "-o"]);
        let built = compiler.arg(&library).arg(&source).output().expect("cc, which Rust links with");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    }

    fn configuration(&self) -> String {
        let (appendonly, fsync) = match self.options.aof {
            Aof::Off => ("no", "everysec"),
            Aof::EverySecond => ("yes", "everysec"),
            Aof::Always => ("yes", "always"),
        };
        let mut text = format!(
            "bind 127.0.0.1\nport {}\ndir {}\nlogfile redis.log\nsave \"\"\nenable-debug-command local\n\
             maxmemory-policy noeviction\nappendonly {appendonly}\nappendfsync {fsync}\n",
            self.port,
            self.dir.path().display(),
        );
        if let Some(bytes) = self.options.maxmemory {
            text.push_str(&format!("maxmemory {bytes}\n"));
        }
        if let Some(port) = self.tls_port {
            text.push_str(&format!(
                "tls-port {port}\ntls-cert-file redis.pem\ntls-key-file redis.key\ntls-ca-cert-file ca.pem\n\
                 tls-auth-clients no\n"
            ));
        }
        for line in &self.options.extra {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// True when it answers, false when the process has ended.
    async fn answers_or_ends(&mut self) -> bool {
        let (port, process) = (self.port, self.process.as_mut().unwrap());
        wait::until("redis-server to answer or to end", || {
            let ended = process.exited().is_some();
            async move {
                match (ended, answers(port).await) {
                    (true, _) => Some(false),
                    (false, true) => Some(true),
                    (false, false) => None,
                }
            }
        })
        .await
    }

    /// Waits until a PING (or a demand for a password) comes back: listening, and done loading.
    pub async fn wait_ready(&self) {
        let port = self.port;
        wait::until("redis-server to be ready", || async move { answers(port).await.then_some(()) }).await;
    }

    /// Makes it a replica of `primary`, heard through a port that leads there, and waits until both say that it follows.
    pub async fn follow(&self, primary: &RedisServer, through: u16) {
        assert_eq!(self.cli(&["REPLICAOF", "127.0.0.1", &through.to_string()]).await, "OK");
        let port = self.port;
        wait::until("a replica to follow", || async {
            let link = self.cli(&["INFO", "replication"]).await;
            let rows = primary.cli(&["INFO", "replication"]).await;
            let row = rows.lines().find(|row| row.contains(&format!(",port={port},")))?;
            (link.contains("master_link_status:up") && row.contains("state=online")).then_some(())
        })
        .await;
    }

    /// One line of its configuration, now and at later starts.
    pub async fn set(&mut self, name: &str, value: &str) {
        assert_eq!(self.cli(&["CONFIG", "SET", name, value]).await, "OK");
        self.options.extra.push(format!("{name} {value}"));
    }

    /// SIGKILL: what was not written is lost.
    pub fn kill9(&mut self) {
        self.process.as_mut().expect("redis-server was started").kill9();
    }

    /// SIGKILL once everything answered is in the append-only file. With `everysec` Redis puts the write off for up to 2 s while
    /// the disk is busy with the last fsync (its `aof_delayed_fsync`): a kill then loses what a healthy disk would not.
    pub async fn crash(&mut self) {
        wait::until("the append-only file to be written", || async {
            let told = self.cli(&["INFO", "persistence"]).await;
            let idle = |field: &str| told.contains(&format!("{field}:0\r"));
            let written = idle("aof_buffer_length") && idle("aof_pending_bio_fsync");
            // One without the file has nothing to wait for.
            (idle("aof_enabled") || written).then_some(())
        })
        .await;
        self.kill9();
    }

    /// SIGTERM, and waits for the orderly end.
    pub async fn stop(&mut self) {
        let process = self.process.as_mut().expect("redis-server was started");
        process.signal("TERM");
        process.ended().await;
    }

    /// Starts it again on the same port and directory (killing it first when it still runs) and waits.
    pub async fn restart(&mut self) {
        self.kill9();
        self.launch();
        assert!(self.answers_or_ends().await, "redis-server does not come back; its log:\n{}", self.log());
    }

    /// SIGSTOP: connections stay open and silent.
    pub fn freeze(&self) {
        self.process.as_ref().expect("redis-server was started").freeze();
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.process.as_ref().expect("redis-server was started").signal("CONT");
    }

    /// The kernel's letter for the state of its process; `T` is frozen.
    pub fn state(&self) -> char {
        self.process.as_ref().expect("redis-server was started").state()
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port with TLS; panics when it was started without.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("it was started with TLS")
    }

    /// The file of the CA that its certificate is of.
    pub fn ca_file(&self) -> String {
        self.dir.path().join("ca.pem").display().to_string()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("redis.log")).unwrap_or_default()
    }

    /// One command, its reply as [`Reply`]; panics when there is no connection.
    pub async fn ask(&self, command: &[&str]) -> Reply {
        let answer = wait::soon("a reply of redis-server", resp::ask(self.port, command)).await;
        answer.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// One command, its reply as `redis-cli` would print it raw; panics when the reply is an error.
    pub async fn cli(&self, command: &[&str]) -> String {
        match self.ask(command).await {
            Reply::Error(error) => panic!("{command:?}: {error}"),
            reply => reply.text(),
        }
    }

    /// Every key, by SCAN.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let Reply::Array(page) = self.ask(&["SCAN", &cursor, "COUNT", "1000"]).await else {
                panic!("SCAN answers an array");
            };
            let [next, Reply::Array(found)] = &page[..] else {
                panic!("SCAN answers a cursor and keys: {page:?}");
            };
            keys.extend(found.iter().map(Reply::text));
            cursor = next.text();
            if cursor == "0" {
                keys.sort();
                keys.dedup();
                return keys;
            }
        }
    }

    /// Keys that would stay for ever: a promise says there are none.
    pub async fn keys_without_ttl(&self) -> Vec<String> {
        let mut found = Vec::new();
        for key in self.keys().await {
            // -1: no expiry; -2: gone meanwhile, which is fine.
            if self.ask(&["PTTL", &key]).await == Reply::Number(-1) {
                found.push(key);
            }
        }
        found
    }

    /// The files of the append-only directory, sorted by name.
    pub fn aof_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.dir.path().join("appendonlydir")) else {
            return Vec::new();
        };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    /// The newest incremental file: what is written now is at its end.
    pub fn aof_tail(&self) -> PathBuf {
        let files = self.aof_files().into_iter();
        let increments = files.filter(|path| path.to_string_lossy().ends_with(".incr.aof"));
        increments.max_by_key(|path| increment(path)).expect("an append-only Redis has an incremental file")
    }

    /// Waits until Redis has written its append-only file anew, as the gateway asks after each of its starts.
    pub async fn aof_rewritten(&self) {
        wait::until("the append-only file to be written anew", || async {
            let told = self.cli(&["INFO", "persistence"]).await;
            let is = |line: &str| told.contains(&format!("{line}\r"));
            let idle = is("aof_rewrite_in_progress:0") && is("aof_rewrite_scheduled:0");
            (idle && !is("aof_rewrites:0")).then_some(())
        })
        .await;
    }

    /// Takes `bytes` off the end of the newest incremental file, as a power cut does; call it between
    /// [`RedisServer::kill9`] and [`RedisServer::restart`]. Returns how many bytes went (fewer in a short file).
    pub fn cut_aof_tail(&mut self, bytes: u64) -> u64 {
        let ended = self.process.as_mut().expect("redis-server was started").exited().is_some();
        assert!(ended, "cutting the file of a live Redis cuts nothing: kill it first");
        let file = std::fs::OpenOptions::new().write(true).open(self.aof_tail()).unwrap();
        let length = file.metadata().unwrap().len();
        let cut = bytes.min(length);
        file.set_len(length - cut).unwrap();
        cut
    }
}

/// A free port that is not `taken`, which is ours and not listened on yet.
fn free_port_but(taken: u16) -> u16 {
    loop {
        let port = free_port();
        if port != taken {
            return port;
        }
    }
}

/// `appendonly.aof.12.incr.aof` is increment 12: names do not sort by age, numbers do.
fn increment(path: &Path) -> u64 {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    name.split('.').rev().nth(2).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Whether a Redis answers on `port`; one that asks for a password does, one that still loads does not.
async fn answers(port: u16) -> bool {
    match resp::ask(port, &["PING"]).await {
        Ok(Reply::Text(text)) => text == "PONG",
        Ok(Reply::Error(error)) => error.starts_with("NOAUTH"),
        _ => false,
    }
}
