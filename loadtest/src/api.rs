//! The few requests a load needs from the gateway's HTTP API: a session, a seat in it, the numbers of `/metrics`.
//!
//! One connection a request, closed after it: nothing of this is measured.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PASSWORD: &str = "load load load";

/// A gateway's API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api(pub(crate) SocketAddr);

/// Somebody who may connect.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// Which session.
    pub(crate) session: String,
    /// For the `Authorization` header.
    pub(crate) token: String,
}

impl Api {
    /// A session with so many seats, and its host's ticket.
    ///
    /// # Errors
    /// The gateway does not make one.
    pub(crate) async fn create(self, seats: u32) -> anyhow::Result<Ticket> {
        let body = json!({"name": "Load", "password": PASSWORD, "max_participants": seats});
        let made = self.post("/api/sessions/create", &body).await?;
        ticket(&made, made["id"].as_str().context("no id")?)
    }

    /// One more participant.
    ///
    /// # Errors
    /// The gateway does not take one.
    pub(crate) async fn join(self, session: &str) -> anyhow::Result<Ticket> {
        let body = json!({"session_id": session, "password": PASSWORD});
        ticket(&self.post("/api/sessions/join", &body).await?, session)
    }

    /// The sum of a metric's series whose labels hold `label`; 0 when there is none.
    ///
    /// # Errors
    /// `/metrics` does not answer.
    pub(crate) async fn metric(self, name: &str, label: &str) -> anyhow::Result<f64> {
        let page = self.request("GET", "/metrics", "").await?;
        let series = page.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted =
            series.filter(|(series, _)| series.split('{').next() == Some(name) && series.contains(label));
        Ok(wanted.filter_map(|(_, value)| value.parse::<f64>().ok()).sum())
    }

    async fn post(self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.request("POST", path, &body.to_string()).await?)?)
    }

    async fn request(self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.0).await?;
        let length = body.len();
        // HTTP/1.0, so that the answer is not chunked and ends with the connection.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            self.0
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an answer without an end of its head")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        anyhow::ensure!(status.starts_with('2'), "{method} {path}: {status} {body}");
        Ok(body.to_owned())
    }
}

fn ticket(answer: &Value, session: &str) -> anyhow::Result<Ticket> {
    let token = answer["token"].as_str().context("no token")?;
    Ok(Ticket { session: session.to_owned(), token: token.to_owned() })
}
