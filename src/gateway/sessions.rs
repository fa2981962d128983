//! Sessions as people use them: create, join, look up, who is there, what was said, another token.

use serde_json::value::RawValue;

use super::Gateway;
use super::caller::Caller;
use super::error::{GatewayError, RETRY_MS, over_limit};
use super::recovery::{Recovery, recover};
use crate::auth::password::PasswordError;
use crate::auth::token::Claims;
use crate::backend::SessionSummary;
use crate::backend::limiter::{Decision, Scope};
use crate::backend::log::{Cut, Dedup, IdempotencyKey, Page};
use crate::metrics::label::RateScope;
use crate::model::entry::{Position, Seq};
use crate::model::id::{ParticipantId, SessionId, TokenId};
use crate::model::participant::{DisplayName, Role};
use crate::model::password::Password;
use crate::model::rate::{Rate, RateLimit};
use crate::model::record::EntryKind;
use crate::model::seat::Participant;
use crate::model::session::{CAPACITY_DEFAULT, NewSession, SessionName, SessionRecord};
use crate::model::time::{ClusterMs, millis};
use crate::model::verb::Verb;
use crate::protocol::inbound::{HistoryRequest, Resume};
use crate::protocol::peers::Listed;
use crate::protocol::problem::{Code, Fault};

/// What somebody is called who gave no name.
const NAMELESS: &str = "Guest";

/// Bytes of records in one page of the past at most: a page of 256 messages of 64 KiB would be an answer of 16 MiB.
const PAGE_BYTES: usize = 512 * 1024;

/// What a creator asks for.
#[derive(Debug)]
pub struct CreateRequest {
    /// Its name.
    pub name: SessionName,
    /// Its password.
    pub password: Password,
    /// Seats; unset: [`CAPACITY_DEFAULT`].
    pub max_participants: Option<u32>,
    /// What to call the creator.
    pub display_name: Option<DisplayName>,
}

/// What someone with a link and a password asks for.
#[derive(Debug)]
pub struct AdmissionRequest {
    /// Which session.
    pub session: SessionId,
    /// Its password, as they know it.
    pub password: Password,
    /// What to call them.
    pub display_name: Option<DisplayName>,
}

/// Someone may take part: who they are, and the token that says so.
#[derive(Debug)]
pub struct Admission {
    /// The session.
    pub record: SessionRecord,
    /// Who they are in it.
    pub participant: ParticipantId,
    /// Their token.
    pub token: String,
}

impl Gateway {
    /// Creates a session; the caller becomes its host.
    ///
    /// # Errors
    /// A field fault for too many seats; `unavailable` when the hashing queue is full or the backend is away.
    pub async fn create_session(&self, request: CreateRequest) -> Result<Admission, GatewayError> {
        let capacity = self.capacity(request.max_participants.unwrap_or(CAPACITY_DEFAULT))?;
        let password_hash = self.parts.passwords.hash(request.password).await.map_err(hashing)?;
        let new = NewSession {
            id: SessionId::new_random(),
            name: request.name,
            password_hash,
            host: ParticipantId::new_random(),
            capacity,
            ttl: self.parts.config.sessions.ttl,
        };
        let record = self.parts.backend.sessions.create(new).await?;
        let participant = record.host;
        let token = self.issue(record.id, participant, Role::Host, request.display_name).0;
        Ok(Admission { record, participant, token })
    }

    /// Lets someone in who knows the password, as a new participant. The seat is taken when they connect.
    ///
    /// # Errors
    /// `unauthorized` for an unknown session and a wrong password alike, in the same time; `session_full`, `session_locked`;
    /// `rate_limited` after too many wrong passwords; `unavailable`.
    pub async fn join_session(&self, request: AdmissionRequest) -> Result<Admission, GatewayError> {
        let session = request.session;
        self.may_guess(session).await?;
        let hash = self.parts.backend.sessions.password_hash(session).await?;
        let right = self.parts.passwords.verify(request.password, hash.as_deref()).await.map_err(hashing)?;
        if !right {
            self.count_failure(session).await;
            return Err(GatewayError::of(Code::Unauthorized));
        }
        // It may have ended while the password was checked: then it is unknown, like any other.
        let summary = self.parts.backend.sessions.find(session).await?;
        let SessionSummary { record, participants } =
            summary.ok_or_else(|| GatewayError::of(Code::Unauthorized))?;
        if record.locked {
            return Err(GatewayError::of(Code::SessionLocked));
        }
        if participants >= record.capacity {
            return Err(GatewayError::of(Code::SessionFull));
        }
        let participant = ParticipantId::new_random();
        let token = self.issue(session, participant, Role::Member, request.display_name).0;
        Ok(Admission { record, participant, token })
    }

    /// The record and how many seats are taken.
    ///
    /// # Errors
    /// `session_not_found`, `unavailable`.
    pub async fn session(&self, session: SessionId) -> Result<SessionSummary, GatewayError> {
        let summary = self.parts.backend.sessions.find(session).await?;
        summary.ok_or_else(|| GatewayError::of(Code::SessionNotFound))
    }

    /// Who is seated, in order of joining.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn participants(
        &self,
        session: SessionId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<Participant>, GatewayError> {
        Ok(self.parts.backend.membership.roster(session, after, limit).await?)
    }

    /// Who is seated, in order of joining, and how they fare: nothing of that from a node on which nobody of the session is.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn listed(
        &self,
        session: SessionId,
        after: Option<ParticipantId>,
        limit: usize,
    ) -> Result<Vec<Listed>, GatewayError> {
        Ok(self.list(session, self.participants(session, after, limit).await?))
    }

    /// Participants with what this node knows of them.
    pub(super) fn list(&self, session: SessionId, participants: Vec<Participant>) -> Vec<Listed> {
        match self.rooms.find(session) {
            Some(presence) => presence.list(participants),
            None => participants.into_iter().map(|participant| Listed::new(participant, None)).collect(),
        }
    }

    /// A page of the past, contiguous, of at most 512 KiB; the newest entries when neither end is given.
    ///
    /// # Errors
    /// `session_not_found`, `unavailable`.
    pub async fn history(&self, session: SessionId, request: HistoryRequest) -> Result<Page, GatewayError> {
        let cut = match (request.after, request.before) {
            (Some(after), _) => Cut::After(after),
            (None, before) => Cut::Before(before.unwrap_or(Seq(u64::MAX))),
        };
        let page = self.parts.backend.log.read(session, cut, request.limit).await?;
        let mut page = page.ok_or_else(|| GatewayError::of(Code::SessionNotFound))?;
        trim(&mut page, cut);
        Ok(page)
    }

    /// A page of what came after a position, and whether it goes on from there as a listener's resume would. When it does not, the page is
    /// the newest entries: what follows the position's number is no continuation of what the reader saw.
    ///
    /// # Errors
    /// As [`history`](Self::history).
    pub async fn history_since(
        &self,
        session: SessionId,
        at: Position,
        limit: usize,
    ) -> Result<(Page, Recovery), GatewayError> {
        let request = HistoryRequest { after: Some(at.seq), before: None, limit };
        let page = self.history(session, request).await?;
        let recovery = recover(&page.history, Some(Resume { epoch: Some(at.epoch), seq: at.seq }));
        if recovery.recovered() {
            return Ok((page, recovery));
        }
        // What a log lost or trimmed it does not get back, so the reason holds for this later page too.
        let newest = self.history(session, HistoryRequest { after: None, ..request }).await?;
        Ok((newest, recovery))
    }

    /// Publishes words over HTTP, once for each key of the same caller.
    ///
    /// # Errors
    /// As `publish` of a socket, and `unavailable`.
    pub async fn publish(
        self: &std::sync::Arc<Self>,
        caller: &Caller,
        session: SessionId,
        kind: EntryKind,
        data: Box<RawValue>,
        idempotency_key: &str,
    ) -> Result<Position, GatewayError> {
        let (author, name) = match caller {
            Caller::Participant(claims) => (Some(claims.sub), claims.sub.to_string()),
            Caller::Server(name) => (None, format!("server:{name}")),
        };
        let dedup = Dedup::Key(digest(&name, idempotency_key));
        self.say(session, author, dedup, kind, &data).await
    }

    /// Does a verb for a caller over HTTP.
    ///
    /// # Errors
    /// `forbidden` for a server key and for who is not host; as the verb's own otherwise.
    pub async fn act(
        self: &std::sync::Arc<Self>,
        caller: &Caller,
        session: SessionId,
        verb: Verb,
    ) -> Result<Position, GatewayError> {
        match caller {
            Caller::Participant(claims) => self.perform(session, claims.sub, verb).await,
            Caller::Server(_) => Err(GatewayError::of(Code::Forbidden)),
        }
    }

    /// Another token for the same participant, in the role they have now.
    ///
    /// # Errors
    /// `forbidden` when banned, `session_not_found`, `unavailable`.
    pub async fn fresh_token(&self, claims: &Claims) -> Result<(String, ClusterMs), GatewayError> {
        let standing = self.stand(claims, claims.sid).await?;
        let role = if standing.host { Role::Host } else { Role::Member };
        Ok(self.issue(claims.sid, claims.sub, role, claims.name.clone()))
    }

    /// What somebody is called.
    #[must_use]
    pub(super) fn called(name: Option<&DisplayName>) -> Option<DisplayName> {
        name.cloned().or_else(|| DisplayName::new(NAMELESS).ok())
    }

    /// A number of seats that the operator allows.
    pub(super) fn capacity(&self, wanted: u32) -> Result<u32, Fault> {
        let most = self.parts.config.sessions.max_participants;
        if wanted == 0 || wanted > most {
            return Err(Fault::field("max_participants", format!("must be a whole number from 1 to {most}")));
        }
        Ok(wanted)
    }

    /// Hashes a changed password. One at a time on this node, and who finds another at it is told to come back: changes must not
    /// take the pool away from those who join.
    pub(super) async fn hash_password(&self, password: Password) -> Result<String, GatewayError> {
        let Ok(_turn) = self.changing.try_lock() else { return Err(hashing(PasswordError::Busy)) };
        self.parts.passwords.hash(password).await.map_err(hashing)
    }

    fn issue(
        &self,
        session: SessionId,
        participant: ParticipantId,
        role: Role,
        name: Option<DisplayName>,
    ) -> (String, ClusterMs) {
        let iat = self.now().unix_seconds();
        let exp = iat.plus(self.parts.config.identity.token_ttl);
        let name = Self::called(name.as_ref());
        let claims =
            Claims { sub: participant, sid: session, role, name, iat, exp, jti: TokenId::new_random() };
        (self.parts.keys.issue(&claims), exp.millis())
    }

    /// Whether one more guess at a session's password may be looked at, from whatever address it comes.
    async fn may_guess(&self, session: SessionId) -> Result<(), GatewayError> {
        let RateLimit::At(rate) = self.parts.config.limits.join_failures else { return Ok(()) };
        // A question is always allowed, unless nobody can answer it: what it tells is how many are left.
        let bucket = self.limiter().take(Scope::JoinFailures, &session.to_string(), rate, 0).await;
        if bucket.allowed && bucket.remaining > 0 {
            return Ok(());
        }
        if bucket.outage {
            return Err(over_limit(bucket).into());
        }
        self.parts.metrics.access.rate_limited.get(RateScope::JoinFailures).increment(1);
        Err(over_limit(Decision { retry_after_ms: until_one(bucket, rate), ..bucket }).into())
    }

    /// Counts a wrong password. Guesses that were under way together may all count when the bucket holds fewer; the
    /// hashing pool bounds how many those are.
    async fn count_failure(&self, session: SessionId) {
        let RateLimit::At(rate) = self.parts.config.limits.join_failures else { return };
        self.limiter().take(Scope::JoinFailures, &session.to_string(), rate, 1).await;
    }
}

/// Milliseconds until an empty bucket holds one token again: all but one of its tokens come after that.
fn until_one(bucket: Decision, rate: Rate) -> u64 {
    let rest = rate.per / rate.count.max(1) * rate.burst.saturating_sub(1);
    bucket.reset_ms.saturating_sub(millis(rest)).max(1)
}

/// Cuts a page to its bound at the end that is farther from what was asked for.
fn trim(page: &mut Page, cut: Cut) {
    let mut bytes = 0;
    let fits = |bytes: &mut usize, entry: &crate::model::entry::Entry| {
        *bytes += entry.record.stored().len();
        *bytes <= PAGE_BYTES
    };
    match cut {
        Cut::After(_) => {
            let keep = page.entries.iter().take_while(|entry| fits(&mut bytes, entry)).count();
            page.entries.truncate(keep.max(1));
        }
        Cut::Before(_) => {
            let keep = page.entries.iter().rev().take_while(|entry| fits(&mut bytes, entry)).count();
            let from = page.entries.len().saturating_sub(keep.max(1));
            page.entries.drain(..from);
        }
    }
}

/// Names a publish: the same caller's same key is the same publish.
fn digest(caller: &str, key: &str) -> IdempotencyKey {
    let text = format!("{caller}\n{key}");
    let full = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&full.as_ref()[..16]);
    IdempotencyKey(short)
}

fn hashing(error: PasswordError) -> GatewayError {
    GatewayError::Fault(match error {
        PasswordError::Busy => Fault::of(Code::Unavailable).retry_after(RETRY_MS),
        PasswordError::Failed => Fault::of(Code::Internal),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_guesser_is_told_when_the_next_guess_counts() {
        let bucket =
            |reset_ms| Decision { allowed: true, remaining: 0, retry_after_ms: 0, reset_ms, outage: false };
        let rate = |count, burst| Rate { count, per: Duration::from_secs(60), burst };
        assert_eq!(until_one(bucket(60_000), rate(60, 60)), 1000);
        assert_eq!(until_one(bucket(59_500), rate(60, 60)), 500);
        assert_eq!(until_one(bucket(3_000), rate(60, 3)), 1000);
        assert_eq!(until_one(bucket(0), rate(60, 1)), 1, "it has just filled: come back at once");
    }
}
