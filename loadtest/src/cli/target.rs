//! Against whom: gateways that run somewhere, or such as are started for the run.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

/// The gateways under test.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TargetOptions {
    /// A gateway that runs already, as http://host:port; several are replicas, and people spread over them. None: one is started
    #[arg(long, value_delimiter = ',')]
    pub(crate) url: Vec<String>,
    /// Let a --url be elsewhere than on loopback: it is yours, and may be loaded
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Make tokens from the JWT_SECRET in the environment instead of joining by password (gateways that are started: always)
    #[arg(long, requires = "url")]
    pub(crate) mint: bool,
    /// Processes of the gateways at --url, if they run here: their cost is then read from /proc instead of /metrics
    #[arg(long, value_delimiter = ',', requires = "url")]
    pub(crate) pid: Vec<u32>,
    /// Addresses that connections come from, in turn; 28000 ports each. To loopback: 16 addresses of 127.0.0.0/8
    #[arg(long, value_delimiter = ',')]
    pub(crate) source: Vec<IpAddr>,
    /// The gateway's binary to start; by default the `watchparty` beside this program
    #[arg(long, conflicts_with = "url")]
    pub(crate) gateway: Option<PathBuf>,
    /// Gateways to start
    #[arg(long, default_value_t = 1, conflicts_with = "url", value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) nodes: u32,
    /// Start a Redis for them too, with its append-only file on
    #[arg(long, conflicts_with = "url", num_args = 0..=1, default_missing_value = "redis-server", value_name = "PROGRAM")]
    pub(crate) redis_server: Option<String>,
    /// A setting of the gateways to start, as NAME=VALUE; may be repeated
    #[arg(long = "set", conflicts_with = "url", value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a setting is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
