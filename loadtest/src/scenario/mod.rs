//! What can be run. A scenario sets its scene, runs its rounds and prints its verdict; what scenarios share is in the other files.

pub(crate) mod slow;

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every objective was met.
    Pass,
    /// One was not.
    Missed,
    /// The generator could not keep its own schedule: the figures say nothing about the server.
    Void,
}
