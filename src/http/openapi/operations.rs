//! What can be called: one row an operation. The start page lists them too.

use serde_json::{Value, json};

use crate::http::messages::MESSAGE;
use crate::http::sessions::{CREATE, JOIN, UPDATE};
use crate::http::shape::Field;
use crate::protocol::problem::Code;
use crate::protocol::problem::Code::{
    Conflict, Forbidden, InvalidRequest, MethodNotAllowed, NotFound, PayloadTooLarge, RateLimited,
    SessionFull, SessionLocked, SessionNotFound, Unauthorized, UnsupportedMediaType, UpgradeRequired,
};

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// No token needed, and none read.
    Anyone,
    /// No token needed; with one of this session there is more in the answer.
    AnyoneOrParticipant,
    /// A participant of the session.
    Participant,
    /// A participant of the session, or a server by its key.
    ParticipantOrServer,
    /// The session's host.
    Host,
}

/// What an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    None,
    /// JSON of a named schema.
    Json(&'static str),
    /// Some JSON object.
    AnyJson,
    /// A problem.
    Problem,
    /// Text of a media type.
    Text(&'static str),
}

/// A parameter beside those in the path.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// `query` or `header`.
    pub place: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What it means.
    pub about: &'static str,
    /// Its schema.
    pub schema: fn() -> Value,
}

/// A status, what it means, and what comes with it.
pub(super) type Answer = (u16, &'static str, Content);

/// One method of one path.
pub struct Operation {
    /// Lower case, as OpenAPI writes it.
    pub method: &'static str,
    /// As the router writes it.
    pub path: &'static str,
    /// A name for generated clients.
    pub id: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Who may call.
    pub who: Who,
    /// Parameters beside the path's.
    pub parameters: &'static [Parameter],
    /// The shape of its body, if it has one.
    pub body: Option<&'static [Field]>,
    /// When all is well.
    pub answer: Answer,
    /// Other answers that are no problems.
    pub also: &'static [Answer],
    /// Problems beside `internal` and `unavailable`, which any call can meet.
    pub faults: &'static [Code],
}

/// A row to fill in: a call of anyone's without parameters.
const CALL: Operation = Operation {
    method: "get",
    path: "/",
    id: "",
    summary: "",
    who: Who::Anyone,
    parameters: &[],
    body: None,
    answer: (200, "Done", Content::None),
    also: &[],
    faults: &[],
};

const AFTER: Parameter = Parameter {
    name: "after",
    place: "query",
    required: false,
    about: "Entries after this number, the oldest first; the newest when absent.",
    schema: || json!({"type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64}),
};
const SEEN_UNDER: Parameter = Parameter {
    name: "epoch",
    place: "query",
    required: false,
    about: "The epoch that `after` was seen under: the answer says whether it goes on from there.",
    schema: || json!({"type": "string", "format": "uuid"}),
};
const LIMIT: Parameter = Parameter {
    name: "limit",
    place: "query",
    required: false,
    about: "Entries at most.",
    schema: || json!({"type": "integer", "minimum": 1, "maximum": 256, "default": 256}),
};
const KEY: Parameter = Parameter {
    name: "Idempotency-Key",
    place: "header",
    required: true,
    about: "Names the message: sent again under the same name it is one entry.",
    schema: || json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
};
const EPOCH: Parameter = Parameter {
    name: "epoch",
    place: "query",
    required: false,
    about: "With `seq`: the position to go on from.",
    schema: || json!({"type": "string", "format": "uuid"}),
};
const SEQ: Parameter = Parameter {
    name: "seq",
    place: "query",
    required: false,
    about: "With `epoch`: the last entry seen.",
    schema: || json!({"type": "integer", "minimum": 0}),
};
const LAST_EVENT_ID: Parameter = Parameter {
    name: "Last-Event-ID",
    place: "header",
    required: false,
    about: "`<epoch>:<seq>`, as an event stream sends it when it reconnects.",
    schema: || json!({"type": "string"}),
};

const MINE: &[Code] = &[Unauthorized, Forbidden, SessionNotFound, RateLimited];
const MINE_WITH_BODY: &[Code] = &[
    InvalidRequest,
    Unauthorized,
    Forbidden,
    SessionNotFound,
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    RateLimited,
];

/// Every operation.
#[rustfmt::skip]
pub const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post", path: "/api/sessions/create", id: "createSession",
        summary: "Create a session; the caller is its host.",
        body: Some(CREATE), answer: (201, "Created", Content::Json("Admission")),
        faults: &[InvalidRequest, Forbidden, PayloadTooLarge, UnsupportedMediaType, RateLimited], ..CALL
    },
    Operation {
        method: "post", path: "/api/sessions/join", id: "joinSession",
        summary: "Join a session with its password.",
        body: Some(JOIN), answer: (200, "Admitted", Content::Json("Admission")),
        faults: &[InvalidRequest, Unauthorized, Forbidden, SessionFull, SessionLocked, PayloadTooLarge, UnsupportedMediaType, RateLimited], ..CALL
    },
    Operation {
        path: "/api/sessions/{id}", id: "getSession", who: Who::AnyoneOrParticipant,
        summary: "Look a session up; with a token of it, also who is in it.",
        answer: (200, "The session", Content::Json("Session")), faults: MINE, ..CALL
    },
    Operation {
        method: "patch", path: "/api/sessions/{id}", id: "updateSession", who: Who::Host,
        summary: "Change the session.",
        body: Some(UPDATE), answer: (200, "The session as it is now", Content::Json("Session")), faults: MINE_WITH_BODY, ..CALL
    },
    Operation {
        method: "delete", path: "/api/sessions/{id}", id: "endSession", who: Who::Host,
        summary: "End the session for everyone.",
        answer: (204, "Ended", Content::None), faults: MINE, ..CALL
    },
    Operation {
        path: "/api/sessions/{id}/messages", id: "listMessages", who: Who::ParticipantOrServer,
        summary: "Read a page of the session's log.",
        parameters: &[AFTER, SEEN_UNDER, LIMIT], answer: (200, "A page", Content::Json("Page")),
        faults: &[InvalidRequest, Unauthorized, Forbidden, SessionNotFound, RateLimited], ..CALL
    },
    Operation {
        method: "post", path: "/api/sessions/{id}/messages", id: "publishMessage", who: Who::ParticipantOrServer,
        summary: "Publish a message.",
        parameters: &[KEY], body: Some(MESSAGE), answer: (202, "It is in the log, there", Content::Json("Position")),
        faults: MINE_WITH_BODY, ..CALL
    },
    Operation {
        path: "/api/sessions/{id}/events", id: "streamEvents", who: Who::Participant,
        summary: "The frames a socket would get, as server-sent events.",
        parameters: &[EPOCH, SEQ, LAST_EVENT_ID], answer: (200, "The stream", Content::Text("text/event-stream")),
        faults: &[InvalidRequest, Unauthorized, Forbidden, SessionNotFound, SessionFull, SessionLocked, RateLimited], ..CALL
    },
    Operation {
        method: "delete", path: "/api/sessions/{id}/participants/{pid}", id: "kickParticipant", who: Who::Host,
        summary: "Take a participant's seat away.",
        answer: (204, "Gone", Content::None),
        faults: &[InvalidRequest, Unauthorized, Forbidden, SessionNotFound, RateLimited], ..CALL
    },
    Operation {
        method: "post", path: "/api/sessions/{id}/token", id: "refreshToken", who: Who::Participant,
        summary: "A fresh token for the same participant.",
        answer: (200, "A token", Content::Json("Token")), faults: MINE, ..CALL
    },
    Operation {
        path: "/api/sessions/{id}/ice", id: "getIceServers", who: Who::Participant,
        summary: "Relays for calls.",
        answer: (200, "Relays, or none", Content::Json("IceServers")), faults: MINE, ..CALL
    },
    Operation {
        path: "/api/clock", id: "getClock", summary: "The cluster's time.",
        answer: (200, "Now", Content::Json("Clock")), faults: &[Forbidden], ..CALL
    },
    Operation {
        path: "/ws/{id}", id: "connect", who: Who::AnyoneOrParticipant,
        summary: "The WebSocket of a session.",
        parameters: &[EPOCH, SEQ], answer: (101, "A WebSocket", Content::None),
        faults: &[InvalidRequest, Forbidden, NotFound, MethodNotAllowed, UpgradeRequired, RateLimited], ..CALL
    },
    Operation {
        path: "/health", id: "getHealth", summary: "How the node fares, for people.",
        answer: (200, "It answers", Content::Json("Health")), ..CALL
    },
    Operation {
        path: "/health/live", id: "getLiveness", summary: "Whether the node runs.",
        answer: (200, "It runs", Content::Json("Probe")), also: &[(503, "It hangs", Content::Json("Probe"))], ..CALL
    },
    Operation {
        path: "/health/ready", id: "getReadiness", summary: "Whether the node takes traffic.",
        answer: (200, "It does", Content::Json("Probe")), also: &[(503, "It does not", Content::Json("Probe"))], ..CALL
    },
    Operation {
        path: "/metrics", id: "getMetrics", summary: "Numbers for Prometheus; on the second listener where there is one.",
        answer: (200, "Text exposition", Content::Text("text/plain")), ..CALL
    },
    Operation {
        path: "/openapi.json", id: "getOpenApi", summary: "This description.",
        answer: (200, "OpenAPI 3.1", Content::AnyJson), ..CALL
    },
    Operation {
        path: "/", id: "getStartPage", summary: "The start page.",
        answer: (200, "A page", Content::Text("text/html")), ..CALL
    },
    Operation {
        path: "/s/{*link}", id: "getSharePage", summary: "Where a share link leads.",
        answer: (200, "A page", Content::Text("text/html")), also: &[(404, "The page, which says that the link is not whole", Content::Text("text/html"))],
        ..CALL
    },
    Operation {
        path: "/s/", id: "getEmptySharePage", summary: "Where a share link leads that lost its id.",
        answer: (404, "The page, which says that the link is not whole", Content::Text("text/html")), ..CALL
    },
    Operation {
        path: "/docs", id: "getApiPage", summary: "This description, for people.",
        answer: (200, "A page", Content::Text("text/html")), ..CALL
    },
    Operation {
        path: "/web/{*file}", id: "getPageFile", summary: "A file of the page; the sample film in ranges, too.",
        answer: (200, "A file", Content::Text("*/*")), faults: &[NotFound], ..CALL
    },
    Operation {
        path: "/sdk/{*module}", id: "getSdkModule", summary: "A module of the JavaScript SDK: import index.js.",
        answer: (200, "A module", Content::Text("text/javascript")), faults: &[NotFound], ..CALL
    },
];
