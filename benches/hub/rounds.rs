//! Time, taken in rounds: what a step costs on the processor and by the wall, as the median of some rounds with the lowest and the highest.
//!
//! The processor's clock leaves out the time in which somebody else had the core, so on a shared machine it is the figure to read; the wall's
//! says what several threads win. Both clocks are read around a window of many steps, because reading them costs half a microsecond.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// Rounds that count.
const ROUNDS: usize = 11;
/// Rounds before them: caches, branch predictors and the allocator's pools.
const WARM_UP: usize = 3;
/// How much a round takes at least.
const ROUND: Duration = Duration::from_millis(20);

/// What was spent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// By all threads of this process, on processors.
    pub(crate) cpu: Duration,
    /// By the wall's clock.
    pub(crate) wall: Duration,
}

/// Runs from its making.
pub(crate) struct Stopwatch {
    cpu: Duration,
    wall: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { cpu: processor(), wall: Instant::now() }
    }

    pub(crate) fn stop(self) -> Spent {
        let wall = self.wall.elapsed();
        Spent { cpu: processor() - self.cpu, wall }
    }
}

fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("a process was never on a processor for a negative time")
}

/// What one step costs, in nanoseconds, over all rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// On the processor: lowest, median and highest round.
    pub(crate) cpu: [f64; 3],
    /// By the wall: the median round.
    pub(crate) wall: f64,
}

/// Some rounds of as many windows as fill one.
#[derive(Debug)]
pub(crate) struct Rounds {
    done: Vec<(Spent, u64)>,
    round: (Spent, u64),
}

impl Rounds {
    pub(crate) fn new() -> Self {
        Self { done: Vec::new(), round: Default::default() }
    }

    /// A window in which so many steps were taken. `true`: one more is wanted.
    pub(crate) fn add(&mut self, spent: Spent, steps: u64) -> bool {
        let (round, taken) = &mut self.round;
        round.cpu += spent.cpu;
        round.wall += spent.wall;
        *taken += steps;
        if round.wall >= ROUND {
            self.done.push(std::mem::take(&mut self.round));
        }
        self.done.len() < WARM_UP + ROUNDS
    }

    /// What a step cost in the rounds that count.
    pub(crate) fn cost(&self) -> Cost {
        let counted = &self.done[WARM_UP..];
        let sorted = |of: fn(&Spent) -> Duration| {
            let a_step = |(spent, steps): &(Spent, u64)| of(spent).as_nanos() as f64 / *steps as f64;
            let mut values: Vec<f64> = counted.iter().map(a_step).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (cpu, wall) = (sorted(|spent| spent.cpu), sorted(|spent| spent.wall));
        let middle = ROUNDS / 2;
        Cost { cpu: [cpu[0], cpu[middle], cpu[ROUNDS - 1]], wall: wall[middle] }
    }
}

/// What a step costs that needs nothing prepared: `steps` of them in a window.
pub(crate) fn of(steps: u64, mut step: impl FnMut()) -> Cost {
    of_prepared(steps, || (), |()| (0..steps).for_each(|_| step()))
}

/// What a step costs when each window of `steps` is prepared, off the clock.
pub(crate) fn of_prepared<T>(steps: u64, mut prepare: impl FnMut() -> T, mut window: impl FnMut(T)) -> Cost {
    let mut rounds = Rounds::new();
    loop {
        let prepared = prepare();
        let watch = Stopwatch::start();
        window(prepared);
        if !rounds.add(watch.stop(), steps) {
            return rounds.cost();
        }
    }
}
