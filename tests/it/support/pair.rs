//! A primary, its replica, and the two ways a test can break: the one between them, and the one that nodes take.
//!
//! Nodes connect to [`Pair::way`], which can be led to the replica after its promotion, as a virtual address or a service is. The
//! replica hears the primary through [`Pair::stream`]: a stopped replica loses nothing (the kernel keeps the bytes), a silent stream does.

use super::chaos_proxy::ChaosProxy;
use super::redis_server::{RedisOptions, RedisServer};

/// Two servers that start in step.
pub struct Pair {
    /// Takes the writes, until a test decides otherwise.
    pub primary: RedisServer,
    /// Follows it.
    pub replica: RedisServer,
    /// From the replica to the primary.
    pub stream: ChaosProxy,
    /// From nodes to the primary.
    pub way: ChaosProxy,
}

impl Pair {
    /// Both with an append-only file; returns when the replica follows.
    pub async fn start() -> Pair {
        Pair::start_with(options()).await
    }

    /// The same on two hosts: the replica's clock is so many seconds ahead of the primary's.
    pub async fn start_apart(ahead_s: i64) -> Pair {
        Pair::start_both(options(), RedisOptions { ahead_s, ..options() }).await
    }

    /// Both started alike.
    pub async fn start_with(options: RedisOptions) -> Pair {
        Pair::start_both(options.clone(), options).await
    }

    async fn start_both(first: RedisOptions, second: RedisOptions) -> Pair {
        let primary = RedisServer::start_with(first).await;
        let replica = RedisServer::start_with(second).await;
        let stream = ChaosProxy::to_port(primary.port()).await;
        let way = ChaosProxy::to_port(primary.port()).await;
        replica.follow(&primary, stream.port()).await;
        Pair { primary, replica, stream, way }
    }

    /// The value for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.way.addr())
    }

    /// The replica becomes a primary, and the way leads to it.
    pub async fn fail_over(&self) {
        assert_eq!(self.replica.cli(&["REPLICAOF", "NO", "ONE"]).await, "OK");
        self.way.lead_to(self.replica.port());
    }
}

/// With an append-only file, and no wait before a replica is sent the data.
pub fn options() -> RedisOptions {
    RedisOptions { extra: vec!["repl-diskless-sync no".to_owned()], ..RedisOptions::durable() }
}
