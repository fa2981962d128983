//! The search for a sequence on which two stores differ: drawn from a seed, and made shorter when one is found.
//!
//! Each run draws a seed of its own, as a fixed one would only ever repeat what is known to hold; a difference names the seed that finds it again.
//! `DIFFERENTIAL_SEED=<seed>` replays, `DIFFERENTIAL_TIMES=<n>` searches n times as long.

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::comparison::Outcome;
use crate::operation::{self, Fate, Sequence};

/// A difference is made shorter for so long at most: an attempt that kills a Redis takes about half a second.
const SHRINK_MS: u32 = 90_000;

/// What is searched.
#[derive(Clone, Copy)]
pub(crate) struct Search {
    pub(crate) fate: Fate,
    /// Sequences tried.
    pub(crate) sequences: u32,
    /// Operations of the longest.
    pub(crate) length: usize,
}

/// A sequence on which the sides differ.
pub(crate) struct Found {
    pub(crate) sequence: Sequence,
    difference: String,
    seed: u64,
}

impl Found {
    /// What a person needs to go on from here.
    pub(crate) fn report(&self) -> String {
        let Self { sequence, difference, seed } = self;
        format!("{difference}\n\n{sequence:?}\nfound again by DIFFERENTIAL_SEED={seed}")
    }
}

impl Search {
    /// Compares one sequence after the other, until one differs.
    pub(crate) fn run(self, compare: impl FnMut(&Sequence) -> Outcome) -> Result<(), Found> {
        let seed = from_environment("DIFFERENTIAL_SEED").unwrap_or_else(|| fastrand::u64(..));
        let times = from_environment("DIFFERENTIAL_TIMES").unwrap_or(1);
        self.run_from(seed, times, compare)
    }

    /// The same with a seed of one's own.
    pub(crate) fn run_from(
        self,
        seed: u64,
        times: u64,
        compare: impl FnMut(&Sequence) -> Outcome,
    ) -> Result<(), Found> {
        let config = Config {
            cases: self.sequences.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)),
            // The seed says it all.
            failure_persistence: None,
            max_shrink_time: SHRINK_MS,
            max_shrink_iters: 1_000_000,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let compare = RefCell::new(compare);
        let ran = TestRunner::new_with_rng(config, rng)
            .run(&operation::sequences(self.fate, self.length), |sequence| {
                (compare.borrow_mut())(&sequence).map_err(TestCaseError::fail)
            });
        match ran {
            Ok(()) => Ok(()),
            Err(TestError::Fail(why, sequence)) => {
                Err(Found { sequence, difference: why.message().to_owned(), seed })
            }
            Err(TestError::Abort(why)) => panic!("the search was broken off: {why}"),
        }
    }
}

/// A number from the environment; nonsense is said, not passed over.
#[expect(clippy::disallowed_methods, reason = "the settings of a test run, not of a gateway")]
fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
