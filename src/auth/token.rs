//! Tokens: JWT signed with HS256 (RFC 7519, RFC 7515), issued and checked; PROTOCOL, "Token".
//!
//! Responsible for one claim only: this text was signed by this deployment, for this participant of this session, and
//! is in its time. Not responsible for what the participant may do (the session's state decides on every message).
//!
//! `now` is an argument, and `exp`, `nbf`, `iss` and `aud` are judged here: the library would read its own clock, round
//! floats to seconds, take arrays for issuers, and let a token without `aud` pass. Of the library we use the envelope.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use jsonwebtoken::crypto::aws_lc;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use crate::model::id::{ParticipantId, SessionId, TokenId};
use crate::model::participant::{DisplayName, Role};
use crate::model::time::UnixSeconds;

/// Longest text looked at; ours have some 500 bytes. Over it nothing is parsed (row A2).
pub const TOKEN_MAX_BYTES: usize = 4096;
/// How far the clocks of two nodes may differ. The library's default of 60 s would give every
/// token a minute more than it says.
pub const LEEWAY: Duration = Duration::from_secs(5);
/// Longest life a token may claim: the largest `TOKEN_TTL` a deployment can set.
pub const LIFE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// `iss` and `aud` of every token: both are this product, so that another's token for another purpose never fits.
const ISSUER: &str = "watchparty";
const ALGORITHM: Algorithm = Algorithm::HS256;
/// Bytes of the key's own HMAC that name it: 8 hex digits.
const KID_BYTES: usize = 4;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Whom it names.
    pub sub: ParticipantId,
    /// The one session it is for.
    pub sid: SessionId,
    /// Where the participant starts; the session's own state decides later.
    pub role: Role,
    /// The name the others see, if one was given.
    pub name: Option<DisplayName>,
    /// When it was issued.
    pub iat: UnixSeconds,
    /// When it ends.
    pub exp: UnixSeconds,
    /// The token's own id.
    pub jti: TokenId,
}

/// Why a token was refused. Counted apart (`watchparty_token_failures_total`), yet one answer to the outside, 401 or 4401, which says no more than
/// whether a token that is good in everything else has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is missing, invalid or expired")]
pub enum TokenError {
    /// Its time is over; everything else about it is right.
    Expired,
    /// Signed by somebody else, or changed since.
    Signature,
    /// Not a token of ours by its outer form: too long, no three parts, another algorithm, a `crit` header.
    Malformed,
    /// Well signed, but a claim is missing, of another type, for somebody else, or impossible.
    Claims,
    /// Names no key or one we do not have, as after a rotation.
    UnknownKey,
}

impl TokenError {
    /// The label of the metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Signature => "signature",
            Self::Malformed => "malformed",
            Self::Claims => "claims",
            Self::UnknownKey => "unknown_key",
        }
    }
}

/// The payload as it is written. Every type is strict: `exp` as text, float or negative number does not parse.
#[derive(Serialize, Deserialize)]
struct Payload<'a> {
    iss: Cow<'a, str>,
    aud: Cow<'a, str>,
    sub: ParticipantId,
    sid: SessionId,
    role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<DisplayName>,
    iat: UnixSeconds,
    exp: UnixSeconds,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<UnixSeconds>,
    jti: TokenId,
}

struct Key {
    kid: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

impl Key {
    fn new(secret: &[u8]) -> Self {
        let own = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"kid");
        let kid = own.as_ref().iter().take(KID_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let (signing, verifying) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Self { kid, signing, verifying }
    }
}

/// The secrets of this deployment: the current one signs and verifies, the previous one only verifies.
pub struct Keys {
    current: Key,
    previous: Option<Key>,
    validation: Validation,
}

impl Keys {
    /// Takes `JWT_SECRET` and `JWT_SECRET_PREVIOUS`; that they are long and differ is the configuration's to check.
    #[must_use]
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Self {
        // The library panics at first use if it cannot tell its backend from its features. An error here means that
        // this process has already chosen, by an earlier call.
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let mut validation = Validation::new(ALGORITHM);
        // Ours to judge, in `claims_at`: see the head of this file.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Self { current: Key::new(current), previous: previous.map(Key::new), validation }
    }

    /// Signs a token with the current secret.
    #[must_use]
    pub fn issue(&self, claims: &Claims) -> String {
        let payload = Payload {
            iss: ISSUER.into(),
            aud: ISSUER.into(),
            sub: claims.sub,
            sid: claims.sid,
            role: claims.role,
            name: claims.name.clone(),
            iat: claims.iat,
            exp: claims.exp,
            nbf: None,
            jti: claims.jti,
        };
        let mut header = Header::new(ALGORITHM);
        header.kid = Some(self.current.kid.clone());
        encode(&header, &payload, &self.current.signing)
            .expect("an HMAC key signs with HS256, and the payload is texts and numbers")
    }

    /// Checks a token and gives what it says. Everything is refused that [`issue`](Self::issue) could not have written.
    ///
    /// # Errors
    /// [`TokenError`], whose variants are for counting and, [`TokenError::Expired`] apart, never for the answer.
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_MAX_BYTES {
            return Err(TokenError::Malformed);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        // RFC 7515, section 4.1.11: what is critical and not understood must be refused, and we understand none.
        if header.alg != ALGORITHM || header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let key = header.kid.as_deref().and_then(|kid| self.named(kid)).ok_or(TokenError::UnknownKey)?;
        let payload = decode::<Payload<'static>>(token, &key.verifying, &self.validation)
            .map_err(|error| refusal(error.kind()))?
            .claims;
        claims_at(payload, now)
    }

    fn named(&self, kid: &str) -> Option<&Key> {
        [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|key| key.kid == kid)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let previous = self.previous.as_ref().map(|key| &key.kid);
        f.debug_struct("Keys").field("current", &self.current.kid).field("previous", &previous).finish()
    }
}

/// What the library's error means once the header has been read: JSON is then the payload's, after a good signature.
const fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => TokenError::Claims,
        _ => TokenError::Malformed,
    }
}

/// Judges a well-signed payload at a time. With the leeway, `exp` is the first second that is refused (RFC 7519, 4.1.4).
fn claims_at(payload: Payload<'_>, now: UnixSeconds) -> Result<Claims, TokenError> {
    let Payload { iss, aud, sub, sid, role, name, iat, exp, nbf, jti } = payload;
    if iss != ISSUER || aud != ISSUER {
        return Err(TokenError::Claims);
    }
    // Bounded from `iat` and from now, as an `iat` far ahead would carry any `exp` with it.
    let last = iat.min(now).plus(LIFE_MAX).plus(LEEWAY);
    if exp > last || nbf.is_some_and(|from| from > now.plus(LEEWAY)) {
        return Err(TokenError::Claims);
    }
    if now >= exp.plus(LEEWAY) {
        return Err(TokenError::Expired);
    }
    Ok(Claims { sub, sid, role, name, iat, exp, jti })
}

#[cfg(test)]
mod tests;
