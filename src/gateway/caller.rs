//! Who calls: a participant with a token, or a backend with a server key.

use super::Gateway;
use super::error::GatewayError;
use crate::auth::token::{Claims, TokenError};
use crate::backend::membership::Standing;
use crate::metrics::label::TokenFailure;
use crate::model::id::SessionId;
use crate::protocol::problem::{Code, Fault};

/// Who calls over HTTP.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A participant, by token.
    Participant(Claims),
    /// A backend, by server key; its name is for logs.
    Server(String),
}

impl Gateway {
    /// Reads a token.
    ///
    /// # Errors
    /// Why not, counted. Of the reasons only [`TokenError::Expired`] may be told: whoever hears it has a token that was good.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.parts.keys.verify(token, self.now().unix_seconds()).inspect_err(|error| {
            self.parts.metrics.access.token_failures.get(failure(*error)).increment(1);
        })
    }

    /// Whether a bearer value is a server key.
    #[must_use]
    pub fn is_server(&self, bearer: &str) -> bool {
        self.parts.server_keys.name_of(bearer).is_some()
    }

    /// Reads a bearer value: a server key or a token.
    ///
    /// # Errors
    /// `unauthorized`.
    pub fn identify(&self, bearer: &str) -> Result<Caller, GatewayError> {
        if let Some(name) = self.parts.server_keys.name_of(bearer) {
            return Ok(Caller::Server(name.to_owned()));
        }
        Ok(Caller::Participant(self.verify(bearer).map_err(unauthorized)?))
    }

    /// Lets a caller into a session, as the session's own state sees them now.
    ///
    /// # Errors
    /// `unauthorized` without a valid bearer; `forbidden` with a token of another session or of someone banned; `session_not_found`.
    pub async fn admit(&self, bearer: Option<&str>, session: SessionId) -> Result<Caller, GatewayError> {
        let caller = self.identify(bearer.ok_or_else(|| GatewayError::of(Code::Unauthorized))?)?;
        match &caller {
            Caller::Participant(claims) => {
                self.stand(claims, session).await?;
            }
            Caller::Server(_) => {
                self.session(session).await?;
            }
        }
        Ok(caller)
    }

    /// What the session thinks of a token's holder.
    pub(super) async fn stand(&self, claims: &Claims, session: SessionId) -> Result<Standing, GatewayError> {
        if claims.sid != session {
            return Err(GatewayError::of(Code::Forbidden));
        }
        let standing = self.parts.backend.membership.standing(session, claims.sub).await?;
        let standing = standing.ok_or_else(|| GatewayError::of(Code::SessionNotFound))?;
        if standing.banned { Err(GatewayError::of(Code::Forbidden)) } else { Ok(standing) }
    }
}

/// What a caller is told. The code is the same for every reason; the sentence of an expired token is its own, as what helps is another token
/// and no other program.
#[must_use]
pub fn unauthorized(error: TokenError) -> Fault {
    match error {
        TokenError::Expired => Fault::because(Code::Unauthorized, "The token has expired"),
        TokenError::Signature | TokenError::Malformed | TokenError::Claims | TokenError::UnknownKey => {
            Fault::of(Code::Unauthorized)
        }
    }
}

fn failure(error: TokenError) -> TokenFailure {
    match error {
        TokenError::Expired => TokenFailure::Expired,
        TokenError::Signature => TokenFailure::Signature,
        TokenError::Malformed => TokenFailure::Malformed,
        TokenError::Claims => TokenFailure::Claims,
        TokenError::UnknownKey => TokenFailure::UnknownKey,
    }
}
