//! From a fault to an answer: problem details (RFC 9457). The one place that knows which status goes with which code.
//!
//! A [`Problem`] travels as a fault in the extensions of an empty answer, and [`write()`] gives it its body on the way out, where
//! the request's id is known: so handlers, extractors and layers all refuse in the same way, and every refusal names its request.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::request_id::RequestId;
use crate::gateway::error::GatewayError;
use crate::protocol::problem::{Code, Fault, FieldError};

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal on its way to the client.
#[derive(Debug, Clone)]
pub struct Problem(Fault);

impl Problem {
    /// A problem with its code's own sentence.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self(Fault::of(code))
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        if let GatewayError::Backend(cause) = &error {
            tracing::warn!(error = %cause, "backend call failed");
        }
        Self(error.fault())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = status_of(self.0.code).into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// The status of a code. Those that only a socket can meet are given the nearest one.
#[must_use]
pub fn status_of(code: Code) -> StatusCode {
    match code {
        Code::InvalidRequest | Code::UnknownType => StatusCode::BAD_REQUEST,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::SessionNotFound | Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::Conflict | Code::SessionFull | Code::Stale | Code::Gap | Code::PeerUnreachable => {
            StatusCode::CONFLICT
        }
        Code::SessionLocked => StatusCode::LOCKED,
        Code::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::UriTooLong => StatusCode::URI_TOO_LONG,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: Code,
    detail: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// The layer: an answer that carries a fault gets its body and headers. The fault stays with it, for whoever counts.
pub async fn write(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned();
    let mut response = next.run(request).await;
    if let Some(fault) = response.extensions().get::<Fault>().cloned() {
        let status = response.status();
        put(&fault, status, id.as_ref().map_or("", RequestId::as_str), &mut response);
    }
    response
}

fn put(fault: &Fault, status: StatusCode, request_id: &str, response: &mut Response) {
    let details = Details {
        kind: format!("urn:watchparty:problem:{}", fault.code.as_str()),
        title: fault.code.title(),
        status: status.as_u16(),
        code: fault.code,
        detail: &fault.detail,
        request_id,
        errors: &fault.errors,
        retry_after_ms: fault.retry_after_ms,
    };
    // Texts and numbers always serialise.
    *response.body_mut() = Body::from(serde_json::to_vec(&details).unwrap_or_default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM_JSON);
    if let Some(ms) = fault.retry_after_ms {
        // Rounded up: a client that waits what it is told must not come too early.
        headers.insert(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::error::BackendError;
    use axum::body::to_bytes;

    async fn written(fault: Fault) -> (Response, serde_json::Value) {
        let mut response = Problem::from(fault.clone()).into_response();
        let status = response.status();
        put(&fault, status, "the-request", &mut response);
        let body = std::mem::take(response.body_mut());
        let body = to_bytes(body, 4096).await.unwrap();
        (response, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn every_code_has_the_status_of_the_protocol() {
        let table: [(Code, u16); 20] = [
            (Code::InvalidRequest, 400),
            (Code::Unauthorized, 401),
            (Code::Forbidden, 403),
            (Code::SessionNotFound, 404),
            (Code::NotFound, 404),
            (Code::MethodNotAllowed, 405),
            (Code::Conflict, 409),
            (Code::SessionFull, 409),
            (Code::SessionLocked, 423),
            (Code::PayloadTooLarge, 413),
            (Code::UriTooLong, 414),
            (Code::UnsupportedMediaType, 415),
            (Code::UpgradeRequired, 426),
            (Code::RateLimited, 429),
            (Code::Internal, 500),
            (Code::Unavailable, 503),
            (Code::Stale, 409),
            (Code::Gap, 409),
            (Code::UnknownType, 400),
            (Code::PeerUnreachable, 409),
        ];
        for (code, status) in table {
            assert_eq!(status_of(code).as_u16(), status, "{code:?}");
        }
        assert_eq!(table.map(|(code, _)| code), Code::ALL);
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_the_protocol() {
        let (response, body) = written(Fault::field("name", "is required")).await;
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[CONTENT_TYPE], PROBLEM_JSON);
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:watchparty:problem:invalid_request",
                "title": "The request is not valid",
                "status": 400,
                "code": "invalid_request",
                "detail": "name: is required",
                "request_id": "the-request",
                "errors": [{"field": "name", "message": "is required"}],
            })
        );
    }

    #[tokio::test]
    async fn waiting_is_told_in_seconds_rounded_up() {
        for (ms, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_999, "60")] {
            let (response, body) = written(Fault::of(Code::RateLimited).retry_after(ms)).await;
            assert_eq!(response.headers()[RETRY_AFTER], seconds, "{ms} ms");
            assert_eq!(body["retry_after_ms"], ms);
        }
        let (response, body) = written(Fault::of(Code::Unauthorized)).await;
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        assert!(!response.headers().contains_key(RETRY_AFTER));
        assert_eq!(body.get("errors").or(body.get("retry_after_ms")), None);
    }

    #[test]
    fn a_backend_failure_tells_nothing_of_its_cause() {
        let Problem(fault) = GatewayError::from(BackendError::Unavailable("redis at 10.0.0.7".into())).into();
        assert_eq!(fault, Fault::of(Code::Unavailable).retry_after(crate::gateway::error::RETRY_MS));
    }
}
