//! Time bases. Each has a type of its own, because a millisecond of one is not a millisecond of another:
//! cluster time is the clock of the Redis that orders the log (or the node's own in memory), Unix seconds are
//! what tokens speak (RFC 7519 `NumericDate`).

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the Unix epoch by the cluster's clock; what every time in the protocol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterMs(pub u64);

impl ClusterMs {
    /// This instant and a duration later (saturating).
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(millis(later)))
    }

    /// This instant as a clock tells it that is ahead by so many milliseconds (saturating).
    #[must_use]
    pub fn shifted(self, ahead_ms: i64) -> Self {
        Self(self.0.saturating_add_signed(ahead_ms))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The same instant as a token writes it, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> UnixSeconds {
        UnixSeconds(self.0 / 1000)
    }
}

/// Names the clock that a cluster time was read by: one primary's, for as long as it writes one branch of history. After a failover
/// there is another, which may be off by any amount. On the wire 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClockName(u64);

impl ClockName {
    /// Digits of the branch's name that tell it from others.
    const DIGITS: usize = 16;

    /// The name for the clock of whoever writes a branch, itself a name of at least 16 hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn of_branch(branch: &str) -> Option<Self> {
        let digits = branch
            .get(..Self::DIGITS)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        u64::from_str_radix(digits, 16).ok().map(Self)
    }
}

impl Serialize for ClockName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for ClockName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::of_branch(&text).ok_or_else(|| de::Error::custom("16 hexadecimal digits"))
    }
}

/// Seconds since the Unix epoch, as JWT claims write them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// This second and a duration later (saturating, whole seconds).
    #[must_use]
    pub fn plus(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later.as_secs()))
    }

    /// The same instant in milliseconds.
    #[must_use]
    pub fn millis(self) -> ClusterMs {
        ClusterMs(self.0.saturating_mul(1000))
    }
}

/// A duration in whole milliseconds, saturating: what the wire and the scripts count in.
#[must_use]
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_named_by_its_branch() {
        let name = ClockName::of_branch("00ff00ff00ff00ffdeadbeefdeadbeefdeadbeef").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), r#""00ff00ff00ff00ff""#);
        assert_eq!(serde_json::from_str::<ClockName>(r#""00ff00ff00ff00ff""#).unwrap(), name);
        for text in ["", "00ff", "+0ff00ff00ff00ff", "é0ff00ff00ff00f"] {
            assert_eq!(ClockName::of_branch(text), None, "{text}");
        }
    }

    #[test]
    fn a_shift_stays_within_time() {
        assert_eq!(
            [ClusterMs(5).shifted(-3), ClusterMs(5).shifted(-9), ClusterMs(5).shifted(2)],
            [2, 0, 7].map(ClusterMs)
        );
    }
}
