//! Reads settings from a source and collects every mistake and warning on the way.
//!
//! A mistaken value is reported and the default stands in for it, so that reading goes on and one start names
//! everything that is wrong; nothing read so is ever used, as one mistake makes the whole reading fail. The reader
//! knows forms, ranges, files and environments; what settings mean together is each topic's business.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use secrecy::zeroize::Zeroize;
use secrecy::{SecretSlice, SecretString};

use super::mistake::{Mistake, Warning};
use super::setting::{Form, Setting};
use super::source::Source;
use super::{Environment, form};
use crate::model::rate::RateLimit;

/// The longest file a path in the settings may name: a CA bundle is a quarter of it, and a device has no end.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a default may be relied on: the tests read every setting with nothing set.
const HAS_PRESET: &str = "a setting read this way has a default that fits its own form, as the tests prove";

/// One reading of a source.
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    environment: Environment,
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<Warning>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        let mut reader = Self {
            source,
            environment: Environment::Development,
            mistakes: Vec::new(),
            warnings: Vec::new(),
        };
        reader.environment = reader.required(&super::ENVIRONMENT, Environment::from_word);
        reader
    }

    pub(super) fn environment(&self) -> Environment {
        self.environment
    }

    pub(super) fn production(&self) -> bool {
        self.environment.is_production()
    }

    /// The text of `name` as given; empty means unset.
    fn raw(&self, name: &str) -> Option<String> {
        self.source.get(name).filter(|text| !text.trim().is_empty())
    }

    /// Whether the operator gave this setting, in the variable or, for a secret, in a file.
    pub(super) fn given(&self, setting: &Setting) -> bool {
        self.raw(setting.name).is_some() || (setting.secret && self.raw(&setting.file_name()).is_some())
    }

    /// The value given, else the default's, else nothing.
    pub(super) fn optional<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        if let Some(text) = self.raw(setting.name) {
            let value = parse(text.trim());
            if value.is_none() {
                self.expected(setting);
            }
            if value.is_some() {
                return value;
            }
        }
        setting.preset.text(self.environment).map(|text| parse(text).expect(HAS_PRESET))
    }

    /// The value given or the default's, for settings that always have one.
    pub(super) fn required<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Option<T>) -> T {
        self.optional(setting, parse).expect(HAS_PRESET)
    }

    /// A count in its setting's range.
    pub(super) fn count<T: TryFrom<u64>>(&mut self, setting: &Setting) -> T {
        self.required(setting, |text| in_range(setting, text))
    }

    /// A count in its setting's range, where the default has to be worked out.
    pub(super) fn count_or<T: TryFrom<u64>>(&mut self, setting: &Setting, derived: T) -> T {
        self.optional(setting, |text| in_range(setting, text)).unwrap_or(derived)
    }

    /// A duration in its setting's range.
    pub(super) fn span(&mut self, setting: &Setting) -> Duration {
        self.required(setting, |text| match setting.form {
            Form::Span { min, max } => form::duration(text).filter(|span| (min..=max).contains(span)),
            _ => None,
        })
    }

    pub(super) fn rate(&mut self, setting: &Setting) -> RateLimit {
        self.required(setting, form::rate)
    }

    pub(super) fn flag(&mut self, setting: &Setting) -> bool {
        self.required(setting, form::flag)
    }

    /// The bytes of a secret, from its variable or from the file `NAME_FILE` names. Never trimmed, but for the one
    /// line break editors leave at the end of a file.
    pub(super) fn secret(&mut self, setting: &Setting) -> Option<SecretSlice<u8>> {
        let in_file = self.raw(&setting.file_name());
        match (self.raw(setting.name), in_file) {
            (None, None) => None,
            (Some(text), None) if text.contains('\u{fffd}') => {
                self.refuse(setting, "expected UTF-8; put other bytes in a file");
                None
            }
            (Some(text), None) => Some(text.into_bytes().into()),
            (Some(_), Some(_)) => {
                self.refuse(setting, format!("set it or {}, not both", setting.file_name()));
                None
            }
            (None, Some(path)) => {
                let mut bytes = self.file(&setting.file_name(), path.trim())?;
                let line_break: &[u8] = if bytes.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
                if bytes.ends_with(line_break) {
                    bytes.truncate(bytes.len() - line_break.len());
                }
                if bytes.is_empty() {
                    self.mistake(&setting.file_name(), "expected a file that is not empty");
                    return None;
                }
                Some(bytes.into())
            }
        }
    }

    /// A secret that is text: UTF-8 without control characters.
    pub(super) fn secret_text(&mut self, setting: &Setting) -> Option<SecretString> {
        use secrecy::ExposeSecret;
        let bytes = self.secret(setting)?;
        match std::str::from_utf8(bytes.expose_secret()) {
            Ok(text) if !text.contains(char::is_control) => Some(text.into()),
            _ => {
                self.refuse(setting, "expected text in UTF-8, without control characters");
                None
            }
        }
    }

    /// The bytes of the file a setting called `name` points to.
    pub(super) fn file(&mut self, name: &str, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        let fits = read.is_ok() && u64::try_from(bytes.len()).is_ok_and(|length| length <= FILE_BYTES_MAX);
        if fits {
            return Some(bytes);
        }
        bytes.zeroize();
        self.mistake(name, "expected the path of a file that can be read, of at most 1 MiB");
        None
    }

    /// The value does not fit its form.
    pub(super) fn expected(&mut self, setting: &Setting) {
        self.mistake(setting.name, format!("expected {}", setting.form));
    }

    /// The value cannot stand, for a reason beyond its form.
    pub(super) fn refuse(&mut self, setting: &Setting, text: impl Into<String>) {
        self.mistake(setting.name, text);
    }

    /// Refuses `setting` when it cannot stand beside `other`, unless one of the two is mistaken already: a default
    /// standing in for a bad value would only make up a second mistake.
    pub(super) fn refuse_beside(&mut self, setting: &Setting, other: &Setting, wrong: bool, text: &str) {
        if wrong && !self.mistaken(setting) && !self.mistaken(other) {
            self.refuse(setting, text);
        }
    }

    fn mistaken(&self, setting: &Setting) -> bool {
        self.mistakes.iter().any(|mistake| mistake.name() == setting.name)
    }

    fn mistake(&mut self, name: &str, text: impl Into<String>) {
        self.mistakes.push(Mistake::new(name, text));
    }

    pub(super) fn warn(&mut self, name: &str, text: impl Into<String>) {
        self.warnings.push(Warning(Mistake::new(name, text)));
    }
}

fn in_range<T: TryFrom<u64>>(setting: &Setting, text: &str) -> Option<T> {
    let (value, min, max) = match setting.form {
        Form::Count { min, max } => (form::number(text)?, min, max),
        Form::Bytes { min, max } => (form::bytes(text)?, min, max),
        _ => return None,
    };
    if (min..=max).contains(&value) { T::try_from(value).ok() } else { None }
}
