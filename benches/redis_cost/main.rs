//! What one message costs Redis: `make bench-redis`.
//!
//! A Redis with an append-only file synced each second, one connection, one call in flight, one listener, entries of 128 bytes: the
//! gateway's publish script through its real adapter beside the bare commands others use, at 1, 16 and 64 messages a call. The ways take turns
//! within each round, so that a machine that gets busier does so for all; the table shows medians over the rounds. It measures and judges
//! nothing. How fast a gateway is as a whole is the load test's subject.

mod gateway;
mod meter;
mod plain;
#[allow(clippy::unwrap_used, reason = "the support's way to fail is to panic")]
#[path = "../../tests/redis_adapter/support.rs"]
mod support;

use std::collections::BTreeMap;

use gateway::Gateway;
use meter::{Counted, Meter};
use plain::{Plain, Way};
use support::redis_server::{RedisOptions, RedisServer};

/// What the log stores of each message.
pub(crate) const ENTRY_BYTES: usize = 128;
/// Messages in one call.
const BATCHES: [usize; 3] = [1, 16, 64];
/// Rounds, each of which measures every way once; the first is not counted.
const ROUNDS: usize = 15;
/// Messages of one way in one round: some hundred milliseconds of the slowest.
const MESSAGES: usize = 3200;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Gateway,
    Plain(Way),
}

impl Subject {
    const ALL: [Self; 4] = [
        Self::Plain(Way::Publish),
        Self::Plain(Way::Spublish),
        Self::Plain(Way::XaddAndPublish),
        Self::Gateway,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway: the publish script",
            Self::Plain(Way::Publish) => "`PUBLISH`",
            Self::Plain(Way::Spublish) => "`SPUBLISH`",
            Self::Plain(Way::XaddAndPublish) => "`XADD MAXLEN ~` + `PUBLISH`",
        }
    }

    /// The commands it sends; those a script runs are within the script's own time.
    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Gateway => &["evalsha"],
            Self::Plain(Way::Publish) => &["publish"],
            Self::Plain(Way::Spublish) => &["spublish"],
            Self::Plain(Way::XaddAndPublish) => &["xadd", "publish"],
        }
    }
}

/// What a message cost in one run, in microseconds and bytes.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Of the main thread: reading, running, answering, announcing, appending to the file.
    thread: f64,
    /// Within the commands.
    commands: f64,
    /// Bytes of the append-only file.
    file: f64,
}

/// Both ways to send.
struct Senders {
    gateway: Gateway,
    plain: Plain,
}

impl Senders {
    async fn run(&mut self, subject: Subject, batch: usize) {
        let body = "x".repeat(ENTRY_BYTES);
        for _ in 0..MESSAGES / batch {
            match subject {
                Subject::Gateway => self.gateway.publish(batch).await,
                Subject::Plain(way) => self.plain.send(way, batch, &body).await,
            }
        }
    }
}

async fn measure(meter: &Meter<'_>, senders: &mut Senders, subject: Subject, batch: usize) -> Cost {
    let spent = |counted: &BTreeMap<String, Counted>| {
        let ours = subject.commands().iter().filter_map(|name| counted.get(*name));
        ours.fold((0, 0), |(calls, micros), each| (calls + each.calls, micros + each.micros))
    };
    let (calls_before, before) = spent(&meter.commands().await);
    let file = meter.file_bytes().await;
    let started = meter.nanos();
    senders.run(subject, batch).await;
    let ended = meter.nanos();
    let (calls_after, after) = spent(&meter.commands().await);
    assert!(calls_after - calls_before >= (MESSAGES / batch) as u64, "Redis ran what was sent");
    let file = meter.file_bytes().await - file;
    let a_message = |spent: u64| spent as f64 / (MESSAGES / batch * batch) as f64;
    Cost {
        thread: a_message(ended - started) / 1000.0,
        commands: a_message(after - before),
        file: a_message(file),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print(batch: usize, costs: &[(Subject, Vec<Cost>)]) {
    let thread = |costs: &[Cost]| median(costs.iter().map(|cost| cost.thread));
    let of = |wanted: Subject| {
        let found = costs.iter().find(|(subject, _)| *subject == wanted);
        thread(&found.expect("every subject is measured").1)
    };
    let (publish, stream) = (of(Subject::Plain(Way::Publish)), of(Subject::Plain(Way::XaddAndPublish)));
    for (subject, costs) in costs {
        let all = thread(costs);
        let lowest = |of: fn(&Cost) -> f64| costs.iter().map(of).fold(f64::INFINITY, f64::min);
        let low = lowest(|cost| cost.thread);
        let high = costs.iter().map(|cost| cost.thread).fold(0.0, f64::max);
        let commands = median(costs.iter().map(|cost| cost.commands));
        let least = lowest(|cost| cost.commands);
        let file = median(costs.iter().map(|cost| cost.file));
        println!(
            "| {batch} | {} | {all:.2} | {low:.2} to {high:.2} | {commands:.2} (from {least:.2}) | {file:.0} | {:.1} | {:.1} |",
            subject.name(),
            all / publish,
            all / stream,
        );
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    // A rewrite would make the file shorter while it is measured.
    let grows = vec!["auto-aof-rewrite-percentage 0".to_owned()];
    let redis = RedisServer::start_with(RedisOptions { extra: grows, ..RedisOptions::durable() }).await;
    let meter = Meter::on(&redis).await;
    let gateway = Gateway::connect(redis.port()).await;
    let mut senders = Senders { gateway, plain: Plain::connect(redis.port()).await };
    println!("Microseconds of Redis a message of {ENTRY_BYTES} bytes, medians of {} rounds.\n", ROUNDS - 1);
    println!(
        "| a call | way | main thread | lowest to highest | in commands | file bytes | x `PUBLISH` | x `XADD` + `PUBLISH` |"
    );
    println!("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for batch in BATCHES {
        let mut costs: Vec<(Subject, Vec<Cost>)> = Subject::ALL.map(|subject| (subject, Vec::new())).into();
        for round in 0..ROUNDS {
            // Another one begins each time.
            costs.rotate_left(1);
            for (subject, costs) in &mut costs {
                let cost = measure(&meter, &mut senders, *subject, batch).await;
                if round > 0 {
                    costs.push(cost);
                }
            }
        }
        costs.sort_by_key(|(subject, _)| Subject::ALL.iter().position(|one| one == subject));
        print(batch, &costs);
    }
}
