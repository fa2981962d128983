//! What the kernel says of a process: time on a processor, memory, and how busy its busiest thread is.
//!
//! Read from `/proc`, so that no figure depends on what a program says of itself.

use std::time::Duration;

use anyhow::Context as _;

/// Ticks a second of the CPU times in `/proc/<pid>/stat`: fixed for programs, whatever the kernel's own (`sysconf(_SC_CLK_TCK)` on Linux).
const TICKS: f64 = 100.0;

/// A process on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(pub(crate) u32);

/// What the kernel says of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Time on a processor since it began.
    pub(crate) cpu: Duration,
    /// Bytes resident.
    pub(crate) resident: u64,
}

impl Process {
    /// What it has cost so far.
    ///
    /// # Errors
    /// It runs no more.
    pub(crate) fn cost(self) -> anyhow::Result<Cost> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.0);
            std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
        };
        Ok(Cost {
            cpu: cpu(&read("stat")?).context("a stat")?,
            resident: resident(&read("status")?).context("a status")?,
        })
    }

    /// The time on a processor of each of its threads, by their ids; none of what cannot be read.
    pub(crate) fn threads(self) -> Vec<(u32, Duration)> {
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", self.0)) else { return Vec::new() };
        let thread = |path: std::path::PathBuf| {
            let id = path.file_name()?.to_str()?.parse().ok()?;
            Some((id, cpu(&std::fs::read_to_string(path.join("stat")).ok()?)?))
        };
        tasks.filter_map(|task| thread(task.ok()?.path())).collect()
    }
}

/// User and system time of a `/proc/<pid>/stat`. The name may hold anything, so fields count from its closing parenthesis.
fn cpu(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(Duration::from_secs_f64((ticks()? + ticks()?) / TICKS))
}

/// Resident bytes of a `/proc/<pid>/status`.
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let stat = "7 (watch (party) x) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(resident("Name:\tx\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!((cpu("nonsense"), resident("")), (None, None));
    }

    #[test]
    fn this_process_has_a_cost_and_threads() {
        let own = Process(std::process::id());
        assert!(own.cost().is_ok_and(|cost| cost.resident > 0));
        assert!(!own.threads().is_empty());
    }
}
