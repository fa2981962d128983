//! What others send to Redis for a message: bare commands, pipelined over one connection.
//!
//! Written by hand on a socket, so that nothing but Redis is in the figure. Somebody listens, as somebody does to the gateway's channel.

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::resp::{self, Reply};

/// Entries that a plain stream keeps about, as many as the gateway's.
const KEPT: &str = "1000";

/// Which commands make a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Publish,
    Spublish,
    XaddAndPublish,
}

impl Way {
    fn commands(self, body: &str) -> Vec<Vec<u8>> {
        let xadd = ["XADD", "plain:x", "MAXLEN", "~", KEPT, "*", "r", body];
        match self {
            Self::Publish => vec![resp::encode(&["PUBLISH", "plain", body])],
            Self::Spublish => vec![resp::encode(&["SPUBLISH", "plain", body])],
            Self::XaddAndPublish => vec![resp::encode(&xadd), resp::encode(&["PUBLISH", "plain", body])],
        }
    }
}

/// A connection that sends and one that listens.
pub(crate) struct Plain {
    stream: BufReader<TcpStream>,
    /// Ends with this.
    _listener: JoinSet<()>,
}

impl Plain {
    pub(crate) async fn connect(port: u16) -> Self {
        let mut listener = JoinSet::new();
        listener.spawn(listen(opened(port).await));
        Self { stream: BufReader::new(opened(port).await), _listener: listener }
    }

    /// Sends `messages` at once and waits for every answer.
    pub(crate) async fn send(&mut self, way: Way, messages: usize, body: &str) {
        let commands = way.commands(body);
        let sent = commands.concat().repeat(messages);
        self.stream.get_mut().write_all(&sent).await.expect("Redis takes commands");
        for _ in 0..messages * commands.len() {
            let reply = resp::read(&mut self.stream).await.expect("Redis answers");
            assert!(!matches!(reply, Reply::Error(_)), "{way:?}: {reply:?}");
        }
    }
}

async fn opened(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("Redis listens");
    stream.set_nodelay(true).expect("a socket");
    stream
}

/// Subscribes both ways and throws away what comes.
async fn listen(mut stream: TcpStream) {
    let both = [resp::encode(&["SSUBSCRIBE", "plain"]), resp::encode(&["SUBSCRIBE", "plain"])].concat();
    stream.write_all(&both).await.expect("Redis takes commands");
    let mut room = vec![0; 64 * 1024];
    while stream.read(&mut room).await.is_ok_and(|count| count > 0) {}
}
