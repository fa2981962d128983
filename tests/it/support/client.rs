//! A WebSocket client that is not our code: tokio-tungstenite, and on top of it waiting for frames by type.
//!
//! It speaks well-formed WebSocket only; `raw` is for the other kind. Frames that a test skips over stay readable
//! in `seen`, so that "nothing else came" can be asserted too.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::wait::soon;

/// How to connect; each method adds to the request.
#[derive(Debug, Clone)]
pub struct Connect {
    addr: SocketAddr,
    path: String,
    headers: Vec<(String, String)>,
    hello: Option<Value>,
}

/// An upgrade that was answered with another status than 101.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, null when it is no JSON.
    pub body: Value,
}

impl Connect {
    /// To `/ws/{session}`, so far without a token.
    pub fn to(addr: SocketAddr, session: &str) -> Connect {
        Connect { addr, path: format!("/ws/{session}"), headers: Vec::new(), hello: None }
    }

    /// The token as `Authorization`: `welcome` follows at once.
    #[must_use]
    pub fn bearer(self, token: &str) -> Connect {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// The token in a `hello` frame, sent as soon as the socket is open.
    #[must_use]
    pub fn hello(mut self, token: &str) -> Connect {
        let client = json!({"name": "test", "version": "0"});
        self.hello = Some(json!({"type": "hello", "token": token, "client": client}));
        self
    }

    /// Where to resume; in `hello` when there is one, otherwise in the query.
    #[must_use]
    pub fn resume(mut self, epoch: &str, seq: u64) -> Connect {
        match &mut self.hello {
            Some(hello) => hello["resume"] = json!({"epoch": epoch, "seq": seq}),
            None => self.path.push_str(&format!("?epoch={epoch}&seq={seq}")),
        }
        self
    }

    /// Any header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Connect {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Origin`, as a browser sends it.
    #[must_use]
    pub fn origin(self, origin: &str) -> Connect {
        self.header("origin", origin)
    }

    /// Offers a subprotocol.
    #[must_use]
    pub fn protocol(self, protocol: &str) -> Connect {
        self.header("sec-websocket-protocol", protocol)
    }

    /// Opens the socket and sends the `hello`.
    ///
    /// # Errors
    /// [`Refused`] when the answer is a status other than 101; everything else panics.
    pub async fn open(self) -> Result<TestClient, Refused> {
        let mut request = format!("ws://{}{}", self.addr, self.path).into_client_request().unwrap();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        let stream =
            TcpStream::connect(self.addr).await.unwrap_or_else(|error| panic!("{}: {error}", self.addr));
        stream.set_nodelay(true).unwrap();
        let (socket, response) =
            match soon("the upgrade", tokio_tungstenite::client_async(request, stream)).await {
                Ok(opened) => opened,
                Err(Error::Http(response)) => return Err(Refused::from_response(&response)),
                Err(error) => panic!("the upgrade failed: {error}"),
            };
        let mut client = TestClient { socket, headers: response.headers().clone(), seen: Vec::new() };
        if let Some(hello) = self.hello {
            client.send(hello).await;
        }
        Ok(client)
    }

    /// [`Connect::open`], then `welcome`; panics when either does not come.
    pub async fn welcomed(self) -> (TestClient, Value) {
        let opened = self.open().await;
        let mut client = opened.unwrap_or_else(|refused| panic!("the upgrade was refused: {refused:?}"));
        let welcome = client.expect("welcome").await;
        (client, welcome)
    }
}

impl Refused {
    fn from_response(response: &tokio_tungstenite::tungstenite::http::Response<Option<Vec<u8>>>) -> Refused {
        let body = response.body().as_deref().unwrap_or_default();
        Refused {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
        }
    }
}

/// What a client can be given next.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// A text frame of JSON.
    Frame(Value),
    /// A close frame: code (1005 when it has none) and reason.
    Closed(u16, String),
    /// The TCP connection ended without a close frame.
    Lost,
}

/// One open WebSocket.
#[derive(Debug)]
pub struct TestClient {
    socket: WebSocketStream<TcpStream>,
    headers: HeaderMap,
    seen: Vec<Value>,
}

impl TestClient {
    /// A header of the 101 answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Sends a text frame of JSON.
    pub async fn send(&mut self, frame: Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    /// Sends any message tungstenite can write.
    pub async fn send_raw(&mut self, message: Message) {
        soon("a send", self.socket.send(message)).await.unwrap();
    }

    /// The next frame, close or loss; pings are answered on the way. Panics after the deadline.
    pub async fn next(&mut self) -> Received {
        // One deadline for all of it: pings alone would put it off for ever.
        soon("the next frame", self.receive()).await
    }

    async fn receive(&mut self) -> Received {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                None | Some(Err(_)) => return Received::Lost,
            };
            match message {
                Message::Text(text) => return Received::Frame(parse(&text)),
                Message::Close(frame) => {
                    // Sends our half of the closing handshake; a peer that is already gone ends it as well.
                    let _ = soon("the end of the stream", self.socket.next()).await;
                    return closed(frame);
                }
                Message::Binary(bytes) => panic!("the protocol has no binary frames: {bytes:?}"),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// The next frame of `kind`; what comes before it goes to [`TestClient::seen`].
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.expect_where(kind, |frame| frame["type"] == kind).await
    }

    /// The next frame that carries `id`: the reply to one request.
    pub async fn expect_id(&mut self, id: &str) -> Value {
        self.expect_where(&format!("a frame with id {id}"), |frame| frame["id"] == id).await
    }

    /// The next frame that `accept`s; `what` is for the report.
    pub async fn expect_where(&mut self, what: &str, accept: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next().await {
                Received::Frame(frame) if accept(&frame) => return frame,
                Received::Frame(frame) => self.seen.push(frame),
                ended => panic!("waited for {what}, but {ended:?}; before it came {:?}", self.seen),
            }
        }
    }

    /// The oldest frame of `kind` that nobody was handed yet, be it passed over already or still to come: for what the server says by itself,
    /// which on a slow machine can come before an answer that was waited for.
    pub async fn earliest(&mut self, kind: &str) -> Value {
        match self.seen.iter().position(|frame| frame["type"] == kind) {
            Some(at) => self.seen.remove(at),
            None => self.expect(kind).await,
        }
    }

    /// Reads to the close: its code and reason, `(1006, "")` when the connection was lost instead.
    pub async fn expect_close(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Received::Frame(frame) => self.seen.push(frame),
                Received::Closed(code, reason) => return (code, reason),
                Received::Lost => return (1006, String::new()),
            }
        }
    }

    /// Frames that `expect` and `expect_close` passed over, oldest first; taken out.
    pub fn seen(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.seen)
    }

    /// Puts frames back that were taken out by [`TestClient::seen`], before whatever is passed over next.
    pub fn keep(&mut self, frames: Vec<Value>) {
        self.seen.splice(0..0, frames);
    }

    /// Sends a ping and waits for everything the server had to say before its answer; frames go to
    /// [`TestClient::seen`]. After it, "nothing came" is a fact and not a matter of time.
    pub async fn settle(&mut self) {
        let id = format!("settle-{:x}", fastrand::u64(..));
        self.send(json!({"type": "ping", "id": id, "data": {"t0": 0}})).await;
        self.expect_id(&id).await;
    }

    /// Says goodbye with 1000 and waits for the server's half.
    pub async fn close(mut self) {
        soon("a close", self.socket.close(None)).await.unwrap();
        self.expect_close().await;
    }

    /// Ends the TCP connection with a RST and no goodbye, as a machine that died.
    pub fn vanish(self) {
        self.socket.get_ref().set_zero_linger().unwrap();
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON: {error}: {text}"))
}

fn closed(frame: Option<CloseFrame>) -> Received {
    match frame {
        Some(frame) => Received::Closed(frame.code.into(), frame.reason.to_string()),
        None => Received::Closed(1005, String::new()),
    }
}
