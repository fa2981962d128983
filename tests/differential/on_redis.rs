//! A real Redis as a side: promoted, stopped, killed, its append-only file cut.
//!
//! With `appendfsync always` an operation's writes are in the file before its answer comes, and a script's writes are one transaction in it. So the
//! file's size after each operation says which operations a cut leaves: those whose size is not beyond it. That this reasoning holds is compared
//! too, as the model goes back to the same operation.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use watchparty::backend::Backend;
use watchparty::backend::redis::{
    Condition, LinkState, OnOutage, RedisSettings, RedisTarget, Surroundings, connect_watched,
};
use watchparty::metrics::Metrics;
use watchparty::metrics::label::BackendKind;
use watchparty::metrics::process::Build;
use watchparty::model::history::Retention;
use watchparty::model::id::{NodeId, SessionId};

use crate::ear::Ear;
use crate::store::{Loss, Store};
use crate::support::redis_server::{Aof, RedisOptions, RedisServer};
use crate::support::resp::Reply;
use crate::support::wait::{self, soon};

/// A Redis and one node's adapter on it, for many sequences one after the other.
pub(crate) struct OnRedis {
    server: RedisServer,
    backend: Backend,
    ear: Arc<Ear>,
    condition: watch::Receiver<Condition>,
    stop: CancellationToken,
    aof: Aof,
    /// Bytes of the append-only file after each operation; all alike without one.
    sizes: Vec<u64>,
}

impl Drop for OnRedis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl OnRedis {
    pub(crate) async fn start(aof: Aof, keep: usize) -> Self {
        // A rewrite would begin another file in the middle of a sequence.
        let extra = vec![String::from("auto-aof-rewrite-percentage 0")];
        let server = RedisServer::start_with(RedisOptions { aof, extra, ..RedisOptions::default() }).await;
        let (ear, stop) = (Arc::new(Ear::default()), CancellationToken::new());
        let settings = RedisSettings {
            target: RedisTarget::plain("127.0.0.1", server.port()),
            prefix: "wp".into(),
            node: NodeId::new_random(),
            history: Retention::newest(keep),
            replicas: 1,
            durability: None,
            on_outage: OnOutage::Allow,
        };
        let build = Build { version: "test", revision: "test", backend: BackendKind::Redis };
        let metrics = Metrics::new(build, tokio::runtime::Handle::current());
        let surroundings = Surroundings {
            deliver: ear.clone(),
            stop: stop.clone(),
            tracker: &TaskTracker::new(),
            metrics: &metrics,
            clock: Arc::default(),
        };
        let (backend, condition) = connect_watched(settings, surroundings).expect("settings that can work");
        let on_redis = Self { server, backend, ear, condition, stop, aof, sizes: Vec::new() };
        on_redis.links(true).await;
        if aof != Aof::Off {
            on_redis.server.aof_rewritten().await;
        }
        on_redis
    }

    /// Keys that would stay for ever.
    pub(crate) async fn keys_without_ttl(&self) -> Vec<String> {
        self.server.keys_without_ttl().await
    }

    /// Waits until the links work, or until they are known not to.
    async fn links(&self, live: bool) {
        let mut condition = self.condition.clone();
        let reached = condition.wait_for(|condition| (condition.state == LinkState::Live) == live);
        drop(soon("the links to change", reached).await.expect("the adapter watches"));
    }

    /// Milliseconds of its clock.
    async fn now(&self) -> u64 {
        let Reply::Array(time) = self.server.ask(&["TIME"]).await else { panic!("TIME answers an array") };
        let [seconds, micros] = [0, 1].map(|at| time[at].text().parse::<u64>().expect("a number"));
        seconds * 1000 + micros / 1000
    }

    fn file_size(&self) -> u64 {
        if self.aof == Aof::Off {
            return 0;
        }
        self.server.aof_tail().metadata().expect("a file").len()
    }

    /// Starts again. Redis then writes its file anew, so that what was done until now cannot be lost any more.
    async fn come_back(&mut self) {
        self.links(false).await;
        self.server.restart().await;
        self.links(true).await;
        self.server.aof_rewritten().await;
        let size = self.file_size();
        self.sizes.iter_mut().for_each(|before| *before = size);
    }
}

#[async_trait]
impl Store for OnRedis {
    fn backend(&self) -> Backend {
        self.backend.clone()
    }

    fn ear(&self) -> Arc<Ear> {
        self.ear.clone()
    }

    fn mark(&mut self, _session: SessionId, first: bool) {
        if first {
            self.sizes.clear();
        }
        self.sizes.push(self.file_size());
    }

    async fn tick(&self) {
        let now = self.now().await;
        wait::until("the next millisecond", async || (self.now().await > now).then_some(())).await;
    }

    async fn promote(&mut self, _session: SessionId) {
        // What a promotion is to a script: `master_replid` is another one.
        assert_eq!(self.server.cli(&["DEBUG", "CHANGE-REPL-ID"]).await, "OK");
    }

    async fn restart(&mut self, _session: SessionId) {
        self.server.stop().await;
        self.come_back().await;
    }

    async fn crash(&mut self, _session: SessionId, loss: Loss) -> usize {
        self.server.crash().await;
        let whole = self.file_size();
        let newest = self.sizes.len() - 1;
        let left = newest.saturating_sub(loss.operations);
        let mut end = self.sizes[left];
        if loss.torn {
            // Half of what the next writing operation wrote; nothing when none did.
            let next = self.sizes.iter().find(|size| **size > end).copied().unwrap_or(end);
            end += (next - end) / 2;
        }
        assert_eq!(self.server.cut_aof_tail(whole - end), whole - end, "one file holds the whole sequence");
        let survived = self.sizes.iter().filter(|size| **size <= end).count();
        self.sizes.truncate(survived);
        self.come_back().await;
        survived
    }
}
