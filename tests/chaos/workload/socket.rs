//! One WebSocket that may fail at any moment: everything that can happen to it is a value.
//!
//! tokio-tungstenite, which is not our code. Not responsible for what frames mean (`member`).

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// How long an upgrade or a write may take: a frozen node answers neither, and a client has other nodes to try.
const PATIENCE: Duration = Duration::from_secs(8);

/// What a socket gives.
#[derive(Debug)]
pub(crate) enum Given {
    /// A text frame.
    Frame(String),
    /// A close frame: code and reason.
    Closed(u16, String),
    /// The connection ended without one.
    Lost,
}

/// Where and as whom to connect.
pub(crate) struct Hello<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) session: &'a str,
    pub(crate) token: &'a str,
    pub(crate) resume: Option<(String, u64)>,
}

/// The socket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Opens one and says `hello`; none when nobody answers in time, or with anything but an open door.
    pub(crate) async fn open(hello: &Hello<'_>) -> Option<Socket> {
        let mut socket = tokio::time::timeout(PATIENCE, Self::upgrade(hello)).await.ok()??;
        let mut frame = json!({"type": "hello", "token": hello.token});
        if let Some((epoch, seq)) = &hello.resume {
            frame["resume"] = json!({"epoch": epoch, "seq": seq});
        }
        socket.send(&frame).await.then_some(socket)
    }

    async fn upgrade(hello: &Hello<'_>) -> Option<Socket> {
        let url = format!("ws://{}/ws/{}", hello.addr, hello.session);
        let request = url.into_client_request().expect("an address of ours is an address");
        let stream = TcpStream::connect(hello.addr).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let (socket, _) = tokio_tungstenite::client_async(request, stream).await.ok()?;
        Some(Socket(socket))
    }

    /// Whether it was taken by the kernel in time; it may not arrive all the same.
    pub(crate) async fn send(&mut self, frame: &Value) -> bool {
        let sending = self.0.send(Message::text(frame.to_string()));
        matches!(tokio::time::timeout(PATIENCE, sending).await, Ok(Ok(())))
    }

    /// The next thing that happens to it.
    pub(crate) async fn next(&mut self) -> Given {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Given::Frame(text.as_str().to_owned()),
                Some(Ok(Message::Close(Some(close)))) => {
                    return Given::Closed(close.code.into(), close.reason.to_string());
                }
                Some(Ok(Message::Close(None))) => return Given::Closed(1005, String::new()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Given::Lost,
            }
        }
    }

    /// Says goodbye and does not wait for the answer.
    pub(crate) async fn close(mut self) {
        // A peer that is gone needs no goodbye.
        let _ = tokio::time::timeout(PATIENCE, self.0.close(None)).await;
    }

    /// Ends with a RST and no goodbye, as a machine that died.
    pub(crate) fn vanish(self) {
        // Fails for a socket that is gone already.
        let _ = self.0.get_ref().set_zero_linger();
    }
}
