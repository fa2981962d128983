//! `GET /ws/{id}`: the socket's address. What it answers is decided in `ws`; refusals are put into words here.

use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};

use super::Edge;
use super::extract::InPath;
use super::peer::Peer;
use super::problem::Problem;
use crate::model::address::LimitKey;
use crate::protocol::problem::Code;

/// Switches over to a socket, or says why not.
pub async fn upgrade(State(edge): State<Edge>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let session = InPath::from_request_parts(&mut parts, &edge).await.ok().map(|InPath(session)| session);
    let Some(peer) = parts.extensions.get::<Peer>().copied() else {
        return Problem::of(Code::Internal).into_response();
    };
    let request = Request::from_parts(parts, body);
    match edge.sockets.upgrade(request, session, LimitKey::from(peer.client)).await {
        Ok(response) => response,
        Err(refused) => {
            let mut response = Problem::from(refused.fault).into_response();
            response.headers_mut().extend(refused.headers);
            response
        }
    }
}
