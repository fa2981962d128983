//! What people who are there and say nothing cost Redis: `make bench-idle`.
//!
//! One real node, one real Redis with an append-only file, a session for each of ten thousand people and a real socket for each. Counted are
//! the commands a client sent (a script's own are named below its call) and the processor time of the main thread: with the sessions there
//! but nobody connected, with everybody connected and silent, and with nothing at all as the floor. `SESSIONS` and `SECONDS` change the size.

#[path = "../redis_cost/meter.rs"]
mod meter;
mod sitter;
#[allow(unused_imports, reason = "its own tests are not run here, but their modules are compiled")]
#[path = "../../tests/it/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use meter::{Counted, Meter};
use sitter::Sitter;
use support::node::Node;
use support::redis_server::{RedisOptions, RedisServer};
use tokio::task::JoinSet;

/// People who arrive at the same time.
const AT_ONCE: usize = 32;
/// Beats and probes that are under way settle within two beats.
const SETTLING: Duration = Duration::from_secs(10);

#[expect(clippy::disallowed_methods, reason = "the size of a measurement is no setting of the gateway")]
fn size(name: &str, preset: u64) -> u64 {
    std::env::var(name).map_or(preset, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Somebody's session, id and token.
async fn create(node: &Node) -> (String, String) {
    let created = node.api().create("Quiet night", "a password", Some(10)).await.expect(201);
    let text = |name: &str| created[name].as_str().expect("the answer to a create").to_owned();
    (text("id"), text("token"))
}

/// Does the same for each, some at once, in any order.
async fn each<T, Made>(all: Vec<T>, make: impl Fn(T) -> Made) -> Vec<Made::Output>
where
    Made: Future<Output: Send> + Send + 'static,
{
    let (mut under_way, mut done) = (JoinSet::new(), Vec::new());
    for one in all {
        if under_way.len() == AT_ONCE {
            done.extend(under_way.join_next().await.map(|made| made.expect("no step panics")));
        }
        under_way.spawn(make(one));
    }
    done.extend(under_way.join_all().await);
    done
}

/// Commands that were called in a while, and the main thread's share of a processor.
async fn count(meter: &Meter<'_>, seconds: u64) -> (BTreeMap<String, Counted>, f64) {
    let before = meter.commands().await;
    let started = meter.nanos();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let busy = meter.nanos() - started;
    let after = meter.commands().await;
    let called = after.into_iter().map(|(name, after)| {
        let before = before.get(&name).copied().unwrap_or_default();
        (name, Counted { calls: after.calls - before.calls, micros: after.micros - before.micros })
    });
    // What this asks itself is INFO, and so is what each writing script asks.
    let called = called.filter(|(name, counted)| counted.calls > 0 && name != "info");
    (called.collect(), busy as f64 / 1e9 / seconds as f64)
}

/// Calls of one purpose, as the node counts them.
async fn calls_of(node: &Node, purpose: &str) -> u64 {
    let page = node.api().get("/metrics", None).await;
    let text = String::from_utf8_lossy(&page.bytes).into_owned();
    let series = format!("watchparty_backend_command_duration_seconds_count{{command=\"{purpose}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series)).expect("every series exists");
    value.parse().expect("a count")
}

async fn report(what: &str, node: &Node, meter: &Meter<'_>, seconds: u64) {
    tokio::time::sleep(SETTLING).await;
    let (beats, file) = (calls_of(node, "beat").await, meter.file_bytes().await);
    let (called, busy) = count(meter, seconds).await;
    let (beats, file) = (calls_of(node, "beat").await - beats, meter.file_bytes().await - file);
    let rate = |count: u64| count as f64 / seconds as f64;
    let scripts = called.get("evalsha").copied().unwrap_or_default();
    let inside: Vec<String> = called
        .iter()
        .filter(|(name, _)| *name != "evalsha")
        .map(|(name, counted)| format!("{name} {:.1}", rate(counted.calls)))
        .collect();
    println!(
        "| {what} | {:.1} | {:.1} | {:.1} | {:.1} % | {:.1} | {:.1} | {} |",
        rate(scripts.calls),
        rate(beats),
        rate(scripts.calls.saturating_sub(beats)),
        busy * 100.0,
        scripts.micros as f64 / scripts.calls.max(1) as f64,
        rate(file) / 1024.0,
        inside.join(", "),
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (sessions, seconds) = (size("SESSIONS", 10_000), size("SECONDS", 30));
    // A rewrite would make the file shorter while it is measured.
    let grows = vec!["auto-aof-rewrite-percentage 0".to_owned()];
    let redis = RedisServer::start_with(RedisOptions { extra: grows, ..RedisOptions::durable() }).await;
    let meter = Meter::on(&redis).await;
    let url = redis.url();
    let plenty = (sessions + 100).to_string();
    let node = Node::start(&[
        ("REDIS_URL", &url),
        ("CONNECTIONS_PER_ADDRESS", &plenty),
        ("CONNECTIONS_PENDING_PER_ADDRESS", &plenty),
        ("BCRYPT_QUEUE", "1000"),
    ])
    .await;
    println!("Calls a second over {seconds} s, one node.\n");
    println!(
        "| | scripts | beats | others: the probe | main thread | µs a script | file, KiB/s | in the scripts, or beside them |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    report("nothing", &node, &meter, seconds).await;
    let node = std::sync::Arc::new(node);
    let made = each((0..sessions).collect(), |_| {
        let node = node.clone();
        async move { create(&node).await }
    });
    let made = made.await;
    report(&format!("{sessions} sessions, nobody there"), &node, &meter, seconds).await;
    let addr = node.addr();
    let mut crowd: JoinSet<()> = JoinSet::new();
    // Those who sit answer pings while others still arrive.
    for some in made.chunks(AT_ONCE * 8) {
        let sit = move |(session, token): (String, String)| async move {
            Sitter::sit(addr, &session, &token).await
        };
        for sitter in each(some.to_vec(), sit).await {
            crowd.spawn(sitter.stay());
        }
    }
    report(&format!("{sessions} sessions, one silent each"), &node, &meter, seconds).await;
    assert_eq!(crowd.len() as u64, sessions);
    assert!(crowd.try_join_next().is_none(), "somebody's connection ended");
    println!("\nThe node holds {} MiB.", node.resident_bytes() >> 20);
}
