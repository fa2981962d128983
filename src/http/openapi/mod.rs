//! `GET /openapi.json`: the HTTP API as an OpenAPI 3.1 document.
//!
//! Built from three tables and nothing else: `operations` (what can be called), the shapes that the handlers check bodies by,
//! and `schemas` (what comes back). A test holds the operations against the router, so neither can be forgotten.

mod operations;
mod schemas;

use std::sync::LazyLock;

use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;
use bytes::Bytes;
use serde_json::{Map, Value, json};

pub use operations::{Content, OPERATIONS, Operation, Parameter, Who};

use super::messages::{CHAT, EVENT, MESSAGE};
use super::problem::status_of;
use super::shape::{Field, Form};
use crate::protocol::problem::Code;

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(build().to_string()));

/// The route.
pub async fn document() -> impl IntoResponse {
    const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");
    ([JSON], DOCUMENT.clone())
}

fn build() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        // The router's word for the rest of a path is none of OpenAPI's.
        let path = paths.entry(operation.path.replace("{*", "{")).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "WatchParty",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sessions, tokens and messages of the WatchParty gateway. Times are milliseconds since the Unix epoch \
                unless a name says otherwise; ids are lower-case hyphenated UUIDs. Every answer carries `x-request-id`. \
                Limited calls answer with `RateLimit` and `RateLimit-Policy`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A participant's token."},
                "server": {"type": "http", "scheme": "bearer", "description": "One of SERVER_API_KEYS."},
            },
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "security": security(operation.who),
        "responses": responses(operation),
    });
    let parameters: Vec<Value> =
        path_parameters(operation.path).chain(operation.parameters.iter().map(parameter)).collect();
    if !parameters.is_empty() {
        described["parameters"] = Value::Array(parameters);
    }
    if let Some(shape) = operation.body {
        described["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": body(shape)}}});
    }
    described
}

/// A body as a schema: a message's `data` depends on its `type`, which a shape alone cannot say.
fn body(shape: &[Field]) -> Value {
    if shape != MESSAGE {
        return object(shape);
    }
    let of_kind = |kind: &str, data: &[Field]| {
        let mut message = object(shape);
        let about = message["properties"]["type"]["description"].take();
        message["properties"]["type"] = json!({"type": "string", "enum": [kind], "description": about});
        message["properties"]["data"] = object(data);
        message
    };
    json!({"oneOf": [of_kind("chat", CHAT), of_kind("event", EVENT)]})
}

fn security(who: Who) -> Value {
    match who {
        Who::Anyone => json!([]),
        Who::AnyoneOrParticipant => json!([{}, {"token": []}]),
        Who::Participant | Who::Host => json!([{"token": []}]),
        Who::ParticipantOrServer => json!([{"token": []}, {"server": []}]),
    }
}

fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).map(|name| {
        let (name, schema) = match name.strip_prefix('*') {
            Some(rest) => (rest, json!({"type": "string"})),
            None => (name, json!({"$ref": "#/components/schemas/Id"})),
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.about,
        "schema": (parameter.schema)(),
    })
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    let (status, about, content) = operation.answer;
    responses.insert(status.to_string(), answer(about, content));
    for (status, about, content) in operation.also {
        responses.insert(status.to_string(), answer(about, *content));
    }
    for code in operation.faults.iter().chain(&[Code::Internal, Code::Unavailable]) {
        let status = status_of(*code).as_u16().to_string();
        let problem = responses.entry(status).or_insert_with(|| answer("", Content::Problem));
        if problem["content"]["application/problem+json"].is_object() {
            let before = problem["description"].as_str().unwrap_or_default();
            let comma = if before.is_empty() { "" } else { ", " };
            problem["description"] = Value::String(format!("{before}{comma}`{}`", code.as_str()));
        }
    }
    Value::Object(responses)
}

fn answer(about: &str, content: Content) -> Value {
    let (media, schema) = match content {
        Content::None => return json!({"description": about}),
        Content::Json(name) => ("application/json", json!({"$ref": format!("#/components/schemas/{name}")})),
        Content::Problem => ("application/problem+json", json!({"$ref": "#/components/schemas/Problem"})),
        Content::AnyJson => ("application/json", json!({"type": "object"})),
        Content::Text(media) => (media, json!({"type": "string"})),
    };
    json!({"description": about, "content": {media: {"schema": schema}}})
}

/// A body's shape as a schema.
fn object(shape: &[Field]) -> Value {
    let properties: Map<String, Value> =
        shape.iter().map(|field| (field.name.to_owned(), member(field))).collect();
    let required: Vec<&str> = shape.iter().filter(|field| field.required).map(|field| field.name).collect();
    // A body of optional members alone is a change, and a change of nothing is refused.
    let least = usize::from(required.is_empty());
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "minProperties": least,
    })
}

fn member(field: &Field) -> Value {
    let (kind, mut schema) = match field.form {
        Form::Text { min, max } => ("string", json!({"minLength": min, "maxLength": max})),
        Form::Id => ("string", schemas::id_form()),
        Form::Flag => ("boolean", json!({})),
        Form::Count { max } => ("integer", json!({"minimum": 1, "maximum": max})),
        Form::Word(words) => ("string", json!({"enum": words})),
        Form::Object => ("object", json!({})),
        Form::Any => return json!({"description": field.about}),
    };
    schema["description"] = json!(field.about);
    schema["type"] = if field.required { json!(kind) } else { json!([kind, "null"]) };
    if let (false, Some(words)) = (field.required, schema.get_mut("enum").and_then(Value::as_array_mut)) {
        words.push(Value::Null);
    }
    schema
}

#[cfg(test)]
mod tests;
