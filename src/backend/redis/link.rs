//! One connection to one Redis, over the `redis` crate, with what the crate leaves to its user.
//!
//! Responsible for telling what a failed call means, and for noticing that a connection is to be replaced. Not responsible for opening it
//! (`dial`) or for replacing it (`supervisor`): a link is used until [`Link::broken`] fires, then dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio_util::sync::CancellationToken;

use super::cause::cause;
use super::meters::{Meters, Side};
use crate::backend::error::BackendError;

/// How long a call waits for its answer. Redis answers in under a millisecond; the gateway sends a publish again until 5 s have passed.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeouts in a row after which a connection counts as dead: one can be a slow moment of Redis.
const SILENCES_MAX: u32 = 2;

/// Why a call failed.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It was sent, or may have been, and no answer came.
    Silent(String),
    /// It was done on the primary, and too few replicas had it in time.
    Unreplicated,
    /// Redis answered with an error, having done nothing.
    Refused(String),
    /// Redis, of a cluster, answered that this is not its slot, or not now; nothing was done.
    Elsewhere(String),
    /// Redis does not know the script.
    NoScript,
    /// A script failed on its way: a bug, or data that are not ours.
    Failed(String),
}

impl Fault {
    /// What it means to the ports: without an answer a write may have happened, a read has no outcome to be unsure of.
    pub(super) fn into_error(self, writes: bool) -> BackendError {
        match self {
            Self::Silent(text) if writes => BackendError::Unknown(text),
            Self::Unreplicated => BackendError::Unknown("too few replicas have it".into()),
            Self::Silent(text) | Self::Refused(text) | Self::Elsewhere(text) => {
                BackendError::Unavailable(text)
            }
            Self::NoScript => BackendError::Unavailable("a script was not kept".into()),
            Self::Failed(text) => BackendError::Unreadable(text),
        }
    }
}

/// For logs and `doctor`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent(text) | Self::Refused(text) | Self::Elsewhere(text) | Self::Failed(text) => text,
            Self::NoScript => "a script was not kept",
            Self::Unreplicated => "too few replicas have it",
        })
    }
}

/// An open connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    side: Side,
    meters: Arc<Meters>,
    broken: CancellationToken,
    silences: AtomicU32,
    /// A node of a cluster, which has some slots and not others.
    clustered: bool,
}

impl Link {
    pub(super) fn new(
        connection: MultiplexedConnection,
        side: Side,
        broken: CancellationToken,
        meters: &Arc<Meters>,
    ) -> Self {
        let (meters, silences) = (meters.clone(), AtomicU32::new(0));
        Self { connection, side, meters, broken, silences, clustered: false }
    }

    /// The same to a node of a cluster: that a slot is elsewhere says nothing against the connection.
    pub(super) fn of_cluster(self, clustered: bool) -> Self {
        Self { clustered, ..self }
    }

    /// Whether it leads to a node of a cluster.
    pub(super) fn is_clustered(&self) -> bool {
        self.clustered
    }

    /// Fires when the connection is to be replaced.
    pub(super) fn broken(&self) -> &CancellationToken {
        &self.broken
    }

    /// Sends one command and waits for its answer.
    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let answer = self.connection.clone().send_packed_command(command).await;
        self.judge(answer.and_then(Value::extract_error))
    }

    /// Sends commands at once and waits for all answers, each with its own error. An error of the whole is one of the connection.
    pub(super) async fn call_each(
        &self,
        commands: &redis::Pipeline,
        count: usize,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        match self.connection.clone().send_packed_commands(commands, 0, count).await {
            Ok(answers) => Ok(answers.into_iter().map(|answer| self.judge(answer.extract_error())).collect()),
            Err(error) => self.judge(Err(error)).map(|_| Vec::new()),
        }
    }

    /// Sends commands at once and waits for all answers. The first error stands for all.
    pub(super) async fn call_all(&self, commands: &redis::Pipeline, count: usize) -> Result<(), Fault> {
        let answers = self.connection.clone().send_packed_commands(commands, 0, count).await;
        self.judge(answers.and_then(|values| Value::Array(values).extract_error())).map(drop)
    }

    fn judge(&self, answer: Result<Value, RedisError>) -> Result<Value, Fault> {
        let error = match answer {
            Ok(value) => {
                self.silences.store(0, Ordering::Relaxed);
                return Ok(value);
            }
            Err(error) => error,
        };
        let meters = self.meters.link(self.side);
        if error.is_timeout() {
            meters.timeouts.increment(1);
            if self.silences.fetch_add(1, Ordering::Relaxed) + 1 >= SILENCES_MAX {
                self.broken.cancel();
            }
            return Err(Fault::Silent("no answer in time".into()));
        }
        if error.is_io_error() || error.kind() == ErrorKind::Parse {
            meters.lost.increment(1);
            self.broken.cancel();
            return Err(Fault::Silent(cause(&error)));
        }
        self.silences.store(0, Ordering::Relaxed);
        let fault = refusal(&error);
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => {}
            _ if self.clustered && matches!(fault, Fault::Elsewhere(_)) => meters.moved.increment(1),
            // This Redis is not the primary any more: resolve again.
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            ) => {
                meters.moved.increment(1);
                self.broken.cancel();
            }
            _ => meters.refused.increment(1),
        }
        Err(fault)
    }
}

/// Codes of errors after which nothing was done: Redis refuses the whole command or script before its first step.
const NOTHING_DONE: [&str; 6] = ["OOM", "MISCONF", "NOREPLICAS", "BUSY", "NOAUTH", "WRONGPASS"];

fn refusal(error: &RedisError) -> Fault {
    let (code, text) = (error.code().unwrap_or_default(), cause(error));
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Fault::NoScript,
        ErrorKind::Server(
            ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown,
        ) => Fault::Elsewhere(text),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::NoPerm,
        ) => Fault::Refused(text),
        _ if NOTHING_DONE.contains(&code) => Fault::Refused(text),
        _ => Fault::Failed(text),
    }
}
