//! A name for each request, on its log line, in its problem and on its answer, so that one report leads to one line.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

/// The header that carries it, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of a client's own id at most; ours have 36.
const LENGTH_MAX: usize = 64;

/// The id, in the extensions of every request that passed the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id that a client or a proxy gave, if it is sane and given once; else a new one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(X_REQUEST_ID).iter();
        match (given.next(), given.next()) {
            (Some(id), None) if is_sane(id.as_bytes()) => Self(id.clone()),
            _ => Self::new_random(),
        }
    }

    fn new_random() -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text: &str = Uuid::new_v4().as_hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).expect("a hyphenated UUID is visible ASCII"))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What can stand in a log line, a header and a URL without quoting.
fn is_sane(id: &[u8]) -> bool {
    (1..=LENGTH_MAX).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// The layer: names the request, and its answer likewise.
pub async fn name(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_REQUEST_ID, id.0);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[&[u8]]) -> RequestId {
        let mut headers = HeaderMap::new();
        for id in given {
            headers.append(X_REQUEST_ID, HeaderValue::from_bytes(id).unwrap());
        }
        RequestId::of(&headers)
    }

    #[test]
    fn a_sane_id_is_kept() {
        for id in ["a", "Root-1.2_x", &"x".repeat(64)] {
            assert_eq!(of(&[id.as_bytes()]).as_str(), id);
        }
    }

    #[test]
    fn anything_else_gets_a_new_one() {
        let long = "x".repeat(65);
        let bad: [&[&[u8]]; 8] = [
            &[],
            &[b""],
            &[long.as_bytes()],
            &[b"a b"],
            &[b"a\tb"],
            &[b"a;b"],
            &[b"\xc3\xa9"],
            &[b"a", b"a"],
        ];
        for given in bad {
            let id = of(given);
            assert!(Uuid::try_parse(id.as_str()).is_ok(), "{given:?} gave {}", id.as_str());
        }
        assert_ne!(of(&[]), of(&[]));
    }
}
