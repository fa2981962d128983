//! What a node spends on a delivery, and on what comes before it: `make bench-hub`.
//!
//! The hub from an announcement to its listeners, over channels (the hub alone) and over sockets of this machine (with the kernel's part), on
//! one shard and on two; a message from its frame to the ack on memory; and the pieces. Everything is called in this process, so what a
//! figure holds is known to the function; what a whole gateway costs beside a bare broadcaster is `make bench-floor`, and over
//! time and many connections the load test. It measures and judges nothing.

mod fanout;
mod listeners;
mod masked;
mod pieces;
mod publish;
mod rounds;

use fanout::Case;
use listeners::Kind;
use rounds::Cost;
use watchparty::model::id::ParticipantId;
use watchparty::model::record::{EntryKind, Record};
use watchparty::protocol::framing::Framing;

/// What the log stores of an entry, as in `benches/redis_cost`.
const ENTRY_BYTES: usize = 128;
/// Entries announced together: what gathers while some hundred microseconds of writes go on.
const TOGETHER: usize = 32;
/// Listeners over channels, and over sockets, of which each is two files.
const CROWDS: [usize; 4] = [10, 100, 1000, 10_000];
const SOCKETS: [usize; 3] = [10, 100, 1000];

fn main() {
    // Two files a socket.
    let carried = watchparty::server::connections_carried().unwrap_or(usize::MAX);
    assert!(carried > 2 * SOCKETS[2], "the file limit carries {carried} connections, too few");
    println!(
        "Nanoseconds, medians of rounds; in brackets the lowest and the highest of them. An entry is {ENTRY_BYTES} bytes in the log.\n"
    );
    fan_out();
    publish();
    pieces();
}

fn entry() -> Record {
    let record = |text: &str| {
        let data = format!(r#"{{"text":"{text}"}}"#);
        Record::new(EntryKind::Chat, Some(ParticipantId::new_random()), Some(1_000_000), &data)
    };
    record(&"x".repeat(ENTRY_BYTES - record("").stored().len()))
}

fn told(cost: Cost) -> String {
    let [low, middle, high] = cost.cpu.map(digits);
    format!("{middle} ({low} to {high})")
}

/// Three digits of a number, or all before the point.
fn digits(value: f64) -> String {
    let after = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.after$}")
}

fn fan_out() {
    println!(
        "| to | shards | listeners | a delivery, alone: processor | wall | a delivery, {TOGETHER} entries together: processor | wall |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let record = entry();
    for (kind, crowds) in [(Kind::Channel, &CROWDS[..]), (Kind::Socket, &SOCKETS[..])] {
        for shards in [1, 2] {
            for &listeners in crowds {
                let [alone, together] =
                    [1, TOGETHER].map(|together| Case { kind, shards, listeners, together }.measure(&record));
                println!(
                    "| {} | {shards} | {listeners} | {} | {} | {} | {} |",
                    kind.name(),
                    told(alone),
                    digits(alone.wall),
                    told(together),
                    digits(together.wall),
                );
            }
        }
    }
}

fn publish() {
    println!(
        "\n| from a frame to its ack and the room | people in it | a message, alone | {TOGETHER} under way |"
    );
    println!("| --- | ---: | ---: | ---: |");
    for people in [1, 10, 100] {
        let [alone, together] = [1, TOGETHER].map(|together| publish::measure(people, together));
        println!("| on memory | {people} | {} | {} |", told(alone), told(together));
    }
}

fn pieces() {
    println!("\n| piece | processor |");
    println!("| --- | ---: |");
    for size in pieces::FRAMES {
        println!("| a masked frame of {size} bytes, decoded | {} |", told(pieces::decode(size)));
    }
    let message = publish::message(1_000_000);
    println!("| a message of {} bytes, parsed | {} |", message.len(), told(pieces::parse(&message)));
    let (issue, check) = pieces::token();
    println!("| a token, signed | {} |", told(issue));
    println!("| a token, checked | {} |", told(check));
    let record = entry();
    for (framing, name) in
        [(Framing::WebSocket, "a WebSocket frame"), (Framing::EventStream, "a server-sent event")]
    {
        for entries in pieces::RUNS {
            let cost = told(pieces::encode(framing, &record, entries));
            println!("| an entry, encoded as {name}, {entries} at a time | {cost} |");
        }
    }
}
