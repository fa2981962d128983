//! `GET /api/clock`: the cluster's time, for players that keep in step. From memory, so that asking often costs little.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Edge;
use crate::model::time::ClusterMs;

/// The time.
#[derive(Debug, Serialize)]
pub struct ClockView {
    now_ms: ClusterMs,
}

/// The route.
pub async fn now(State(edge): State<Edge>) -> Json<ClockView> {
    Json(ClockView { now_ms: edge.gateway.now() })
}
