//! Pages of other origins: which may call the API, and what they may read of its answers (Fetch standard, CORS protocol).
//!
//! Who is allowed is `model::origin`'s rule. A page that is not allowed gets 403 and not only an answer it cannot read, so that it
//! can neither create sessions nor spend its visitor's limits. Cookies are never used, so credentials are never allowed.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::Edge;
use super::extract::only;
use super::messages::IDEMPOTENCY_KEY;
use super::problem::Problem;
use super::rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY};
use super::request_id::X_REQUEST_ID;
use crate::config::Config;
use crate::model::origin::AllowedOrigins;
use crate::protocol::problem::{Code, Fault};

/// How long a browser remembers a preflight; longer than a film's breaks, shorter than a deployment's memory.
const PREFLIGHT_HOLDS: Duration = Duration::from_secs(3600);

/// Says to browsers what pages may do.
pub fn answers(config: &Arc<Config>) -> CorsLayer {
    let config = Arc::clone(config);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |_, parts| {
            allowed(&config.origins, &parts.headers) == Ok(())
        }))
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IDEMPOTENCY_KEY,
            X_REQUEST_ID,
            HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([X_REQUEST_ID, RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY, LOCATION])
        .max_age(PREFLIGHT_HOLDS)
}

/// The layer that refuses. Only the API: upgrades have a refusal of their own, and what is read by navigating sends no origin.
pub async fn refuse(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/")
        && let Err(fault) = allowed(&edge.config.origins, request.headers())
    {
        return Problem::from(fault).into_response();
    }
    next.run(request).await
}

fn allowed(origins: &AllowedOrigins, headers: &HeaderMap) -> Result<(), Fault> {
    if !headers.contains_key(ORIGIN) {
        return Ok(());
    }
    if headers.get_all(ORIGIN).iter().count() > 1 {
        return Err(Fault::field("Origin", "must be given once"));
    }
    // An origin that is no visible ASCII is on no list; as the empty text only `Any` allows it.
    let origin = only(headers, ORIGIN).unwrap_or_default();
    if origins.allows(origin, only(headers, HOST)) {
        Ok(())
    } else {
        Err(Fault::because(Code::Forbidden, "pages of this origin may not call this API"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::origin::Origin;

    #[test]
    fn origins_are_compared_whole() {
        let list = AllowedOrigins::List(vec![Origin::parse("https://good.example").unwrap()]);
        for (origins, lines, code) in [
            (&list, &[][..], None),
            (&list, &["https://good.example"][..], None),
            (&list, &["HTTPS://GOOD.example"][..], None),
            (&list, &["https://good.example.evil.example"][..], Some(Code::Forbidden)),
            (&list, &["http://good.example"][..], Some(Code::Forbidden)),
            (&list, &["null"][..], Some(Code::Forbidden)),
            (&list, &["https://good.example", "https://good.example"][..], Some(Code::InvalidRequest)),
            (&AllowedOrigins::SameHost, &["https://own.example"][..], None),
            (&AllowedOrigins::SameHost, &["https://good.example"][..], Some(Code::Forbidden)),
            (&AllowedOrigins::Any, &["null"][..], None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "own.example".parse().unwrap());
            for line in lines {
                headers.append(ORIGIN, line.parse().unwrap());
            }
            assert_eq!(allowed(origins, &headers).err().map(|fault| fault.code), code, "{lines:?}");
        }
    }
}
