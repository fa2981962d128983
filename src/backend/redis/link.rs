//! One connection to one Redis, over the `redis` crate, with what the crate leaves to its user.
//!
//! Responsible for how a connection is opened (no delay, keepalive, `TCP_USER_TIMEOUT`, deadlines), for telling what a failed call means,
//! and for noticing that a connection is to be replaced. Not responsible for replacing it (`supervisor`): a link is used until
//! [`Link::broken`] fires, then dropped. Everything the crate would do by itself is left out, because it stops trying after a while, ignores
//! failed resubscriptions and does not replace a connection that has gone silent. No other file knows how the crate connects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo,
    ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError, ServerErrorKind, TlsCertificates, Value,
};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::meters::{Meters, Side};
use super::settings::RedisTarget;
use crate::backend::error::BackendError;

/// How long a call waits for its answer. Redis answers in under a millisecond; the gateway sends a publish again until 5 s have passed.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long opening a connection may take, TLS and login included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long sent bytes may stay unacknowledged before the kernel gives the connection up (`OPERATIONS`, constants).
const USER_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection is asked for a sign of life this often, so that firewalls do not forget it.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Calls that may wait to be written; past it callers wait, each within its response timeout.
const WAITING_CALLS: usize = 1024;
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
            Self::Silent(text) | Self::Refused(text) => BackendError::Unavailable(text),
            Self::NoScript => BackendError::Unavailable("a script was not kept".into()),
            Self::Failed(text) => BackendError::Unreadable(text),
        }
    }
}

/// Takes what Redis pushes. Runs on the connection's own task: it must not block.
pub(super) type Pushed = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// Knows how to open connections to one address.
#[derive(Clone)]
pub(super) struct Dial {
    commands: Client,
    pushes: Client,
}

impl Dial {
    /// # Errors
    /// When the target cannot be used: a certificate that is none.
    pub(super) fn new(target: &RedisTarget) -> Result<Self, RedisError> {
        let client = |protocol| match &target.ca_pem {
            Some(pem) => {
                let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                Client::build_with_tls(connection_info(target, protocol)?, certificates)
            }
            None => Client::open(connection_info(target, protocol)?),
        };
        Ok(Self { commands: client(ProtocolVersion::RESP2)?, pushes: client(ProtocolVersion::RESP3)? })
    }

    /// Opens a connection for commands; its end fires `broken`.
    pub(super) async fn command(
        &self,
        broken: CancellationToken,
        meters: &Arc<Meters>,
    ) -> Result<Link, RedisError> {
        let connection = self.commands.get_multiplexed_async_connection_with_config(&config()).await?;
        Ok(Link::new(connection, Side::Command, broken, meters))
    }

    /// Opens the connection for subscriptions; what it receives goes to `pushed`, its end included, which may fire `broken`.
    pub(super) async fn subscriber(
        &self,
        pushed: Pushed,
        broken: CancellationToken,
        meters: &Arc<Meters>,
    ) -> Result<Link, RedisError> {
        let sender = move |info: PushInfo| -> Result<(), redis::aio::SendError> {
            pushed(info);
            Ok(())
        };
        let config = config().set_push_sender(sender);
        let connection = self.pushes.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Link::new(connection, Side::Subscriber, broken, meters))
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_pipeline_buffer_size(WAITING_CALLS)
}

fn connection_info(target: &RedisTarget, protocol: ProtocolVersion) -> Result<ConnectionInfo, RedisError> {
    let (host, port) = (target.host.clone(), target.port);
    let address = if target.tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let mut login = RedisConnectionInfo::default().set_db(i64::from(target.db)).set_protocol(protocol);
    login = login.set_skip_set_lib_name();
    if let Some(username) = &target.username {
        login = login.set_username(username.expose_secret());
    }
    if let Some(password) = &target.password {
        login = login.set_password(password.expose_secret());
    }
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let tcp =
        TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(USER_TIMEOUT);
    Ok(address.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
}

/// An open connection.
pub(super) struct Link {
    connection: MultiplexedConnection,
    side: Side,
    meters: Arc<Meters>,
    broken: CancellationToken,
    silences: AtomicU32,
}

impl Link {
    fn new(
        connection: MultiplexedConnection,
        side: Side,
        broken: CancellationToken,
        meters: &Arc<Meters>,
    ) -> Self {
        Self { connection, side, meters: meters.clone(), broken, silences: AtomicU32::new(0) }
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
            return Err(Fault::Silent(error.category().to_owned()));
        }
        self.silences.store(0, Ordering::Relaxed);
        let fault = refusal(&error);
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::NoScript) => {}
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
    let code = error.code().unwrap_or_default();
    let text = match error.detail() {
        Some(detail) => format!("{code} {detail}"),
        None => code.to_owned(),
    };
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::NoScript) => Fault::NoScript,
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
            | ServerErrorKind::MasterDown
            | ServerErrorKind::Moved
            | ServerErrorKind::Ask
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::NoPerm,
        ) => Fault::Refused(text),
        _ if NOTHING_DONE.contains(&code) => Fault::Refused(text),
        _ => Fault::Failed(text),
    }
}
