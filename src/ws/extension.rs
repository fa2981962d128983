//! What is agreed on permessage-deflate (RFC 7692, 7.1), decided from the offers of an upgrade alone.
//!
//! Responsible for reading `Sec-WebSocket-Extensions` and for the answer; not for compressing anything (`protocol/deflate`). An offer
//! that is malformed, or asks for what the RFC does not know, is declined and never an error: the connection then does without. Neither
//! side takes context over, whatever was offered, as the RFC lets a server say (7.1.1). What it lets a client ask for can all be kept: a
//! smaller window of ours by leaving long messages plain (`Window::holds`), and of theirs nothing is asked, for inflating always has
//! room for the largest.

use std::fmt::Write as _;

use axum::http::{HeaderMap, HeaderValue, header};

use crate::protocol::deflate::Window;

/// The extension's name, and what is always answered.
const NAME: &str = "permessage-deflate";
const ANSWER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// What client and server agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The window the client asked us to keep to.
    asked: Option<Window>,
}

impl Agreement {
    /// The client's window.
    #[must_use]
    pub fn window(self) -> Window {
        self.asked.unwrap_or(Window::FULL)
    }

    /// The value of `Sec-WebSocket-Extensions` in the answer. A window that was asked for has to be confirmed (7.1.2.1).
    #[must_use]
    pub fn answer(self) -> HeaderValue {
        let mut value = ANSWER.to_owned();
        if let Some(window) = self.asked {
            let _ = write!(value, "; server_max_window_bits={}", window.bits());
        }
        HeaderValue::try_from(value).expect("visible ASCII")
    }
}

/// The first offer that can be kept, in the order of the client's preference; `None` when there is none.
#[must_use]
pub fn agree(headers: &HeaderMap) -> Option<Agreement> {
    headers
        .get_all(header::SEC_WEBSOCKET_EXTENSIONS)
        .iter()
        // What is not visible ASCII is no token, so no offer on that line can be read.
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| split(line, ','))
        .find_map(|offer| read(&offer))
}

/// One offer; `None` when it is another extension's, malformed, or asks for what cannot be.
fn read(offer: &str) -> Option<Agreement> {
    let mut parts = split(offer, ';').into_iter();
    if parts.next()?.trim_matches(BLANK) != NAME {
        return None;
    }
    let (mut seen, mut asked) = (Vec::new(), None);
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name, Some(unquoted(value.trim_matches(BLANK))?)),
            None => (part.as_str(), None),
        };
        let name = name.trim_matches(BLANK);
        match (name, value) {
            (
                "server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits",
                None,
            ) => {}
            ("client_max_window_bits", Some(value)) => {
                bits(&value)?;
            }
            ("server_max_window_bits", Some(value)) => asked = Some(bits(&value)?),
            _ => return None,
        }
        if seen.contains(&name.to_owned()) {
            return None;
        }
        seen.push(name.to_owned());
    }
    Some(Agreement { asked })
}

/// Blanks that may stand around a list's elements (RFC 9110, 5.6.3).
const BLANK: [char; 2] = [' ', '\t'];

/// A window: 8 to 15 in decimal, without leading zeros.
fn bits(value: &str) -> Option<Window> {
    let plain = !value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit());
    value.parse().ok().filter(|_| plain).and_then(Window::of_bits)
}

/// A value, out of its quotes if it has any (RFC 6455, 9.1); `None` for quotes that do not close or surround more than a token.
fn unquoted(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else { return Some(value.to_owned()) };
    let (mut out, mut escaped) = (String::new(), false);
    let mut characters = inner.chars();
    for character in characters.by_ref() {
        match character {
            _ if escaped => {
                out.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return characters.next().is_none().then_some(out),
            other => out.push(other),
        }
    }
    None
}

/// The pieces between separators that stand outside quotes.
fn split(text: &str, separator: char) -> Vec<String> {
    let (mut pieces, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for character in text.chars() {
        if character == separator && !quoted {
            pieces.push(String::new());
            continue;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(character);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::agree;
    use crate::protocol::deflate::Window;
    use axum::http::{HeaderMap, HeaderValue, header};

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    /// The answer to offers on so many lines.
    fn answer(lines: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line).expect("a header value");
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, value);
        }
        agree(&headers).map(|agreed| agreed.answer().to_str().expect("ASCII").to_owned())
    }

    fn with_window(bits: u8) -> String {
        format!("{PLAIN}; server_max_window_bits={bits}")
    }

    #[test]
    fn what_real_clients_offer_is_accepted() {
        for (offer, expected) in [
            // Browsers and npm's ws; PyPI's websockets; Autobahn; Java's and .NET's variants.
            ("permessage-deflate; client_max_window_bits", PLAIN.to_owned()),
            ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", with_window(12)),
            ("permessage-deflate", PLAIN.to_owned()),
            ("permessage-deflate;server_no_context_takeover;client_no_context_takeover", PLAIN.to_owned()),
            ("permessage-deflate; client_no_context_takeover; server_max_window_bits=15", with_window(15)),
            ("  permessage-deflate ;\tclient_max_window_bits = 10 ", PLAIN.to_owned()),
            ("permessage-deflate; server_max_window_bits=\"10\"", with_window(10)),
            ("permessage-deflate; server_max_window_bits=\"1\\0\"", with_window(10)),
        ] {
            assert_eq!(answer(&[offer.as_bytes()]), Some(expected), "{offer}");
        }
    }

    #[test]
    fn every_window_of_the_rfc_and_no_other() {
        for bits in 0..=20_u8 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let expected = (8..=15).contains(&bits).then(|| with_window(bits));
            assert_eq!(answer(&[offer.as_bytes()]), expected, "{bits}");
            let offer = format!("permessage-deflate; client_max_window_bits={bits}");
            assert_eq!(answer(&[offer.as_bytes()]).is_some(), (8..=15).contains(&bits), "{bits}");
        }
    }

    #[test]
    fn w8_offers_that_cannot_be_kept_are_declined() {
        for parameters in [
            "unknown",
            "unknown=1",
            "server_no_context_takeover=1",
            "server_no_context_takeover=",
            "client_no_context_takeover=true",
            "server_no_context_takeover; server_no_context_takeover",
            "client_max_window_bits; client_max_window_bits=10",
            "server_max_window_bits=10; server_max_window_bits=10",
            "server_max_window_bits",
            "server_max_window_bits=",
            "server_max_window_bits=08",
            "server_max_window_bits=+9",
            "server_max_window_bits=9.0",
            "server_max_window_bits=-9",
            "server_max_window_bits=256",
            "server_max_window_bits=99999999999999999999",
            "server_max_window_bits=\"10",
            "server_max_window_bits=\"10\"0",
            "server_max_window_bits=10=10",
            "client_max_window_bits=",
            "Server_No_Context_Takeover",
            "",
            "; client_max_window_bits",
        ] {
            let offer = format!("permessage-deflate; {parameters}");
            assert_eq!(answer(&[offer.as_bytes()]), None, "{offer}");
        }
        for offer in [
            "",
            ",",
            ";",
            "x-webkit-deflate-frame",
            "permessage-bzip2",
            "permessage-deflate=1",
            "\"permessage-deflate\"",
        ] {
            assert_eq!(answer(&[offer.as_bytes()]), None, "{offer}");
        }
        assert_eq!(answer(&[]), None);
        assert_eq!(answer(&[b"permessage-deflate; \xff"]), None);
    }

    #[test]
    fn the_first_offer_that_can_be_kept_is_taken_on_one_line_or_on_many() {
        let first = "permessage-deflate; unknown, foo; bar=\"a,permessage-deflate\", permessage-deflate; server_max_window_bits=9, permessage-deflate";
        assert_eq!(answer(&[first.as_bytes()]), Some(with_window(9)));
        let lines: [&[u8]; 3] =
            [b"\xff", b"permessage-deflate; server_max_window_bits=7", b"x, permessage-deflate"];
        assert_eq!(answer(&lines), Some(PLAIN.to_owned()));
        assert_eq!(answer(&[b"foo=\"unclosed", b"permessage-deflate"]), Some(PLAIN.to_owned()));
        assert_eq!(answer(&[b"foo=\"unclosed, permessage-deflate"]), None, "it is within the quotes");
    }

    #[test]
    fn the_window_is_what_was_asked_for() {
        let window = |offer: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer))]);
            agree(&headers).map(|agreed| agreed.window())
        };
        assert_eq!(window("permessage-deflate; client_max_window_bits=9"), Some(Window::FULL));
        assert_eq!(window("permessage-deflate; server_max_window_bits=9"), Window::of_bits(9));
    }
}
