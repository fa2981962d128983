//! How many connections the process may have open: the file limit is raised as far as it goes, and the settings bow to it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no client's: listeners, links to Redis, the log, a burst of API requests.
const SPARE: u64 = 256;

/// How many connections the process could have, once it has raised the limit; `None` where there is none.
pub(super) fn carried() -> Option<usize> {
    getrlimit(Resource::Nofile).maximum.map(carries)
}

/// Raises the soft file limit to the hard one and gives the number of connections that it carries, at most `wanted`.
pub(super) fn connections(wanted: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    // No limit at all is `None`.
    let Some(limit) = limit else { return wanted };
    let carried = carries(limit);
    if carried < wanted {
        tracing::warn!(
            limit,
            connections = carried,
            "CONNECTIONS_MAX is more than the file limit carries and was lowered"
        );
    }
    carried.min(wanted)
}

/// 1.2 descriptors for each connection, and the spare ones.
fn carries(limit: u64) -> usize {
    usize::try_from(limit.saturating_sub(SPARE) * 5 / 6).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::carries;

    #[test]
    fn the_limit_carries_a_sixth_less_than_it_says() {
        assert_eq!(carries(1024), 640);
        assert_eq!(carries(60_256), 50_000);
        assert_eq!(carries(10), 1);
    }
}
