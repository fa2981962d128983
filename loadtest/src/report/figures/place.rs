//! Where a run took place: the machine, and the gateway as it was built and set.
//!
//! The figures of two machines are figures of two machines: `compare` says so when these differ.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The machine the generator ran on; for a gateway on loopback, both.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    /// Model of the processor.
    pub(crate) cpu: String,
    /// Cores this process may use.
    pub(crate) cores: u64,
    /// Memory.
    pub(crate) memory_bytes: u64,
    /// Kernel and its release.
    pub(crate) kernel: String,
    /// Files this process may have open.
    pub(crate) open_files: u64,
    /// Load average of the last minute when the run began: what else the machine did.
    pub(crate) load_average: f64,
    /// Whether this program was built with optimisation.
    pub(crate) optimised: bool,
}

/// The gateway under test.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Server {
    /// Where it was asked.
    pub(crate) urls: Vec<String>,
    /// Whether this program started it.
    pub(crate) started_here: bool,
    /// What it says of itself (`watchparty_build_info`): version, revision, backend, durability.
    pub(crate) build: BTreeMap<String, String>,
    /// The settings this program started it with; no secrets.
    pub(crate) settings: BTreeMap<String, String>,
}

/// A time as `2026-11-22T13:05:09Z`.
pub(super) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date of a day since 1 January 1970. Years count from March, so that the odd day of leap years is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    // 1 March of the year 0, in whole cycles of 400 years, which all have as many days.
    let days = days + 719_468;
    let (cycle, of_cycle) = (days / 146_097, days % 146_097);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_795_352_709, "2026-11-22T13:05:09Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
