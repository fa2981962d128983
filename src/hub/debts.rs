//! Answers owed to a connection: publishes whose ack has not come back. Past a bound its reader waits for that number to fall, which
//! is TCP's own backpressure; who reads decides the bound and waits, this only counts.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Answers owed, and whether the reader waits for one.
#[derive(Debug, Default)]
pub struct Debts {
    owed: AtomicU32,
    held: AtomicBool,
}

impl Debts {
    /// Notes that an answer is owed.
    pub fn owe(&self) {
        self.owed.fetch_add(1, Ordering::AcqRel);
    }

    /// How many are owed.
    #[must_use]
    pub fn owed(&self) -> u32 {
        self.owed.load(Ordering::Acquire)
    }

    /// The reader stops until an answer was sent; it has to look at [`Self::owed`] once more before it waits.
    pub fn hold(&self) {
        self.held.store(true, Ordering::Release);
    }

    /// An answer was sent; whether the reader waits for that.
    pub(super) fn pay(&self) -> bool {
        self.owed.fetch_sub(1, Ordering::AcqRel);
        self.held.swap(false, Ordering::AcqRel)
    }
}
