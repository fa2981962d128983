//! A reader of server-sent events that is not our code: hyper for HTTP, and the rules of WHATWG HTML 9.2 for the rest.
//!
//! It reads, and reconnects nowhere: `Last-Event-ID` is the test's to send.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::wait::soon;

/// One thing that came.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event.
    Event(StreamEvent),
    /// A comment, or anything else that is no event.
    Comment,
    /// The stream is over.
    End,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamEvent {
    /// `event:`
    pub event: String,
    /// `id:`
    pub id: Option<String>,
    /// `data:`, as JSON.
    pub data: Value,
}

/// An open stream.
pub struct EventStream {
    /// The answer's head.
    pub headers: HeaderMap,
    body: Incoming,
    text: String,
    /// Moves the connection; it ends with the stream.
    _connection: JoinSet<()>,
}

impl EventStream {
    /// Opens a stream.
    ///
    /// # Errors
    /// Status and body when the answer is not 200.
    pub async fn open(
        addr: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<EventStream, (u16, Value)> {
        let stream = soon("a connection", TcpStream::connect(addr)).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // How the stream ended is seen in the body.
            let _ = connection.await;
        });
        let mut request =
            Request::get(path).header(HOST, addr.to_string()).header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        let response = soon("the stream's head", sender.send_request(request)).await.unwrap();
        let (head, body) = response.into_parts();
        if head.status != 200 {
            let bytes = soon("the refusal", body.collect()).await.unwrap().to_bytes();
            return Err((head.status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default()));
        }
        Ok(EventStream { headers: head.headers, body, text: String::new(), _connection: tasks })
    }

    /// What comes next.
    pub async fn next(&mut self) -> Item {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let item = parse(block);
                self.text = rest.to_owned();
                return item;
            }
            match soon("more of the stream", self.body.frame()).await {
                Some(Ok(frame)) => {
                    let bytes = frame.into_data().unwrap_or_default();
                    // Events are written whole and in ASCII here, so no character is cut.
                    self.text.push_str(std::str::from_utf8(&bytes).unwrap());
                }
                None | Some(Err(_)) => {
                    assert_eq!(self.text, "", "the stream was cut within an event");
                    return Item::End;
                }
            }
        }
    }

    /// The next event; comments are passed over. Panics at the end.
    pub async fn event(&mut self) -> StreamEvent {
        loop {
            match self.next().await {
                Item::Event(event) => return event,
                Item::Comment => {}
                Item::End => panic!("the stream ended"),
            }
        }
    }

    /// The next event of a type, over others.
    pub async fn expect(&mut self, kind: &str) -> StreamEvent {
        loop {
            let event = self.event().await;
            if event.event == kind {
                return event;
            }
        }
    }
}

fn parse(block: &str) -> Item {
    let (mut event, mut id, mut data) = (None, None, Vec::new());
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("event", value)) => event = Some(value.to_owned()),
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("data", value)) => data.push(value),
            _ => assert!(line.starts_with(':'), "not a field of ours: {line:?}"),
        }
    }
    match event {
        Some(event) => {
            let data = serde_json::from_str(&data.join("\n")).unwrap();
            Item::Event(StreamEvent { event, id, data })
        }
        None => Item::Comment,
    }
}
