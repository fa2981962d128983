//! The settings as text for people: the commented `.env.example`, and what a start would use and why.
//!
//! Both walk the catalogue, so neither can forget a setting. A secret is only ever `set` or `unset` here.

use std::fmt::Write;

use super::Environment;
use super::catalogue::TOPICS;
use super::setting::{Preset, Setting};
use super::source::Source;

const EXAMPLE_HEAD: &str = "\
# Every setting of the WatchParty gateway, with its default. Written by `watchparty check-config --example`.
# In development a file called .env beside the process fills what the environment leaves unset; production reads
# none. Empty means unset. A secret may come as NAME_FILE, the path of a file that holds it. Put values with $, # or
# spaces in 'single quotes'.
";

/// The text of `.env.example`: every line a comment, so that a copy changes nothing.
pub fn example() -> String {
    let mut text = EXAMPLE_HEAD.to_owned();
    for topic in TOPICS {
        let _infallible = write!(text, "\n# --- {} ---\n", topic.title);
        for setting in topic.settings {
            example_of(&mut text, setting);
        }
    }
    text
}

fn example_of(text: &mut String, setting: &Setting) {
    let _infallible = write!(text, "\n# {}\n# Form: {}.\n", setting.meaning, setting.form);
    let shown = match setting.preset {
        Preset::Text(preset) => preset,
        Preset::Unset => "",
        Preset::Split { development, production } => {
            let _infallible = writeln!(text, "# Default: {development}; in production {production}.");
            development
        }
        Preset::Derived(words) => {
            let _infallible = writeln!(text, "# Default: {words}.");
            ""
        }
    };
    let _infallible = writeln!(text, "#{}={shown}", setting.name);
    if setting.secret {
        let _infallible = writeln!(text, "#{}=", setting.file_name());
    }
}

/// Each setting as it would be used, with where it comes from: for settings that were read without a mistake, as a
/// mistaken one might hold a secret in the wrong place.
pub fn in_use(source: &dyn Source, environment: Environment) -> String {
    let mut text = String::new();
    for topic in TOPICS {
        let _infallible = writeln!(text, "# {}", topic.title);
        for setting in topic.settings {
            let (value, place) = value_and_place(source, environment, setting);
            let _infallible = writeln!(text, "{}={value}  # {place}", setting.name);
        }
    }
    text
}

fn value_and_place(
    source: &dyn Source,
    environment: Environment,
    setting: &Setting,
) -> (String, &'static str) {
    let given = |name: &str| source.get(name).filter(|text| !text.trim().is_empty());
    if setting.secret {
        return match (given(setting.name), given(&setting.file_name())) {
            (Some(_), _) => ("set".to_owned(), source.place(setting.name)),
            (None, Some(_)) => ("set".to_owned(), "file"),
            (None, None) => ("unset".to_owned(), "default"),
        };
    }
    match given(setting.name) {
        Some(text) => (text.trim().to_owned(), source.place(setting.name)),
        None => (default_of(setting, environment), "default"),
    }
}

fn default_of(setting: &Setting, environment: Environment) -> String {
    match setting.preset {
        Preset::Derived(words) => format!("({words})"),
        preset => preset.text(environment).unwrap_or("").to_owned(),
    }
}
