//! What is logged, in which shape, and where traces would go. Writing lines is `telemetry`.

use tracing::level_filters::LevelFilter;

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

pub(super) const LOG_LEVEL: Setting = Setting::open(
    "LOG_LEVEL",
    Preset::Text("info"),
    Form::Other("a level (off, error, warn, info, debug, trace) or a filter such as info,watchparty=debug"),
    "What is loud enough for a line.",
);
pub(super) const LOG_FORMAT: Setting = Setting::open(
    "LOG_FORMAT",
    Preset::Split { development: "text", production: "json" },
    Form::Word(&["text", "json"]),
    "Lines for people or for machines.",
);
pub(super) const OTLP_ENDPOINT: Setting = Setting::open(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    Preset::Unset,
    Form::Other("an http URL such as http://127.0.0.1:4318, without user, query or fragment"),
    "The OpenTelemetry collector that traces go to (OTLP over HTTP, below it /v1/traces); unset, there are none.",
);
pub(super) const TRACES_SAMPLER_ARG: Setting = Setting::open(
    "OTEL_TRACES_SAMPLER_ARG",
    Preset::Text("0.01"),
    Form::Other("a number from 0 to 1"),
    "The part of requests, publishes and repairs that is traced, for those whose caller does not say.",
);

/// Of a URL without one.
const HTTP_PORT: u16 = 80;

pub(super) const SETTINGS: &[&Setting] = &[&LOG_LEVEL, &LOG_FORMAT, &OTLP_ENDPOINT, &TRACES_SAMPLER_ARG];

/// Lines and traces.
#[derive(Clone, Debug)]
pub struct LogsConfig {
    /// What is loud enough.
    pub filter: LogFilter,
    /// For people or for machines.
    pub format: LogFormat,
    /// Where traces go, if anywhere.
    pub traces_to: Option<Collector>,
    /// The part of requests that is traced, 0 to 1.
    pub traces_sampled: f64,
}

/// An OpenTelemetry collector, spoken to in clear text: one far away is for an agent beside the node to reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Its host, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Where it takes traces.
    pub path: String,
}

impl Collector {
    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let (authority, base) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#".contains(&byte);
        if !base.bytes().all(plain) || authority.contains('@') {
            return None;
        }
        let (host, port) = form::host_and_port(authority, Some(HTTP_PORT))?;
        Some(Self { host, port, path: format!("{}/v1/traces", base.trim_end_matches('/')) })
    }
}

/// One level for all, and levels for targets (modules) and what is below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter {
    /// The level of whatever no target names.
    pub rest: LevelFilter,
    /// Targets with a level of their own.
    pub targets: Vec<(String, LevelFilter)>,
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) fn read(reader: &mut Reader<'_>) -> LogsConfig {
    LogsConfig {
        filter: reader.required(&LOG_LEVEL, form::log_filter),
        format: reader.required(&LOG_FORMAT, |word| match word {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        }),
        traces_to: reader.optional(&OTLP_ENDPOINT, Collector::parse),
        traces_sampled: reader.required(&TRACES_SAMPLER_ARG, |text| {
            text.parse().ok().filter(|part| (0.0..=1.0).contains(part))
        }),
    }
}
