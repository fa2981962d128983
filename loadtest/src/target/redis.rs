//! A Redis for two or more gateways that the generator starts itself: append-only file on, in a directory of its own, gone when the run is.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::process::Process;

/// How long it may take to answer.
const START: Duration = Duration::from_secs(10);
/// Between two attempts to reach it.
const AGAIN: Duration = Duration::from_millis(20);

/// A Redis that runs until this is dropped.
pub(crate) struct RedisServer {
    child: Child,
    /// Its process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    directory: PathBuf,
}

impl RedisServer {
    /// Starts `program`.
    ///
    /// # Errors
    /// It cannot be started, or does not answer.
    pub(crate) async fn start(program: &str) -> anyhow::Result<RedisServer> {
        let addr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let directory = std::env::temp_dir().join(format!("watchparty-load-{}", addr.port()));
        std::fs::create_dir_all(&directory)?;
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--port", &addr.port().to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec", "--dir"]).arg(&directory);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        // As for gateways: a Ctrl-C is for the generator.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("starting {program}"))?;
        let process = Process(child.id().context("it ended at once")?);
        let mut server = RedisServer { child, process, addr, directory };
        timeout(START, server.answering()).await.context("the Redis does not answer")??;
        Ok(server)
    }

    async fn answering(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the Redis ended: {status}");
            }
            if ping(self.addr).await.is_ok() {
                return Ok(());
            }
            sleep(AGAIN).await;
        }
    }
}

async fn ping(addr: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    anyhow::ensure!(&answer == b"+PONG", "it does not answer yet");
    Ok(())
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // First the process, so that it does not write what is removed. Both may have gone already, which is what is wanted.
        let _ = self.child.start_kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
