//! What handlers take from a request: the session in its path, who asks, and its body.
//!
//! Order matters and is the same everywhere: limits (a layer), then the path, then who asks, and only then is a body read. So
//! nobody unknown makes us read, parse or hash anything.

use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::Edge;
use super::problem::Problem;
use super::shape::{self, Field};
use crate::auth::token::Claims;
use crate::gateway::caller::Caller;
use crate::model::id::SessionId;
use crate::protocol::problem::{Code, Fault};

/// Bytes of a body at most, messages apart: a session's name and password need one of them.
pub const BODY_MAX: usize = 16 * 1024;

/// How long a body may take to arrive. The largest is a second's work on a bad mobile line.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The bearer token, unread: `None` without `Authorization`, empty when that is anything but one bearer token, so that a header
/// that was meant to say something is never taken for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer(pub Option<String>);

impl Bearer {
    /// Reads the header (RFC 6750, section 2.1).
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let Some(first) = lines.next() else { return Self(None) };
        let token = match (first.to_str().unwrap_or_default().split_once(' '), lines.next()) {
            (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => {
                token.trim_start_matches(' ')
            }
            _ => "",
        };
        Self(Some(token.to_owned()))
    }

    /// The token as the gateway takes it.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl FromRequestParts<Edge> for Bearer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Edge) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

/// The session in the path. Anything but an id in its one spelling is a session we do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InPath(pub SessionId);

impl FromRequestParts<Edge> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let id = segment(parts, edge, "id").await.and_then(|text| text.parse().ok());
        id.map(Self).ok_or_else(|| Problem::of(Code::SessionNotFound))
    }
}

/// One segment of the path, decoded; `None` where it is not UTF-8.
pub(super) async fn segment(parts: &mut Parts, edge: &Edge, name: &str) -> Option<String> {
    let segments = RawPathParams::from_request_parts(parts, edge).await.ok()?;
    segments.iter().find(|(key, _)| *key == name).map(|(_, text)| text.to_owned())
}

/// Somebody known who may speak in the session of the path: a participant of it, or a server.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub session: SessionId,
}

impl FromRequestParts<Edge> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let InPath(session) = InPath::from_request_parts(parts, edge).await?;
        let bearer = Bearer::of(&parts.headers);
        let caller = edge.gateway.admit(bearer.token(), session).await?;
        Ok(Self { caller, session })
    }
}

/// A participant of the session in the path; a server's key does not do.
#[derive(Debug, Clone)]
pub struct Seated(pub Claims);

impl FromRequestParts<Edge> for Seated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        match Admitted::from_request_parts(parts, edge).await?.caller {
            Caller::Participant(claims) => Ok(Self(claims)),
            Caller::Server(_) => Err(Problem::of(Code::Forbidden)),
        }
    }
}

/// Reads a body of a shape, at most `limit` bytes of it.
///
/// # Errors
/// 415 for what is not plain JSON by its own account, 413 over the limit, 400 for what does not fit the shape.
pub async fn body(request: Request, limit: usize, shape: &[Field]) -> Result<String, Fault> {
    check_media(request.headers())?;
    if announced(request.headers()).is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let reading = Limited::new(request.into_body(), limit).collect();
    let read = tokio::time::timeout(BODY_TIMEOUT, reading)
        .await
        .map_err(|_| Fault::field("body", "did not arrive in time"))?;
    let bytes = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
        Some(_) => too_large(limit),
        None => Fault::field("body", "did not arrive whole"),
    })?;
    let text =
        String::from_utf8(bytes.to_bytes().into()).map_err(|_| Fault::field("body", "must be UTF-8"))?;
    shape::check(shape, &text)?;
    Ok(text)
}

fn too_large(limit: usize) -> Fault {
    Fault::because(Code::PayloadTooLarge, format!("a body has at most {limit} bytes here"))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    only(headers, CONTENT_LENGTH)?.parse().ok()
}

/// `application/json`, in UTF-8 if it says so, and not compressed: a small body must stay small.
fn check_media(headers: &HeaderMap) -> Result<(), Fault> {
    let plain = !headers.contains_key(CONTENT_ENCODING)
        || only(headers, CONTENT_ENCODING)
            .is_some_and(|coding| coding.trim().eq_ignore_ascii_case("identity"));
    if plain && only(headers, CONTENT_TYPE).is_some_and(is_json) {
        Ok(())
    } else {
        Err(Fault::of(Code::UnsupportedMediaType))
    }
}

fn is_json(media: &str) -> bool {
    let mut parts = media.split(';').map(str::trim);
    let essence = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    essence
        && parts.filter(|parameter| !parameter.is_empty()).all(|parameter| {
            let value = parameter.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
            value.is_some_and(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case("utf-8"))
        })
}

/// The text of a header that was sent exactly once.
pub(super) fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::shape::Form;
    use super::*;
    use axum::body::Body;

    const SHAPE: &[Field] = &[Field::required("a", Form::Any, "")];

    fn request(lines: &[(&str, &str)], body: impl Into<Body>) -> Request {
        let mut request = Request::builder();
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        request.body(body.into()).unwrap()
    }

    async fn code(lines: &[(&str, &str)], text: &[u8]) -> Option<Code> {
        body(request(lines, text.to_vec()), 64, SHAPE).await.err().map(|fault| fault.code)
    }

    #[tokio::test]
    async fn h9_only_plain_json_is_read() {
        let good: &[u8] = br#"{"a":1}"#;
        for media in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\";",
        ] {
            assert_eq!(code(&[("content-type", media)], good).await, None, "{media}");
        }
        for media in [
            "text/plain",
            "application/jsonp",
            "application/problem+json",
            "application/json; charset=latin1",
            "application/json; q=1",
            "",
        ] {
            assert_eq!(
                code(&[("content-type", media)], good).await,
                Some(Code::UnsupportedMediaType),
                "{media}"
            );
        }
        assert_eq!(code(&[], good).await, Some(Code::UnsupportedMediaType));
        let json = ("content-type", "application/json");
        assert_eq!(code(&[json, json], good).await, Some(Code::UnsupportedMediaType));
        for coding in ["gzip", "br", "identity, gzip", ""] {
            let refused = code(&[json, ("content-encoding", coding)], good).await;
            assert_eq!(refused, Some(Code::UnsupportedMediaType), "{coding}");
        }
        assert_eq!(code(&[json, ("content-encoding", "identity")], good).await, None);
    }

    #[tokio::test]
    async fn h9_a_body_over_its_bound_is_refused_announced_or_not() {
        let json = ("content-type", "application/json");
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(56));
        assert_eq!(long.len(), 64);
        assert_eq!(code(&[json], long.as_bytes()).await, None);
        let longer = format!("{long} ");
        assert_eq!(code(&[json], longer.as_bytes()).await, Some(Code::PayloadTooLarge));
        assert_eq!(code(&[json, ("content-length", "65")], b"").await, Some(Code::PayloadTooLarge));
        let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(longer)]);
        let streamed = body(request(&[json], Body::from_stream(chunks)), 64, SHAPE).await;
        assert_eq!(streamed.unwrap_err().code, Code::PayloadTooLarge);
    }

    #[tokio::test]
    async fn what_is_no_text_or_breaks_off_is_refused() {
        let json = ("content-type", "application/json");
        assert_eq!(code(&[json], b"{\"a\":\"\xff\"}").await, Some(Code::InvalidRequest));
        let broken = futures_util::stream::iter(vec![Err::<String, _>(std::io::Error::other("cut"))]);
        let fault = body(request(&[json], Body::from_stream(broken)), 64, SHAPE).await.unwrap_err();
        assert_eq!(fault.detail, "body: did not arrive whole");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_not_waited_for() {
        let silent = Body::from_stream(futures_util::stream::pending::<Result<String, std::io::Error>>());
        let fault =
            body(request(&[("content-type", "application/json")], silent), 64, SHAPE).await.unwrap_err();
        assert_eq!(fault.detail, "body: did not arrive in time");
    }

    #[test]
    fn a_bearer_is_one_token_or_a_bad_one_but_never_overlooked() {
        for (lines, expected) in [
            (&[][..], None),
            (&["Bearer abc.def"][..], Some("abc.def")),
            (&["bearer  abc"][..], Some("abc")),
            (&["Basic abc"][..], Some("")),
            (&["Bearer"][..], Some("")),
            (&[""][..], Some("")),
            (&["Bearer a", "Bearer a"][..], Some("")),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(AUTHORIZATION, line.parse().unwrap());
            }
            assert_eq!(Bearer::of(&headers).token(), expected, "{lines:?}");
        }
    }
}
