//! Asks every node four times a second whether it is ready, and writes the answers down.
//!
//! From outside, as a load balancer would, whatever is being done to the node. It judges nothing (I13 does).

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::asking::Question;
use crate::happening::What;
use crate::journal::{Journal, node};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(250);

/// How long one answer may take: a frozen node gives none.
const PATIENCE: Duration = Duration::from_secs(2);

/// Watches until dropped.
pub(crate) struct Watch(#[expect(dead_code, reason = "held for its end")] JoinSet<()>);

impl Watch {
    /// Over nodes at these addresses, which they keep.
    pub(crate) fn over(addresses: Vec<SocketAddr>, journal: Journal) -> Watch {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            join_all(addresses.into_iter().enumerate().map(|(at, addr)| watch(at, addr, journal.clone())))
                .await;
        });
        Watch(tasks)
    }
}

async fn watch(at: usize, addr: SocketAddr, journal: Journal) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let answer = Question::get(addr, "/health/ready", None).ask(PATIENCE).await;
        journal.note(What::Ready { node: node(at), status: answer.map(|(status, _)| status) });
    }
}
