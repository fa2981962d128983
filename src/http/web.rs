//! What a browser gets that comes without an app: a plain page that says what this is and where its API is.
//!
//! No scripts and nothing from elsewhere; the page's own style is allowed by its hash. It says nothing of any session, not even
//! whether there is one.

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::extract::InPath;
use super::openapi::OPERATIONS;
use crate::model::id::SessionId;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem}\
td{padding:.1rem 1rem .1rem 0;vertical-align:top}code{font-size:.95em}";

/// Nothing may be loaded, run, framed or sent; only the one style may apply.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("words and base64 are visible ASCII")
});

/// `GET /`
pub async fn start() -> Response {
    page("<p>A gateway for people who watch films together: sessions, tokens, sockets. This is its API.</p>")
}

/// `GET /s/{id}`: where a share link leads.
pub async fn share(InPath(session): InPath) -> Response {
    page(&invitation(session))
}

/// An id is hex digits and hyphens, so it needs no escaping.
fn invitation(session: SessionId) -> String {
    format!(
        "<p>You were invited to session <code>{session}</code>. Join it with its password: <code>POST /api/sessions/join</code> \
         with <code>{{\"session_id\":\"{session}\",\"password\":\"…\"}}</code>, then connect to <code>/ws/{session}</code>.</p>"
    )
}

fn page(intro: &str) -> Response {
    let mut rows = String::new();
    for operation in OPERATIONS {
        let (method, path, summary) = (operation.method.to_uppercase(), operation.path, operation.summary);
        // Writing to a String cannot fail.
        let _ = write!(rows, "<tr><td><code>{method} {path}</code></td><td>{summary}</td></tr>");
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>WatchParty</title><style>{STYLE}</style></head><body><h1>WatchParty</h1>{intro}\
         <table>{rows}</table><p>In full: <a href=\"/openapi.json\">/openapi.json</a></p></body></html>"
    );
    let html_type = HeaderValue::from_static("text/html; charset=utf-8");
    ([(CONTENT_TYPE, html_type), (CONTENT_SECURITY_POLICY, POLICY.clone())], html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_is_self_contained() {
        let response = start().await;
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let html = text(response).await;
        assert!(!html.contains("<script") && !html.contains("src="), "{html}");
        assert!(html.contains("POST /api/sessions/create"), "{html}");
    }

    #[tokio::test]
    async fn a_share_link_names_its_session_and_no_more() {
        let id = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
        let html = text(share(InPath(id.parse().unwrap())).await).await;
        assert!(html.contains(id), "{html}");
    }
}
