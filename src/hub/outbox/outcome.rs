//! What became of what a listener was given, what its task has to do, and why it ends: the words in which an outbox answers.

use crate::protocol::close::Ending;

/// Why a listener ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// This side ends it, and says why.
    Ours(Ending),
    /// The client closed.
    Client,
    /// The peer is silent or gone: nobody is left to tell.
    PeerLost,
}

/// What the connection's task has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Todo {
    /// Something waits to be written.
    pub queued: bool,
    /// Entries have to be pulled.
    pub lagging: bool,
    /// It is over.
    pub closing: Option<Closing>,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is on its way: so many bytes of it are written, which the caller counts, and the rest is queued.
    Sent(usize),
    /// The listener has it, or wants none yet.
    Skipped,
    /// The listener will pull it.
    Lagging,
}
