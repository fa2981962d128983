//! Which core runs what: servers on the first, the generator on the second, so that neither takes the other's time.
//!
//! A mask passes from the thread that starts a process to the process, and there to every thread: it is set before a server is started, not
//! given to one that runs. On a machine of one core, or when asked not to, nothing is set.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The two cores that are used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    pair: Option<(usize, usize)>,
}

impl Cores {
    /// The first two that this process may use, or none.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub(super) fn find(unpinned: bool) -> anyhow::Result<Cores> {
        let allowed = sched_getaffinity(None).context("reading the own cores")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        let pair = cores.next().zip(cores.next()).filter(|_| !unpinned);
        Ok(Cores { pair })
    }

    /// From here on this thread is, and starts, servers.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn server(self) -> anyhow::Result<()> {
        self.pair.map_or(Ok(()), |(first, _)| pin(first))
    }

    /// From here on this thread is the generator.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn generator(self) -> anyhow::Result<()> {
        self.pair.map_or(Ok(()), |(_, second)| pin(second))
    }

    /// For the report.
    pub(super) fn told(self) -> String {
        self.pair.map_or("unpinned".to_owned(), |(server, generator)| {
            format!("servers on core {server}, generator on core {generator}")
        })
    }
}

fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("moving to core {core}"))
}
