//! The data of each client message: shapes with their rules. HTTP bodies of the same content use the same shapes, so that a
//! socket and a request are refused in the same words.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Hello, HistoryRequest, Message, Resume};
use crate::model::entry::{Epoch, Seq};
use crate::model::id::ParticipantId;
use crate::model::participant::{Color, DisplayName};
use crate::model::password::Password;
use crate::model::session::{Control, SessionName};
use crate::model::verb::{SessionChange, Verb};
use crate::model::visible;
use crate::protocol::problem::{Code, Fault};
use std::time::Duration;

/// Characters of a chat text at most.
const CHAT_MAX: usize = 2000;
/// Characters of an event's or notify's topic at most.
const TOPIC_MAX: usize = 64;
/// Bytes of a notify's data at most: it is dropped first, so it must stay small.
const NOTIFY_MAX: usize = 4 * 1024;
/// Characters of a signal's link at most.
const LINK_MAX: usize = 128;
/// Entries or participants in one page at most.
const PAGE_MAX: u64 = 256;
/// The longest ban, in seconds: a session's longest life.
const BAN_MAX: u64 = 30 * 24 * 3600;
/// Characters of a client's name or version at most.
const CLIENT_MAX: usize = 64;

/// `chat`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatData {
    text: String,
    reply_to: Option<u64>,
}

impl ChatData {
    /// Checks the rules.
    ///
    /// # Errors
    /// A field fault.
    pub fn check(&self) -> Result<(), Fault> {
        let length = self.text.chars().count();
        if length == 0 || length > CHAT_MAX {
            return Err(Fault::field("text", "1 to 2000 characters"));
        }
        if !visible::has_visible(&self.text) {
            return Err(Fault::field("text", "at least one visible character"));
        }
        if self.reply_to == Some(0) {
            return Err(Fault::field("reply_to", "the seq of an entry"));
        }
        Ok(())
    }
}

/// `event`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventData<'a> {
    topic: String,
    #[serde(borrow, rename = "body")]
    _body: &'a RawValue,
}

impl EventData<'_> {
    /// Checks the rules.
    ///
    /// # Errors
    /// A field fault.
    pub fn check(&self) -> Result<(), Fault> {
        check_topic(&self.topic)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalData<'a> {
    kind: SignalKind,
    link: String,
    #[serde(borrow, rename = "payload")]
    _payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum SignalKind {
    Offer,
    Answer,
    Candidate,
    Restart,
    Bye,
}

/// `session.update` and `PATCH`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionData {
    name: Option<String>,
    password: Option<String>,
    locked: Option<bool>,
    max_participants: Option<u32>,
    control: Option<Control>,
}

impl SessionData {
    /// Checks the rules; the bound of `max_participants` that the operator sets is the gateway's.
    ///
    /// # Errors
    /// A field fault.
    pub fn into_change(self) -> Result<SessionChange, Fault> {
        let name = self.name.map(|text| SessionName::parse(&text)).transpose();
        let password = self.password.map(Password::new).transpose();
        let change = SessionChange {
            name: name.map_err(|rule| Fault::field("name", rule.to_string()))?,
            password: password.map_err(|rule| Fault::field("password", rule.to_string()))?,
            locked: self.locked,
            max_participants: self.max_participants,
            control: self.control,
        };
        if change.max_participants == Some(0) {
            return Err(Fault::field("max_participants", "at least 1"));
        }
        let nothing = change.name.is_none()
            && change.password.is_none()
            && change.locked.is_none()
            && change.max_participants.is_none()
            && change.control.is_none();
        if nothing { Err(Fault::because(Code::InvalidRequest, "nothing to change")) } else { Ok(change) }
    }
}

/// `profile`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileData {
    name: Option<String>,
    color: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientData {
    name: Option<String>,
    version: Option<String>,
}

/// The `data` member of a frame, read as one of the shapes.
pub(super) struct ReadData<'a>(pub(super) Option<&'a RawValue>);

impl<'a> ReadData<'a> {
    fn raw(&self) -> Result<&'a RawValue, Fault> {
        self.0.ok_or_else(|| Fault::field("data", "is required"))
    }

    pub(super) fn read<T: Deserialize<'a>>(&self) -> Result<T, Fault> {
        serde_json::from_str(self.raw()?.get()).map_err(|error| unreadable("data", &error))
    }

    pub(super) fn read_or_empty<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        serde_json::from_str(self.0.map_or("{}", RawValue::get)).map_err(|error| unreadable("data", &error))
    }

    pub(super) fn nothing(&self) -> Result<(), Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        self.read_or_empty().map(|Nothing {}| ())
    }

    pub(super) fn chat(&self) -> Result<Box<RawValue>, Fault> {
        self.read::<ChatData>()?.check()?;
        Ok(self.raw()?.to_owned())
    }

    pub(super) fn event(&self) -> Result<Box<RawValue>, Fault> {
        self.read::<EventData<'_>>()?.check()?;
        Ok(self.raw()?.to_owned())
    }

    pub(super) fn notify(&self) -> Result<Box<RawValue>, Fault> {
        self.read::<EventData<'_>>()?.check()?;
        let raw = self.raw()?;
        if raw.get().len() > NOTIFY_MAX {
            return Err(Fault::field("body", "at most 4 KiB"));
        }
        Ok(raw.to_owned())
    }

    pub(super) fn signal(&self) -> Result<Box<RawValue>, Fault> {
        let SignalData { kind, link, .. } = self.read()?;
        // Read for its rule alone: the gateway passes signals on without looking into them.
        let (SignalKind::Offer
        | SignalKind::Answer
        | SignalKind::Candidate
        | SignalKind::Restart
        | SignalKind::Bye) = kind;
        if link.is_empty() || link.chars().count() > LINK_MAX {
            return Err(Fault::field("link", "1 to 128 characters"));
        }
        Ok(self.raw()?.to_owned())
    }

    pub(super) fn session_change(&self) -> Result<SessionChange, Fault> {
        self.read::<SessionData>()?.into_change()
    }

    pub(super) fn participant(&self) -> Result<ParticipantId, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Of {
            participant_id: ParticipantId,
        }
        self.read::<Of>().map(|of| of.participant_id)
    }

    pub(super) fn kick(&self) -> Result<Verb, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Kick {
            participant_id: ParticipantId,
            ban_seconds: Option<u64>,
        }
        let Kick { participant_id, ban_seconds } = self.read()?;
        if ban_seconds.is_some_and(|seconds| seconds > BAN_MAX) {
            return Err(Fault::field("ban_seconds", "at most 30 days"));
        }
        Ok(Verb::Kick { participant: participant_id, ban: ban_seconds.map(Duration::from_secs) })
    }

    pub(super) fn profile(&self) -> Result<Verb, Fault> {
        let ProfileData { name, color } = self.read()?;
        let name = name.map(|text| DisplayName::new(&text)).transpose();
        let color = color.map(|text| text.parse::<Color>()).transpose();
        let name = name.map_err(|rule| Fault::field("name", rule.to_string()))?;
        let color = color.map_err(|rule| Fault::field("color", rule.to_string()))?;
        if name.is_none() && color.is_none() {
            return Err(Fault::because(Code::InvalidRequest, "nothing to change"));
        }
        Ok(Verb::Profile { name, color })
    }

    pub(super) fn history(&self) -> Result<HistoryRequest, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct History {
            after: Option<u64>,
            before: Option<u64>,
            limit: Option<u64>,
        }
        let History { after, before, limit } = self.read_or_empty()?;
        if after.is_some() && before.is_some() {
            return Err(Fault::field("before", "either after or before"));
        }
        let limit = clean::limit(limit)?;
        Ok(HistoryRequest { after: after.map(Seq), before: before.map(Seq), limit })
    }

    pub(super) fn participants(&self) -> Result<Message, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Participants {
            after: Option<ParticipantId>,
            limit: Option<u64>,
        }
        let Participants { after, limit } = self.read_or_empty()?;
        Ok(Message::Participants { after, limit: clean::limit(limit)? })
    }

    pub(super) fn ping(&self) -> Result<serde_json::Number, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ping {
            t0: serde_json::Number,
        }
        self.read::<Ping>().map(|ping| ping.t0)
    }

    pub(super) fn refresh(&self) -> Result<String, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Refresh {
            token: String,
        }
        self.read::<Refresh>().map(|refresh| refresh.token)
    }
}

/// Rules that sockets and HTTP queries share.
pub mod clean {
    use super::{Fault, PAGE_MAX};

    /// A page's size: 1 to 256, the whole page when none is asked for.
    ///
    /// # Errors
    /// A field fault.
    pub fn limit(limit: Option<u64>) -> Result<usize, Fault> {
        let limit = limit.unwrap_or(PAGE_MAX);
        if limit == 0 || limit > PAGE_MAX {
            return Err(Fault::field("limit", "1 to 256"));
        }
        Ok(usize::try_from(limit).unwrap_or(1))
    }
}

pub(super) fn read_hello(
    data: Option<&RawValue>,
    token: Option<&RawValue>,
    resume: Option<&RawValue>,
    client: Option<&RawValue>,
) -> Result<Hello, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ResumeData {
        epoch: String,
        seq: u64,
    }
    if data.is_some() {
        return Err(Fault::field("data", "hello has none"));
    }
    let token = token.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let token = token.ok_or_else(|| Fault::field("token", "must be a string"))?;
    let resume = resume.map(|raw| serde_json::from_str::<ResumeData>(raw.get())).transpose();
    let resume = resume.map_err(|error| unreadable("resume", &error))?;
    if let Some(raw) = client {
        let client: ClientData =
            serde_json::from_str(raw.get()).map_err(|error| unreadable("client", &error))?;
        let long = |text: Option<String>| text.is_some_and(|text| text.chars().count() > CLIENT_MAX);
        if long(client.name) || long(client.version) {
            return Err(Fault::field("client", "name and version have at most 64 characters"));
        }
    }
    let resume = resume.map(|at| Resume { epoch: Epoch::parse(&at.epoch), seq: Seq(at.seq) });
    Ok(Hello { token, resume })
}

fn check_topic(topic: &str) -> Result<(), Fault> {
    let length = topic.chars().count();
    if length == 0 || length > TOPIC_MAX || topic.chars().any(char::is_control) {
        return Err(Fault::field("topic", "1 to 64 characters, none of them a control character"));
    }
    Ok(())
}

/// What serde says of a member, without its place in the text and without the value: an answer repeats nothing that was sent but a
/// member's name, and of that a little.
pub(super) fn unreadable(field: &str, error: &serde_json::Error) -> Fault {
    /// Characters of an unknown member's name that are repeated to its author.
    const NAME_SHOWN: usize = 64;
    let text = error.to_string();
    let rule = text.rsplit_once(" at line ").map_or(text.as_str(), |(rule, _)| rule);
    let (said, expected) = rule.rsplit_once(", expected ").unwrap_or((rule, ""));
    if let Some(name) = said.strip_prefix("unknown field `") {
        let name: String = name.trim_end_matches('`').chars().take(NAME_SHOWN).collect();
        return Fault::field(field, format!("unknown field `{name}`"));
    }
    if expected.is_empty() {
        Fault::field(field, rule)
    } else {
        Fault::field(field, format!("expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_said_again() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "read for its errors alone")]
        struct Shape {
            count: u64,
            kind: Option<SignalKind>,
        }
        let said = |text: &str| {
            let error = serde_json::from_str::<Shape>(text).map(drop).expect_err("does not fit");
            unreadable("data", &error).detail
        };
        for (text, detail) in [
            (r#"{"count":"secret, expected 7 at line 1"}"#, "data: expected u64"),
            (r#"{"count":-1}"#, "data: expected u64"),
            (
                r#"{"count":1,"kind":"secret"}"#,
                "data: expected one of `offer`, `answer`, `candidate`, `restart`, `bye`",
            ),
            (r#"{"count":1,"name":1}"#, "data: unknown field `name`"),
            (r#"{}"#, "data: missing field `count`"),
        ] {
            assert_eq!(said(text), detail, "{text}");
        }
        let long = said(&format!(r#"{{"count":1,"{}":1}}"#, "x".repeat(10_000)));
        assert_eq!(long, format!("data: unknown field `{}`", "x".repeat(64)));
    }
}
