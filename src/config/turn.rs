//! The TURN servers handed to participants, and the secret their credentials are made from.

use std::time::Duration;

use secrecy::SecretString;

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

pub(super) const TURN_URLS: Setting = Setting::open(
    "TURN_URLS",
    Preset::Unset,
    Form::Other("a list of turn: or turns: addresses such as turns:turn.example.org:5349?transport=tcp"),
    "Relays for calls between participants; needs TURN_SECRET.",
);
pub(super) const TURN_SECRET: Setting = Setting::secret(
    "TURN_SECRET",
    Preset::Unset,
    Form::Other("the static-auth-secret of the TURN server"),
    "What credentials are signed with, as coturn's use-auth-secret asks; needs TURN_URLS.",
);
pub(super) const TURN_TTL: Setting = Setting::open(
    "TURN_TTL",
    Preset::Text("3600"),
    // The table gives no range: a minute is one ICE restart, a week is as long as a token can live.
    Form::seconds(60, 7 * 24 * 3600),
    "Life of a credential.",
);

pub(super) const SETTINGS: &[&Setting] = &[&TURN_URLS, &TURN_SECRET, &TURN_TTL];

/// What `GET /api/sessions/{id}/ice` hands out.
#[derive(Clone, Debug)]
pub struct TurnConfig {
    /// `turn:` and `turns:` addresses (RFC 7065); at least one.
    pub urls: Vec<String>,
    /// The secret shared with the TURN server.
    pub secret: SecretString,
    /// Life of a credential.
    pub ttl: Duration,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<TurnConfig> {
    let ttl = reader.span(&TURN_TTL);
    let urls = reader.optional(&TURN_URLS, |text| form::list(text, turn_url));
    let secret = reader.secret_text(&TURN_SECRET);
    let (has_urls, has_secret) = (reader.given(&TURN_URLS), reader.given(&TURN_SECRET));
    reader.refuse_beside(&TURN_URLS, &TURN_SECRET, has_urls && !has_secret, "needs TURN_SECRET");
    reader.refuse_beside(&TURN_SECRET, &TURN_URLS, has_secret && !has_urls, "needs TURN_URLS");
    Some(TurnConfig { urls: urls?, secret: secret?, ttl })
}

/// `turn:host[:port][?transport=udp|tcp]`, likewise `turns:` (RFC 7065, 3.1).
fn turn_url(text: &str) -> Option<String> {
    /// Only there so that the port may be left out; nothing of it is kept.
    const ANY_PORT: Option<u16> = Some(3478);
    let rest = text.strip_prefix("turn:").or_else(|| text.strip_prefix("turns:"))?;
    let (address, query) = rest.split_once('?').unwrap_or((rest, "transport=udp"));
    let known = matches!(query, "transport=udp" | "transport=tcp");
    form::host_and_port(address, ANY_PORT).filter(|_| known).map(|_| text.to_owned())
}
