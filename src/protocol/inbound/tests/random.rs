//! Nonsense, and truth damaged (FAULTS, row M10): whatever text comes, it is understood, refused with a word, or not an object of JSON; no
//! panic, and what is echoed is bounded. True frames are those of `tests/golden`.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value};

use super::*;

/// Members and values that get a frame past its first checks.
const NAMES: [&str; 20] = [
    "type",
    "id",
    "n",
    "to",
    "data",
    "token",
    "resume",
    "epoch",
    "seq",
    "text",
    "topic",
    "body",
    "kind",
    "link",
    "payload",
    "position_ms",
    "version",
    "limit",
    "after",
    "t0",
];

/// Bytes of an answer's message: a sentence, whatever was sent.
const MESSAGE: usize = 300;

/// The frames that clients send in docs/PROTOCOL.md.
fn golden() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("client."));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Anything JSON can say, of the words we know and others, no deeper than is accepted.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..100_u32).prop_map(Value::from),
        "\\PC{0,80}".prop_map(Value::from),
        select(&Kind::ALL[..]).prop_map(|kind| kind.as_str().into()),
        Just(Value::from(SOMEONE)),
    ];
    let name = || prop_oneof![3 => select(&NAMES[..]).prop_map(str::to_owned), 1 => "\\PC{0,8}"];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((name(), inner), 0..8).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// What holds of every answer.
fn bounded(text: &str) -> Result<Option<Rejected>, TestCaseError> {
    match parse(text) {
        Ok(inbound) => {
            prop_assert!(inbound.id.is_none_or(|id| id.chars().count() <= 64));
            let said: Value = serde_json::from_str(text).unwrap();
            prop_assert_eq!(said["type"].as_str(), Some(inbound.kind.as_str()));
            Ok(None)
        }
        Err(misread) => {
            if let Rejected::Refused { id, fault, .. } = &misread.rejected {
                prop_assert!(id.as_ref().is_none_or(|id| id.chars().count() <= 64));
                let fault = format!("{fault:?}");
                prop_assert!(fault.len() <= 4 * MESSAGE, "{}", fault);
            }
            Ok(Some(misread.rejected))
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(text in prop_oneof!["\\PC{0,200}", "[{}\\[\\]\",:a-z0-9\\\\ ]{0,200}"]) {
        let rejected = bounded(&text)?;
        if !serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object()) {
            prop_assert_eq!(rejected, Some(Rejected::Malformed));
        }
    }

    #[test]
    fn any_value_is_judged_and_an_object_never_ends_the_connection(value in value()) {
        let rejected = bounded(&value.to_string())?;
        prop_assert_eq!(rejected == Some(Rejected::Malformed), !value.is_object());
    }

    #[test]
    fn a_frame_of_any_type_with_any_data_is_judged(kind in select(&Kind::ALL[..]), data in value(), more in value()) {
        let mut frame = Map::from_iter([("type".to_owned(), kind.as_str().into()), ("data".to_owned(), data)]);
        if let Value::Object(more) = more {
            frame.extend(more.into_iter().filter(|(name, _)| name != "type"));
        }
        prop_assert_ne!(bounded(&Value::Object(frame).to_string())?, Some(Rejected::Malformed));
    }

    #[test]
    fn a_true_frame_with_a_member_changed_is_judged(frame in select(golden()), at in any::<Index>(), with in value()) {
        let mut frame: Value = serde_json::from_str(&frame).unwrap();
        prop_assert_eq!(bounded(&frame.to_string())?, None, "the frame itself is understood");
        let inner = frame.get("data").is_some_and(Value::is_object) && at.index(2) == 0;
        let members = if inner { &mut frame["data"] } else { &mut frame };
        let members = members.as_object_mut().unwrap();
        let name = members.keys().nth(at.index(members.len().max(1))).cloned().unwrap_or_else(|| "x".to_owned());
        members.insert(name, with);
        prop_assert_ne!(bounded(&frame.to_string())?, Some(Rejected::Malformed));
    }

    #[test]
    fn a_true_frame_with_bytes_changed_is_judged(
        frame in select(golden()),
        damage in vec((any::<Index>(), any::<u8>()), 1..6),
        end in any::<Index>(),
    ) {
        let mut bytes = frame.into_bytes();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() * 2));
        bounded(&String::from_utf8_lossy(&bytes))?;
    }
}
