//! The origins of web pages that may talk to this gateway (RFC 6454).
//!
//! Responsible for reading one origin and for the single question "may this page?", which the WebSocket
//! upgrade, CORS and the configuration all ask. It is not responsible for finding the `Origin` header or
//! answering a refusal: that is HTTP and lives at the edges. It sits among the models because the answer is a
//! pure rule with one meaning everywhere; two spellings of this rule would be a hole.

use std::fmt;

/// Why a text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// No `scheme://` in front, or a scheme RFC 3986 does not allow.
    #[error("an origin starts with a scheme such as https://")]
    Scheme,
    /// Nothing, or something other than a host name or address, after the scheme.
    #[error("an origin names a host after its scheme")]
    Host,
    /// A port that is not a number from 1 to 65535.
    #[error("the port of an origin is a number from 1 to 65535")]
    Port,
    /// A path, query, fragment or user information, which an origin does not have.
    #[error("an origin has no path, query, fragment or user name")]
    Extra,
}

/// One web origin, `scheme://host[:port]`, in lower case and without the scheme's default port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin, in any case. A default port (`https://a.example:443`) is dropped, since browsers
    /// never send it.
    ///
    /// # Errors
    /// [`BadOrigin`], whose text fits a message about a setting. The opaque origin `null` is refused as
    /// having no scheme.
    pub fn parse(text: &str) -> Result<Self, BadOrigin> {
        let lower = text.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or(BadOrigin::Scheme)?;
        if !is_scheme(scheme) {
            return Err(BadOrigin::Scheme);
        }
        if authority.contains(['/', '?', '#', '@', '\\']) {
            return Err(BadOrigin::Extra);
        }
        let (host, port) = split_port(authority)?;
        if !is_host(host) {
            return Err(BadOrigin::Host);
        }
        Ok(match port {
            Some(port) if Some(port) != default_port(scheme) => Self(format!("{scheme}://{host}:{port}")),
            _ => Self(format!("{scheme}://{host}")),
        })
    }

    /// The origin as text, the way a browser would send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request with this `Host` (`host[:port]`) went to this very origin. The scheme a client used
    /// is unknown behind a proxy that ends TLS, so the port is compared after dropping the default of the
    /// *origin's* scheme.
    fn is_served_by(&self, host: &str) -> bool {
        let Some((scheme, authority)) = self.0.split_once("://") else { return false };
        matches!(scheme, "http" | "https")
            && Self::parse(&format!("{scheme}://{host}"))
                .is_ok_and(|own| own.0[scheme.len() + 3..] == *authority)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose pages may open sockets and read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Every page, opaque origins included: `*`, for development only.
    Any,
    /// Exactly these.
    List(Vec<Origin>),
    /// Only pages served from the host the request itself names: what an empty list means in production.
    SameHost,
}

impl AllowedOrigins {
    /// Whether a page of `origin` may, on a request that named `host` in its `Host` header. Ask only when an
    /// `Origin` was sent: a request without one comes from no page, and is allowed because nothing here is
    /// authenticated by cookies.
    #[must_use]
    pub fn allows(&self, origin: &str, host: Option<&str>) -> bool {
        match self {
            Self::Any => true,
            Self::List(list) => Origin::parse(origin).is_ok_and(|origin| list.contains(&origin)),
            Self::SameHost => {
                host.is_some_and(|host| Origin::parse(origin).is_ok_and(|origin| origin.is_served_by(host)))
            }
        }
    }
}

/// RFC 3986, 3.1; `text` is in lower case.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
}

/// A bracketed IPv6 address, or letters, digits and `-._` (names in other scripts arrive as punycode).
fn is_host(text: &str) -> bool {
    if let Some(inner) = text.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    }
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Splits `host[:port]`; the colons inside an IPv6 address's brackets belong to the host.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), BadOrigin> {
    let after_brackets = match authority.rfind(']') {
        Some(at) => at + 1,
        None if authority.starts_with('[') => return Err(BadOrigin::Host),
        None => 0,
    };
    let Some(colon) = authority[after_brackets..].find(':') else { return Ok((authority, None)) };
    let (host, port) = authority.split_at(after_brackets + colon);
    let digits = &port[1..];
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(BadOrigin::Port);
    }
    match digits.parse() {
        Ok(port) if port != 0 => Ok((host, Some(port))),
        _ => Err(BadOrigin::Port),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{AllowedOrigins, BadOrigin, Origin};

    #[test]
    fn an_origin_is_scheme_host_and_port_in_lower_case() {
        for (text, expected) in [
            ("https://good.example", Ok("https://good.example")),
            ("HTTPS://Good.Example", Ok("https://good.example")),
            ("https://good.example:443", Ok("https://good.example")),
            ("http://good.example:80", Ok("http://good.example")),
            ("http://good.example:443", Ok("http://good.example:443")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Ok("http://[::1]:8080")),
            ("http://[::1]", Ok("http://[::1]")),
            ("capacitor://localhost", Ok("capacitor://localhost")),
            ("null", Err(BadOrigin::Scheme)),
            ("", Err(BadOrigin::Scheme)),
            ("good.example", Err(BadOrigin::Scheme)),
            ("://good.example", Err(BadOrigin::Scheme)),
            ("1https://good.example", Err(BadOrigin::Scheme)),
            ("https://", Err(BadOrigin::Host)),
            ("https://:443", Err(BadOrigin::Host)),
            ("https://*.example", Err(BadOrigin::Host)),
            ("https://good example", Err(BadOrigin::Host)),
            ("https://[::1", Err(BadOrigin::Host)),
            ("https://[zz]", Err(BadOrigin::Host)),
            ("https://[::1]x", Err(BadOrigin::Host)),
            ("https://gööd.example", Err(BadOrigin::Host)),
            ("https://good.example:", Err(BadOrigin::Port)),
            ("https://good.example:0", Err(BadOrigin::Port)),
            ("https://good.example:65536", Err(BadOrigin::Port)),
            ("https://good.example:+1", Err(BadOrigin::Port)),
            ("https://good.example:1:2", Err(BadOrigin::Port)),
            ("https://good.example/", Err(BadOrigin::Extra)),
            ("https://good.example/path", Err(BadOrigin::Extra)),
            ("https://good.example?q", Err(BadOrigin::Extra)),
            ("https://good.example#f", Err(BadOrigin::Extra)),
            ("https://user@good.example", Err(BadOrigin::Extra)),
        ] {
            assert_eq!(
                Origin::parse(text).as_ref().map(Origin::as_str).map_err(|bad| *bad),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_list_allows_whole_origins_only() {
        let list = AllowedOrigins::List(vec![
            Origin::parse("https://good.example").expect("an origin"),
            Origin::parse("http://localhost:3000").expect("an origin"),
        ]);
        for (origin, allowed) in [
            ("https://good.example", true),
            ("HTTPS://GOOD.EXAMPLE", true),
            ("https://good.example:443", true),
            ("http://localhost:3000", true),
            ("http://good.example", false),
            ("https://good.example:8443", false),
            ("https://good.example/", false),
            ("https://good.example.evil.example", false),
            ("https://evilgood.example", false),
            ("http://localhost", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(list.allows(origin, Some("good.example")), allowed, "{origin}");
        }
        assert!(!AllowedOrigins::List(Vec::new()).allows("https://good.example", Some("good.example")));
    }

    #[test]
    fn same_host_compares_with_the_host_the_request_named() {
        for (origin, host, allowed) in [
            ("https://good.example", Some("good.example"), true),
            ("https://good.example", Some("GOOD.example:443"), true),
            ("http://good.example", Some("good.example"), true),
            ("http://127.0.0.1:8080", Some("127.0.0.1:8080"), true),
            ("http://[::1]:8080", Some("[::1]:8080"), true),
            ("https://good.example", Some("good.example:80"), false),
            ("https://good.example", Some("good.example:8443"), false),
            ("https://good.example.evil.example", Some("good.example"), false),
            ("https://evil.example", Some("good.example"), false),
            ("app://good.example", Some("good.example"), false),
            ("null", Some("null"), false),
            ("https://good.example", Some("good.example/x"), false),
            ("https://good.example", None, false),
        ] {
            assert_eq!(AllowedOrigins::SameHost.allows(origin, host), allowed, "{origin} at {host:?}");
        }
    }

    #[test]
    fn any_allows_everything() {
        for origin in ["https://good.example", "null", "https://good.example/path", ""] {
            assert!(AllowedOrigins::Any.allows(origin, None), "{origin}");
        }
    }
}
