//! How the node fares: for people, for orchestrators (live), for balancers (ready). Every answer comes from memory.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Edge;
use crate::gateway::health::HealthReport;

/// What people are told.
#[derive(Debug, Serialize)]
pub struct HealthView {
    status: &'static str,
    version: &'static str,
    backend: &'static str,
    uptime_seconds: u64,
    ready: bool,
    reasons: Vec<&'static str>,
}

/// What machines are told.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct ProbeView {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<&'static str>>,
}

/// `GET /health`: always 200, as whoever gets it has reached somebody.
pub async fn show(State(edge): State<Edge>) -> Json<HealthView> {
    let HealthReport { version, backend, uptime, ready, reasons, live: _ } = edge.gateway.health();
    Json(HealthView { status: "ok", version, backend, uptime_seconds: uptime.as_secs(), ready, reasons })
}

/// `GET /health/live`: 503 asks to be restarted.
pub async fn live(State(edge): State<Edge>) -> (StatusCode, Json<ProbeView>) {
    live_view(&edge.gateway.health())
}

/// `GET /health/ready`: 503 asks to be left alone, and says why.
pub async fn ready(State(edge): State<Edge>) -> (StatusCode, Json<ProbeView>) {
    ready_view(edge.gateway.health())
}

fn live_view(report: &HealthReport) -> (StatusCode, Json<ProbeView>) {
    if report.live { fine() } else { not_now("stalled", None) }
}

fn ready_view(report: HealthReport) -> (StatusCode, Json<ProbeView>) {
    if report.ready { fine() } else { not_now("unavailable", Some(report.reasons)) }
}

fn fine() -> (StatusCode, Json<ProbeView>) {
    (StatusCode::OK, Json(ProbeView { status: "ok", reasons: None }))
}

fn not_now(status: &'static str, reasons: Option<Vec<&'static str>>) -> (StatusCode, Json<ProbeView>) {
    (StatusCode::SERVICE_UNAVAILABLE, Json(ProbeView { status, reasons }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn ready_and_live_are_told_apart() {
        let report = HealthReport {
            version: "1",
            backend: "redis",
            uptime: Duration::ZERO,
            ready: false,
            reasons: vec!["draining", "backend"],
            live: true,
        };
        assert_eq!(live_view(&report).0, 200);
        let (status, Json(view)) = ready_view(report.clone());
        assert_eq!(status, 503);
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            r#"{"status":"unavailable","reasons":["draining","backend"]}"#
        );
        let (status, Json(view)) = live_view(&HealthReport { live: false, ..report.clone() });
        assert_eq!((status.as_u16(), view.status), (503, "stalled"));
        let (status, Json(view)) = ready_view(HealthReport { ready: true, reasons: Vec::new(), ..report });
        assert_eq!(
            (status.as_u16(), serde_json::to_string(&view).unwrap().as_str()),
            (200, r#"{"status":"ok"}"#)
        );
    }
}
