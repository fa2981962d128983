//! The forms a value may have: duration, bytes, rate, list, network, address. Pure functions from text.
//!
//! Each answers `None` for whatever does not fit and never says why: the reader names the form expected, and a
//! reason would have to quote the value, which may be a secret in the wrong place. Ranges belong to the settings.

use std::time::Duration;

use ipnet::IpNet;
use tracing::level_filters::LevelFilter;

use super::logs::LogFilter;
use crate::model::origin::Origin;
use crate::model::rate::{Rate, RateLimit};

/// A whole number in digits alone: no sign, no separators.
pub(super) fn number(text: &str) -> Option<u64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits_only { text.parse().ok() } else { None }
}

/// The number and what follows it, with spaces between them dropped: `250 ms` is `250` and `ms`.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    Some((number(&text[..end])?, text[end..].trim_start()))
}

/// Whole seconds, or a whole number with `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (count, unit) = number_and_unit(text)?;
    match unit {
        "ms" => Some(Duration::from_millis(count)),
        "" | "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

/// Whole bytes, or a whole number with `KiB` or `MiB`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (count, unit) = number_and_unit(text)?;
    match unit {
        "" => Some(count),
        "KiB" => count.checked_mul(1 << 10),
        "MiB" => count.checked_mul(1 << 20),
        _ => None,
    }
}

/// `N/s`, `N/m` or `N/h`, then `:B` for the burst (else N); or `off`. Zero is refused: it would forbid everything.
pub(super) fn rate(text: &str) -> Option<RateLimit> {
    if text == "off" {
        return Some(RateLimit::Off);
    }
    let (count, rest) = text.split_once('/')?;
    let (unit, burst) = match rest.split_once(':') {
        Some((unit, burst)) => (unit, burst),
        None => (rest, count),
    };
    let per = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_secs(60),
        "h" => Duration::from_secs(3600),
        _ => return None,
    };
    Some(RateLimit::At(Rate { per, count: tokens(count)?, burst: tokens(burst)? }))
}

fn tokens(text: &str) -> Option<u32> {
    number(text).and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0)
}

/// `true` or `false`, nothing else: `yes` and `1` mean different things to different tools.
pub(super) fn flag(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Split at commas, spaces around items dropped, each item parsed. An empty item is refused: it is what a broken
/// template leaves behind.
pub(super) fn list<T>(text: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(str::trim).map(|part| if part.is_empty() { None } else { item(part) }).collect()
}

/// `scheme://host[:port]`; which part of it does not fit is dropped here like every other reason.
pub(super) fn origin(text: &str) -> Option<Origin> {
    Origin::parse(text).ok()
}

/// A network such as `10.0.0.0/8`. Host bits are dropped; a bare address is refused, as its width is a guess.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().map(|network| network.trunc())
}

/// `host`, `host:port` or `[v6]:port`, with the port left out where `default_port` allows it.
pub(super) fn host_and_port(text: &str, default_port: Option<u16>) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, after.strip_prefix(':').or(if after.is_empty() { Some("") } else { None })?)
        }
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            if !is_host_name(host) {
                return None;
            }
            (host, port)
        }
    };
    let port = if port.is_empty() && !text.ends_with(':') {
        default_port?
    } else {
        number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)?
    };
    Some((host.to_ascii_lowercase(), port))
}

/// Letters, digits, dots, dashes and underscores (compose names services with them); an IPv4 address is one too.
fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// `%40` and its like back to text (RFC 3986, 2.1); a bare `%` or bytes that are not UTF-8 are refused.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `info`, or `info,watchparty=debug`: one level for all, and levels for targets. A bare word that is no level is
/// refused, where tracing's own parser would take `verbose` for a target and log nothing else.
pub(super) fn log_filter(text: &str) -> Option<LogFilter> {
    let mut filter = LogFilter { rest: LevelFilter::OFF, targets: Vec::new() };
    for part in list(text, |part| Some(part.to_owned()))? {
        match part.split_once('=') {
            None => filter.rest = level(&part)?,
            Some((target, word)) if is_target(target) => {
                filter.targets.push((target.to_owned(), level(word)?))
            }
            Some(_) => return None,
        }
    }
    Some(filter)
}

fn is_target(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-'))
}

fn level(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_seconds_unless_they_say_otherwise() {
        assert_eq!(duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(duration("90s"), Some(Duration::from_secs(90)));
        assert_eq!(duration("250 ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("12h"), Some(Duration::from_secs(43_200)));
        for text in
            ["", "s", "-1", "+1", "1.5s", "1d", "1 minute", "18446744073709551615h", "99999999999999999999"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_know_two_units() {
        assert_eq!(bytes("65536"), Some(65_536));
        assert_eq!(bytes("256KiB"), Some(262_144));
        assert_eq!(bytes("256 MiB"), Some(268_435_456));
        for text in ["", "KiB", "1KB", "1kib", "1GiB", "0x10", "18446744073709551615MiB"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    #[test]
    fn a_rate_has_a_burst_of_its_own_or_its_count() {
        let at = |count, seconds, burst| {
            Some(RateLimit::At(Rate { per: Duration::from_secs(seconds), count, burst }))
        };
        assert_eq!(rate("30/m:60"), at(30, 60, 60));
        assert_eq!(rate("300/m"), at(300, 60, 300));
        assert_eq!(rate("5/h"), at(5, 3600, 5));
        assert_eq!(rate("131072/s:524288"), at(131_072, 1, 524_288));
        assert_eq!(rate("off"), Some(RateLimit::Off));
        for text in ["", "30", "0/s", "30/s:0", "30/d", "30/s:", "/s", "OFF", "30/s:5:5", "4294967296/s"] {
            assert_eq!(rate(text), None, "{text}");
        }
    }

    #[test]
    fn hosts_have_ports_and_brackets_where_needed() {
        let got = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(host_and_port("Redis:6379", None), got("redis", 6379));
        assert_eq!(host_and_port("redis", Some(6379)), got("redis", 6379));
        assert_eq!(host_and_port("[::1]:7000", None), got("::1", 7000));
        assert_eq!(host_and_port("[::1]", Some(1)), got("::1", 1));
        for text in
            ["redis", "redis:", "redis:0", "redis:65536", ":1", "a b:1", "[::1]7", "[x]:1", "::1", "a:1:2"]
        {
            assert_eq!(host_and_port(text, None), None, "{text}");
        }
        assert_eq!(host_and_port("redis:", Some(6379)), None, "a colon promises a port");
    }

    #[test]
    fn percent_signs_must_mean_something() {
        assert_eq!(percent_decoded("p%40ss%2Fw").as_deref(), Some("p@ss/w"));
        assert_eq!(percent_decoded("plain").as_deref(), Some("plain"));
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decoded(text), None, "{text}");
        }
    }

    #[test]
    fn a_log_filter_refuses_words_that_are_no_levels() {
        let filter = log_filter("warn, watchparty::ws=trace").expect("a level and a target");
        assert_eq!(filter.rest, LevelFilter::WARN);
        assert_eq!(filter.targets, [("watchparty::ws".to_owned(), LevelFilter::TRACE)]);
        for text in ["", "verbose", "info,", "=info", "a b=info", "watchparty=loud"] {
            assert_eq!(log_filter(text), None, "{text}");
        }
    }
}
