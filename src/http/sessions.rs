//! Sessions over HTTP: create, join, look at, change, end.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};

use super::Edge;
use super::extract::{self, Admitted, BODY_MAX, Bearer, InPath};
use super::links::Base;
use super::problem::Problem;
use super::shape::{self, Field, Form};
use crate::backend::SessionSummary;
use crate::gateway::sessions::{Admission, AdmissionRequest, CreateRequest};
use crate::metrics::label::JoinResult;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::participant::{DISPLAY_NAME_MAX_CHARS, DisplayName};
use crate::model::password::{PASSWORD_MAX_BYTES, Password};
use crate::model::session::{NAME_MAX, NAME_MIN, SessionName};
use crate::model::time::ClusterMs;
use crate::model::verb::Verb;
use crate::protocol::inbound::SessionData;
use crate::protocol::peers::Listed;
use crate::protocol::problem::{Code, Fault, FieldError};

/// Participants listed with a session at most; a session may hold more, and `participants` counts them all.
pub const LISTED_MAX: usize = 256;

const NAME: Form = Form::Text { min: NAME_MIN, max: NAME_MAX };
/// At least two characters make six bytes of UTF-8, at most each is one byte.
const PASSWORD: Form = Form::Text { min: 2, max: PASSWORD_MAX_BYTES };
const DISPLAY_NAME: Form = Form::Text { min: 1, max: DISPLAY_NAME_MAX_CHARS };
/// What the number is kept in; the operator's own bound is put in its place before a body is held to it ([`seats_within`]).
const SEATS: Form = Form::Count { max: u32::MAX as u64 };

/// What a creator sends.
pub const CREATE: &[Field] = &[
    Field::required("name", NAME, "What the session is called, after trimming; no control characters."),
    Field::required("password", PASSWORD, "6-71 bytes of UTF-8 without NUL."),
    Field::optional(
        "max_participants",
        SEATS,
        "Seats, 10 when absent; the operator sets the most there can be.",
    ),
    Field::optional("display_name", DISPLAY_NAME, "What to call the creator, after trimming."),
];

/// What someone with a link and a password sends.
pub const JOIN: &[Field] = &[
    Field::required("session_id", Form::Id, "Which session."),
    Field::required("password", PASSWORD, "Its password."),
    Field::optional("display_name", DISPLAY_NAME, "What to call them, after trimming."),
];

/// What a host changes.
pub const UPDATE: &[Field] = &[
    Field::optional("name", NAME, "Another name."),
    Field::optional("password", PASSWORD, "Another password: 6-71 bytes of UTF-8 without NUL."),
    Field::optional("locked", Form::Flag, "Whether new participants are refused."),
    Field::optional("max_participants", SEATS, "Another number of seats; who is seated stays."),
    Field::optional("control", Form::Word(&["everyone", "host"]), "Who may move the film."),
];

#[derive(Deserialize)]
struct CreateBody {
    name: String,
    password: String,
    max_participants: Option<u32>,
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct JoinBody {
    session_id: SessionId,
    password: String,
    display_name: Option<String>,
}

#[derive(Serialize)]
struct AdmissionView {
    id: SessionId,
    name: SessionName,
    share_url: String,
    token: String,
    participant_id: ParticipantId,
    ws_url: String,
    max_participants: u32,
    created_at: ClusterMs,
    expires_at: ClusterMs,
}

impl AdmissionView {
    fn new(Admission { record, participant, token }: Admission, base: &Base) -> Self {
        Self {
            id: record.id,
            share_url: base.share_url(record.id),
            token,
            participant_id: participant,
            ws_url: base.ws_url(record.id),
            max_participants: record.capacity,
            created_at: record.created_at,
            expires_at: record.expires_at,
            name: record.name,
        }
    }
}

#[derive(Serialize)]
struct SessionView {
    id: SessionId,
    name: SessionName,
    host_id: ParticipantId,
    participants: u32,
    max_participants: u32,
    locked: bool,
    created_at: ClusterMs,
    expires_at: ClusterMs,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_list: Option<Vec<Listed>>,
}

impl SessionView {
    fn new(SessionSummary { record, participants }: SessionSummary, list: Option<Vec<Listed>>) -> Self {
        Self {
            id: record.id,
            name: record.name,
            host_id: record.host,
            participants,
            max_participants: record.capacity,
            locked: record.locked,
            created_at: record.created_at,
            expires_at: record.expires_at,
            participant_list: list,
        }
    }
}

/// `POST /api/sessions/create`
pub async fn create(State(edge): State<Edge>, base: Base, request: Request) -> Result<Response, Problem> {
    let text = extract::body(request, BODY_MAX, &seats_within(&edge, CREATE)).await?;
    let admission = edge.gateway.create_session(read_create(&text)?).await?;
    let at = format!("/api/sessions/{}", admission.record.id);
    let at = HeaderValue::try_from(at).expect("an id is visible ASCII");
    Ok((StatusCode::CREATED, [(LOCATION, at)], Json(AdmissionView::new(admission, &base))).into_response())
}

/// `POST /api/sessions/join`
pub async fn join(State(edge): State<Edge>, base: Base, request: Request) -> Result<Response, Problem> {
    let text = extract::body(request, BODY_MAX, JOIN).await?;
    match edge.gateway.join_session(read_join(&text)?).await {
        Ok(admission) => Ok(Json(AdmissionView::new(admission, &base)).into_response()),
        // The address's own limit has let it pass: it is the session that had too many wrong passwords, and this one was not looked at.
        Err(error) if error.fault().code == Code::RateLimited => {
            let mut refused = Problem::from(error).into_response();
            refused.extensions_mut().insert(JoinResult::TooManyFailures);
            Ok(refused)
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /api/sessions/{id}`: who is in it is told to those who belong to it.
pub async fn show(
    State(edge): State<Edge>,
    InPath(session): InPath,
    bearer: Bearer,
) -> Result<Response, Problem> {
    let mut list = None;
    if let Some(token) = bearer.token() {
        edge.gateway.admit(Some(token), session).await?;
        list = Some(edge.gateway.listed(session, None, LISTED_MAX).await?);
    }
    let summary = edge.gateway.session(session).await?;
    Ok(Json(SessionView::new(summary, list)).into_response())
}

/// `PATCH /api/sessions/{id}`
pub async fn update(
    State(edge): State<Edge>,
    Admitted { caller, session }: Admitted,
    request: Request,
) -> Result<Response, Problem> {
    let text = extract::body(request, BODY_MAX, &seats_within(&edge, UPDATE)).await?;
    let data: SessionData = from_checked(&text)?;
    edge.gateway.act(&caller, session, Verb::Update(data.into_change()?)).await?;
    let summary = edge.gateway.session(session).await?;
    Ok(Json(SessionView::new(summary, None)).into_response())
}

/// `DELETE /api/sessions/{id}`
pub async fn end(
    State(edge): State<Edge>,
    Admitted { caller, session }: Admitted,
) -> Result<StatusCode, Problem> {
    edge.gateway.act(&caller, session, Verb::End).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A shape with the most seats that this deployment gives, so that every wrong number is answered with one rule.
fn seats_within(edge: &Edge, shape: &[Field]) -> Vec<Field> {
    let max = u64::from(edge.config.sessions.max_participants);
    let bounded = |field: &Field| {
        if field.form == SEATS { Field { form: Form::Count { max }, ..*field } } else { *field }
    };
    shape.iter().map(bounded).collect()
}

fn read_create(text: &str) -> Result<CreateRequest, Fault> {
    let body: CreateBody = from_checked(text)?;
    let mut rules = Rules::default();
    let name = rules.keep("name", SessionName::parse(&body.name));
    let password = rules.keep("password", Password::new(body.password));
    let display_name = rules.display_name(body.display_name.as_deref());
    let (Some(name), Some(password)) = (name, password) else { return Err(rules.fault()) };
    rules.done()?;
    Ok(CreateRequest { name, password, max_participants: body.max_participants, display_name })
}

fn read_join(text: &str) -> Result<AdmissionRequest, Fault> {
    let body: JoinBody = from_checked(text)?;
    let mut rules = Rules::default();
    let password = rules.keep("password", Password::new(body.password));
    let display_name = rules.display_name(body.display_name.as_deref());
    let Some(password) = password else { return Err(rules.fault()) };
    rules.done()?;
    Ok(AdmissionRequest { session: body.session_id, password, display_name })
}

/// Reads what already fits its shape. What serde would say could repeat a value, so it is not said.
pub(super) fn from_checked<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::field("body", "has a member out of its range"))
}

/// Collects what the model says of members, so that all that is wrong is told at once.
#[derive(Default)]
struct Rules(Vec<FieldError>);

impl Rules {
    fn keep<T, E: std::fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|rule| self.0.push(shape::error(field, &rule.to_string()))).ok()
    }

    fn display_name(&mut self, text: Option<&str>) -> Option<DisplayName> {
        text.and_then(|text| self.keep("display_name", DisplayName::new(text)))
    }

    fn done(self) -> Result<(), Fault> {
        shape::refuse(self.0)
    }

    fn fault(self) -> Fault {
        self.done().err().unwrap_or_else(|| Fault::field("body", "is not valid"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrong(read: Result<(), Fault>) -> Vec<String> {
        let fault = read.expect_err("a refusal");
        fault.errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect()
    }

    fn create_of(body: &serde_json::Value) -> Result<CreateRequest, Fault> {
        let text = body.to_string();
        shape::check(CREATE, &text)?;
        read_create(&text)
    }

    #[test]
    fn a_creator_is_understood() {
        let body = json!({"name": " Movie night ", "password": "s3cret", "max_participants": 4, "display_name": " Ada "});
        let request = create_of(&body).unwrap();
        assert_eq!(request.name.as_str(), "Movie night");
        assert_eq!(request.password.expose(), "s3cret");
        assert_eq!(request.max_participants, Some(4));
        assert_eq!(request.display_name.unwrap().as_str(), "Ada");
        let least = create_of(&json!({"name": "abc", "password": "🎬🍿", "display_name": null})).unwrap();
        assert_eq!((least.max_participants, least.display_name), (None, None));
    }

    #[test]
    fn m7_and_a6_each_wrong_member_is_told_at_once() {
        let body = json!({"name": "a\u{7}b", "password": "canary\0", "display_name": "x".repeat(41)});
        assert_eq!(
            wrong(create_of(&body).map(drop)),
            [
                "name must have 3 to 50 characters and no control characters",
                "password must not contain NUL",
                "display_name must have 1-40 characters",
            ]
        );
        let fine = |name: &str, value: serde_json::Value| {
            let mut body = json!({"name": "Movie night", "password": "s3cret"});
            body[name] = value;
            create_of(&body).map(drop)
        };
        for (name, value) in [
            ("max_participants", json!(0)),
            ("max_participants", json!(-1)),
            ("max_participants", json!(10_000_000_000_u64)),
            ("password", json!("five5")),
            ("password", json!("x".repeat(72))),
            ("password", json!(123_456)),
            ("display_name", json!("a\nb")),
            ("display_name", json!("  ")),
        ] {
            let fault = fine(name, value.clone()).expect_err("a refusal");
            assert_eq!(fault.errors.len(), 1, "{name} {value}");
            assert_eq!(fault.errors[0].field, name, "{value}");
        }
        assert_eq!(fine("password", json!("x".repeat(71))), Ok(()));
        for name in ["name", "display_name"] {
            let fault = fine(name, json!("Ada\u{202e}b")).expect_err("a refusal");
            assert_eq!(fault.errors[0].field, name);
            assert!(fault.detail.ends_with("no invisible or direction-changing ones"), "{}", fault.detail);
        }
    }

    #[test]
    fn a_joiner_is_understood_or_told_why_not() {
        let id = "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42";
        let text = json!({"session_id": id, "password": "s3cret"}).to_string();
        shape::check(JOIN, &text).unwrap();
        assert_eq!(read_join(&text).unwrap().session.to_string(), id);
        let text = json!({"session_id": id, "password": "x", "display_name": ""}).to_string();
        shape::check(JOIN, &text).unwrap();
        assert_eq!(
            wrong(read_join(&text).map(drop)),
            ["password must have 6-71 bytes of UTF-8", "display_name must have 1-40 characters"]
        );
        let text = json!({"session_id": id.to_uppercase(), "password": "s3cret"}).to_string();
        let fault = shape::check(JOIN, &text).expect_err("a refusal");
        assert_eq!(fault.errors[0].field, "session_id");
    }

    #[test]
    fn a_change_fits_both_its_shape_and_the_words_of_the_socket() {
        let text =
            json!({"name": "New name", "locked": true, "control": "host", "max_participants": 3}).to_string();
        shape::check(UPDATE, &text).unwrap();
        let change = from_checked::<SessionData>(&text).unwrap().into_change().unwrap();
        assert_eq!((change.locked, change.max_participants), (Some(true), Some(3)));
        let fault = from_checked::<SessionData>("{}").unwrap().into_change().expect_err("nothing");
        assert_eq!(fault.detail, "nothing to change");
    }
}
