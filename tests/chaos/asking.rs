//! Questions over HTTP to nodes that may be frozen, dead or far away: an answer, or none within a time.
//!
//! The suite's own `Api` panics when nobody answers, which is right for tests and wrong here. Not responsible for what an answer means.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// What one asks.
pub(crate) struct Question<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<Value>,
}

impl<'a> Question<'a> {
    /// `GET path`.
    pub(crate) fn get(addr: SocketAddr, path: &'a str, token: Option<&'a str>) -> Question<'a> {
        Question { addr, method: "GET", path, token, body: None }
    }

    /// Status and body (null when it is no JSON); none when nobody answered within `patience`.
    pub(crate) async fn ask(self, patience: Duration) -> Option<(u16, Value)> {
        let (status, bytes) = tokio::time::timeout(patience, self.exchange()).await.ok()??;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Status and body as text; none when nobody answered within `patience`.
    pub(crate) async fn told(self, patience: Duration) -> Option<(u16, String)> {
        let (status, bytes) = tokio::time::timeout(patience, self.exchange()).await.ok()??;
        Some((status, String::from_utf8(bytes.to_vec()).ok()?))
    }

    /// The body as text; none when nobody answered within `patience`.
    pub(crate) async fn text(self, patience: Duration) -> Option<String> {
        Some(self.told(patience).await?.1)
    }

    async fn exchange(self) -> Option<(u16, Bytes)> {
        let stream = TcpStream::connect(self.addr).await.ok()?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let mut request =
            Request::builder().method(self.method).uri(self.path).header(HOST, self.addr.to_string());
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = self.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(bytes)).ok()?;
        let answer = async move {
            let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
            Some((parts.status.as_u16(), body.collect().await.ok()?.to_bytes()))
        };
        let mut answer = std::pin::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // The connection moves only while it is polled; its end comes after the answer or instead of it.
            _ = connection => answer.await,
        }
    }
}
