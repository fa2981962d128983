//! What a Redis spent: processor time of its main thread, and what it says of its commands.
//!
//! The kernel counts a thread's time on a processor in nanoseconds (`/proc/<pid>/task/<tid>/schedstat`), so reading it costs Redis
//! nothing, and waiting for a busy machine is not in it. `INFO commandstats` is a wall clock around each command.

use std::collections::BTreeMap;

use crate::support::redis_server::RedisServer;

/// Reads one Redis.
pub(crate) struct Meter<'a> {
    redis: &'a RedisServer,
    pid: String,
}

/// Calls and microseconds of one command so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    pub(crate) calls: u64,
    pub(crate) micros: u64,
}

impl<'a> Meter<'a> {
    pub(crate) async fn on(redis: &'a RedisServer) -> Self {
        let told = redis.cli(&["INFO", "server"]).await;
        let pid =
            told.lines().find_map(|line| line.strip_prefix("process_id:")).expect("Redis tells its pid");
        Self { redis, pid: pid.trim().to_owned() }
    }

    /// Nanoseconds that the thread which runs commands was on a processor.
    pub(crate) fn nanos(&self) -> u64 {
        let path = format!("/proc/{0}/task/{0}/schedstat", self.pid);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let first = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
        first.unwrap_or_else(|| panic!("{path}: {text:?}"))
    }

    /// Bytes of the append-only file.
    pub(crate) async fn file_bytes(&self) -> u64 {
        let told = self.redis.cli(&["INFO", "persistence"]).await;
        let size = told.lines().find_map(|line| line.strip_prefix("aof_current_size:"));
        size.and_then(|bytes| bytes.trim().parse().ok()).expect("a Redis with an append-only file")
    }

    /// Every command run so far, a script's own under `evalsha` and again under their names.
    pub(crate) async fn commands(&self) -> BTreeMap<String, Counted> {
        let told = self.redis.cli(&["INFO", "commandstats"]).await;
        told.lines().filter_map(command).collect()
    }
}

/// `cmdstat_get:calls=3,usec=5,usec_per_call=1.67,rejected_calls=0,failed_calls=0`.
fn command(line: &str) -> Option<(String, Counted)> {
    let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let field = |name: &str| {
        let found = rest.split(',').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.and_then(|number| number.parse().ok())
    };
    Some((name.to_owned(), Counted { calls: field("calls")?, micros: field("usec")? }))
}
