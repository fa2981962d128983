//! A session's log over HTTP: read a page of it, publish into it.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Edge;
use super::extract::{self, Admitted};
use super::problem::Problem;
use super::sessions::from_checked;
use super::shape::{self, Field, Form};
use crate::model::entry::{Epoch, Position, Seq};
use crate::model::record::EntryKind;
use crate::protocol::inbound::{ChatData, EventData, HistoryRequest, clean};
use crate::protocol::json::NUMBER_MAX;
use crate::protocol::outbound;
use crate::protocol::problem::Fault;

/// Names a message, so that sending it again is safe.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of such a name at most.
const KEY_MAX: usize = 255;

/// A message.
pub const MESSAGE: &[Field] = &[
    Field::required("type", Form::Word(&["chat", "event"]), "Which of the two."),
    Field::required(
        "data",
        Form::Object,
        "`chat`: `{text, reply_to?}` with 1-2000 characters; `event`: `{topic, body}` with a topic of 1-64.",
    ),
];
/// What a `chat` says.
pub const CHAT: &[Field] = &[
    Field::required("text", Form::Text { min: 1, max: 2000 }, "What is said."),
    Field::optional("reply_to", Form::Count { max: NUMBER_MAX }, "The entry it answers."),
];
/// What an `event` says.
pub const EVENT: &[Field] = &[
    Field::required("topic", Form::Text { min: 1, max: 64 }, "The application's own word for it."),
    Field::required("body", Form::Any, "The application's own data."),
];

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// `GET /api/sessions/{id}/messages?after=&epoch=&limit=`
pub async fn list(
    State(edge): State<Edge>,
    Admitted { session, .. }: Admitted,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let text = match read_query(query.as_deref().unwrap_or_default())? {
        Asked::Page(request) => {
            let page = edge.gateway.history(session, request).await?;
            outbound::entries(page.history.epoch, page.history.head, &page.entries)
        }
        Asked::Since(at, limit) => {
            let (page, recovery) = edge.gateway.history_since(session, at, limit).await?;
            outbound::entries_since(page.history.position(), recovery.reason(), &page.entries)
        }
    };
    Ok(Json(text).into_response())
}

/// `POST /api/sessions/{id}/messages`
pub async fn publish(
    State(edge): State<Edge>,
    Admitted { caller, session }: Admitted,
    request: Request,
) -> Result<Response, Problem> {
    let key = read_key(request.headers())?;
    let text = extract::body(request, edge.config.sessions.message_bytes, MESSAGE).await?;
    let (kind, data) = read_message(&text)?;
    let position = edge.gateway.publish(&caller, session, kind, data, &key).await?;
    Ok((StatusCode::ACCEPTED, Json(position)).into_response())
}

fn read_key(headers: &HeaderMap) -> Result<String, Fault> {
    let key = extract::only(headers, IDEMPOTENCY_KEY)
        .filter(|key| (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    key.map(str::to_owned).ok_or_else(|| {
        Fault::field(
            "Idempotency-Key",
            "is required once, with 1 to 255 visible ASCII characters and no space",
        )
    })
}

fn read_message(text: &str) -> Result<(EntryKind, Box<RawValue>), Fault> {
    let Message { kind, data } = from_checked(text)?;
    let kind = if kind == EntryKind::Chat.as_str() {
        shape::check(CHAT, data.get())?;
        from_checked::<ChatData>(data.get())?.check()?;
        EntryKind::Chat
    } else {
        shape::check(EVENT, data.get())?;
        from_checked::<EventData<'_>>(data.get())?.check()?;
        EntryKind::Event
    };
    Ok((kind, data.to_owned()))
}

/// What a reader wants.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// A page by its number alone, or the newest.
    Page(HistoryRequest),
    /// At most so many entries after a position, if the log still goes on from it.
    Since(Position, usize),
}

/// Each name once. Digits and an epoch's form need no decoding, so there is one way to write them.
fn read_query(query: &str) -> Result<Asked, Fault> {
    let (mut after, mut epoch, mut limit) = (None, None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let number = |name| digits(text).ok_or_else(|| Fault::field(name, "must be a whole number"));
        match name {
            "after" => once("after", &mut after, Seq(number("after")?))?,
            "limit" => once("limit", &mut limit, number("limit")?)?,
            "epoch" => {
                let read = Epoch::parse(text);
                let read =
                    read.ok_or_else(|| Fault::field("epoch", "must be an epoch as an answer has it"))?;
                once("epoch", &mut epoch, read)?;
            }
            _ => return Err(Fault::field("query", "knows after, epoch and limit only")),
        }
    }
    let limit = clean::limit(limit)?;
    match (epoch, after) {
        (Some(epoch), Some(seq)) => Ok(Asked::Since(Position { epoch, seq }, limit)),
        (Some(_), None) => Err(Fault::field("epoch", "is half a position without after")),
        (None, after) => Ok(Asked::Page(HistoryRequest { after, before: None, limit })),
    }
}

fn once<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), Fault> {
    let before = place.replace(value);
    if before.is_some() { Err(Fault::field(name, "is given twice")) } else { Ok(()) }
}

fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok().filter(|number| *number <= NUMBER_MAX) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_strictly() {
        let epoch = Epoch::new_random();
        let page = |after: Option<u64>, limit| {
            Asked::Page(HistoryRequest { after: after.map(Seq), before: None, limit })
        };
        let since = |seq, limit| Asked::Since(Position { epoch, seq: Seq(seq) }, limit);
        for (query, expected) in [
            ("", page(None, 256)),
            ("after=0", page(Some(0), 256)),
            ("after=41&limit=1", page(Some(41), 1)),
            ("limit=256&after=9007199254740991&", page(Some(9_007_199_254_740_991), 256)),
            (&format!("after=0&epoch={epoch}"), since(0, 256)),
            (&format!("epoch={epoch}&limit=2&after=8"), since(8, 2)),
        ] {
            assert_eq!(read_query(query), Ok(expected), "{query}");
        }
        for (query, field) in [
            ("after=", "after"),
            ("after", "after"),
            ("after=-1", "after"),
            ("after=+1", "after"),
            ("after=1.0", "after"),
            ("after=%31", "after"),
            ("after=9007199254740992", "after"),
            ("after=1&after=1", "after"),
            ("limit=0", "limit"),
            ("limit=257", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("before=1", "query"),
            ("After=1", "query"),
            ("=1", "query"),
            ("after=1&epoch=", "epoch"),
            ("after=1&epoch=7", "epoch"),
            (&format!("after=1&epoch={}", epoch.to_string().replace('-', "")), "epoch"),
            ("after=1&epoch=6C8349CC-7260-4E62-A3B1-1396831A8398", "epoch"),
            (&format!("after=1&epoch={epoch}&epoch={epoch}"), "epoch"),
            (&format!("epoch={epoch}"), "epoch"),
            (&format!("epoch={epoch}&limit=1"), "epoch"),
        ] {
            let fault = read_query(query).expect_err("a refusal");
            assert_eq!(fault.errors[0].field, field, "{query}");
        }
    }

    #[test]
    fn a_key_is_one_visible_word() {
        let long = "k".repeat(255);
        let key = |lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IDEMPOTENCY_KEY, line.parse().unwrap());
            }
            read_key(&headers)
        };
        for good in ["k", "\"8f14\"", &long] {
            assert_eq!(key(&[good]).as_deref(), Ok(good));
        }
        for bad in [&[][..], &[""], &["a b"], &["a\tb"], &[&format!("{long}k")], &["a", "a"]] {
            assert_eq!(key(bad).expect_err("a refusal").errors[0].field, "Idempotency-Key", "{bad:?}");
        }
    }

    #[test]
    fn data_is_kept_byte_for_byte() {
        let data = r#"{ "topic":"t" , "body":{"z":1.50,"a":"\u2028"} }"#;
        let (kind, kept) = read_message(&format!(r#"{{"type":"event","data":{data}}}"#)).unwrap();
        assert_eq!((kind, kept.get()), (EntryKind::Event, data));
        let (kind, _) = read_message(r#"{"type":"chat","data":{"text":"hi","reply_to":null}}"#).unwrap();
        assert_eq!(kind, EntryKind::Chat);
    }

    #[test]
    fn data_has_the_rules_of_the_socket() {
        let long = format!(r#"{{"type":"chat","data":{{"text":"{}"}}}}"#, "x".repeat(2001));
        for (text, field) in [
            (r#"{"type":"chat","data":{"text":""}}"#, "text"),
            (r#"{"type":"chat","data":{"text":7}}"#, "text"),
            (r#"{"type":"chat","data":{"text":"hi","reply_to":0}}"#, "reply_to"),
            (r#"{"type":"chat","data":{"text":"hi","topic":"t"}}"#, "topic"),
            (r#"{"type":"event","data":{"topic":"t"}}"#, "body"),
            (r#"{"type":"event","data":{"topic":"","body":1}}"#, "topic"),
            (&long, "text"),
        ] {
            let fault = read_message(text).expect_err("a refusal");
            assert_eq!(fault.errors[0].field, field, "{text}");
        }
    }
}
