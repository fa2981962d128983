//! The few requests a load needs from the gateway's HTTP API: a session, a seat in it, the numbers of `/metrics`.
//!
//! One connection a request, closed after it: nothing of this is measured.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::report::host::build_info;

const PASSWORD: &str = "load load load";
/// How long an answer may take: a join waits for bcrypt, which may have a queue.
const ANSWER: Duration = Duration::from_secs(20);

/// How long `/metrics` may take: a look each second must not wait for a gateway that is too busy to be looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Between two looks at whether a gateway is ready.
const BREATH: Duration = Duration::from_millis(20);

/// A gateway's API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api(pub(crate) SocketAddr);

/// Somebody who may connect.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// To which session.
    pub(crate) session: String,
    /// As whom.
    pub(crate) participant: String,
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

    /// Returns when the gateway may be given work: one whose Redis is not connected yet listens and refuses.
    pub(crate) async fn ready(self) {
        while self.request("GET", "/health/ready", "").await.is_err() {
            sleep(BREATH).await;
        }
    }

    /// What `/metrics` says.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) async fn metrics(self) -> anyhow::Result<Metrics> {
        let asked = self.exchange("GET", "/metrics", "");
        Ok(Metrics(timeout(LOOK, asked).await.context("no metrics in time")??))
    }

    async fn post(self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.request("POST", path, &body.to_string()).await?)?)
    }

    async fn request(self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let asked = self.exchange(method, path, body);
        timeout(ANSWER, asked).await.with_context(|| format!("{method} {path}: no answer in time"))?
    }

    async fn exchange(self, method: &str, path: &str, body: &str) -> anyhow::Result<String> {
        let mut stream =
            TcpStream::connect(self.0).await.with_context(|| format!("connecting to {}", self.0))?;
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

/// A page of metrics.
#[derive(Debug, Default)]
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of a metric's series whose labels hold `label`; 0 when there is none.
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let series = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let wanted =
            series.filter(|(series, _)| series.split('{').next() == Some(name) && series.contains(label));
        wanted.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }

    /// What the gateway says it is.
    pub(crate) fn build(&self) -> BTreeMap<String, String> {
        build_info(&self.0)
    }
}

fn ticket(answer: &Value, session: &str) -> anyhow::Result<Ticket> {
    let field = |name: &str| {
        Ok::<_, anyhow::Error>(answer[name].as_str().with_context(|| format!("no {name}"))?.to_owned())
    };
    Ok(Ticket { session: session.to_owned(), participant: field("participant_id")?, token: field("token")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_summed() {
        let page = "# HELP a x\na{b=\"c\",d=\"e\"} 2\na{b=\"f\",d=\"e\"} 3\nab 9\nplain 1.5\n";
        let metrics = Metrics(page.to_owned());
        assert_eq!(
            (metrics.sum("a", ""), metrics.sum("a", "b=\"c\""), metrics.sum("plain", "")),
            (5.0, 2.0, 1.5)
        );
        assert_eq!(metrics.sum("absent", ""), 0.0);
    }
}
