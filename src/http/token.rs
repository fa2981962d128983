//! `POST /api/sessions/{id}/token`: a fresh token for the same participant, for as long as the old one is good.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Edge;
use super::extract::Seated;
use super::problem::Problem;
use crate::model::time::ClusterMs;

/// A token and its end.
#[derive(Debug, Serialize)]
pub struct TokenView {
    token: String,
    expires_at: ClusterMs,
}

/// The route.
pub async fn refresh(State(edge): State<Edge>, Seated(claims): Seated) -> Result<Json<TokenView>, Problem> {
    let (token, expires_at) = edge.gateway.fresh_token(&claims).await?;
    Ok(Json(TokenView { token, expires_at }))
}
