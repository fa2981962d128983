//! The matrix: which rows there are and what each needs. What a fault may cost is the checker's to know, from the kind of the fault.
//!
//! Rows of FAULTS section 1 that are not here: F30 and F32 (starts and hashing, tested in
//! `tests/it`), and every row but F24 at the levels `fsync` and `replicated`. A name, once given, stays.

use std::time::Duration;

use super::{Inject, Row, Scale, clients, failovers, links, mix, nodes, people, seen, stores};
use crate::support::redis_server::{Aof, RedisOptions};
use crate::workload::Shape;
use crate::workload::member::Habit;
use crate::world::{Servers, WorldOptions};

const fn row(id: &'static str, fault: &'static str, inject: Inject) -> Row {
    Row {
        id,
        fault,
        smoke: false,
        world: |_| WorldOptions::default(),
        shape: |shape, _| shape,
        inject,
        afterwards: |_, _| {},
    }
}

/// The rows, in the order of the table.
pub(crate) const ROWS: &[Row] = &[
    Row { smoke: true, ..row("F1", "node killed under load", nodes::KILL) },
    Row {
        smoke: true,
        world: |scale| WorldOptions::default().with("DRAIN_WINDOW", scale.pick(2, 5)),
        ..row("F2", "nodes stopped in turn", nodes::STOP)
    },
    Row {
        world: |_| WorldOptions::default().with("PARTICIPANT_LEASE", 10),
        // Some wait for the frozen node longer than their lease.
        shape: |shape, _| Shape { habit: patient(20), ..shape },
        ..row("F3", "node frozen for longer than a lease", nodes::FREEZE)
    },
    Row { world: |_| doors(), ..row("F4", "storm of resets from clients", clients::RESETS) },
    Row {
        // What the small load leaves unread in its time has to be more than an outbox holds, or nobody is slow.
        world: |scale| {
            WorldOptions { narrow: true, ..doors() }.with("OUTBOX_BYTES", scale.pick("64KiB", "256KiB"))
        },
        shape: |shape, scale| Shape {
            habit: Habit { padding: 1500, ..patient(120) },
            rate: scale.pick(shape.rate, shape.rate / 3),
            ..shape
        },
        ..row("F6", "slow readers, and readers that stop", clients::SLOW_READERS)
    },
    Row { smoke: true, ..row("F8", "node-Redis link cut", links::CUT) },
    row("F9", "node-Redis link silent", links::SILENT),
    row("F10", "node-Redis link one-way", links::ONE_WAY),
    Row { smoke: true, ..row("F11", "subscriber link deaf, then cut; publishing works", links::LISTENER) },
    Row { smoke: true, ..row("F12", "link closed within calls and replies", links::REPLY_LOST) },
    row("F13", "Redis late by 50 and 200 ms, with jitter", links::LATE),
    row("F14", "subscribers killed every second", stores::LISTENERS_KILLED),
    Row {
        world: |_| WorldOptions {
            redis: with_line("client-output-buffer-limit pubsub 256kb 256kb 0"),
            narrow: true,
            ..WorldOptions::default()
        },
        shape: |_, _| large(),
        ..row("F15", "subscriber killed for its output buffer", stores::OVERRUN)
    },
    Row { smoke: true, ..row("F16", "Redis killed and restarted", stores::CRASH) },
    Row {
        smoke: true,
        afterwards: seen::LOST_AND_SENT_AGAIN,
        ..row("F17", "Redis killed, the end of its file lost", stores::TAIL_LOST)
    },
    row("F18", "Redis emptied (FLUSHALL)", stores::FLUSHED),
    Row {
        world: |_| WorldOptions {
            redis: RedisOptions { aof: Aof::Off, ..RedisOptions::default() },
            ..WorldOptions::default()
        },
        ..row("F18b", "Redis restarted empty", stores::RESTARTED_EMPTY)
    },
    Row { smoke: true, ..row("F20", "Redis frozen", stores::FROZEN) },
    Row { smoke: true, ..row("F22", "Redis out of memory", stores::MEMORY_FULL) },
    // Sentinels that call a server down after a second need a machine on which nothing takes one: the load of these rows is small in every run.
    Row {
        world: |_| watched(),
        shape: |_, _| Shape::small(),
        ..row("F23", "planned failover (SENTINEL FAILOVER)", failovers::PLANNED)
    },
    Row {
        world: |_| watched(),
        shape: |_, _| Shape::small(),
        afterwards: seen::LOST_AND_SENT_AGAIN,
        ..row("F24", "primary killed while its replicas lag", failovers::KILLED_BEHIND)
    },
    Row {
        world: |_| watched().with("DURABILITY", "replicated"),
        shape: |_, _| Shape::small(),
        ..row("F24r", "the same, acks waiting for a replica", failovers::KILLED_BEHIND)
    },
    Row {
        world: |_| watched(),
        shape: |_, _| Shape::small(),
        ..row("F25", "primary cut off from everybody, replaced, and back", failovers::CUT_OFF)
    },
    Row {
        world: |_| clustered(),
        shape: |_, _| Shape::small(),
        ..row("F27", "primary of a cluster killed, its replica promoted", failovers::CLUSTER_KILLED)
    },
    Row {
        world: |_| clustered(),
        shape: |_, _| Shape::small(),
        ..row("F28", "hash slots of sessions moved, there and back", failovers::SLOTS_MOVED)
    },
    Row {
        shape: |_, scale| idle(scale),
        ..row("F34", "a node dies with many idle connections", nodes::STORM)
    },
    Row {
        shape: |shape, scale| Shape { sessions: 2, seats: scale.pick(10, 20), ..shape },
        ..row("F35", "more people than seats, and a node killed", people::JOIN_RACE)
    },
    Row {
        world: |_| WorldOptions::default().with("PARTICIPANT_LEASE", 10),
        ..row("F36", "hosts die with their nodes", people::HOSTS_KILLED)
    },
    row("F37", "kicks while the target speaks elsewhere", people::KICKS),
    Row { smoke: true, ..row("F40", "seeded mix of all that may cost nothing", mix::EVERYTHING) },
    Row {
        world: |_| WorldOptions {
            redis: with_line("enable-protected-configs local"),
            ..WorldOptions::default()
        },
        ..row("F41", "the disk under Redis is full", stores::DISK_FULL)
    },
];

/// A durable Redis with one line more in its configuration.
fn with_line(line: &str) -> RedisOptions {
    RedisOptions { extra: vec![line.to_owned()], ..RedisOptions::durable() }
}

/// A primary, two replicas, three sentinels.
fn watched() -> WorldOptions {
    let redis = crate::support::pair::options();
    WorldOptions { redis, servers: Servers::Watched, ..WorldOptions::default() }
}

fn clustered() -> WorldOptions {
    WorldOptions { servers: Servers::Clustered, ..WorldOptions::default() }
}

fn doors() -> WorldOptions {
    WorldOptions { doors: true, ..WorldOptions::default() }
}

fn patient(seconds: u64) -> Habit {
    Habit { patience: Duration::from_secs(seconds), ..Habit::default() }
}

/// Few people and large messages: kernels hold megabytes before Redis has to.
fn large() -> Shape {
    let habit = Habit { padding: 48_000, ..Habit::default() };
    Shape { sessions: 1, publishers: 2, listeners: 4, visitors: 0, rate: 160, seats: 50, habit }
}

/// Many people and few words.
fn idle(scale: Scale) -> Shape {
    let habit = Habit { home: Some(0), ..Habit::default() };
    Shape {
        sessions: 10,
        publishers: 1,
        listeners: scale.pick(10, 60),
        visitors: 0,
        rate: 10,
        seats: 100,
        habit,
    }
}
