//! What a verb becomes when its turn comes: the entry and the effect that land together, on the version it was decided on.

use std::time::Duration;

use serde::Serialize;

use super::Gateway;
use super::error::GatewayError;
use super::publish::TurnDraft;
use crate::auth::token::LEEWAY;
use crate::backend::log::{Effect, Publish};
use crate::model::id::{ParticipantId, SessionId};
use crate::model::participant::{Color, DisplayName};
use crate::model::record::{EntryKind, Record};
use crate::model::seat::Profile;
use crate::model::session::{SessionPatch, SessionRecord};
use crate::model::verb::{SessionChange, Verb};
use crate::protocol::outbound::SessionView;
use crate::protocol::problem::{Code, Fault};

/// A verb decided: what is said of it and what changes.
struct Decided {
    kind: EntryKind,
    data: String,
    effect: Effect,
}

impl Gateway {
    /// Decides a verb on the session as it is now.
    ///
    /// # Errors
    /// `session_not_found`; `forbidden` for who is not host; field faults; `unavailable`.
    pub(super) async fn resolve_verb(
        &self,
        session: SessionId,
        draft: &TurnDraft,
        author: ParticipantId,
        verb: &Verb,
    ) -> Result<Publish, GatewayError> {
        let record = self.session(session).await?.record;
        if verb.needs_host() && record.host != author {
            return Err(GatewayError::of(Code::Forbidden));
        }
        let decided = match verb {
            Verb::Update(change) => self.update(&record, change).await?,
            Verb::Transfer(to) => transfer(&record, *to)?,
            Verb::Kick { participant, ban } => self.kick(&record, *participant, *ban)?,
            Verb::End => ended(),
            Verb::Profile { name, color } => self.profile(session, author, name, color).await?,
        };
        let n = match draft.dedup {
            crate::backend::log::Dedup::Number(n) => Some(n),
            _ => None,
        };
        Ok(Publish {
            author: Some(author),
            generation: draft.generation,
            dedup: draft.dedup,
            record: Record::new(decided.kind, Some(author), n, &decided.data),
            if_version: verb.needs_host().then_some(record.version),
            effect: Some(decided.effect),
        })
    }

    async fn update(&self, record: &SessionRecord, change: &SessionChange) -> Result<Decided, GatewayError> {
        let capacity = change.max_participants.map(|wanted| self.capacity(wanted)).transpose()?;
        let password_hash = match &change.password {
            Some(password) => Some(self.hash_password(password.clone()).await?),
            None => None,
        };
        let mut after = SessionView::from(record);
        after.name = change.name.clone().unwrap_or(after.name);
        after.locked = change.locked.unwrap_or(after.locked);
        after.max_participants = capacity.unwrap_or(after.max_participants);
        after.control = change.control.unwrap_or(after.control);
        let patch = SessionPatch {
            name: change.name.clone(),
            password_hash,
            locked: change.locked,
            capacity,
            control: change.control,
        };
        Ok(Decided { kind: EntryKind::SessionUpdated, data: json(&after), effect: Effect::Patch(patch) })
    }

    fn kick(
        &self,
        record: &SessionRecord,
        participant: ParticipantId,
        ban: Option<Duration>,
    ) -> Result<Decided, GatewayError> {
        #[derive(Serialize)]
        struct Left {
            participant_id: ParticipantId,
            reason: &'static str,
            host_id: ParticipantId,
        }
        if participant == record.host {
            return Err(Fault::field("participant_id", "the host cannot kick themselves").into());
        }
        // Unset, the ban outlives every token the participant can have by now.
        let ban = ban.unwrap_or(self.parts.config.identity.token_ttl + LEEWAY);
        let data = json(&Left { participant_id: participant, reason: "kicked", host_id: record.host });
        Ok(Decided { kind: EntryKind::ParticipantLeft, data, effect: Effect::Kick { participant, ban } })
    }

    async fn profile(
        &self,
        session: SessionId,
        author: ParticipantId,
        name: &Option<DisplayName>,
        color: &Option<Color>,
    ) -> Result<Decided, GatewayError> {
        #[derive(Serialize)]
        struct Updated<'a> {
            id: ParticipantId,
            #[serde(skip_serializing_if = "Option::is_none")]
            name: &'a Option<DisplayName>,
            #[serde(skip_serializing_if = "Option::is_none")]
            color: &'a Option<Color>,
        }
        let everyone = usize::MAX;
        let roster = self.participants(session, None, everyone).await?;
        let seated = roster.into_iter().find(|participant| participant.id == author);
        let seated = seated.ok_or_else(|| GatewayError::of(Code::Stale))?;
        let profile = Profile { name: name.clone().unwrap_or(seated.name), color: (*color).or(seated.color) };
        let data = json(&Updated { id: author, name, color });
        Ok(Decided { kind: EntryKind::ParticipantUpdated, data, effect: Effect::Profile(profile) })
    }
}

fn transfer(record: &SessionRecord, to: ParticipantId) -> Result<Decided, GatewayError> {
    #[derive(Serialize)]
    struct Changed {
        host_id: ParticipantId,
        reason: &'static str,
    }
    if to == record.host {
        return Err(Fault::field("participant_id", "is host already").into());
    }
    let data = json(&Changed { host_id: to, reason: "transferred" });
    Ok(Decided { kind: EntryKind::HostChanged, data, effect: Effect::Transfer(to) })
}

fn ended() -> Decided {
    Decided {
        kind: EntryKind::SessionEnded,
        data: String::from(r#"{"reason":"ended"}"#),
        effect: Effect::End,
    }
}

/// Our own plain structs always serialise.
fn json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}
