//! How connections are opened, over the `redis` crate: no delay, keepalive, `TCP_USER_TIMEOUT`, deadlines, TLS, login.
//!
//! Everything the crate would do by itself is left out (its connection manager, its sentinel and cluster clients): it stops trying after a while,
//! ignores failed resubscriptions, does not replace a connection that has gone silent, and believes the first sentinel that answers.
//! Not responsible for what an open connection does (`link`). No other file knows how the crate connects.

use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion,
    PushInfo, RedisConnectionInfo, RedisError, TlsCertificates,
};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use super::link::{Link, RESPONSE_TIMEOUT};
use super::meters::{Meters, Side};
use super::settings::{Address, RedisTarget, Topology};

/// Calls that may wait to be written; past it callers wait, each within its response timeout.
const WAITING_CALLS: usize = 1024;
/// An idle connection is asked for a sign of life this often, so that firewalls do not forget it.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long sent bytes may stay unacknowledged before the kernel gives the connection up (`OPERATIONS`, constants).
const USER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long opening a connection may take, TLS and login included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes what Redis pushes. Runs on the connection's own task: it must not block.
pub(super) type Pushed = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// Knows how to open connections to one address.
#[derive(Clone)]
pub(super) struct Dial {
    commands: Client,
    pushes: Client,
    clustered: bool,
}

impl Dial {
    /// To a server that holds data.
    ///
    /// # Errors
    /// When the target cannot be used: a certificate that is none.
    pub(super) fn new(target: &RedisTarget, address: &Address) -> Result<Self, RedisError> {
        let login = RedisConnectionInfo::default().set_db(i64::from(target.db));
        Self::with(target, address, &login_as(login, target.username.as_ref(), target.password.as_ref()))
    }

    /// To a sentinel, which has no databases and a password of its own, if any.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn sentinel(target: &RedisTarget, address: &Address) -> Result<Self, RedisError> {
        let login = login_as(RedisConnectionInfo::default(), None, target.sentinel_password.as_ref());
        Self::with(target, address, &login)
    }

    fn with(
        target: &RedisTarget,
        address: &Address,
        login: &RedisConnectionInfo,
    ) -> Result<Self, RedisError> {
        let client = |protocol| {
            let login = login.clone().set_protocol(protocol).set_skip_set_lib_name();
            let info = connection_info(target.tls, address, login)?;
            match &target.ca_pem {
                Some(pem) => {
                    let certificates = TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) };
                    Client::build_with_tls(info, certificates)
                }
                None => Client::open(info),
            }
        };
        let (commands, pushes) = (client(ProtocolVersion::RESP2)?, client(ProtocolVersion::RESP3)?);
        Ok(Self { commands, pushes, clustered: matches!(target.topology, Topology::Cluster(_)) })
    }

    /// Opens a connection for commands; its end fires `broken`.
    pub(super) async fn command(
        &self,
        broken: CancellationToken,
        meters: &Arc<Meters>,
    ) -> Result<Link, RedisError> {
        let connection = self.commands.get_multiplexed_async_connection_with_config(&config()).await?;
        Ok(Link::new(connection, Side::Command, broken, meters).of_cluster(self.clustered))
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
        Ok(Link::new(connection, Side::Subscriber, broken, meters).of_cluster(self.clustered))
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_pipeline_buffer_size(WAITING_CALLS)
}

fn login_as(
    login: RedisConnectionInfo,
    username: Option<&SecretString>,
    password: Option<&SecretString>,
) -> RedisConnectionInfo {
    let login = match username {
        Some(username) => login.set_username(username.expose_secret()),
        None => login,
    };
    match password {
        Some(password) => login.set_password(password.expose_secret()),
        None => login,
    }
}

fn connection_info(
    tls: bool,
    address: &Address,
    login: RedisConnectionInfo,
) -> Result<ConnectionInfo, RedisError> {
    let Address { host, port } = address.clone();
    let address = if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let tcp =
        TcpSettings::default().set_nodelay(true).set_keepalive(keepalive).set_user_timeout(USER_TIMEOUT);
    Ok(address.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
}
