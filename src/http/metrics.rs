//! `GET /metrics`: the page of numbers, on the public listener only where there is no other.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::Edge;
use crate::metrics;

/// The route.
pub async fn page(State(edge): State<Edge>) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], edge.metrics.render())
}
