//! Whether a request may become a WebSocket (RFC 6455, 4.2), decided from its head alone.
//!
//! Responsible for every reason an upgrade is refused before a socket exists (rows H1 to H3 of the bad-input
//! matrix) and for the two values the 101 answer carries. It is not responsible for building responses, for
//! tokens or for connection caps: the route does that around it. It is pure so that the whole table of
//! refusals is a table test; the cheapest and least telling checks come first, and nothing is decided from a
//! header that appears twice.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use base64::Engine as _;
use base64::alphabet::STANDARD as STANDARD_ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

use crate::model::origin::AllowedOrigins;

/// The subprotocol of version 1 of the wire; echoed when it was offered, and not required.
pub const SUBPROTOCOL: &str = "watchparty.v1";

/// What `Sec-WebSocket-Version` says in a 426 and must say in a request (RFC 6455, 4.4).
pub const WEBSOCKET_VERSION: &str = "13";

/// Most subprotocols a client may offer. Clients offer one or two, plus those that carry a credential for
/// somebody else's proxy; a list beyond this is not a client of ours and is refused with 400.
pub const MAX_SUBPROTOCOLS: usize = 16;

/// Appended to the client's key before hashing, so that only a WebSocket server answers rightly (RFC 6455,
/// 1.3).
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Bytes in a decoded `Sec-WebSocket-Key` (RFC 6455, 4.1).
const KEY_BYTES: usize = 16;

/// The RFC's own example key ends in bits no byte uses, and clients copied that: those bits are ignored.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// An upgrade that may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: HeaderValue,
    /// Whether [`SUBPROTOCOL`] was offered, so that the answer must name it.
    pub subprotocol: bool,
}

/// Why a request does not become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a `GET`.
    #[error("a WebSocket starts with GET")]
    Method,
    /// No `Upgrade: websocket` over HTTP/1.1, the only version whose `Upgrade` means anything (RFC 9110,
    /// 7.8).
    #[error("this address is a WebSocket: upgrade over HTTP/1.1")]
    NotAnUpgrade,
    /// `Sec-WebSocket-Version` is not exactly 13.
    #[error("Sec-WebSocket-Version must be 13")]
    Version,
    /// `Connection` does not list `upgrade`.
    #[error("Connection must list upgrade")]
    Connection,
    /// The key is missing, given twice, or not 16 bytes of base64.
    #[error("Sec-WebSocket-Key must be one value of 16 bytes in base64")]
    Key,
    /// The subprotocols are not a list of at most [`MAX_SUBPROTOCOLS`] tokens.
    #[error("Sec-WebSocket-Protocol must be a short list of tokens")]
    Subprotocols,
    /// A body came with the upgrade; its bytes would be read as frames.
    #[error("an upgrade carries no body")]
    Body,
    /// More than one `Origin`.
    #[error("Origin must be given once")]
    OriginTwice,
    /// A page of this origin may not connect.
    #[error("this origin may not connect")]
    Origin,
}

impl Refusal {
    /// The status of the answer. With 426 go `Upgrade: websocket` and `Sec-WebSocket-Version: 13`, with 405
    /// `Allow: GET`, and with all of them `Connection: close`.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Connection | Self::Key | Self::Subprotocols | Self::Body | Self::OriginTwice => {
                StatusCode::BAD_REQUEST
            }
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }

    /// The problem code of the answer's body, as `PROTOCOL.md` lists them.
    #[must_use]
    pub fn problem(self) -> &'static str {
        match self {
            Self::Method => "method_not_allowed",
            Self::NotAnUpgrade | Self::Version => "upgrade_required",
            Self::Connection | Self::Key | Self::Subprotocols | Self::Body | Self::OriginTwice => {
                "invalid_request"
            }
            Self::Origin => "forbidden",
        }
    }
}

/// Decides about an upgrade from the request's head.
///
/// # Errors
/// The first [`Refusal`] that applies. A refused origin is found last, so that it says nothing about a
/// request that is not a WebSocket handshake in the first place.
pub fn negotiate(
    method: &Method,
    version: Version,
    headers: &HeaderMap,
    origins: &AllowedOrigins,
) -> Result<Accepted, Refusal> {
    if method != Method::GET {
        return Err(Refusal::Method);
    }
    if version != Version::HTTP_11 || !lists(headers, header::UPGRADE, "websocket") {
        return Err(Refusal::NotAnUpgrade);
    }
    if !lists(headers, header::CONNECTION, "upgrade") {
        return Err(Refusal::Connection);
    }
    if only(headers, header::SEC_WEBSOCKET_VERSION).is_none_or(|value| value != WEBSOCKET_VERSION) {
        return Err(Refusal::Version);
    }
    if announces_body(headers) {
        return Err(Refusal::Body);
    }
    let key = only(headers, header::SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Refusal::Key)?;
    let subprotocol = offers_ours(headers)?;
    check_origin(headers, origins)?;
    Ok(Accepted { accept: accept_value(key), subprotocol })
}

/// The value of a header that was sent exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether a comma-separated header lists a word, in any case and over any number of lines.
fn lists(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

/// A length that is not plainly zero counts as a body: guessing would let its bytes pass as frames.
fn announces_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0")
}

fn is_key(key: &HeaderValue) -> bool {
    // 16 bytes are 24 characters; anything longer is refused before decoding. One spare byte, because the
    // decoder asks for whole groups of three.
    let mut decoded = [0; KEY_BYTES + 2];
    key.len() == 24
        && KEY_BASE64.decode_slice(key.as_bytes(), &mut decoded).is_ok_and(|size| size == KEY_BYTES)
}

/// Reads the offered subprotocols to the end, so that a list is refused for what it is and not for where ours
/// stands.
fn offers_ours(headers: &HeaderMap) -> Result<bool, Refusal> {
    let mut count = 0;
    let mut ours = false;
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        for item in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            count += 1;
            if count > MAX_SUBPROTOCOLS || !is_token(item) {
                return Err(Refusal::Subprotocols);
            }
            ours |= item == SUBPROTOCOL.as_bytes();
        }
    }
    Ok(ours)
}

/// RFC 9110, 5.6.2.
fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

fn check_origin(headers: &HeaderMap, origins: &AllowedOrigins) -> Result<(), Refusal> {
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = only(headers, header::ORIGIN).ok_or(Refusal::OriginTwice)?;
    let host = only(headers, header::HOST).and_then(|host| host.to_str().ok());
    // An origin that is not visible ASCII is on no list; as the empty text only `Any` allows it.
    if origins.allows(origin.to_str().unwrap_or_default(), host) { Ok(()) } else { Err(Refusal::Origin) }
}

/// RFC 6455, 4.2.2, 5.4. SHA-1 proves here that the server read the key, nothing more.
fn accept_value(key: &HeaderValue) -> HeaderValue {
    let salted = [key.as_bytes(), ACCEPT_GUID].concat();
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted);
    HeaderValue::try_from(STANDARD.encode(hash)).expect("base64 is visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::{Accepted, MAX_SUBPROTOCOLS, Refusal, negotiate};
    use crate::model::origin::{AllowedOrigins, Origin};
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

    /// A header to set, or to leave out.
    type Change<'a> = (&'a str, Option<&'a [u8]>);

    /// The sample handshake of RFC 6455, 1.2, with one change: `None` removes a header, `Some` sets it, and
    /// setting one name again adds a second line.
    fn head(changes: &[Change<'_>]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "good.example"),
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ] {
            if !changes.iter().any(|(changed, _)| *changed == name) {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                let name = HeaderName::try_from(*name).expect("a header name");
                headers.append(name, HeaderValue::from_bytes(value).expect("a header value"));
            }
        }
        headers
    }

    fn origins() -> AllowedOrigins {
        AllowedOrigins::List(vec![Origin::parse("https://good.example").expect("an origin")])
    }

    fn ask(changes: &[Change<'_>]) -> Result<Accepted, Refusal> {
        negotiate(&Method::GET, Version::HTTP_11, &head(changes), &origins())
    }

    #[test]
    fn the_sample_handshake_of_the_rfc_is_accepted() {
        let accepted = ask(&[]).expect("a plain handshake");
        assert_eq!(accepted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(!accepted.subprotocol);
    }

    #[test]
    fn what_real_clients_send_is_accepted() {
        let keep_alive: &[u8] = b"keep-alive, Upgrade";
        for changes in [
            [("connection", Some(keep_alive))],
            [("upgrade", Some(b"WebSocket"))],
            [("upgrade", Some(b"h2c, websocket"))],
            [("content-length", Some(b"0"))],
            [("origin", Some(b"https://good.example"))],
            [("origin", Some(b"HTTPS://GOOD.EXAMPLE"))],
            // The RFC's own second example, whose last digit has bits to spare (4.1).
            [("sec-websocket-key", Some(b"AQIDBAUGBwgJCgsMDQ4PEC=="))],
        ] {
            assert!(ask(&changes).is_ok(), "{changes:?}");
        }
    }

    #[test]
    fn h1_requests_that_are_no_upgrade() {
        for (changes, refusal, status) in [
            (("upgrade", None), Refusal::NotAnUpgrade, 426),
            (("upgrade", Some(&b"h2c"[..])), Refusal::NotAnUpgrade, 426),
            (("connection", Some(b"keep-alive")), Refusal::Connection, 400),
            (("connection", None), Refusal::Connection, 400),
            (("sec-websocket-version", Some(b"8")), Refusal::Version, 426),
            (("sec-websocket-version", Some(b"13, 8")), Refusal::Version, 426),
            (("sec-websocket-version", None), Refusal::Version, 426),
        ] {
            let refused = ask(&[changes]).expect_err("a refusal");
            assert_eq!((refused, refused.status().as_u16()), (refusal, status), "{changes:?}");
            assert_eq!(refused.problem(), if status == 426 { "upgrade_required" } else { "invalid_request" });
        }
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert_eq!(negotiate(&Method::GET, version, &head(&[]), &origins()), Err(Refusal::NotAnUpgrade));
        }
        let posted =
            negotiate(&Method::POST, Version::HTTP_11, &head(&[]), &origins()).expect_err("a refusal");
        assert_eq!((posted.status().as_u16(), posted.problem()), (405, "method_not_allowed"));
    }

    #[test]
    fn h2_keys_subprotocols_and_bodies() {
        let many = vec!["p"; 1000].join(",");
        let one_too_many = vec!["p"; MAX_SUBPROTOCOLS + 1].join(",");
        let key: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";
        let cases: [(&[Change<'_>], Refusal); 18] = [
            (&[("sec-websocket-key", None)], Refusal::Key),
            (&[("sec-websocket-key", Some(b""))], Refusal::Key),
            (&[("sec-websocket-key", Some(b"c2hvcnQ="))], Refusal::Key),
            (&[("sec-websocket-key", Some(b"dGhlIHNhbXBsZSBub25jZSE="))], Refusal::Key),
            (&[("sec-websocket-key", Some(b"dGhlIHNhbXBsZSBub25jZQ"))], Refusal::Key),
            (&[("sec-websocket-key", Some(b"!!!!!!!!!!!!!!!!!!!!!!=="))], Refusal::Key),
            (
                &[("sec-websocket-key", Some(b"dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ=="))],
                Refusal::Key,
            ),
            (&[("sec-websocket-key", Some(key)), ("sec-websocket-key", Some(key))], Refusal::Key),
            (&[("sec-websocket-protocol", Some(many.as_bytes()))], Refusal::Subprotocols),
            (&[("sec-websocket-protocol", Some(one_too_many.as_bytes()))], Refusal::Subprotocols),
            (&[("sec-websocket-protocol", Some(b"watchparty.v1, a b"))], Refusal::Subprotocols),
            (&[("sec-websocket-protocol", Some(b"watchparty.v1, \xff"))], Refusal::Subprotocols),
            (&[("sec-websocket-protocol", Some(b"watchparty.v1,,x"))], Refusal::Subprotocols),
            (&[("sec-websocket-protocol", Some(b""))], Refusal::Subprotocols),
            (&[("content-length", Some(b"5"))], Refusal::Body),
            (&[("content-length", Some(b"-0"))], Refusal::Body),
            (&[("transfer-encoding", Some(b"chunked"))], Refusal::Body),
            (&[("content-length", Some(b"0")), ("transfer-encoding", Some(b"identity"))], Refusal::Body),
        ];
        for (changes, refusal) in cases {
            let refused = ask(changes).expect_err("a refusal");
            assert_eq!(refused, refusal, "{changes:?}");
            assert_eq!(
                (refused.status().as_u16(), refused.problem()),
                (400, "invalid_request"),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn our_subprotocol_is_found_wherever_it_stands() {
        let full = [vec!["p"; MAX_SUBPROTOCOLS - 1], vec!["watchparty.v1"]].concat().join(",");
        for (offer, offered) in [
            (&b"watchparty.v1"[..], true),
            (b"other, watchparty.v1", true),
            (full.as_bytes(), true),
            (b"watchparty.v2", false),
            (b"WATCHPARTY.V1", false),
        ] {
            let accepted = ask(&[("sec-websocket-protocol", Some(offer))]).expect("an acceptable offer");
            assert_eq!(accepted.subprotocol, offered, "{:?}", std::str::from_utf8(offer));
        }
        let two_lines: [Change<'_>; 2] =
            [("sec-websocket-protocol", Some(b"other")), ("sec-websocket-protocol", Some(b"watchparty.v1"))];
        assert!(ask(&two_lines).expect("an acceptable offer").subprotocol);
    }

    #[test]
    fn h3_origins() {
        for origin in [
            &b"https://evil.example"[..],
            b"null",
            b"https://good.example/path",
            b"https://good.example/",
            b"https://good.example.evil.example",
            b"http://good.example",
            b"https://good.example:8443",
            b"https://good.example, https://good.example",
            b"https://g\xc3\xb6\xc3\xb6d.example",
            b"",
        ] {
            let refused = ask(&[("origin", Some(origin))]).expect_err("a refusal");
            assert_eq!((refused.status().as_u16(), refused.problem()), (403, "forbidden"), "{origin:?}");
        }
        let good: &[u8] = b"https://good.example";
        let twice = ask(&[("origin", Some(good)), ("origin", Some(good))]).expect_err("a refusal");
        assert_eq!((twice, twice.status().as_u16()), (Refusal::OriginTwice, 400));
    }

    #[test]
    fn h3_same_host_and_any() {
        let allowed = |origin: &[u8], origins: &AllowedOrigins| {
            negotiate(&Method::GET, Version::HTTP_11, &head(&[("origin", Some(origin))]), origins).map(|_| ())
        };
        assert_eq!(allowed(b"https://good.example", &AllowedOrigins::SameHost), Ok(()));
        assert_eq!(allowed(b"https://evil.example", &AllowedOrigins::SameHost), Err(Refusal::Origin));
        assert_eq!(allowed(b"null", &AllowedOrigins::SameHost), Err(Refusal::Origin));
        assert_eq!(allowed(b"null", &AllowedOrigins::Any), Ok(()));

        // Two hosts name none, so nothing is the same.
        let two_hosts: [Change<'_>; 3] = [
            ("host", Some(b"good.example")),
            ("host", Some(b"evil.example")),
            ("origin", Some(b"https://evil.example")),
        ];
        let refused = negotiate(&Method::GET, Version::HTTP_11, &head(&two_hosts), &AllowedOrigins::SameHost);
        assert_eq!(refused, Err(Refusal::Origin));
    }
}
