//! Reading what a run's figures depend on: the machine, from `/proc`; the gateway's build, from its own `/metrics`.
//!
//! What cannot be read is left empty: a run is not refused because a kernel says less.

use std::collections::BTreeMap;

use super::figures::Host;

/// The metric with the gateway's build, as labels.
const BUILD_INFO: &str = "watchparty_build_info{";

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

/// What a gateway says of its build on `/metrics`; empty if it does not.
pub(crate) fn build_info(page: &str) -> BTreeMap<String, String> {
    let labels = page.lines().find_map(|line| line.strip_prefix(BUILD_INFO));
    labels.map(read_labels).unwrap_or_default()
}

/// Labels up to the closing brace. In a value `\`, `"` and a line's end stand escaped.
fn read_labels(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let (mut value, mut escaped, mut end) = (String::new(), false, after.len());
        for (at, c) in after.char_indices() {
            match (escaped, c) {
                (true, 'n') => value.push('\n'),
                (true, c) => value.push(c),
                (false, '"') => {
                    end = at;
                    break;
                }
                (false, '\\') => {}
                (false, c) => value.push(c),
            }
            escaped = !escaped && c == '\\';
        }
        labels.insert(name.to_owned(), value);
        rest = after.get(end + 1..).unwrap_or_default();
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    labels
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

    #[test]
    fn a_gateway_says_what_it_is() {
        let page = "# TYPE watchparty_build_info gauge\nwatchparty_build_info{version=\"1.2.3\",revision=\"a,\\\"b\\\\\",backend=\"memory\"} 1\nother 2\n";
        let build = build_info(page);
        let pairs: Vec<(&str, &str)> =
            build.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("backend", "memory"), ("revision", "a,\"b\\"), ("version", "1.2.3")]);
        assert!(build_info("other 2\n").is_empty());
    }
}
