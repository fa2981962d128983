//! The document against the router, against itself, and against the answers it describes.

use std::collections::BTreeSet;

use super::*;
use crate::http::router;

/// Routes another room plugs in; described here from the start.
const PLUGGED_IN: [&str; 2] = ["/api/sessions/{id}/events", "/ws/{id}"];

#[test]
fn every_route_is_described_and_every_description_is_a_route() {
    let described: BTreeSet<String> = OPERATIONS.iter().map(|operation| operation.path.to_owned()).collect();
    let mut routed: BTreeSet<String> = router::tests::patterns().into_iter().collect();
    routed.extend(PLUGGED_IN.map(str::to_owned));
    assert_eq!(described, routed);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_a_sentence() {
    let names: BTreeSet<&str> = OPERATIONS.iter().map(|operation| operation.id).collect();
    assert_eq!(names.len(), OPERATIONS.len());
    let calls: BTreeSet<(&str, &str)> = OPERATIONS.iter().map(|call| (call.path, call.method)).collect();
    assert_eq!(calls.len(), OPERATIONS.len());
    assert!(OPERATIONS.iter().all(|operation| operation.summary.ends_with('.')));
}

/// Calls `visit` with every reference in the document.
fn references(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                visit(to);
            }
            members.values().for_each(|member| references(member, visit));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = build();
    let mut used = BTreeSet::new();
    references(&document, &mut |to| {
        let pointer = to.strip_prefix('#').unwrap_or_default();
        assert!(document.pointer(pointer).is_some(), "{to}");
        used.insert(to.rsplit('/').next().unwrap_or_default().to_owned());
    });
    let named: BTreeSet<String> =
        document["components"]["schemas"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(used, named);
}

#[test]
fn answers_and_parameters_are_as_the_protocol_has_them() {
    let document = build();
    let create = &document["paths"]["/api/sessions/create"]["post"];
    assert_eq!(
        create["responses"]["201"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/Admission"
    );
    assert_eq!(create["responses"]["429"]["description"], "`rate_limited`");
    let body = &create["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["required"], json!(["name", "password"]));
    assert_eq!(body["properties"]["name"]["maxLength"], 50);
    assert_eq!(body["properties"]["max_participants"]["type"], json!(["integer", "null"]));
    assert_eq!(body["additionalProperties"], false);
    let join = &document["paths"]["/api/sessions/join"]["post"]["responses"];
    assert_eq!(join["409"]["description"], "`session_full`");
    let publish = &document["paths"]["/api/sessions/{id}/messages"]["post"];
    assert_eq!(publish["parameters"][0]["name"], "id");
    assert_eq!(publish["parameters"][1]["name"], "Idempotency-Key");
    assert_eq!(publish["security"], json!([{"token": []}, {"server": []}]));
    let list = &document["paths"]["/api/sessions/{id}/messages"]["get"]["parameters"];
    let names: Vec<_> = list.as_array().unwrap().iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(names, ["id", "after", "epoch", "limit"]);
    assert_eq!(document["components"]["schemas"]["Page"]["required"], json!(["epoch", "head", "entries"]));
    let ready = &document["paths"]["/health/ready"]["get"]["responses"]["503"];
    assert_eq!(ready["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Probe");
    let change = &document["paths"]["/api/sessions/{id}"]["patch"]["requestBody"]["content"]["application/json"]
        ["schema"];
    assert_eq!(change["minProperties"], 1);
    assert_eq!(change["properties"]["control"]["enum"], json!(["everyone", "host", null]));
}
