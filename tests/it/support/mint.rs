//! Tokens made by the test: good ones, to spare bcrypt, and every kind of bad one.
//!
//! Good tokens are signed by `jsonwebtoken` used directly, forged ones by hand (base64 and HMAC), so neither shares
//! code with the gateway's `auth::token` that they are shown to.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// Signs with one secret.
#[derive(Clone)]
pub struct Mint {
    secret: Vec<u8>,
}

impl Mint {
    /// Of a secret as `JWT_SECRET` carries it.
    pub fn new(secret: &str) -> Mint {
        Mint { secret: secret.as_bytes().to_vec() }
    }

    /// The first 8 hex digits of HMAC-SHA256(secret, "kid").
    pub fn kid(&self) -> String {
        self.hmac(b"kid").iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A good token for an hour; `role` is `host` or `member`.
    pub fn token(&self, session: &str, participant: &str, role: &str) -> String {
        self.sign(&claims(session, participant, role))
    }

    /// Any claims under the good header, properly signed.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&self.secret)).unwrap()
    }

    /// Any header and claims, HMAC-SHA256 whatever the header says.
    pub fn forge(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        let signature = URL_SAFE_NO_PAD.encode(self.hmac(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The header of a good token, to be spoiled and given to [`Mint::forge`].
    pub fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "HS256", "kid": self.kid()})
    }

    fn hmac(&self, data: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.secret), data).as_ref().to_vec()
    }
}

/// `alg: none`: good claims and an empty signature (RFC 7519, 6).
pub fn unsigned(claims: &Value) -> String {
    format!("{}.", signed_part(&json!({"typ": "JWT", "alg": "none"}), claims))
}

/// The claims of a good token, to be spoiled and signed.
pub fn claims(session: &str, participant: &str, role: &str) -> Value {
    let now = now_seconds();
    json!({
        "iss": "watchparty", "aud": "watchparty", "sub": participant, "sid": session, "role": role,
        "name": "Minted", "iat": now, "exp": now + 3600, "jti": random_uuid(),
    })
}

/// Seconds since the Unix epoch.
pub fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs()
}

/// An id as the wire writes it.
pub fn random_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn signed_part(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}")
}
