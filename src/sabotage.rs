//! Builds that are broken on purpose, so that the checker of the chaos harness can show that it notices (FAULTS, *Teeth*). For tests only.
//!
//! Without the cargo feature `sabotage`, which no release can be built with, none of this is compiled. With it, one break can be chosen for
//! a process by `WATCHPARTY_SABOTAGE`. What each break does stands where it breaks; here are their names and the choice.

use std::sync::OnceLock;

#[cfg(not(debug_assertions))]
compile_error!(
    "the feature `sabotage` breaks the gateway on purpose: it is for tests of debug builds and for nothing else"
);

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// A room that is behind is declared in step, without what it missed.
    NoBackfill,
    /// The number of a message is not compared with its author's last.
    NoDedup,
    /// A Redis that restarted is not told from the one before.
    NoFence,
    /// What does not fit into an outbox is dropped as if it had gone.
    DropOnFull,
    /// A message is acked before Redis was asked.
    AckBeforeRedis,
}

static CHOSEN: OnceLock<Break> = OnceLock::new();

/// Whether this process is broken so.
#[must_use]
pub fn is(which: Break) -> bool {
    CHOSEN.get() == Some(&which)
}

/// Chooses the break of this process by its name; `false` when there is none of that name. Once, before anything starts.
#[must_use]
pub fn choose(name: &str) -> bool {
    let which = match name {
        "no_backfill" => Break::NoBackfill,
        "no_dedup" => Break::NoDedup,
        "no_fence" => Break::NoFence,
        "drop_on_full" => Break::DropOnFull,
        "ack_before_redis" => Break::AckBeforeRedis,
        _ => return false,
    };
    CHOSEN.set(which).is_ok()
}

/// A script's text, with the comparison cut out that the break does without.
#[must_use]
pub fn script(code: &str) -> String {
    let comparison = match CHOSEN.get() {
        Some(Break::NoDedup) => "if again ~= last + 1 then",
        Some(Break::NoFence) => "if now ~= f[2] then",
        _ => return code.to_owned(),
    };
    code.replace(comparison, "if false then")
}
