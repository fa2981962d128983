//! The scripts, put together from `lua/*.lua`, and a call of one as Redis wants it.
//!
//! Responsible for which preludes a script shares, its flags and its digest. Not responsible for sending (`primary`) or for
//! reading answers (`reply`). The flags decide what Redis does when it may not write: a script without any is refused as a whole, before
//! its first step, when memory is full or the disk fails, so that half a step never happens.

use std::sync::LazyLock;

use redis::{Cmd, ToRedisArgs};

use crate::metrics::label::BackendCommand;

/// What a script may do, in the words of Redis' `EVAL` flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flags {
    /// Writes; refused when memory is full.
    Writes,
    /// Writes next to nothing, and must go on when memory is full: leases have to be renewed and freed.
    WritesAlways,
    /// Reads; allowed even when writing is not.
    Reads,
}

/// A script as Redis keeps it.
#[derive(Debug)]
pub(super) struct Script {
    /// What its duration counts as, if it is timed.
    pub(super) command: Option<BackendCommand>,
    pub(super) flags: Flags,
    code: String,
    hash: String,
}

const FENCE: &str = include_str!("lua/fence.lua");
const APPEND: &str = include_str!("lua/append.lua");
const TRIM: &str = include_str!("lua/trim.lua");
const SEATS: &str = include_str!("lua/seats.lua");
const VIEW: &str = include_str!("lua/view.lua");
const EFFECT: &str = include_str!("lua/effect.lua");
const NO_EFFECT: &str = include_str!("lua/no_effect.lua");
const PROBE_BODY: &str = include_str!("lua/probe.lua");
const PUBLISH_BODY: &str = include_str!("lua/publish.lua");

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $command:expr, $flags:ident, [$($part:expr),+];)+) => {
        $($(#[$doc])* pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new($command, Flags::$flags, &[$($part),+]));)+

        /// Every script, to load them before the first call.
        pub(super) fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),+].into_iter()
        }
    };
}

scripts! {
    /// A batch without effects: the hot path.
    PUBLISH = Some(BackendCommand::Publish), Writes, [FENCE, APPEND, TRIM, NO_EFFECT, PUBLISH_BODY];
    /// A batch whose last item has an effect.
    ACT = Some(BackendCommand::Publish), Writes, [FENCE, APPEND, TRIM, SEATS, EFFECT, PUBLISH_BODY];
    CREATE = Some(BackendCommand::Create), Writes, [include_str!("lua/create.lua")];
    JOIN = Some(BackendCommand::Join), Writes, [FENCE, APPEND, SEATS, VIEW, include_str!("lua/join.lua")];
    LEAVE = Some(BackendCommand::Leave), WritesAlways, [FENCE, APPEND, SEATS, include_str!("lua/leave.lua")];
    BEAT = Some(BackendCommand::Beat), WritesAlways, [FENCE, APPEND, TRIM, SEATS, include_str!("lua/beat.lua")];
    SNAPSHOT = Some(BackendCommand::Session), Reads, [VIEW, include_str!("lua/snapshot.lua")];
    ROSTER = Some(BackendCommand::Session), Reads, [VIEW, include_str!("lua/roster.lua")];
    STANDING = Some(BackendCommand::Session), Reads, [VIEW, include_str!("lua/standing.lua")];
    FIND = Some(BackendCommand::Session), Reads, [VIEW, include_str!("lua/find.lua")];
    PASSWORD = Some(BackendCommand::Session), Reads, [include_str!("lua/password.lua")];
    READ = Some(BackendCommand::Read), Reads, [VIEW, include_str!("lua/read.lua")];
    RELAY = Some(BackendCommand::Publish), WritesAlways, [include_str!("lua/relay.lua")];
    BUCKET = Some(BackendCommand::Limit), WritesAlways, [include_str!("lua/bucket.lua")];
    /// What a `WAIT` is to wait for (`writers`); allowed on a full Redis, so that what it did take is vouched for.
    MARK = None, WritesAlways, [include_str!("lua/mark.lua")];
    /// Asked twice a second, and refused whenever a publish would be: a Redis that takes no writes is not one to be ready with.
    PROBE = None, Writes, [PROBE_BODY];
    /// The same once, of a new connection: one to a full Redis can still be read through.
    TRIAL = None, WritesAlways, [PROBE_BODY];
}

impl Script {
    fn new(command: Option<BackendCommand>, flags: Flags, parts: &[&str]) -> Self {
        let shebang = match flags {
            Flags::Writes => "#!lua",
            Flags::WritesAlways => "#!lua flags=allow-oom",
            Flags::Reads => "#!lua flags=no-writes",
        };
        let code = format!("{shebang}\n{}", parts.join("\n"));
        #[cfg(feature = "sabotage")]
        let code = crate::sabotage::script(&code);
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { command, flags, code, hash }
    }

    /// Hands the script to Redis; needed once after each of its starts.
    pub(super) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.code);
        command
    }

    /// A call that brings the script along, so that Redis cannot have forgotten it; its arguments are to follow.
    pub(super) fn whole(&self, keys: &[String]) -> Cmd {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.code).arg(keys.len()).arg(keys);
        command
    }
}

/// One call of a script: its keys, then its arguments.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) script: &'static Script,
    pub(super) command: Cmd,
}

impl Call {
    pub(super) fn new(script: &'static Script, keys: &[String]) -> Self {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(keys.len()).arg(keys);
        Self { script, command }
    }

    /// Whether it writes: without an answer nobody knows whether it did.
    pub(super) fn writes(&self) -> bool {
        self.script.flags != Flags::Reads
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.push(value);
        self
    }

    pub(super) fn push(&mut self, value: impl ToRedisArgs) {
        self.command.arg(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_says_first_what_it_may_do() {
        let mut hashes: Vec<&str> = all().map(|script| script.hash.as_str()).collect();
        for script in all() {
            assert!(script.code.starts_with("#!lua"), "{:.40}", script.code);
            assert_eq!(script.hash.len(), 40);
        }
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all().count(), "two scripts are one");
    }
}
