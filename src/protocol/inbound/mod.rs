//! Client frames, parsed: from text to a message whose fields keep their rules, or to the refusal that the client is told.
//!
//! Two steps: `envelope` reads what every frame has (`type`, `id`, `n`, `to`, `data`), `fields` and `playback` the data of each type. A frame
//! that is no JSON object ends the connection (4400); everything else wrong is answered and the connection stays. Where the
//! application's own JSON is passed on, it is kept as the text it came in, so that every receiver gets the same bytes.

mod envelope;
mod fields;
mod playback;

use serde_json::value::RawValue;

use crate::model::entry::{Epoch, Seq};
use crate::model::id::ParticipantId;
use crate::model::playback::command::Command;
use crate::model::playback::report::Report;
use crate::model::record::EntryKind;
use crate::model::verb::Verb;
use crate::protocol::problem::Fault;

pub use envelope::{Kind, parse};
pub use fields::{ChatData, EventData, ProfileData, SessionData, clean};

/// A frame that was understood.
#[derive(Debug)]
pub struct Inbound {
    /// Its type.
    pub kind: Kind,
    /// Echoed in the answer; at most 64 characters.
    pub id: Option<String>,
    /// The participant's own count of durable messages.
    pub n: Option<u64>,
    /// What it says.
    pub message: Message,
}

/// A frame that was not understood, and its type as far as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct Misread {
    /// The type, if it is one of ours.
    pub kind: Option<Kind>,
    /// What follows.
    pub rejected: Rejected,
}

/// What becomes of a frame that was not understood.
#[derive(Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Not a JSON object: the connection ends with 4400.
    Malformed,
    /// The client is told; the connection stays.
    Refused {
        /// The frame's id, when it could be read.
        id: Option<String>,
        /// The frame's number, when it could be read.
        n: Option<u64>,
        /// What was wrong.
        fault: Fault,
    },
}

/// Where a client wants to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The branch it saw; `None` for a text that no log of ours can have given out.
    pub epoch: Option<Epoch>,
    /// The last entry it saw.
    pub seq: Seq,
}

impl Resume {
    /// Reads `epoch=&seq=` of a query; `None` when it has neither. Half a position, or one that does not read, is an unknown one.
    #[must_use]
    pub fn from_query(query: &str) -> Option<Self> {
        let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
        let value = |name: &str| pairs().find(|(key, _)| *key == name).map(|(_, value)| value);
        match (value("epoch"), value("seq")) {
            (None, None) => None,
            (epoch, seq) => Some(Self::read(epoch, seq)),
        }
    }

    /// Reads `<epoch>:<seq>`, the id of a server-sent event.
    #[must_use]
    pub fn from_event_id(id: &str) -> Self {
        let (epoch, seq) = id.split_once(':').unzip();
        Self::read(epoch, seq)
    }

    fn read(epoch: Option<&str>, seq: Option<&str>) -> Self {
        let seq = seq.and_then(|seq| seq.parse().ok());
        Self { epoch: seq.and(epoch).and_then(Epoch::parse), seq: Seq(seq.unwrap_or_default()) }
    }
}

/// What a client can say.
#[derive(Debug)]
pub enum Message {
    /// The first frame.
    Hello(Hello),
    /// Durable words of a participant or an application: what the log keeps as it came.
    Say {
        /// `chat` or `event`.
        kind: EntryKind,
        /// Its data.
        data: Box<RawValue>,
    },
    /// A durable verb.
    Do(Verb),
    /// Passed on and forgotten.
    Relay(Relayed),
    /// A wish for the film.
    Film(Command),
    /// The player stands where the film waits, with enough loaded.
    Ready {
        /// The version it is ready for.
        version: u64,
    },
    /// How the player fares.
    Report(Report),
    /// Entries of the past, asked for.
    History(HistoryRequest),
    /// Who is seated, asked for.
    Participants {
        /// After this one, in order of joining.
        after: Option<ParticipantId>,
        /// How many at most.
        limit: usize,
    },
    /// Answered at once with both clocks.
    Ping {
        /// The client's clock, echoed as it came.
        t0: serde_json::Number,
    },
    /// Another token for this connection.
    Refresh {
        /// The token, unread.
        token: String,
    },
    /// Gives the seat up.
    Leave,
}

/// Who a client is, and where it wants to go on.
#[derive(Debug)]
pub struct Hello {
    /// The token, unread.
    pub token: String,
    /// Where to go on.
    pub resume: Option<Resume>,
}

/// A `signal` or a `notify`.
#[derive(Debug)]
pub struct Relayed {
    /// Which of the two.
    pub kind: Kind,
    /// The one receiver.
    pub to: Option<ParticipantId>,
    /// Its data.
    pub data: Box<RawValue>,
}

/// A page of the past: at most `limit` entries, the oldest after `after` or the newest before `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryRequest {
    /// After this one.
    pub after: Option<Seq>,
    /// Before this one.
    pub before: Option<Seq>,
    /// How many at most.
    pub limit: usize,
}

#[cfg(test)]
mod tests;
