//! The machine a run's figures depend on, read from `/proc`.
//!
//! What cannot be read is left empty: a run is not refused because a kernel says less.

use super::figures::Host;

impl Host {
    /// This machine, now: read before the load begins, or the load average is the load's own.
    pub(crate) fn read() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let line = |path: &str| file(path).trim().to_owned();
        Self {
            cpu: cpu_model(&file("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64),
            memory_bytes: memory(&file("/proc/meminfo")),
            kernel: format!("{} {}", line("/proc/sys/kernel/ostype"), line("/proc/sys/kernel/osrelease"))
                .trim()
                .to_owned(),
            open_files: open_files(&file("/proc/self/limits")),
            load_average: file("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or(0.0),
            optimised: !cfg!(debug_assertions),
        }
    }
}

fn cpu_model(cpuinfo: &str) -> String {
    // Some processors have no name there; what they have instead differs.
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    named.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

fn memory(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    total.and_then(|kib| kib.parse::<u64>().ok()).map_or(0, |kib| kib * 1024)
}

fn open_files(limits: &str) -> u64 {
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Fast (R) @ 2 GHz\n"), "Fast (R) @ 2 GHz");
        assert_eq!(cpu_model(""), std::env::consts::ARCH);
        assert_eq!(memory("MemTotal:       24576 kB\nMemFree: 1 kB\n"), 24576 * 1024);
        assert_eq!(
            open_files(
                "Limit Soft Hard Units\nMax open files            1024                 524288               files\n"
            ),
            1024
        );
        assert_eq!((memory("?"), open_files("")), (0, 0));
    }

    #[test]
    fn this_machine_is_known() {
        let host = Host::read();
        assert!(host.cores > 0 && host.memory_bytes > 0 && host.open_files > 0, "{host:?}");
        assert!(host.kernel.starts_with("Linux "), "{host:?}");
        assert_eq!(host.optimised, !cfg!(debug_assertions));
    }
}
