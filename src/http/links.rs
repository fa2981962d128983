//! The addresses we tell people: `share_url` and `ws_url`, and what they are built on.
//!
//! `PUBLIC_URL` decides where it is set. Else it is what the request itself was sent to; a proxy's word on that counts only when
//! the proxy is trusted. A host is taken only if it reads as one, because it ends up in links that people click.

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use super::Edge;
use super::peer::Peer;
use super::problem::Problem;
use crate::model::id::SessionId;
use crate::model::origin::Origin;
use crate::protocol::problem::Fault;

/// `scheme://host[:port]` as clients reach us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(Origin);

impl Base {
    /// Decides, from the setting and the request's head. `trusted`: the request came through a trusted proxy.
    ///
    /// # Errors
    /// A fault on `Host` when neither names a host.
    pub fn find(
        public: Option<&Origin>,
        uri: &Uri,
        headers: &HeaderMap,
        trusted: bool,
    ) -> Result<Self, Fault> {
        if let Some(public) = public {
            return Ok(Self(public.clone()));
        }
        let forwarded = |name| if trusted { last_word(headers, name) } else { None };
        let scheme = match forwarded("x-forwarded-proto") {
            Some(word) if word.eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        let sent_to = uri.authority().map(axum::http::uri::Authority::as_str);
        let host =
            forwarded("x-forwarded-host").or(sent_to).or_else(|| only_host(headers)).unwrap_or_default();
        let origin = Origin::parse(&format!("{scheme}://{host}"));
        origin.map(Self).map_err(|_| Fault::field("Host", "must name one host"))
    }

    /// Where people open a session.
    #[must_use]
    pub fn share_url(&self, session: SessionId) -> String {
        format!("{}/s/{session}", self.0)
    }

    /// Where its socket is.
    #[must_use]
    pub fn ws_url(&self, session: SessionId) -> String {
        // `http` becomes `ws`, `https` becomes `wss`; the origin has one of the two schemes.
        let rest = self.0.as_str().strip_prefix("http").unwrap_or_default();
        format!("ws{rest}/ws/{session}")
    }

    /// The base itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// The last of a list: what the nearest proxy put there. What stands left of it may be anybody's.
fn last_word<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|word| !word.is_empty())
}

fn only_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(HOST).iter();
    hosts.next().filter(|_| hosts.next().is_none())?.to_str().ok()
}

impl FromRequestParts<Edge> for Base {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        let trusted = parts.extensions.get::<Peer>().is_some_and(|peer| peer.trusted);
        let public = edge.config.server.public_url.as_ref();
        Self::find(public, &parts.uri, &parts.headers, trusted).map_err(Problem::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";

    /// URI, header lines, whether the peer is trusted, and the base.
    type Row<'a> = (&'a str, &'a [(&'static str, &'a str)], bool, Option<&'a str>);

    fn find(
        public: Option<&str>,
        uri: &str,
        lines: &[(&'static str, &str)],
        trusted: bool,
    ) -> Option<String> {
        let public = public.map(|text| Origin::parse(text).unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Base::find(public.as_ref(), &uri.parse().unwrap(), &headers, trusted)
            .ok()
            .map(|base| base.0.to_string())
    }

    #[test]
    fn the_base_is_what_the_request_was_sent_to() {
        let host = ("host", "watch.example:8080");
        let proto = ("x-forwarded-proto", "https");
        let outside = ("x-forwarded-host", "public.example");
        let table: [Row<'_>; 15] = [
            ("/x", &[host], false, Some("http://watch.example:8080")),
            ("/x", &[host, proto, outside], false, Some("http://watch.example:8080")),
            ("/x", &[host, proto], true, Some("https://watch.example:8080")),
            ("/x", &[host, ("x-forwarded-proto", "HTTPS")], true, Some("https://watch.example:8080")),
            ("/x", &[host, ("x-forwarded-proto", "https, http")], true, Some("http://watch.example:8080")),
            ("/x", &[host, ("x-forwarded-proto", "gopher")], true, Some("http://watch.example:8080")),
            ("/x", &[host, proto, outside], true, Some("https://public.example")),
            (
                "/x",
                &[host, ("x-forwarded-host", "evil.example, real.example")],
                true,
                Some("http://real.example"),
            ),
            ("/x", &[("host", "WATCH.example:80")], false, Some("http://watch.example")),
            ("/x", &[("host", "[::1]:8080")], false, Some("http://[::1]:8080")),
            ("http://absolute.example/x", &[host], false, Some("http://absolute.example")),
            ("/x", &[], false, None),
            ("/x", &[host, host], false, None),
            ("/x", &[("host", "evil.example/path?")], false, None),
            ("/x", &[("host", "user@evil.example")], false, None),
        ];
        for (uri, lines, trusted, expected) in table {
            assert_eq!(find(None, uri, lines, trusted).as_deref(), expected, "{uri} {lines:?} {trusted}");
        }
    }

    #[test]
    fn a_public_url_wins_over_everything() {
        let lines = [("host", "inside:8080"), ("x-forwarded-host", "evil.example")];
        assert_eq!(find(Some("https://a.example"), "/x", &lines, true).as_deref(), Some("https://a.example"));
        assert_eq!(find(Some("https://a.example"), "/x", &[], false).as_deref(), Some("https://a.example"));
    }

    #[test]
    fn links_are_under_the_base() {
        let session: SessionId = ID.parse().unwrap();
        for (base, socket) in
            [("http://a.example:8080", "ws://a.example:8080"), ("https://a.example", "wss://a.example")]
        {
            let links = Base(Origin::parse(base).unwrap());
            assert_eq!(links.share_url(session), format!("{base}/s/{ID}"));
            assert_eq!(links.ws_url(session), format!("{socket}/ws/{ID}"));
        }
    }
}
