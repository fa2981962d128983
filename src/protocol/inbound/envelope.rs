//! What every client frame has in common, and which members go with which type.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{self, ReadData};
use super::{Inbound, Message, Misread, Rejected, Relayed};
use crate::model::id::ParticipantId;
use crate::model::record::EntryKind;
use crate::model::verb::Verb;
use crate::protocol::json::{self, Flaw, NUMBER_MAX};
use crate::protocol::problem::{Code, Fault};

/// The longest `id` a client may use, in characters.
const ID_MAX: usize = 64;

/// The client's message types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the type of the same name in docs/PROTOCOL.md")]
pub enum Kind {
    Hello,
    Chat,
    Event,
    Play,
    Pause,
    Seek,
    Rate,
    Load,
    SessionUpdate,
    HostTransfer,
    Kick,
    SessionEnd,
    Profile,
    Signal,
    Notify,
    Ready,
    Report,
    History,
    Participants,
    Ping,
    Refresh,
    Leave,
}

impl Kind {
    /// Every type, in the order of the protocol's table.
    pub const ALL: [Self; 22] = [
        Self::Hello,
        Self::Chat,
        Self::Event,
        Self::Play,
        Self::Pause,
        Self::Seek,
        Self::Rate,
        Self::Load,
        Self::SessionUpdate,
        Self::HostTransfer,
        Self::Kick,
        Self::SessionEnd,
        Self::Profile,
        Self::Signal,
        Self::Notify,
        Self::Ready,
        Self::Report,
        Self::History,
        Self::Participants,
        Self::Ping,
        Self::Refresh,
        Self::Leave,
    ];

    /// The `type` on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Chat => "chat",
            Self::Event => "event",
            Self::Play => "play",
            Self::Pause => "pause",
            Self::Seek => "seek",
            Self::Rate => "rate",
            Self::Load => "load",
            Self::SessionUpdate => "session.update",
            Self::HostTransfer => "host.transfer",
            Self::Kick => "kick",
            Self::SessionEnd => "session.end",
            Self::Profile => "profile",
            Self::Signal => "signal",
            Self::Notify => "notify",
            Self::Ready => "ready",
            Self::Report => "report",
            Self::History => "history",
            Self::Participants => "participants",
            Self::Ping => "ping",
            Self::Refresh => "refresh",
            Self::Leave => "leave",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it becomes an entry, and so may carry an `n`.
    #[must_use]
    pub fn durable(self) -> bool {
        matches!(
            self,
            Self::Chat
                | Self::Event
                | Self::Play
                | Self::Pause
                | Self::Seek
                | Self::Rate
                | Self::Load
                | Self::SessionUpdate
                | Self::HostTransfer
                | Self::Kick
                | Self::SessionEnd
                | Self::Profile
        )
    }

    /// Whether it may name a receiver.
    fn addressed(self) -> bool {
        matches!(self, Self::Signal | Self::Notify)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<&'a RawValue>,
    #[serde(borrow)]
    to: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    // `hello` alone has its members beside `type`, so that a token is never part of a logged `data`.
    #[serde(borrow)]
    token: Option<&'a RawValue>,
    #[serde(borrow)]
    resume: Option<&'a RawValue>,
    #[serde(borrow)]
    client: Option<&'a RawValue>,
}

/// Reads one text frame.
///
/// # Errors
/// [`Misread`], with what the client is told.
pub fn parse(text: &str) -> Result<Inbound, Box<Misread>> {
    let misread = |rejected| Box::new(Misread { kind: None, rejected });
    let flaw = json::check(text).err();
    if flaw == Some(Flaw::NotJson) || !text.trim_start().starts_with('{') {
        return Err(misread(Rejected::Malformed));
    }
    if let Some(flaw) = flaw {
        let rule =
            if flaw == Flaw::Duplicate { "a member stands twice" } else { "a number is beyond 2^53 - 1" };
        return Err(misread(refuse_whole(text, Fault::because(Code::InvalidRequest, rule))));
    }
    let envelope: Envelope<'_> = serde_json::from_str(text)
        .map_err(|error| misread(refuse_whole(text, fields::unreadable("frame", &error))))?;
    let (id, n) = match (read_id(envelope.id), read_number(envelope.n)) {
        (Ok(id), Ok(n)) => (id, n),
        (Ok(id), Err(fault)) => return Err(misread(Rejected::Refused { id, n: None, fault })),
        (Err(fault), n) => {
            return Err(misread(Rejected::Refused { id: None, n: n.unwrap_or_default(), fault }));
        }
    };
    let kind = match read_kind(envelope.kind) {
        Ok(kind) => kind,
        Err(fault) => return Err(misread(Rejected::Refused { id, n, fault })),
    };
    match read_message(kind, n, &envelope) {
        Ok(message) => Ok(Inbound { kind, id, n, message }),
        Err(fault) => {
            Err(Box::new(Misread { kind: Some(kind), rejected: Rejected::Refused { id, n, fault } }))
        }
    }
}

fn read_message(kind: Kind, n: Option<u64>, envelope: &Envelope<'_>) -> Result<Message, Fault> {
    if n.is_some() && !kind.durable() {
        return Err(Fault::field("n", "only a durable message has a number"));
    }
    if envelope.to.is_some() && !kind.addressed() {
        return Err(Fault::field("to", "this type has no receiver"));
    }
    let greets = kind == Kind::Hello;
    if !greets && (envelope.token.is_some() || envelope.resume.is_some() || envelope.client.is_some()) {
        return Err(Fault::because(Code::InvalidRequest, "token, resume and client belong to hello"));
    }
    if greets {
        return fields::read_hello(envelope.data, envelope.token, envelope.resume, envelope.client)
            .map(Message::Hello);
    }
    let data = ReadData(envelope.data);
    match kind {
        Kind::Chat => data.chat().map(|data| Message::Say { kind: EntryKind::Chat, data }),
        Kind::Event => data.event().map(|data| Message::Say { kind: EntryKind::Event, data }),
        Kind::SessionUpdate => data.session_change().map(|change| Message::Do(Verb::Update(change))),
        Kind::HostTransfer => data.participant().map(|to| Message::Do(Verb::Transfer(to))),
        Kind::Kick => data.kick().map(Message::Do),
        Kind::SessionEnd => data.nothing().map(|()| Message::Do(Verb::End)),
        Kind::Profile => data.profile().map(Message::Do),
        Kind::Signal => {
            let to = read_to(envelope.to)?.ok_or_else(|| Fault::field("to", "is required"))?;
            data.signal().map(|data| Message::Relay(Relayed { kind, to: Some(to), data }))
        }
        Kind::Notify => {
            let to = read_to(envelope.to)?;
            data.notify().map(|data| Message::Relay(Relayed { kind, to, data }))
        }
        Kind::Play => data.play().map(Message::Film),
        Kind::Pause => data.pause().map(Message::Film),
        Kind::Seek => data.seek().map(Message::Film),
        Kind::Rate => data.rate().map(Message::Film),
        Kind::Load => data.load().map(Message::Film),
        Kind::Ready => data.ready().map(|version| Message::Ready { version }),
        Kind::Report => data.report().map(Message::Report),
        Kind::History => data.history().map(Message::History),
        Kind::Participants => data.participants(),
        Kind::Ping => data.ping().map(|t0| Message::Ping { t0 }),
        Kind::Refresh => data.refresh().map(|token| Message::Refresh { token }),
        Kind::Leave => data.nothing().map(|()| Message::Leave),
        Kind::Hello => Err(Fault::of(Code::Internal)),
    }
}

fn read_kind(raw: Option<&RawValue>) -> Result<Kind, Fault> {
    let raw = raw.ok_or_else(|| Fault::field("type", "is required"))?;
    let text: Cow<'_, str> = read_text("type", raw)?;
    Kind::parse(&text).ok_or_else(|| Fault::of(Code::UnknownType))
}

fn read_id(raw: Option<&RawValue>) -> Result<Option<String>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let text = read_text("id", raw)?;
    if text.chars().count() > ID_MAX {
        return Err(Fault::field("id", "at most 64 characters"));
    }
    Ok(Some(text.into_owned()))
}

fn read_number(raw: Option<&RawValue>) -> Result<Option<u64>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    match serde_json::from_str::<u64>(raw.get()) {
        Ok(n) if (1..=NUMBER_MAX).contains(&n) => Ok(Some(n)),
        _ => Err(Fault::field("n", "a whole number from 1")),
    }
}

fn read_to(raw: Option<&RawValue>) -> Result<Option<ParticipantId>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map(Some).map_err(|_| Fault::field("to", "a participant id"))
}

fn read_text<'a>(field: &str, raw: &'a RawValue) -> Result<Cow<'a, str>, Fault> {
    /// A string that borrows when it holds no escape.
    #[derive(Deserialize)]
    struct Text<'t>(#[serde(borrow)] Cow<'t, str>);
    serde_json::from_str::<Text<'a>>(raw.get())
        .map(|text| text.0)
        .map_err(|_| Fault::field(field, "must be a string"))
}

/// A refusal of a frame whose members could not all be read: `id` and `n` are looked for on their own.
fn refuse_whole(text: &str, fault: Fault) -> Rejected {
    let members: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let id = read_id(members.get("id").copied()).unwrap_or_default();
    let n = read_number(members.get("n").copied()).unwrap_or_default();
    Rejected::Refused { id, n, fault }
}
