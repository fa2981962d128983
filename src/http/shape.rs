//! The shapes of request bodies, as tables: which members there are, of which JSON type, and which must be there.
//!
//! One table serves twice: [`check`] refuses by it, naming every wrong member at once and repeating no value, and
//! [`openapi`](super::openapi) publishes it. Rules beyond types (lengths after trimming, passwords in bytes) are the model's.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::protocol::json::{self, Flaw, NUMBER_MAX};
use crate::protocol::problem::{Code, Fault, FieldError};

/// Wrong members named in one answer; a body with more is not a mistake but a probe.
const ERRORS_MAX: usize = 16;
/// Characters of an unknown member's name that are repeated to its author.
const NAME_SHOWN: usize = 64;

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A string; its length in characters, as far as a schema can say it.
    Text {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
    },
    /// A string that is one of our ids.
    Id,
    /// `true` or `false`.
    Flag,
    /// A whole number from 1.
    Count {
        /// At most.
        max: u64,
    },
    /// One of these strings.
    Word(&'static [&'static str]),
    /// An object.
    Object,
    /// Any JSON.
    Any,
}

/// One member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub form: Form,
    /// Whether it must be there. One that need not be may also be `null`.
    pub required: bool,
    /// What it means, for the published schema.
    pub about: &'static str,
}

impl Field {
    /// A member that must be there.
    #[must_use]
    pub const fn required(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, required: true, about }
    }

    /// A member that may be there.
    #[must_use]
    pub const fn optional(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, form, required: false, about }
    }
}

/// Checks a JSON text against a shape.
///
/// # Errors
/// `invalid_request` with every wrong member, at most 16.
pub fn check(shape: &[Field], text: &str) -> Result<(), Fault> {
    let whole = |rule: &str| Fault::field("body", rule);
    json::check(text).map_err(|flaw| {
        whole(match flaw {
            Flaw::NotJson => "must be JSON of at most 16 levels",
            Flaw::Duplicate => "has a member twice",
            Flaw::Number => "has a number beyond 2^53 - 1",
        })
    })?;
    let members: HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|_| whole("must be a JSON object"))?;
    let mut errors = Vec::new();
    for field in shape {
        match members.get(field.name).map(|raw| raw.get()) {
            None if field.required => errors.push(error(field.name, "is required")),
            Some("null") if !field.required => {}
            Some(raw) if !fits(field.form, raw) => errors.push(error(field.name, &expectation(field.form))),
            None | Some(_) => {}
        }
    }
    let mut unknown: Vec<&str> = members
        .keys()
        .map(AsRef::as_ref)
        .filter(|name| shape.iter().all(|field| field.name != *name))
        .collect();
    unknown.sort_unstable();
    errors.extend(unknown.into_iter().take(ERRORS_MAX).map(|name| {
        let shown: String = name.chars().take(NAME_SHOWN).collect();
        error(&shown, "is not known here")
    }));
    refuse(errors)
}

/// A fault over all wrong members, or nothing when there is none.
///
/// # Errors
/// `invalid_request`, when there is any.
pub fn refuse(mut errors: Vec<FieldError>) -> Result<(), Fault> {
    errors.truncate(ERRORS_MAX);
    let Some(first) = errors.first() else { return Ok(()) };
    let detail = format!("{}: {}", first.field, first.message);
    Err(Fault { errors, ..Fault::because(Code::InvalidRequest, detail) })
}

/// One wrong member.
#[must_use]
pub fn error(field: &str, message: &str) -> FieldError {
    FieldError { field: field.to_owned(), message: message.to_owned() }
}

/// Whether a JSON text, known to be well formed, is of a form. Its first byte tells its type.
fn fits(form: Form, raw: &str) -> bool {
    match form {
        Form::Text { .. } => raw.starts_with('"'),
        Form::Id => text_of(raw).is_some_and(|text| text.parse::<crate::model::id::SessionId>().is_ok()),
        Form::Flag => matches!(raw, "true" | "false"),
        Form::Count { max } => raw.parse().is_ok_and(|count: u64| (1..=max).contains(&count)),
        Form::Word(words) => text_of(raw).is_some_and(|text| words.contains(&text.as_str())),
        Form::Object => raw.starts_with('{'),
        Form::Any => true,
    }
}

fn text_of(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

fn expectation(form: Form) -> String {
    match form {
        Form::Text { .. } => "must be a string".into(),
        Form::Id => "must be a lower-case hyphenated UUID".into(),
        Form::Flag => "must be true or false".into(),
        Form::Count { max } if max >= NUMBER_MAX => "must be a whole number from 1".into(),
        Form::Count { max } => format!("must be a whole number from 1 to {max}"),
        Form::Word(words) => format!("must be one of: {}", words.join(", ")),
        Form::Object => "must be an object".into(),
        Form::Any => "must be JSON".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &[Field] = &[
        Field::required("name", Form::Text { min: 1, max: 9 }, ""),
        Field::optional("count", Form::Count { max: 99 }, ""),
        Field::optional("flag", Form::Flag, ""),
        Field::optional("word", Form::Word(&["chat", "event"]), ""),
        Field::optional("id", Form::Id, ""),
        Field::optional("data", Form::Object, ""),
        Field::optional("body", Form::Any, ""),
    ];

    fn wrong(text: &str) -> Vec<String> {
        let fault = check(SHAPE, text).expect_err("a refusal");
        assert_eq!(fault.code, Code::InvalidRequest);
        fault.errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect()
    }

    #[test]
    fn what_fits_passes() {
        for text in [
            r#"{"name":"x"}"#,
            r#" {"name":"x","count":1,"flag":false,"word":"ch\u0061t","data":{"a":[1]},"body":7} "#,
            r#"{"name":"x","id":"8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42","count":99}"#,
            r#"{"name":"x","count":null,"flag":null,"word":null,"data":null}"#,
        ] {
            assert_eq!(check(SHAPE, text), Ok(()), "{text}");
        }
    }

    #[test]
    fn every_wrong_member_is_named_and_no_value_repeated() {
        assert_eq!(
            wrong(r#"{"count":"canary","flag":1,"word":"canary","id":"canary","data":"canary","zebra":1}"#),
            [
                "name is required",
                "count must be a whole number from 1 to 99",
                "flag must be true or false",
                "word must be one of: chat, event",
                "id must be a lower-case hyphenated UUID",
                "data must be an object",
                "zebra is not known here",
            ]
        );
        assert_eq!(wrong(r#"{"name":null}"#), ["name must be a string"]);
        for count in ["0", "-1", "1.5", "1e1", "100", "1000000000", "\"1\"", "true"] {
            let errors = wrong(&format!(r#"{{"name":"x","count":{count}}}"#));
            assert_eq!(errors, ["count must be a whole number from 1 to 99"], "{count}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_as_a_whole() {
        for (text, rule) in [
            ("", "body must be JSON of at most 16 levels"),
            ("{", "body must be JSON of at most 16 levels"),
            ("[1]", "body must be a JSON object"),
            ("null", "body must be a JSON object"),
            (r#"{"name":"x","name":"y"}"#, "body has a member twice"),
            (r#"{"name":"x","n\u0061me":"y"}"#, "body has a member twice"),
            (r#"{"name":"x","body":9007199254740992}"#, "body has a number beyond 2^53 - 1"),
        ] {
            assert_eq!(wrong(text), [rule], "{text}");
        }
    }

    #[test]
    fn a_probe_does_not_get_a_long_answer() {
        let members: Vec<String> =
            (0..1000).map(|index| format!(r#""{index}{}":0"#, "x".repeat(99))).collect();
        let errors = wrong(&format!("{{{}}}", members.join(",")));
        assert_eq!(errors.len(), ERRORS_MAX);
        assert!(errors.iter().all(|error| error.len() < 100));
    }
}
