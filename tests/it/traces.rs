//! Traces (OTLP): a collector on loopback is sent spans of requests and publishes, and only where one is named; one that is away costs spans alone.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::support::node::Node;
use crate::support::party::{Party, say};
use crate::support::wait;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

type Batches = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// One that takes everything, below `/base`.
struct Collector {
    url: String,
    batches: Batches,
    /// Ends with it.
    _tasks: JoinSet<()>,
}

impl Collector {
    async fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        let batches = Batches::default();
        let taken = batches.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = taken.clone();
                let take = service_fn(move |request| take(request, taken.clone()));
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), take)
                    .await
                    .unwrap();
            }
        });
        Collector { url, batches, _tasks: tasks }
    }

    /// Every span so far.
    fn spans(&self) -> Vec<Span> {
        let batches = self.batches.lock().unwrap();
        let scopes =
            batches.iter().flat_map(|batch| &batch.resource_spans).flat_map(|each| &each.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }
}

async fn take(
    request: Request<hyper::body::Incoming>,
    taken: Batches,
) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/base/v1/traces"));
    assert_eq!(request.headers()["content-type"], "application/x-protobuf");
    let body = request.into_body().collect().await?.to_bytes();
    taken.lock().unwrap().push(ExportTraceServiceRequest::decode(body).expect("OTLP"));
    Ok(Response::new(Empty::new()))
}

fn word<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref().and_then(|AnyValue { value }| value.as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `GET /api/clock` as somebody who wants to see it in a trace of theirs.
async fn ask_the_clock(node: &Node) {
    let traceparent = ("traceparent".to_owned(), format!("00-{TRACE}-{CALLER}-01"));
    node.api().request("GET", "/api/clock", &[traceparent], None).await.expect(200);
}

/// The node's threads that export traces.
fn exporters(node: &Node) -> usize {
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap());
    names.filter(|name| name.starts_with("OpenTelemetry")).count()
}

async fn end(node: &mut Node) {
    node.term();
    assert!(node.ended().await.success());
}

#[tokio::test]
async fn spans_of_requests_and_publishes_reach_a_collector() {
    let collector = Collector::start().await;
    let traces = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), ("OTEL_TRACES_SAMPLER_ARG", "1")];
    let mut node = Node::start(&traces).await;
    assert_eq!(exporters(&node), 1);
    let party = Party::found(&node, 10).await;
    let mut host = party.seat(&node, &party.host()).await.0;
    say(&mut host, 1, "a word that nobody but people may read").await;
    drop(host);
    // What is left goes out at the end.
    end(&mut node).await;

    let spans = collector.spans();
    let create = spans.iter().find(|span| span.name == "POST /api/sessions/create").expect("a request");
    assert_eq!(create.kind, SpanKind::Server as i32);
    assert_eq!(word(&create.attributes, "http.response.status_code"), Some(&Any::IntValue(201)));
    assert_eq!(
        word(&create.attributes, "http.route"),
        Some(&Any::StringValue("/api/sessions/create".into()))
    );
    assert!(create.end_time_unix_nano > create.start_time_unix_nano);
    let publish = spans.iter().find(|span| span.name == "publish").expect("a publish");
    assert!(publish.parent_span_id.is_empty(), "it is of several people's words, so of nobody's request");
    assert_eq!(word(&publish.attributes, "entries"), Some(&Any::IntValue(1)));
    let resources: Vec<_> =
        collector.batches.lock().unwrap().iter().flat_map(|batch| batch.resource_spans.clone()).collect();
    for resource in &resources {
        let named = word(&resource.resource.as_ref().unwrap().attributes, "service.name").cloned();
        assert_eq!(named, Some(Any::StringValue("watchparty".into())));
    }
    let everything = format!("{spans:?}");
    for secret in [&*party.session, &*party.host, &*party.token, "a word that", "Film night", "a password"] {
        assert!(!everything.contains(secret), "{secret} is in {everything}");
    }
    // The line of a request names its trace.
    let lines = node.log();
    let line = lines
        .iter()
        .find(|line| line.contains("/api/sessions/create") && line.contains("request answered"))
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["trace_id"], hex(&create.trace_id), "{line}");
}

#[tokio::test]
async fn a_trusted_proxy_may_ask_for_a_trace_and_nobody_else() {
    for (proxies, traced) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let collector = Collector::start().await;
        let mut node = Node::start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
            ("TRUSTED_PROXIES", proxies),
        ])
        .await;
        ask_the_clock(&node).await;
        end(&mut node).await;
        let spans = collector.spans();
        let seen: Vec<_> =
            spans.iter().map(|span| (&*span.name, hex(&span.trace_id), hex(&span.parent_span_id))).collect();
        let wanted = ("GET /api/clock", TRACE.to_owned(), CALLER.to_owned());
        assert_eq!(seen, if traced { vec![wanted] } else { Vec::new() }, "{proxies}");
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_alone() {
    // Bound and not listened on: nobody else gets the port meanwhile.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let mut node =
        Node::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &url), ("OTEL_TRACES_SAMPLER_ARG", "1")]).await;
    let party = Party::found(&node, 10).await;
    let mut host = party.seat(&node, &party.host()).await.0;
    say(&mut host, 1, "heard").await;
    drop(host);
    end(&mut node).await;
    let told = "the collector takes no traces: they are lost until it does";
    assert_eq!(node.log().iter().filter(|line| line.contains(told)).count(), 1, "{:?}", node.log());
}

#[tokio::test]
async fn without_a_collector_nothing_is_started() {
    let node = Node::start(&[]).await;
    ask_the_clock(&node).await;
    assert_eq!(exporters(&node), 0);
    let lines = wait::until("the line of the request", || async {
        let lines = node.log();
        lines.iter().any(|line| line.contains("/api/clock")).then_some(lines)
    })
    .await;
    assert!(lines.iter().all(|line| !line.contains("trace_id")), "{lines:?}");
}
