//! The HTTP API as a client sees it: a request in, status, headers and JSON out.
//!
//! One connection per request, so no test depends on what another left in a pool. It follows no redirect and
//! retries nothing.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::wait::soon;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Bytes,
    /// The body as JSON, null when it is none.
    pub body: Value,
}

impl Answer {
    /// A header, when it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, after asserting the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.bytes));
        self.body
    }

    /// Asserts a problem (RFC 9457) of `status` and `code`, and returns it.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["type"], format!("urn:watchparty:problem:{code}"), "{body}");
        assert_eq!(body["status"], status, "{body}");
        body
    }
}

/// The API of one node.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    addr: SocketAddr,
}

impl Api {
    /// Of the node that listens at `addr`.
    pub fn new(addr: SocketAddr) -> Api {
        Api { addr }
    }

    /// `POST /api/sessions/create`; the caller becomes host.
    pub async fn create(&self, name: &str, password: &str, max: Option<u32>) -> Answer {
        let mut body = json!({"name": name, "password": password});
        if let Some(max) = max {
            body["max_participants"] = json!(max);
        }
        self.post("/api/sessions/create", None, body).await
    }

    /// `POST /api/sessions/join`.
    pub async fn join(&self, session: &str, password: &str, display_name: Option<&str>) -> Answer {
        let mut body = json!({"session_id": session, "password": password});
        if let Some(display_name) = display_name {
            body["display_name"] = json!(display_name);
        }
        self.post("/api/sessions/join", None, body).await
    }

    /// `GET path`, with a bearer token or without.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.request("GET", path, &bearer(token), None).await
    }

    /// `POST path` with JSON, with a bearer token or without.
    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.request("POST", path, &bearer(token), Some(body)).await
    }

    /// Any request with JSON or no body.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: Option<Value>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push((CONTENT_TYPE.to_string(), "application/json".to_owned()));
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.send(method, path, &headers, bytes).await
    }

    /// Any request with any bytes; what `Content-Type` there is comes from `headers`.
    pub async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: Bytes) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(HOST, self.addr.to_string());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).unwrap();
        soon(&format!("{method} {path}"), self.exchange(request)).await
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream =
            TcpStream::connect(self.addr).await.unwrap_or_else(|error| panic!("{}: {error}", self.addr));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let answer = async move {
            let response = sender.send_request(request).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        };
        // The connection only moves while it is polled, and is done with once the answer is whole.
        let mut connection = std::pin::pin!(connection);
        let mut answer = std::pin::pin!(answer);
        let (parts, bytes) = tokio::select! {
            answer = &mut answer => answer,
            ended = &mut connection => {
                ended.unwrap();
                answer.await
            }
        };
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }
}

/// The `Authorization` header for a token.
pub fn bearer(token: Option<&str>) -> Vec<(String, String)> {
    token.map(|token| ("authorization".to_owned(), format!("Bearer {token}"))).into_iter().collect()
}
