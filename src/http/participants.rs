//! Participants over HTTP: a host takes a seat away.

use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Edge;
use super::extract::{self, Admitted};
use super::problem::Problem;
use crate::model::id::ParticipantId;
use crate::model::verb::Verb;
use crate::protocol::problem::Fault;

/// The participant in the path.
#[derive(Debug, Clone, Copy)]
pub struct Named(ParticipantId);

impl FromRequestParts<Edge> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let id = extract::segment(parts, edge, "pid").await.and_then(|text| text.parse().ok());
        id.map(Self)
            .ok_or_else(|| Fault::field("participant_id", "must be a lower-case hyphenated UUID").into())
    }
}

/// `DELETE /api/sessions/{id}/participants/{pid}`: kicked, for as long as a token of theirs can live.
pub async fn kick(
    State(edge): State<Edge>,
    Admitted { caller, session }: Admitted,
    Named(participant): Named,
) -> Result<StatusCode, Problem> {
    edge.gateway.act(&caller, session, Verb::Kick { participant, ban: None }).await?;
    Ok(StatusCode::NO_CONTENT)
}
