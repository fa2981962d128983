//! Tokens made here from the gateway's `JWT_SECRET`: ten thousand joins by password would measure bcrypt.
//!
//! Own, and not the gateway's code: a load test that shares the code it tests with proves less. The key's name is taken from a token that
//! the gateway issued, and with it whether the secret is the gateway's at all.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, crypto, decode_header, encode};
use serde_json::json;

use crate::api::Ticket;

/// How long tokens last: longer than any run.
const LIFE_S: u64 = 24 * 3600;

/// Makes tokens.
pub(crate) struct Mint {
    header: Header,
    key: EncodingKey,
}

impl Mint {
    /// Of the secret that this ticket's token was signed with.
    ///
    /// # Errors
    /// It was signed with another.
    pub(crate) fn of(secret: &str, ticket: &Ticket) -> anyhow::Result<Mint> {
        // An error means that this process has already chosen, by an earlier call.
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_aud = false;
        jsonwebtoken::decode::<serde_json::Value>(
            &ticket.token,
            &DecodingKey::from_secret(secret.as_bytes()),
            &validation,
        )
        .context("the secret is not the gateway's: its own token does not verify")?;
        let kid = decode_header(&ticket.token)?.kid;
        Ok(Mint {
            header: Header { kid, ..Header::new(Algorithm::HS256) },
            key: EncodingKey::from_secret(secret.as_bytes()),
        })
    }

    /// A new member of this session.
    ///
    /// # Errors
    /// The clock is before 1970.
    pub(crate) fn ticket(&self, session: &str) -> anyhow::Result<Ticket> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let participant = uuid();
        let claims = json!({
            "iss": "watchparty", "aud": "watchparty", "sub": participant, "sid": session, "role": "member", "name": "Load",
            "iat": now, "exp": now + LIFE_S, "jti": uuid(),
        });
        let token = encode(&self.header, &claims, &self.key)?;
        Ok(Ticket { session: session.to_owned(), participant, token })
    }
}

/// A random UUID, version 4 (RFC 9562). Unguessable it need not be: it names nobody outside the run.
fn uuid() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "load-tests-only-0123456789-abcdefghijklmnop";

    fn issued() -> Ticket {
        let _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let header = Header { kid: Some("01234567".to_owned()), ..Header::new(Algorithm::HS256) };
        let claims = json!({"exp": u32::MAX, "aud": "watchparty"});
        let token = encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("signs");
        Ticket { session: "s".to_owned(), participant: "p".to_owned(), token }
    }

    #[test]
    fn a_minted_token_is_signed_with_the_key_of_the_gateways_own() {
        let ticket =
            Mint::of(SECRET, &issued()).expect("the same secret").ticket("a session").expect("mints");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&["watchparty"]);
        validation.set_issuer(&["watchparty"]);
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let token =
            jsonwebtoken::decode::<serde_json::Value>(&ticket.token, &key, &validation).expect("verifies");
        assert_eq!(token.header.kid.as_deref(), Some("01234567"));
        assert_eq!((&token.claims["sid"], &token.claims["role"]), (&json!("a session"), &json!("member")));
        assert_eq!(token.claims["sub"], json!(ticket.participant));
    }

    #[test]
    fn another_secret_is_found_out_before_anybody_is_sent_in() {
        assert!(Mint::of("another-secret-0123456789-abcdefghijk", &issued()).is_err());
    }

    #[test]
    fn ids_have_the_one_spelling_the_gateway_reads() {
        for _ in 0..100 {
            let id = uuid();
            assert_eq!(id.len(), 36);
            assert_eq!(id.as_bytes()[14], b'4');
            assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        }
        assert_ne!(uuid(), uuid());
    }
}
