//! The golden files as shapes: does something the live server said have exactly the members that `docs/PROTOCOL.md` shows?
//!
//! Values are free, names and types are not. What is null on either side may be either; an empty golden array or object says nothing.

use serde_json::Value;

/// Members that hold the application's own JSON.
const OPAQUE: &[&str] = &["body", "payload", "slots"];

/// Asserts that `live` has the shape of `tests/golden/<name>.json`.
#[track_caller]
pub fn like(name: &str, live: &Value) {
    let path = format!("{}/tests/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let golden: Value = serde_json::from_str(&text).unwrap();
    if let Err(difference) = compare(&golden, live) {
        panic!("{name}: {difference}\n  golden {golden}\n  live   {live}");
    }
}

fn compare(golden: &Value, live: &Value) -> Result<(), String> {
    match (golden, live) {
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (Value::Object(golden), Value::Object(live)) => {
            let (known, found): (Vec<_>, Vec<_>) = (golden.keys().collect(), live.keys().collect());
            if known != found {
                return Err(format!("members {found:?} instead of {known:?}"));
            }
            let mut members = golden.iter().filter(|(name, _)| !OPAQUE.contains(&name.as_str()));
            members.try_for_each(|(name, value)| {
                compare(value, &live[name]).map_err(|difference| format!("{name}: {difference}"))
            })
        }
        (Value::Array(golden), Value::Array(live)) => match &golden[..] {
            [only] => live.iter().try_for_each(|value| compare(only, value)),
            _ => Ok(()),
        },
        (Value::String(_), Value::String(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::Bool(_), Value::Bool(_)) => Ok(()),
        _ => Err(format!("{live} has another type than {golden}")),
    }
}
