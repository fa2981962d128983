//! The relays a participant may use for calls (`docs/PROTOCOL.md`, `GET /api/sessions/{id}/ice`).
//!
//! Credentials are made, not stored: coturn's `use-auth-secret` recomputes them from the secret both sides hold
//! (draft-uberti-behave-turn-rest). Pure: `now` is an argument. Not responsible for who may ask.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::time::Duration;

use crate::auth::token::Claims;
use crate::config::turn::TurnConfig;
use crate::model::time::ClusterMs;

/// How long an empty answer holds. The setting changes only with a new process, so there is no hurry to ask again.
const NOTHING_HOLDS: Duration = Duration::from_secs(3600);

/// What a participant's `RTCPeerConnection` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IceServers {
    /// In the form of `RTCIceServer` (W3C WebRTC, 4.2.4); empty when no relay is set.
    pub ice_servers: Vec<IceServer>,
    /// When the credentials end; ask again at 80 % of the time until then.
    pub expires_at: ClusterMs,
}

/// One relay under all its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// `turn:` and `turns:` addresses.
    pub urls: Vec<String>,
    /// `<unix seconds of the expiry>:<session>.<participant>`.
    pub username: String,
    /// base64 of HMAC-SHA1 over the user name.
    pub credential: String,
}

/// The relays for one participant.
#[must_use]
pub fn servers(turn: Option<&TurnConfig>, claims: &Claims, now: ClusterMs) -> IceServers {
    let Some(turn) = turn else {
        return IceServers { ice_servers: Vec::new(), expires_at: now.plus(NOTHING_HOLDS) };
    };
    let expiry = now.unix_seconds().plus(turn.ttl);
    let username = format!("{}:{}.{}", expiry.0, claims.sid, claims.sub);
    // SHA-1 because the relay asks for it; as a MAC it is not known to be weak (RFC 6194, section 3.3).
    let secret = turn.secret.expose_secret().as_bytes();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    let server = IceServer { urls: turn.urls.clone(), username, credential };
    IceServers { ice_servers: vec![server], expires_at: expiry.millis() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::TokenId;
    use crate::model::participant::Role;
    use crate::model::time::UnixSeconds;

    fn claims() -> Claims {
        Claims {
            sub: "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42".parse().unwrap(),
            sid: "c9f0f895-fb98-4b91-99f5-1fd0297e236d".parse().unwrap(),
            role: Role::Member,
            name: None,
            iat: UnixSeconds(0),
            exp: UnixSeconds(0),
            jti: TokenId::new_random(),
        }
    }

    #[test]
    fn credentials_are_what_coturn_recomputes() {
        let urls = vec!["turn:turn.example.org".to_owned(), "turns:turn.example.org:5349".to_owned()];
        let turn = TurnConfig { urls: urls.clone(), secret: "north".into(), ttl: Duration::from_secs(3600) };
        let answer = servers(Some(&turn), &claims(), ClusterMs(1_700_000_000_999));
        let username = "1700003600:c9f0f895-fb98-4b91-99f5-1fd0297e236d.8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
        // printf %s "$username" | openssl dgst -sha1 -hmac north -binary | base64
        let credential = "hqr+ikfVjFtKWkkcKlhvrFLlBzM=";
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            serde_json::json!({
                "ice_servers": [{"urls": urls, "username": username, "credential": credential}],
                "expires_at": 1_700_003_600_000_u64,
            })
        );
    }

    #[test]
    fn without_relays_the_list_is_empty() {
        let answer = servers(None, &claims(), ClusterMs(5));
        assert_eq!(
            serde_json::to_value(&answer).unwrap(),
            serde_json::json!({"ice_servers": [], "expires_at": 3_600_005})
        );
    }
}
