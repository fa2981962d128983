//! What every listener of a node has in common: what each may hold unwritten, what all may hold together, and who goes when that is
//! too much.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::outbox::{Closing, Outbox};
use crate::metrics::Metrics;
use crate::protocol::close::Ending;

/// What every listener of a node has in common.
pub struct Terms {
    /// Frames or runs a listener may hold unwritten.
    pub frames: usize,
    /// Bytes a listener may hold unwritten.
    pub bytes: usize,
    /// Bytes all listeners together may hold; past it those who wait longest are ended.
    pub bytes_total: usize,
    /// Bytes they hold now.
    pub held: AtomicUsize,
    /// Counts.
    pub metrics: Arc<Metrics>,
}

/// Ends listeners who have waited longest until the others hold no more than all together may. Those who are ending already, as their
/// goodbye takes a moment, are not among the others.
pub fn relieve(terms: &Terms, everyone: &[Arc<Outbox>]) {
    let mut held = terms.held.load(Ordering::Relaxed);
    if held <= terms.bytes_total {
        return;
    }
    let mut waiting = Vec::new();
    for outbox in everyone {
        match outbox.burden() {
            Some((_, bytes, true)) => held = held.saturating_sub(bytes),
            Some((since, bytes, false)) => waiting.push((since, bytes, outbox)),
            None => {}
        }
    }
    waiting.sort_by_key(|(since, ..)| *since);
    for (_, bytes, outbox) in waiting {
        if held <= terms.bytes_total {
            return;
        }
        outbox.finish(Closing::Ours(Ending::TooSlow));
        held = held.saturating_sub(bytes);
    }
}
