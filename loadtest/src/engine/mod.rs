//! What makes load and measures what came of it; scenarios say who comes, who speaks and what happens to them.
//!
//! Time is kept apart from waiting: one thread (`pace`) does nothing but let messages leave on schedule, other threads (`lane`) do nothing but
//! read connections, and the thread of the scenario opens them, looks at the server (`watch`) and waits. What they share is small
//! and locked once for each read of a socket, never for each frame.
//!
//! `lane` threads that read, `dial` opens a connection, `attend` reads one, `participant` who they are and what came,
//! `sender` what they say, `room` a session of theirs, `pace` the open model, `crowd` how they arrive, `scene` all of it, `watch` each second of
//! it, `sums` what it all comes to.

pub(crate) mod attend;
pub(crate) mod crowd;
pub(crate) mod dial;
pub(crate) mod lane;
pub(crate) mod own;
pub(crate) mod pace;
pub(crate) mod participant;
pub(crate) mod room;
pub(crate) mod scene;
pub(crate) mod sender;
pub(crate) mod stop;
pub(crate) mod sums;
pub(crate) mod watch;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The lock of something that threads of this program share for moments.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
