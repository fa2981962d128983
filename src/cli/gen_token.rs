//! `gen-token`: a token for support and tests, signed with the deployment's own secret.

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret;

use super::VerbError;
use crate::auth::token::{Claims, Keys};
use crate::config::Config;
use crate::config::form;
use crate::config::identity::IdentityConfig;
use crate::config::source::Source;
use crate::model::id::{ParticipantId, SessionId, TokenId};
use crate::model::participant::{DisplayName, Role};
use crate::model::time::UnixSeconds;

/// No token lives longer, whoever makes it: the upper end of `TOKEN_TTL`.
const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whom the token is for.
#[derive(Debug, clap::Args)]
pub struct GenToken {
    /// The session's id
    #[arg(long)]
    pub session: SessionId,
    /// The participant's id
    #[arg(long)]
    pub participant: ParticipantId,
    /// host or member
    #[arg(long)]
    pub role: Role,
    /// The participant's display name
    #[arg(long, value_parser = DisplayName::new)]
    pub name: Option<DisplayName>,
    /// How long it lives, at most 7 days; TOKEN_TTL if not given
    #[arg(long, value_parser = ttl)]
    pub ttl: Option<Duration>,
}

/// What is to be signed; `auth::token` adds issuer, audience and an id.
struct TokenRequest<'a> {
    session: SessionId,
    participant: ParticipantId,
    role: Role,
    name: Option<&'a DisplayName>,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

impl GenToken {
    pub(super) fn run(&self, source: &dyn Source, out: &mut dyn Write) -> Result<(), VerbError> {
        let identity = Config::read(source)?.0.identity;
        if identity.secret_is_random {
            return Err(VerbError::Usage("JWT_SECRET: is unset, and no gateway would accept the token"));
        }
        let issued_at = now()?;
        let request = TokenRequest {
            session: self.session,
            participant: self.participant,
            role: self.role,
            name: self.name.as_ref(),
            issued_at,
            expires_at: issued_at.plus(self.ttl.unwrap_or(identity.token_ttl)),
        };
        Ok(writeln!(out, "{}", sign(&identity, &request))?)
    }
}

/// Signs with the deployment's current secret.
fn sign(identity: &IdentityConfig, request: &TokenRequest<'_>) -> String {
    let claims = Claims {
        sub: request.participant,
        sid: request.session,
        role: request.role,
        name: request.name.cloned(),
        iat: request.issued_at,
        exp: request.expires_at,
        jti: TokenId::new_random(),
    };
    Keys::new(identity.secret.expose_secret(), None).issue(&claims)
}

fn ttl(text: &str) -> Result<Duration, &'static str> {
    form::duration(text)
        .filter(|ttl| (Duration::from_secs(1)..=TTL_MAX).contains(ttl))
        .ok_or("expected a duration from 1 s to 7 days: whole seconds, or with ms, s, m or h")
}

pub(super) fn now() -> Result<UnixSeconds, VerbError> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map(|since| UnixSeconds(since.as_secs()))
        .map_err(|_| VerbError::Failed("the clock stands before 1970".to_owned()))
}
