//! Exit codes: what a script is told.

use std::process::ExitCode;

use super::figures::Outcome;

/// How this program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every objective was met.
    Met,
    /// One was missed.
    Missed,
    /// It could not run, or the run is void.
    CouldNot,
    /// Interrupted, after a report of what was done.
    Interrupted,
}

impl Exit {
    /// The code: 99 as k6 has it, 130 as a shell has it for an interrupt. 2 is clap's, for wrong usage.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Met => 0,
            Self::Missed => 99,
            Self::CouldNot => 1,
            Self::Interrupted => 130,
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Met,
            Outcome::Missed => Self::Missed,
            Outcome::Void => Self::CouldNot,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_code() {
        let code = |outcome: Outcome| Exit::from(outcome).code();
        assert_eq!(
            [Outcome::Pass, Outcome::Missed, Outcome::Void, Outcome::Interrupted].map(code),
            [0, 99, 1, 130]
        );
    }
}
