//! Threads that read: each has a runtime of its own, the connections it was given, and the times of what came on them.
//!
//! One lane is enough for some hundred thousand deliveries a second; more of them take cores from a server on the same machine, so there is
//! one unless asked otherwise.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use super::lock;
use crate::histogram::Window;

/// A thread that reads.
#[derive(Debug)]
pub(crate) struct Lane {
    handle: Handle,
    tasks: Mutex<JoinSet<()>>,
    /// Times since somebody took them.
    pub(crate) window: Mutex<Window>,
    delivered: AtomicU64,
    /// Ends the thread when it is dropped.
    _end: oneshot::Sender<()>,
}

impl Lane {
    /// Starts one.
    ///
    /// # Errors
    /// There is no thread, or no runtime.
    pub(crate) fn start(number: usize) -> anyhow::Result<Arc<Lane>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        thread::Builder::new()
            .name(format!("lane-{number}"))
            .spawn(move || {
                // An error is the sender dropped, which is what is waited for.
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .context("a thread")?;
        Ok(Arc::new(Lane {
            handle,
            tasks: Mutex::default(),
            window: Mutex::new(Window::new()),
            delivered: AtomicU64::new(0),
            _end: end,
        }))
    }

    /// Runs something on this thread, until it ends or the lane does.
    pub(crate) fn run(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let mut tasks = lock(&self.tasks);
        // Those that ended are let go of here, so that a long run does not collect them.
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.handle)
    }

    /// Ends every connection.
    pub(crate) fn hang_up(&self) {
        lock(&self.tasks).abort_all();
    }

    /// So many messages were received.
    pub(crate) fn delivered(&self, count: u64) {
        self.delivered.fetch_add(count, Ordering::Relaxed);
    }

    /// How many were received so far.
    pub(crate) fn deliveries(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}
