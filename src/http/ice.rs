//! `GET /api/sessions/{id}/ice`: relays for calls. What is in it is `gateway::ice`'s.

use axum::Json;
use axum::extract::State;

use super::Edge;
use super::extract::Seated;
use crate::gateway::ice::IceServers;

/// The route.
pub async fn servers(State(edge): State<Edge>, Seated(claims): Seated) -> Json<IceServers> {
    Json(edge.gateway.ice(&claims))
}
