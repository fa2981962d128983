//! A collector, as far as it is spoken to: OTLP over HTTP/1.1, one call and one connection a batch, from the export's own thread, which may wait.
//!
//! Responsible for the encoding, for the call and for saying in the log when it begins to fail and when it works again. Nothing is tried twice: what a
//! collector does not take is lost, and nobody waits for it. Blocking, and so without a runtime: that thread has none.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message as _;

use crate::config::logs::Collector;

/// For each step: connecting, a write, a read. One beside the node answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// As much of an answer as is read: its first line is all that counts.
const ANSWER: u64 = 4096;

#[derive(Debug)]
pub(super) struct Exporter {
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    /// The last batch was not taken; said once.
    failing: AtomicBool,
}

impl Exporter {
    pub(super) fn to(collector: Collector) -> Self {
        Self { collector, resource: ResourceAttributesWithSchema::default(), failing: AtomicBool::new(false) }
    }

    fn send(&self, batch: Vec<SpanData>) -> io::Result<()> {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let status = self.post(&ExportTraceServiceRequest { resource_spans }.encode_to_vec())?;
        if (200..300).contains(&status) {
            Ok(())
        } else {
            Err(io::Error::other(format!("it answered {status}")))
        }
    }

    /// Posts a body; the status of the answer.
    fn post(&self, body: &[u8]) -> io::Result<u16> {
        let Collector { host, port, path } = &self.collector;
        let mut stream = self.connect()?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let named = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {named}:{port}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.take(ANSWER).read_to_end(&mut answer)?;
        status(&answer).ok_or_else(|| io::Error::other("its answer is not HTTP/1.1"))
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("its name has no address");
        for address in (self.collector.host.as_str(), self.collector.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.send(batch);
        match &sent {
            Ok(()) if self.failing.swap(false, Ordering::Relaxed) => {
                tracing::info!("the collector takes traces again")
            }
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, spans, "the collector takes no traces: they are lost until it does");
            }
            _ => {}
        }
        sent.map_err(|error| OTelSdkError::InternalFailure(error.to_string()))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

/// The status in the first line of an answer.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(1..)?.strip_prefix(b" ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}
