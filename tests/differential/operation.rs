//! What may happen, said the way a client knows it ("my next number", "the seat I had before"), and how it is drawn.
//!
//! Relative on purpose: an operation means something wherever it stands, so a failing sequence stays sensible while it is made shorter.
//! What it comes to in numbers is `clients`' to say.

use std::fmt;

use proptest::collection;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::cast::{DATA, LOOKS, NAMES, SLOTS, Who};

/// One step of a sequence: one call of a port, or something that happens to the store.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Create,
    /// `lapsed`: with a lease that has run out already.
    Join {
        who: Who,
        look: usize,
        roster: usize,
        lapsed: bool,
    },
    /// A batch, the last item with a change of state or without.
    Publish(Vec<Saying>, Option<Change>),
    /// As many right numbers at once.
    Burst {
        who: Who,
        count: usize,
    },
    Beat {
        seats: Vec<Holding>,
        lapsed: bool,
    },
    Leave(Holding),
    Relay {
        to: Option<Who>,
    },
    /// From so many before the head; `bytes`: with a bound of their own.
    ReadAfter {
        back: u64,
        limit: usize,
        bytes: Option<usize>,
    },
    ReadBefore {
        back: u64,
        limit: usize,
        bytes: Option<usize>,
    },
    Snapshot {
        roster: usize,
    },
    Roster {
        after: Option<Who>,
        limit: usize,
    },
    Standing(Who),
    Find,
    Password,
    Take {
        bucket: usize,
        tokens: u32,
    },
    Listen,
    Unlisten,
    /// The store becomes another branch and loses nothing: what a failover to a replica in step is.
    Promote,
    /// An orderly stop and a start.
    Restart,
    /// A kill, the loss of everything the newest `lost` operations wrote, and a start. `torn`: half of what the next one wrote is still
    /// in the file.
    Crash {
        lost: usize,
        torn: bool,
    },
}

impl Operation {
    /// Whether a lease runs out by it.
    pub(crate) fn lapses(&self) -> bool {
        matches!(self, Self::Join { lapsed: true, .. } | Self::Beat { lapsed: true, .. })
    }
}

/// A seat as a connection would name it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) who: Who,
    pub(crate) which: Which,
}

/// Which taking of a seat.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    Newest,
    Older,
    Ahead,
}

/// One item of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saying {
    /// `None`: a server key.
    pub(crate) author: Option<Who>,
    /// `None`: over HTTP.
    pub(crate) seat: Option<Which>,
    pub(crate) number: Number,
    pub(crate) version: Version,
    pub(crate) data: usize,
    /// Some 400 kB: three of them are more than a page holds.
    pub(crate) large: bool,
}

/// How it is recognised when it is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    None,
    Next,
    Again(u64),
    Beyond(u64),
    Zero,
    Key(u8),
}

/// A version, compared with the one that holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Any,
    Now,
    Old,
    Ahead,
}

/// What changes with the last item of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// `Now` is the version that may be written.
    Slot {
        name: usize,
        version: Version,
    },
    Patch {
        name: Option<usize>,
        password: bool,
        locked: Option<bool>,
        capacity: Option<u32>,
        host_only: Option<bool>,
    },
    Transfer(Who),
    Kick {
        who: Who,
        banned: bool,
    },
    Profile(usize),
    End,
}

/// Idempotency keys in use, from 0.
pub(crate) const KEYS: u8 = 5;

/// A sequence.
#[derive(Clone)]
pub(crate) struct Sequence {
    pub(crate) capacity: u32,
    pub(crate) operations: Vec<Operation>,
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "A's session has {} seats", self.capacity)?;
        for (at, operation) in self.operations.iter().enumerate() {
            writeln!(f, "{at:3}  {operation:?}")?;
        }
        Ok(())
    }
}

/// What may happen to the store in a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Nothing is ever lost. Only here are there buckets: what a node knows of its own outlives what a store loses.
    Promoted,
    /// It is stopped, killed and loses its tail.
    Killed,
}

/// Sequences of so many operations at most.
pub(crate) fn sequences(fate: Fate, length: usize) -> impl Strategy<Value = Sequence> {
    let early = collection::vec(operation(fate), 0..2);
    // Most of what may be done needs a seat.
    let seated = collection::vec(join(), 0..4);
    let then = collection::vec(operation(fate), 0..length);
    (2..6_u32, early, seated, then).prop_map(|(capacity, early, seated, then)| {
        let begin = [Operation::Create, Operation::Listen];
        let operations = early.into_iter().chain(begin).chain(seated).chain(then).collect();
        Sequence { capacity, operations }
    })
}

fn operation(fate: Fate) -> impl Strategy<Value = Operation> {
    let mut offered = vec![
        (20, looking().boxed()),
        (1, Just(Operation::Unlisten).boxed()),
        (2, Just(Operation::Listen).boxed()),
        (1, Just(Operation::Create).boxed()),
        (24, seats().boxed()),
        (30, speaking().boxed()),
        (2, Just(Operation::Promote).boxed()),
    ];
    // A strategy that is not offered at all: with a weight of 0 it would still be shrunk to.
    offered.extend(match fate {
        Fate::Promoted => {
            let take = (0..2_usize, 0..5_u32).prop_map(|(bucket, tokens)| Operation::Take { bucket, tokens });
            vec![(3, take.boxed())]
        }
        Fate::Killed => {
            let crash = (0..6_usize, any::<bool>()).prop_map(|(lost, torn)| Operation::Crash { lost, torn });
            vec![(1, Just(Operation::Restart).boxed()), (3, crash.boxed())]
        }
    });
    Union::new_weighted(offered)
}

fn looking() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => Just(Operation::Find),
        1 => Just(Operation::Password),
        3 => who().prop_map(Operation::Standing),
        2 => (0..8_usize).prop_map(|roster| Operation::Snapshot { roster }),
        3 => (option::of(who()), 0..8_usize).prop_map(|(after, limit)| Operation::Roster { after, limit }),
        4 => read(12, 20).prop_map(|(back, limit, bytes)| Operation::ReadAfter { back, limit, bytes }),
        1 => read(80, 200).prop_map(|(back, limit, bytes)| Operation::ReadAfter { back, limit, bytes }),
        3 => read(60, 50).prop_map(|(back, limit, bytes)| Operation::ReadBefore { back, limit, bytes }),
    ]
}

/// How far back, how many at most, how many bytes at most.
fn read(back: u64, limit: usize) -> impl Strategy<Value = (u64, usize, Option<usize>)> {
    (0..back, 0..limit, option::weighted(0.3, prop_oneof![1 => Just(0), 3 => 1..1000_usize]))
}

fn seats() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => join(),
        3 => (collection::vec(holding(), 0..6), prop::bool::weighted(0.2))
            .prop_map(|(seats, lapsed)| Operation::Beat { seats, lapsed }),
        2 => holding().prop_map(Operation::Leave),
        1 => option::weighted(0.7, who()).prop_map(|to| Operation::Relay { to }),
    ]
}

fn join() -> impl Strategy<Value = Operation> {
    let join = (who(), 0..LOOKS, 0..8_usize, prop::bool::weighted(0.15));
    join.prop_map(|(who, look, roster, lapsed)| Operation::Join { who, look, roster, lapsed })
}

fn speaking() -> impl Strategy<Value = Operation> {
    prop_oneof![
        3 => collection::vec(saying(), 0..6).prop_map(|batch| Operation::Publish(batch, None)),
        3 => (collection::vec(saying(), 1..4), change())
            .prop_map(|(batch, change)| Operation::Publish(batch, Some(change))),
        1 => (who(), 1..40_usize).prop_map(|(who, count)| Operation::Burst { who, count }),
    ]
}

fn who() -> impl Strategy<Value = Who> {
    // The first ones more often, so that they meet.
    prop_oneof![5 => 0..3_usize, 1 => 0..Who::COUNT].prop_map(Who)
}

fn holding() -> impl Strategy<Value = Holding> {
    (who(), which()).prop_map(|(who, which)| Holding { who, which })
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![12 => Just(Which::Newest), 2 => Just(Which::Older), 1 => Just(Which::Ahead)]
}

fn saying() -> impl Strategy<Value = Saying> {
    let number = prop_oneof![
        2 => Just(Number::None),
        8 => Just(Number::Next),
        3 => (0..4_u64).prop_map(Number::Again),
        2 => (0..40_u64).prop_map(Number::Again),
        1 => (1..3_u64).prop_map(Number::Beyond),
        1 => Just(Number::Zero),
        3 => (0..KEYS).prop_map(Number::Key),
    ];
    let version = prop_oneof![6 => Just(Version::Any), 2 => version()];
    let parts = (
        option::weighted(0.85, who()),
        option::weighted(0.8, which()),
        number,
        version,
        0..DATA,
        prop::bool::weighted(0.02),
    );
    parts.prop_map(|(author, seat, number, version, data, large)| {
        // A seat is somebody's: nobody speaks over HTTP, or is a node.
        let seat = author.and(seat);
        Saying { author, seat, number, version, data, large }
    })
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![4 => Just(Version::Now), 1 => Just(Version::Old), 1 => Just(Version::Ahead)]
}

fn change() -> impl Strategy<Value = Change> {
    let patch = (
        option::of(0..NAMES.len()),
        any::<bool>(),
        option::of(prop::bool::weighted(0.3)),
        option::of(1..7_u32),
        option::of(any::<bool>()),
    );
    prop_oneof![
        8 => (0..SLOTS.len(), version()).prop_map(|(name, version)| Change::Slot { name, version }),
        4 => patch.prop_map(|(name, password, locked, capacity, host_only)| {
            Change::Patch { name, password, locked, capacity, host_only }
        }),
        4 => who().prop_map(Change::Transfer),
        4 => (who(), any::<bool>()).prop_map(|(who, banned)| Change::Kick { who, banned }),
        3 => (0..LOOKS).prop_map(Change::Profile),
        1 => Just(Change::End),
    ]
}
