//! Redis: whether it will do, by what it shows of itself. What it shows is asked in `backend/redis/checkup`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Findings, State};
use crate::backend::Durability;
use crate::backend::redis::{Facts, Offset};
use crate::config::Config;
use crate::config::redis::Durability as Asked;
use crate::server;

/// The oldest major version the gateway works with.
const MAJOR_MIN: u32 = 7;
/// Past this an entry's way to the other nodes is felt.
const ROUND_TRIP_SLOW: Duration = Duration::from_millis(50);
/// Past this a change of primary would date a film anew (`gateway/playback`).
const CLOCK_OFF: Duration = Duration::from_millis(250);
/// Of `maxmemory`, in hundredths: time to act before writes are refused.
const MEMORY_FULL: u64 = 80;

/// Notes what Redis shows.
pub(super) fn look(config: &Config, findings: &mut Findings) {
    match server::look_at_redis(config) {
        None => findings.note(
            "redis",
            State::Look,
            "none is set: sessions live in one process, end with it, and other nodes do not share them",
        ),
        Some(Err(error)) => findings.note("redis", State::Wrong, error),
        Some(Ok(facts)) => judge(&facts, config, findings),
    }
}

fn judge(facts: &Facts, config: &Config, findings: &mut Findings) {
    findings.note(
        "redis",
        State::Ok,
        format!("connected and logged in within {} ms", millis(facts.connected_in)),
    );
    version(facts, findings);
    match &facts.scripts {
        Ok(count) => findings.note("redis scripts", State::Ok, format!("it took all {count}")),
        Err(error) => findings.note("redis scripts", State::Wrong, error),
    }
    persistence(facts, config, findings);
    memory(facts, findings);
    output_buffer(facts, findings);
    clock(facts, findings);
    match &facts.round_trip {
        Ok(took) => {
            let state = if *took > ROUND_TRIP_SLOW { State::Look } else { State::Ok };
            let text = format!("what was published came back in {} ms", millis(*took));
            findings.note("redis round trip", state, text);
        }
        Err(error) => findings.note("redis round trip", State::Wrong, error),
    }
}

fn version(facts: &Facts, findings: &mut Findings) {
    let version = field(facts, "redis_version").unwrap_or("unknown");
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    let state = if major.is_some_and(|major| major >= MAJOR_MIN) { State::Ok } else { State::Wrong };
    findings.note("redis version", state, format!("{version}; {MAJOR_MIN}.0 or later is needed"));
    match field(facts, "role") {
        Some("master") => findings.note("redis role", State::Ok, "primary"),
        role => {
            findings.note(
                "redis role",
                State::Wrong,
                format!("{}, not a primary", role.unwrap_or("unknown")),
            );
        }
    }
}

fn persistence(facts: &Facts, config: &Config, findings: &mut Findings) {
    const CHECK: &str = "redis persistence";
    let asked = config.redis.durability;
    let words = |name| setting(facts, name).unwrap_or("unknown");
    match facts.durability {
        None => findings.note(CHECK, State::Look, "CONFIG is denied: what an ack survives cannot be seen"),
        Some(seen) => {
            let text = format!(
                "appendonly {}, appendfsync {}: an ack means {}, DURABILITY asks for {}",
                words("appendonly"),
                words("appendfsync"),
                seen.as_str(),
                asked.as_str()
            );
            findings.note(CHECK, weighed(seen, asked), text);
        }
    }
    for (name, what) in [
        ("aof_last_write_status", "its last write to the append-only file failed"),
        ("aof_last_bgrewrite_status", "its last rewrite of the append-only file failed"),
        ("rdb_last_bgsave_status", "its last snapshot failed, and it may refuse writes"),
    ] {
        if field(facts, name).is_some_and(|status| status != "ok") {
            findings.note(CHECK, State::Wrong, what);
        }
    }
    if asked == Asked::Replicated {
        let (online, wanted) = (facts.replicas, config.redis.durability_replicas);
        let state = if online < wanted { State::Wrong } else { State::Ok };
        findings.note("redis replicas", state, format!("{online} follow, DURABILITY_REPLICAS={wanted}"));
    }
}

/// As a node judges it at its first contact; and what only memory keeps is worth a look.
fn weighed(seen: Durability, asked: Asked) -> State {
    match (seen, asked) {
        (Durability::Memory, Asked::Auto) => State::Look,
        (Durability::Memory, Asked::Aof | Asked::Fsync | Asked::Replicated)
        | (Durability::Aof, Asked::Fsync) => State::Wrong,
        _ => State::Ok,
    }
}

fn memory(facts: &Facts, findings: &mut Findings) {
    match setting(facts, "maxmemory-policy") {
        Some("noeviction") => findings.note("redis eviction", State::Ok, "noeviction"),
        Some(policy) => findings.note(
            "redis eviction",
            State::Wrong,
            format!("{policy}: when memory is full it would drop sessions; set maxmemory-policy noeviction"),
        ),
        None => {
            findings.note("redis eviction", State::Look, "CONFIG is denied: whether it evicts cannot be seen")
        }
    }
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    let (used, most) = (number(field(facts, "used_memory")), number(field(facts, "maxmemory")));
    let (Some(used), Some(most)) = (used, most) else { return };
    let text = format!("{} of {} MiB used", used >> 20, most >> 20);
    match most {
        0 => findings.note(
            "redis memory",
            State::Look,
            format!(
                "{} MiB used and no maxmemory: the kernel would end it, instead of its refusing writes",
                used >> 20
            ),
        ),
        most if used.saturating_mul(100) > most.saturating_mul(MEMORY_FULL) => {
            findings.note("redis memory", State::Look, text);
        }
        _ => findings.note("redis memory", State::Ok, text),
    }
}

/// `normal 0 0 0 slave … pubsub 33554432 8388608 60`: class, hard limit, soft limit, seconds.
fn output_buffer(facts: &Facts, findings: &mut Findings) {
    let Some(limits) = setting(facts, "client-output-buffer-limit") else { return };
    let words: Vec<&str> = limits.split_whitespace().collect();
    let Some(["pubsub", hard, soft, seconds]) =
        words.chunks(4).find(|class| class.first() == Some(&"pubsub"))
    else {
        return;
    };
    let state = if *hard == "0" && *soft == "0" { State::Look } else { State::Ok };
    let text = format!("a subscriber may be {hard} bytes behind, or {soft} for {seconds} s (0: without end)");
    findings.note("redis buffers", state, text);
}

fn clock(facts: &Facts, findings: &mut Findings) {
    const CHECK: &str = "clock";
    let Some(Offset { apart, within }) = facts.clock else {
        return findings.note(CHECK, State::Look, "the clock of Redis could not be read");
    };
    let state = if apart > CLOCK_OFF { State::Look } else { State::Ok };
    let text =
        format!("this host's and that of Redis differ by {} ms (± {} ms)", millis(apart), millis(within));
    findings.note(CHECK, state, text);
}

fn field<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    facts.info.get(name).map(String::as_str)
}

fn setting<'a>(facts: &'a Facts, name: &str) -> Option<&'a str> {
    facts.settings.as_ref().and_then(|all: &BTreeMap<String, String>| all.get(name)).map(String::as_str)
}

/// With two digits after the point.
fn millis(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::MapSource;

    fn facts() -> Facts {
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Facts {
            connected_in: Duration::from_millis(1),
            info: map(&[
                ("redis_version", "7.0.15"),
                ("role", "master"),
                ("used_memory", "1048576"),
                ("maxmemory", "104857600"),
                ("aof_last_write_status", "ok"),
            ]),
            settings: Some(map(&[
                ("appendonly", "yes"),
                ("appendfsync", "everysec"),
                ("maxmemory-policy", "noeviction"),
                (
                    "client-output-buffer-limit",
                    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
                ),
            ])),
            durability: Some(Durability::Aof),
            replicas: 0,
            scripts: Ok(17),
            clock: Some(Offset { apart: Duration::from_micros(90), within: Duration::from_micros(100) }),
            round_trip: Ok(Duration::from_micros(900)),
        }
    }

    fn judged(change: impl FnOnce(&mut Facts), settings: &[(&str, &str)]) -> Findings {
        let mut source = MapSource::from([("REDIS_URL", "redis://127.0.0.1:1")]);
        for (name, value) in settings {
            source = source.with(name, value);
        }
        let (mut facts, mut findings) = (facts(), Findings::default());
        change(&mut facts);
        judge(&facts, &Config::read(&source).expect("sound").0, &mut findings);
        findings
    }

    fn state_of(findings: &Findings, check: &str) -> Vec<State> {
        findings.0.iter().filter(|finding| finding.check == check).map(|finding| finding.state).collect()
    }

    #[test]
    fn a_redis_as_the_page_asks_for_it_is_ok_throughout() {
        let findings = judged(|_| (), &[]);
        assert_eq!(findings.count(State::Ok), findings.0.len(), "{}", findings.lines());
        assert_eq!(findings.0.len(), 10, "{}", findings.lines());
    }

    #[test]
    fn each_thing_that_is_wrong_is_said_under_its_name() {
        type Change = fn(&mut Facts);
        let set = |facts: &mut Facts, name: &str, value: &str| {
            facts.settings.as_mut().unwrap().insert(name.to_owned(), value.to_owned());
        };
        let wrong: [(&str, Change); 7] = [
            ("redis version", |facts| drop(facts.info.insert("redis_version".into(), "6.2.14".into()))),
            ("redis role", |facts| drop(facts.info.insert("role".into(), "slave".into()))),
            ("redis scripts", |facts| facts.scripts = Err("NOPERM".into())),
            ("redis eviction", |facts| {
                drop(
                    facts.settings.as_mut().unwrap().insert("maxmemory-policy".into(), "allkeys-lru".into()),
                );
            }),
            ("redis round trip", |facts| facts.round_trip = Err("nothing came".into())),
            ("redis persistence", |facts| {
                drop(facts.info.insert("aof_last_write_status".into(), "err".into()))
            }),
            ("redis persistence", |facts| {
                drop(facts.info.insert("rdb_last_bgsave_status".into(), "err".into()))
            }),
        ];
        for (check, change) in wrong {
            let findings = judged(change, &[]);
            assert!(state_of(&findings, check).contains(&State::Wrong), "{check}: {}", findings.lines());
            assert_eq!(findings.count(State::Wrong), 1, "{check}: {}", findings.lines());
        }
        let endless = judged(|facts| set(facts, "client-output-buffer-limit", "pubsub 0 0 0"), &[]);
        assert_eq!(state_of(&endless, "redis buffers"), [State::Look]);
        let full = judged(|facts| drop(facts.info.insert("used_memory".into(), "94371840".into())), &[]);
        assert_eq!(state_of(&full, "redis memory"), [State::Look]);
        let off = judged(
            |facts| {
                facts.clock = facts.clock.map(|look| Offset { apart: Duration::from_secs(2), ..look });
            },
            &[],
        );
        assert_eq!(state_of(&off, "clock"), [State::Look]);
    }

    #[test]
    fn what_an_ack_means_is_weighed_as_a_node_weighs_it() {
        let weak = judged(|facts| facts.durability = Some(Durability::Memory), &[]);
        assert_eq!(state_of(&weak, "redis persistence"), [State::Look]);
        let weak = judged(|facts| facts.durability = Some(Durability::Memory), &[("DURABILITY", "aof")]);
        assert_eq!(state_of(&weak, "redis persistence"), [State::Wrong]);
        let asked = judged(|_| (), &[("DURABILITY", "fsync")]);
        assert_eq!(state_of(&asked, "redis persistence"), [State::Wrong]);
        let alone = judged(|_| (), &[("DURABILITY", "replicated")]);
        assert_eq!(state_of(&alone, "redis replicas"), [State::Wrong]);
        let denied = judged(|facts| (facts.settings, facts.durability) = (None, None), &[]);
        assert_eq!(state_of(&denied, "redis eviction"), [State::Look]);
        assert_eq!(denied.count(State::Wrong), 0, "{}", denied.lines());
    }
}
