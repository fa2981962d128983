//! What comes back, as JSON schemas (draft 2020-12, which OpenAPI 3.1 speaks). What goes in is described by the shapes.

use serde_json::{Value, json};

use crate::http::sessions::LISTED_MAX;
use crate::model::playback::report::PlayerStatus;
use crate::protocol::problem::Code;

/// Every named schema.
pub(super) fn all() -> Value {
    let mut all = json!({
        "Id": id_form(),
        "Time": {"type": "integer", "minimum": 0, "description": "Milliseconds since the Unix epoch, by the cluster's clock."},
        "Problem": problem(),
    });
    let mut add = |name: &str, about: &str, members: &[(&str, Value)], optional: &[&str]| {
        all[name] = object(about, members, optional);
    };
    add("Admission", "Someone may take part.", &admission(), &[]);
    add("Session", "A session.", &session(), &["participant_list"]);
    let fares = ["connection", "status", "drift_ms", "rtt_ms"];
    add("Participant", "Someone seated, and how they fare as far as the node knows.", &participant(), &fares);
    add("Entry", "One message in a session's log.", &entry(), &["n"]);
    add("Page", "Part of a session's log, rising.", &page(), &["recovered", "reason"]);
    add("Position", "Where something stands in a session's log.", &position(), &[]);
    add("Token", "A token and its end.", &[("token", text()), ("expires_at", time())], &[]);
    add("Clock", "The cluster's time.", &[("now_ms", time())], &[]);
    add("IceServers", "Relays and the end of their credentials.", &ice_servers(), &[]);
    add("Health", "How the node fares.", &health(), &[]);
    add("Probe", "Whether the node does.", &[("status", text()), ("reasons", list(&text()))], &["reasons"]);
    all
}

/// An id: a UUID in lower case, and not the one of zeros alone.
pub(super) fn id_form() -> Value {
    const PATTERN: &str =
        "^(?!00000000-0000-0000-0000-000000000000$)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
    json!({"type": "string", "format": "uuid", "pattern": PATTERN})
}

/// An object whose members are all there but the optional ones. Members may be added to it in later versions.
fn object(about: &str, members: &[(&str, Value)], optional: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<&str> =
        members.iter().map(|(name, _)| *name).filter(|name| !optional.contains(name)).collect();
    json!({"type": "object", "description": about, "properties": properties, "required": required})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn id() -> Value {
    named("Id")
}

fn time() -> Value {
    named("Time")
}

fn list(of: &Value) -> Value {
    json!({"type": "array", "items": of})
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let wrong = object("What is wrong with one member.", &[("field", text()), ("message", text())], &[]);
    let members = [
        ("type", json!({"type": "string", "format": "uri"})),
        ("title", text()),
        ("status", json!({"type": "integer", "minimum": 400, "maximum": 599})),
        ("code", json!({"type": "string", "enum": codes})),
        ("detail", text()),
        ("request_id", text()),
        ("errors", list(&wrong)),
        ("retry_after_ms", count()),
    ];
    object("What went wrong (RFC 9457).", &members, &["errors", "retry_after_ms"])
}

fn admission() -> [(&'static str, Value); 9] {
    [
        ("id", id()),
        ("name", text()),
        ("share_url", json!({"type": "string", "format": "uri"})),
        ("token", text()),
        ("participant_id", id()),
        ("ws_url", json!({"type": "string", "format": "uri"})),
        ("max_participants", count()),
        ("created_at", time()),
        ("expires_at", time()),
    ]
}

fn session() -> [(&'static str, Value); 9] {
    let mut seated = list(&named("Participant"));
    seated["maxItems"] = json!(LISTED_MAX);
    [
        ("id", id()),
        ("name", text()),
        ("host_id", id()),
        ("participants", count()),
        ("max_participants", count()),
        ("locked", flag()),
        ("created_at", time()),
        ("expires_at", time()),
        ("participant_list", seated),
    ]
}

fn participant() -> [(&'static str, Value); 9] {
    [
        ("id", id()),
        ("name", text()),
        ("color", json!({"type": ["string", "null"], "pattern": "^#[0-9a-f]{6}$"})),
        ("role", json!({"type": "string", "enum": ["host", "member"]})),
        ("joined_at", time()),
        ("connection", json!({"type": "string", "enum": ["connected", "reconnecting"]})),
        ("status", json!({"type": "string", "enum": PlayerStatus::ALL})),
        ("drift_ms", json!({"type": "integer"})),
        ("rtt_ms", count()),
    ]
}

fn entry() -> [(&'static str, Value); 6] {
    [
        ("type", text()),
        ("seq", count()),
        ("ts", time()),
        ("from", json!({"anyOf": [id(), {"type": "null"}]})),
        ("n", count()),
        ("data", json!({"type": "object"})),
    ]
}

fn page() -> [(&'static str, Value); 5] {
    let reason = json!({"type": ["string", "null"], "enum": ["trimmed", "diverged", "unknown_epoch", null]});
    let entries = list(&named("Entry"));
    [("epoch", id()), ("head", count()), ("recovered", flag()), ("reason", reason), ("entries", entries)]
}

fn position() -> [(&'static str, Value); 2] {
    [("epoch", id()), ("seq", count())]
}

fn ice_servers() -> [(&'static str, Value); 2] {
    let members = [("urls", list(&text())), ("username", text()), ("credential", text())];
    let server = object("As RTCIceServer.", &members, &["username", "credential"]);
    [("ice_servers", list(&server)), ("expires_at", time())]
}

fn health() -> [(&'static str, Value); 6] {
    [
        ("status", text()),
        ("version", text()),
        ("backend", json!({"type": "string", "enum": ["memory", "redis"]})),
        ("uptime_seconds", count()),
        ("ready", flag()),
        ("reasons", list(&text())),
    ]
}
