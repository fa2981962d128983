//! What is broken: the rows of the fault matrix, each with its world, its load and its injector.
//!
//! An injector breaks and heals; when it returns, everything works again but for what the gateway has to make good itself. Every choice comes from
//! the run's seed. Not responsible for what must hold (the checker) nor for the load (`workload`). Rows of other levels than `aof` but for F24 are not built here.

mod clients;
mod failovers;
mod links;
mod mix;
mod nodes;
mod people;
mod rows;
mod seen;
mod stores;

use std::pin::Pin;
use std::time::Duration;

use crate::happening::{FaultId, FaultKind, What};
use crate::journal::Journal;
use crate::support::wait::let_pass;
use crate::workload::{Crowd, Shape};
use crate::world::{World, WorldOptions};

pub(crate) use rows::ROWS;
pub(crate) use seen::{Afterwards, Seen};

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    /// A subset that fits into an ordinary test run of a debug build on a busy machine.
    Smoke,
    /// The matrix as `docs/DELIVERY.md` shows it.
    Full,
}

impl Scale {
    /// One of two values.
    pub(crate) fn pick<T>(self, smoke: T, full: T) -> T {
        match self {
            Scale::Smoke => smoke,
            Scale::Full => full,
        }
    }
}

/// Breaks and heals.
pub(crate) type Inject = for<'a> fn(&'a mut Scene) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// One row of the matrix.
pub(crate) struct Row {
    /// Its name in `FAULTS`.
    pub(crate) id: &'static str,
    /// What is broken, in the words of the table.
    pub(crate) fault: &'static str,
    /// Whether it belongs to the smoke run.
    pub(crate) smoke: bool,
    pub(crate) world: fn(Scale) -> WorldOptions,
    pub(crate) shape: fn(Shape, Scale) -> Shape,
    pub(crate) inject: Inject,
    /// What it adds when the checker has counted.
    pub(crate) afterwards: Afterwards,
}

/// What an injector works on.
pub(crate) struct Scene {
    /// What F41 puts under Redis. Before the world, whose directory it lies in.
    pub(crate) disk: Option<stores::Disk>,
    pub(crate) world: World,
    pub(crate) crowd: Crowd,
    pub(crate) journal: Journal,
    pub(crate) rng: fastrand::Rng,
    pub(crate) scale: Scale,
    /// What the row adds to the checker's verdict.
    pub(crate) seen: Seen,
    /// How long the mix goes on.
    pub(crate) mix: Duration,
}

impl Scene {
    /// Any node.
    pub(crate) fn any_node(&mut self) -> usize {
        self.rng.usize(..self.world.places.len())
    }

    /// A fault begins on some nodes (none: all of them), which go on delivering, or with so short a break that nobody has to say so.
    pub(crate) fn breaks(&self, kind: FaultKind, nodes: &[usize]) -> FaultId {
        self.journal.fault(kind, nodes, &[])
    }

    /// A fault begins on some nodes, and nothing can be delivered there, or shown to be, while it lasts: readiness has to tell.
    pub(crate) fn silences(&self, kind: FaultKind, nodes: &[usize]) -> FaultId {
        self.journal.fault(kind, nodes, nodes)
    }

    /// It is over: whoever did it has undone it.
    pub(crate) fn heals(&self, id: FaultId) {
        self.journal.note(What::FaultEnded { id });
    }

    /// All nodes.
    pub(crate) fn everywhere(&self) -> Vec<usize> {
        (0..self.world.places.len()).collect()
    }

    /// A break, a while, a heal.
    pub(crate) async fn for_a_while(&self, seconds: u64) {
        let_pass(Duration::from_secs(seconds)).await;
    }

    /// Time between two faults in which the load goes on: long enough for clients to come back and be struck again.
    pub(crate) async fn breathe(&self) {
        let_pass(self.scale.pick(Duration::from_secs(1), Duration::from_secs(3))).await;
    }
}
